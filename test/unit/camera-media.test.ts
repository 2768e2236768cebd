import { readFileSync } from 'node:fs';
import path from 'node:path';
import { EbmlStreamDecoder, EbmlTagId } from 'ebml-stream';
import { describe, expect, it } from 'vitest';
import { decoderConfiguration, endOfFragment, type Fragment, film, readAnnexB } from '../../camera/media.ts';

const bytes = readFileSync(path.join(import.meta.dirname, '../../camera/clip.h264'));
const size = { width: 640, height: 360, framesPerSecond: 15 };
const clip = readAnnexB(bytes, size);
const startMs = 1_795_498_624_893;

interface Tag {
  id: number;
  type?: string;
  data?: unknown;
  position?: string;
}

async function tagsOf(fragments: Fragment[]): Promise<Tag[]> {
  const decoder = new EbmlStreamDecoder();
  const tags: Tag[] = [];
  decoder.on('data', (tag) => tags.push(tag as unknown as Tag));
  const ended = new Promise((resolve) => decoder.on('end', resolve));
  for (const fragment of fragments) decoder.write(fragment.bytes);
  decoder.end();
  await ended;
  return tags;
}

describe('the clip', () => {
  it('is small, and six seconds of pictures with a key picture each second', () => {
    expect(bytes.length).toBeLessThanOrEqual(100 * 1024);
    expect(clip.pictures).toHaveLength(90);
    expect(clip.pictures.flatMap(({ key }, index) => (key ? [index] : []))).toEqual([0, 15, 30, 45, 60, 75]);
  });

  it('loses no unit and cuts no unit short', () => {
    const units = clip.pictures.flatMap((picture) => picture.units);
    const parameterSets = clip.pictures.filter(({ key }) => key).length * 2;
    const startCodes = [...bytes.toString('latin1').matchAll(/\0\0\x01/g)].length;
    expect(units.length + parameterSets).toBe(startCodes);
  });

  it('is refused if it does not begin with a key picture', () => {
    expect(() => readAnnexB(Buffer.from([0, 0, 0, 1, 0x41, 0x9a, 1]), size)).toThrow('begins with a key picture');
    expect(() => readAnnexB(Buffer.alloc(0), size)).toThrow('begins with a key picture');
  });
});

describe('decoder configuration', () => {
  it('names profile and level and holds both parameter sets', () => {
    const configuration = decoderConfiguration(clip);
    expect([...configuration.subarray(0, 6)]).toEqual([1, ...clip.sequenceParameters.subarray(1, 4), 0xff, 0xe1]);
    expect(configuration.includes(clip.sequenceParameters)).toBe(true);
    expect(configuration.includes(clip.pictureParameters)).toBe(true);
  });
});

describe('film', () => {
  it('makes fragments of a second, end to end, in wall-clock time', () => {
    const fragments = [...film(clip, startMs, 8)];
    expect(fragments.map(({ timecodeMs }) => timecodeMs - startMs)).toEqual([
      0, 1000, 2000, 3000, 4000, 5000, 6000, 7000,
    ]);
    expect(fragments.every(({ durationMs }) => durationMs === 1000)).toBe(true);
  });

  it('is one Matroska segment: a cluster a fragment, each closed by the end-of-fragment tag', async () => {
    const tags = await tagsOf([...film(clip, startMs, 8)]);
    const timecodes = tags.filter(({ id }) => id === EbmlTagId.Timecode).map(({ data }) => data);
    expect(timecodes).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((second) => startMs + second * 1000));
    expect(tags.filter(({ id }) => id === EbmlTagId.SimpleBlock)).toHaveLength(8 * 15);
    const names = tags.filter(({ id }) => id === EbmlTagId.TagName).map(({ data }) => data);
    expect(names).toEqual(Array(8).fill('AWS_KINESISVIDEO_END_OF_FRAGMENT'));
  });

  it('says what it is in the first fragment only', () => {
    const [first, second] = [...film(clip, startMs, 2)] as [Fragment, Fragment];
    expect(first.bytes.subarray(0, 4).toString('hex')).toBe('1a45dfa3'); // EBML
    expect(first.bytes.includes('V_MPEG4/ISO/AVC')).toBe(true);
    expect(second.bytes.subarray(0, 4).toString('hex')).toBe('1f43b675'); // Cluster
    expect(second.bytes.subarray(-endOfFragment.length)).toEqual(endOfFragment);
  });
});
