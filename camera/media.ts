import { Buffer } from 'node:buffer';
import { Muxer, StreamTarget } from 'webm-muxer';

/** One picture: the NAL units that make it, in the order they came. */
export interface Picture {
  units: Buffer[];
  key: boolean;
}

/** A whole H.264 recording. */
export interface Clip {
  pictures: Picture[];
  sequenceParameters: Buffer;
  pictureParameters: Buffer;
  width: number;
  height: number;
  framesPerSecond: number;
}

const nal = { slice: 1, keySlice: 5, enhancement: 6, sequenceParameters: 7, pictureParameters: 8, delimiter: 9 };

/** Reads an H.264 elementary stream (Annex B: units between start codes, as encoders write it). */
export function readAnnexB(bytes: Buffer, size: { width: number; height: number; framesPerSecond: number }): Clip {
  const clip: Clip = { pictures: [], sequenceParameters: Buffer.of(), pictureParameters: Buffer.of(), ...size };
  let before: Buffer[] = [];
  for (const unit of unitsOf(bytes)) {
    const type = (unit[0] as number) & 0x1f;
    if (type === nal.sequenceParameters) clip.sequenceParameters = unit;
    else if (type === nal.pictureParameters) clip.pictureParameters = unit;
    else if (type === nal.delimiter) continue;
    else if (type !== nal.slice && type !== nal.keySlice) before.push(unit);
    // first_mb_in_slice = 0 is coded as a single 1 bit: this slice begins a picture (H.264 7.3.3).
    else if ((unit[1] as number) & 0x80) {
      clip.pictures.push({ units: [...before, unit], key: type === nal.keySlice });
      before = [];
    } else clip.pictures.at(-1)?.units.push(unit);
  }
  if (clip.sequenceParameters.length < 4 || clip.pictureParameters.length === 0 || !clip.pictures[0]?.key) {
    throw new Error('the clip is not an H.264 stream that begins with a key picture');
  }
  return clip;
}

function* unitsOf(bytes: Buffer): Generator<Buffer> {
  const startCode = Buffer.of(0, 0, 1);
  let start = bytes.indexOf(startCode);
  while (start !== -1) {
    const next = bytes.indexOf(startCode, start + 3);
    let end = next === -1 ? bytes.length : next;
    // A start code may have a fourth zero before it, and a unit never ends in zero.
    while (bytes[end - 1] === 0) end--;
    if (end > start + 3) yield bytes.subarray(start + 3, end);
    start = next;
  }
}

/** AVCDecoderConfigurationRecord (ISO 14496-15): what a player needs before the first picture. */
export function decoderConfiguration({ sequenceParameters: sps, pictureParameters: pps }: Clip): Buffer {
  const [, profile, constraints, level] = sps as unknown as [number, number, number, number];
  const lengthOfLength = 0xff; // reserved bits, then 4 bytes
  const oneSet = 0xe1; // reserved bits, then 1 set
  return Buffer.concat([
    Buffer.of(1, profile, constraints, level, lengthOfLength, oneSet),
    uint16(sps.length),
    sps,
    Buffer.of(1),
    uint16(pps.length),
    pps,
  ]);
}

/** One fragment as Kinesis Video wants it: a Matroska cluster that begins with a key picture. */
export interface Fragment {
  bytes: Buffer;
  timecodeMs: number;
  durationMs: number;
}

/**
 * Films the clip over and over as one Matroska segment, beginning at `startMs`. The first fragment carries the header.
 * Each ends with the tag by which Kinesis Video knows it is whole; without it, it would wait for the next one.
 */
export function* film(clip: Clip, startMs: number, fragments = Number.POSITIVE_INFINITY): Generator<Fragment> {
  let written: Buffer[] = [];
  const muxer = new Muxer({
    target: new StreamTarget({ onData: (data, _position) => written.push(Buffer.from(data)) }),
    type: 'matroska',
    // Sizes unknown in advance, nothing is rewritten: what a live stream needs.
    streaming: true,
    firstTimestampBehavior: 'permissive',
    video: { codec: 'V_MPEG4/ISO/AVC', width: clip.width, height: clip.height, frameRate: clip.framesPerSecond },
  });
  const description = decoderConfiguration(clip);
  const at = (index: number) => startMs + Math.round((index * 1000) / clip.framesPerSecond);
  for (let first = 0, made = 0; made < fragments; made++) {
    let next = first;
    do {
      const picture = clip.pictures[next % clip.pictures.length] as Picture;
      muxer.addVideoChunkRaw(lengthPrefixed(picture.units), picture.key ? 'key' : 'delta', at(next) * 1000, {
        decoderConfig: { codec: 'avc1', description },
      });
      next++;
    } while (!clip.pictures[next % clip.pictures.length]?.key);
    yield {
      bytes: Buffer.concat([...written, endOfFragment]),
      timecodeMs: at(first),
      durationMs: at(next) - at(first),
    };
    written = [];
    first = next;
  }
}

// In Matroska each unit is preceded by its length instead of a start code.
function lengthPrefixed(units: Buffer[]): Buffer {
  return Buffer.concat(units.flatMap((unit) => [uint32(unit.length), unit]));
}

function element(id: number[], content: Buffer): Buffer {
  // One length byte holds up to 126, marked by its highest bit (EBML, RFC 8794).
  return Buffer.concat([Buffer.from(id), Buffer.of(0x80 | content.length), content]);
}

/** Tags > Tag > SimpleTag > TagName, TagString (Kinesis Video, "Using streaming metadata"). */
export const endOfFragment: Buffer = element(
  [0x12, 0x54, 0xc3, 0x67],
  element(
    [0x73, 0x73],
    element(
      [0x67, 0xc8],
      Buffer.concat([
        element([0x45, 0xa3], Buffer.from('AWS_KINESISVIDEO_END_OF_FRAGMENT')),
        element([0x44, 0x87], Buffer.from('')),
      ]),
    ),
  ),
);

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
