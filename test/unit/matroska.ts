import { ArrayBufferTarget, Muxer } from 'webm-muxer';

/** A small writer of Matroska, for what no honest muxer writes; and footage from one that does. */

export const EBML = 0x1a45dfa3;
export const SEGMENT = 0x18538067;
export const INFO = 0x1549a966;
export const TRACKS = 0x1654ae6b;
export const CLUSTER = 0x1f43b675;
export const TAGS = 0x1254c367;

const idBytes = (id: number) => Buffer.from(id.toString(16).padStart(id > 0xffffff ? 8 : 2, '0'), 'hex');

/** `size` of undefined: unknown, and the content follows. */
export function element(id: number, content: Buffer | Buffer[] = [], size?: 'unknown'): Buffer {
  const body = Buffer.isBuffer(content) ? content : Buffer.concat(content);
  const length = Buffer.alloc(8);
  length.writeUIntBE(body.length, 2, 6);
  length[0] = 1;
  return Buffer.concat([idBytes(id), size === 'unknown' ? Buffer.from('01ffffffffffffff', 'hex') : length, body]);
}

const number = (id: number, value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return element(id, bytes);
};

export const header = (docType = 'matroska') => element(EBML, element(0x4282, Buffer.from(docType)));

/** The head of a body: as many tracks as are named. */
export function head(trackNumbers: number[] = [1], { docType = 'matroska', timecodeScale = 1_000_000 } = {}): Buffer {
  // TrackNumber, TrackUID, TrackType (video), CodecID, and a picture's width and height.
  const entries = trackNumbers.map((track) =>
    element(0xae, [
      number(0xd7, track),
      number(0x73c5, track),
      number(0x83, 1),
      element(0x86, Buffer.from('V_MPEG4/ISO/AVC')),
      element(0xe0, [number(0xb0, 640), number(0xba, 360)]),
    ]),
  );
  return Buffer.concat([
    header(docType),
    element(SEGMENT, [], 'unknown'),
    element(INFO, number(0x2ad7b1, timecodeScale)),
    element(TRACKS, entries),
  ]);
}

export function block(track = 1, timecode = 0, payload = Buffer.from('picture')): Buffer {
  const fixed = Buffer.from([0x80 | track, 0, 0, 0x80]);
  fixed.writeInt16BE(timecode, 1);
  return element(0xa3, [fixed, payload]);
}

export const cluster = (timecode: number, blocks: Buffer[] = [block()]) =>
  Buffer.concat([element(CLUSTER, [], 'unknown'), number(0xe7, timecode), ...blocks]);

export const tag = (name: string) =>
  element(
    TAGS,
    element(0x7373, element(0x67c8, [element(0x45a3, Buffer.from(name)), element(0x4487, Buffer.from('1'))])),
  );

export const END_OF_FRAGMENT = tag('AWS_KINESISVIDEO_END_OF_FRAGMENT');

/** A film cut before each of its clusters: the head, then a fragment a piece. */
export function piecesOf(film: Buffer): Buffer[] {
  const id = idBytes(CLUSTER);
  const cuts = [0];
  for (let at = film.indexOf(id); at !== -1; at = film.indexOf(id, at + 1)) cuts.push(at);
  return cuts.map((at, index) => film.subarray(at, cuts[index + 1]));
}

/** What webm-muxer writes of so many seconds of video, 10 pictures each; a key frame, and so a cluster, every so many. */
export function footage(seconds: number, startMs: number, secondsPerCluster = 1): Buffer {
  const target = new ArrayBufferTarget();
  const muxer = new Muxer({
    target,
    type: 'matroska',
    streaming: true,
    video: { codec: 'V_MPEG4/ISO/AVC', width: 640, height: 360 },
    firstTimestampBehavior: 'permissive',
  });
  for (let picture = 0; picture < seconds * 10; picture++) {
    const type = picture % (10 * secondsPerCluster) === 0 ? 'key' : 'delta';
    const at = (startMs + picture * 100) * 1000;
    const meta = { decoderConfig: { codec: 'avc1.42c01f', description: Buffer.from('0142c01fffe10000', 'hex') } };
    muxer.addVideoChunkRaw(Buffer.alloc(200, picture), type, at, meta);
  }
  muxer.finalize();
  return Buffer.from(target.buffer);
}
