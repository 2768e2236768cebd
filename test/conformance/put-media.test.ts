import { beforeAll, describe, expect, test } from 'vitest';
import { eventually, settings } from '../cloud.ts';
import { persistedFragments } from '../kinesis-video.ts';
import { type Asked, callersKeys, film, makeStream, openIn, types, WHOLE } from '../media-streams.ts';
import type { Acknowledgement } from '../put-media.ts';
import { block, cluster, END_OF_FRAGMENT, footage, head, piecesOf } from '../unit/matroska.ts';

/**
 * What PutMedia acknowledges (Kinesis Video Streams guide, API_dataplane_PutMedia), signed over an empty body and sent in chunks as AWS's producers do. Makes
 * two streams.
 */

/** One that keeps an hour, and one that keeps nothing. */
let kept: Asked;
let fleeting: Asked;

beforeAll(async () => {
  const as = await callersKeys();
  [kept, fleeting] = (await Promise.all([1, 0].map(async (hours) => ({ stream: await makeStream(hours), as })))) as [
    Asked,
    Asked,
  ];
});

const of = (acknowledgements: Acknowledgement[], timecode: number) =>
  acknowledgements.filter(({ FragmentTimecode }) => FragmentTimecode === timecode);

describe('acknowledgements', () => {
  test('come for each cluster, in order, while the film goes on', async () => {
    const start = Date.now();
    const [top, first, second] = piecesOf(footage(4, start, 2)) as [Buffer, Buffer, Buffer];
    const upload = await openIn(kept, top, first);
    const all = [await upload.next()] as Acknowledgement[];
    expect(all).toEqual([
      { EventType: 'BUFFERING', FragmentTimecode: start, FragmentNumber: expect.stringMatching(/^\d{47}$/) },
    ]);
    upload.send(second);
    while (types(of(all, start)) !== WHOLE) all.push((await upload.next()) as Acknowledgement);
    upload.end();
    all.push(...(await upload.rest()));
    const fragments = [start, start + 2000].map((timecode) => of(all, timecode));
    expect(fragments.map(types)).toEqual([WHOLE, WHOLE]);
    expect(all).toHaveLength(6);

    const numbers = fragments.map((fragment) => [
      ...new Set(fragment.map(({ FragmentNumber = '' }) => FragmentNumber)),
    ]);
    expect(numbers).toEqual([[expect.any(String)], [expect.any(String)]]);
    const [one = '', two = ''] = numbers.flat();
    expect(BigInt(two)).toBeGreaterThan(BigInt(one));
    await eventually(async () => {
      const place = { ...('endpoint' in settings && { aws: settings.endpoint }), region: settings.region };
      const persisted = await persistedFragments(place, kept.as, kept.stream.name);
      expect(persisted.map(({ FragmentNumber }) => FragmentNumber)).toEqual(expect.arrayContaining([one, two]));
    });
  });

  test('come at the end-of-fragment tag, with the request still open', async () => {
    const upload = await openIn(kept, head(), cluster(Date.now()), END_OF_FRAGMENT);
    const all = [await upload.next(), await upload.next(), await upload.next()] as Acknowledgement[];
    expect(types(all)).toBe(WHOLE);
    upload.end();
    expect(await upload.rest()).toEqual([]);
  });

  test('have the timecodes that were sent, relative ones too', async () => {
    const headers = { 'x-amzn-fragment-timecode-type': 'RELATIVE' };
    const all = await film({ ...kept, headers }, head(), cluster(500), cluster(2500));
    expect([500, 2500].map((timecode) => types(of(all, timecode)))).toEqual([WHOLE, WHOLE]);
  });

  test('do not say PERSISTED where nothing is kept', async () => {
    const start = Date.now();
    const all = await film(fleeting, head(), cluster(start), cluster(start + 2000));
    for (const timecode of [start, start + 2000]) expect(types(of(all, timecode))).toBe('BUFFERING RECEIVED');
  });
});

describe('an ERROR ends it, for', () => {
  const at = Date.now();
  const noFilm = Buffer.from('this is a text and no film');
  const tracks = (...numbers: number[]) => [
    head(numbers),
    cluster(
      at,
      numbers.map((track) => block(track)),
    ),
  ];

  test.each<[string, Buffer[], number, string]>([
    ['what is no Matroska', [noFilm], 4006, 'INVALID_MKV_DATA'],
    ['what is none after a head', [head(), noFilm], 4006, 'INVALID_MKV_DATA'],
    ['nonsense after a fragment', [head(), cluster(at), END_OF_FRAGMENT, noFilm], 4006, 'INVALID_MKV_DATA'],
    ['a frame of a track that is not there', [head(), cluster(at, [block(2)])], 4010, 'TRACK_NUMBER_MISMATCH'],
    ['a track without a frame', [head([1, 2]), cluster(at), cluster(at + 2000)], 4011, 'FRAMES_MISSING_FOR_TRACK'],
    ['older fragments', [head(), cluster(at), cluster(at - 2000)], 4004, 'FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS'],
    ['21 seconds', [head(), cluster(at, [block(), block(1, 21_000)])], 4002, 'MAX_FRAGMENT_DURATION_REACHED'],
  ])('%s', async (_, body, ErrorId, ErrorCode) => {
    const all = await film(kept, ...body);
    expect(all.at(-1)).toMatchObject({ EventType: 'ERROR', ErrorId, ErrorCode });
    expect(all.filter(({ EventType }) => EventType === 'ERROR')).toHaveLength(1);
  });

  // The page refuses these and does not say by which code.
  test.each<[string, Buffer[], number, string]>([
    [
      'a fragment that begins before the last one ends',
      [head(), cluster(at, [block(), block(1, 2000)]), cluster(at + 1000)],
      4004,
      'FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS',
    ],
    ['a second segment', [head(), cluster(at), head(), cluster(at + 2000)], 4006, 'INVALID_MKV_DATA'],
    ['four tracks, by a deprecated code', tracks(1, 2, 3, 4), 4005, 'MORE_THAN_ALLOWED_TRACKS_FOUND'],
  ])('guess: %s', async (_, body, ErrorId, ErrorCode) => {
    expect((await film(kept, ...body)).at(-1)).toMatchObject({ EventType: 'ERROR', ErrorId, ErrorCode });
  });

  test('not for three tracks', async () => {
    expect(types(await film(kept, ...tracks(1, 2, 3)))).toBe(WHOLE);
  });

  test('guess: with timecode -1 and no number outside any fragment', async () => {
    expect(await film(kept, noFilm)).toEqual([
      { EventType: 'ERROR', FragmentTimecode: -1, FragmentNumber: '', ErrorId: 4006, ErrorCode: 'INVALID_MKV_DATA' },
    ]);
  });
});
