/**
 * Reads the Matroska of one PutMedia as it comes in, chunk by chunk: what a fragment is, and when it begins and ends.
 * Element ids are RFC 9559's, the container's grammar is RFC 8794's.
 */

import { children, type Header, MkvError, readHeader, text, unsigned, vint, vintLength } from './ebml.ts';

export type MkvEvent =
  | { type: 'tracks'; trackNumbers: number[] }
  /** A cluster's timecode is known. */
  | { type: 'opened'; timecodeMs: number }
  | { type: 'frame'; trackNumber: number; timecodeMs: number; bytesOfFragment: number }
  /** The next cluster, the end-of-fragment tag, or the end of the body. */
  | { type: 'closed'; bytesOfFragment: number };

export interface MkvReader {
  /** Yields what the bytes tell, in order, then throws MkvError at the first that make no sense. */
  push(chunk: Buffer): Generator<MkvEvent>;
  /** The body has ended. */
  end(): Generator<MkvEvent>;
}

const EBML = 0x1a45dfa3;
const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const TRACKS = 0x1654ae6b;
const CLUSTER = 0x1f43b675;
const TAGS = 0x1254c367;
const TIMECODE = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK_GROUP = 0xa0;
const BLOCK = 0xa1;
const DOC_TYPE = 0x4282;
const TIMECODE_SCALE = 0x2ad7b1;
const TRACK_ENTRY = 0xae;
const TRACK_NUMBER = 0xd7;
const TAG = 0x7373;
const SIMPLE_TAG = 0x67c8;
const TAG_NAME = 0x45a3;

/** Entered rather than read: their children follow as if there were no parent. Segment and cluster may be of unknown size. */
const ENTERED = new Set([SEGMENT, CLUSTER, BLOCK_GROUP]);
/** Needed whole before they mean anything. */
const WHOLE = new Set([EBML, INFO, TRACKS, TAGS, TIMECODE]);
/** Void, CRC-32, SeekHead, Cues, Chapters, Attachments: allowed, and of no interest. */
const PASSED_OVER = new Set([0xec, 0xbf, 0x114d9b74, 0x1c53bb6b, 0x1043a770, 0x1941a469]);
/** PrevSize, Position, SilentTracks, and a block group's duration, references, additions, padding, codec state, slices. */
const PASSED_OVER_IN_CLUSTER = new Set([
  0xab, 0xa7, 0x5854, 0x9b, 0xfb, 0xfa, 0xfd, 0x75a1, 0x75a2, 0xa4, 0x8e, 0xec, 0xbf,
]);

/** KVS developer guide, "Kinesis Video Streams producer SDK, Reference: End of fragment". */
const END_OF_FRAGMENT = 'AWS_KINESISVIDEO_END_OF_FRAGMENT';
const LONGEST_WHOLE_ELEMENT = 1024 * 1024;
/** Track number (1–8 bytes), timecode (2), flags (1). */
const LONGEST_BLOCK_HEADER = 11;

export function createMkvReader(): MkvReader {
  let pending: Buffer = Buffer.alloc(0);
  let toSkip = 0;
  let seen: 'nothing' | 'ebml' | 'segment' = 'nothing';
  let tracks: number[] | undefined;
  let timecodeScale = 1_000_000;
  let inCluster = false;
  let clusterTimecode: number | undefined;
  let bytesOfFragment: number | undefined;

  const milliseconds = (timecode: number) => Math.round((timecode * timecodeScale) / 1_000_000);

  function* close(): Generator<MkvEvent> {
    if (bytesOfFragment !== undefined) yield { type: 'closed', bytesOfFragment };
    bytesOfFragment = undefined;
    clusterTimecode = undefined;
    inCluster = false;
  }

  function consume(bytes: number): void {
    pending = pending.subarray(bytes);
    if (bytesOfFragment !== undefined) bytesOfFragment += bytes;
  }

  function* enter({ id, length }: Header): Generator<MkvEvent> {
    if (id === SEGMENT) {
      yield* close();
      // API_dataplane_PutMedia: "An MKV stream containing more than one MKV segment … also results in the Error acknowledgement."
      if (seen !== 'ebml') throw new MkvError('a segment without a header of its own, or a second one');
      seen = 'segment';
    } else if (id === CLUSTER) {
      if (tracks === undefined) throw new MkvError('a cluster before the tracks');
      yield* close();
      inCluster = true;
      bytesOfFragment = 0;
    } else if (!inCluster) throw new MkvError('a block group outside a cluster');
    consume(length);
  }

  function* whole(id: number, data: Buffer): Generator<MkvEvent> {
    if (id === EBML) {
      const docType = text(children(data), DOC_TYPE);
      if (docType !== 'matroska' && docType !== 'webm') throw new MkvError('an EBML document that is not Matroska');
      yield* close();
      if (seen !== 'nothing') throw new MkvError('a second EBML header');
      seen = 'ebml';
    } else if (id === INFO) {
      const scale = children(data).find((child) => child.id === TIMECODE_SCALE);
      timecodeScale = scale === undefined ? 1_000_000 : unsigned(scale.data);
    } else if (id === TRACKS) {
      // "… or containing disallowed MKV elements (like track*)": one list of tracks, at the head.
      if (tracks !== undefined) throw new MkvError('a second list of tracks');
      const entries = children(data).filter((child) => child.id === TRACK_ENTRY);
      tracks = entries.map((entry) => {
        const number = children(entry.data).find((child) => child.id === TRACK_NUMBER);
        if (number === undefined) throw new MkvError('a track without a number');
        return unsigned(number.data);
      });
      if (tracks.length === 0) throw new MkvError('no track');
      yield { type: 'tracks', trackNumbers: tracks };
    } else if (id === TAGS) {
      inCluster = false;
      if (tagNames(data).includes(END_OF_FRAGMENT)) yield* close();
    } else {
      if (!inCluster) throw new MkvError('a timecode outside a cluster');
      clusterTimecode = unsigned(data);
      yield { type: 'opened', timecodeMs: milliseconds(clusterTimecode) };
    }
  }

  /** One element, or as much of it as is here; false when more bytes are needed. */
  function* step(): Generator<MkvEvent, boolean> {
    if (toSkip > 0) {
      const now = Math.min(toSkip, pending.length);
      consume(now);
      toSkip -= now;
      return toSkip === 0 && pending.length > 0;
    }
    const header = readHeader(pending);
    if (header === undefined) return false;
    const { id, size, length } = header;
    if (seen === 'nothing' && id !== EBML) throw new MkvError('no EBML header');

    if (ENTERED.has(id)) {
      yield* enter(header);
      return true;
    }
    if (size === undefined) throw new MkvError(`element ${id.toString(16)} of unknown size`);

    if (WHOLE.has(id)) {
      if (size > LONGEST_WHOLE_ELEMENT) throw new MkvError(`element ${id.toString(16)} of ${size} bytes`);
      if (id !== EBML && seen !== 'segment') throw new MkvError(`element ${id.toString(16)} outside a segment`);
      if (pending.length < length + size) return false;
      const data = pending.subarray(length, length + size);
      consume(length + size);
      yield* whole(id, data);
      return true;
    }
    if (id === SIMPLE_BLOCK || id === BLOCK) {
      if (clusterTimecode === undefined || !inCluster) throw new MkvError('a block before its cluster has a timecode');
      if (pending.length < length + Math.min(size, LONGEST_BLOCK_HEADER)) return false;
      const { trackNumber, timecode } = readBlock(
        pending.subarray(length, length + Math.min(size, LONGEST_BLOCK_HEADER)),
      );
      consume(length);
      toSkip = size;
      yield {
        type: 'frame',
        trackNumber,
        timecodeMs: milliseconds(clusterTimecode + timecode),
        bytesOfFragment: (bytesOfFragment ?? 0) + size,
      };
      return true;
    }
    if (!PASSED_OVER.has(id) && !(inCluster && PASSED_OVER_IN_CLUSTER.has(id))) {
      throw new MkvError(`unknown element ${id.toString(16)}`);
    }
    consume(length);
    toSkip = size;
    return true;
  }

  return {
    *push(chunk) {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      while (yield* step());
    },
    *end() {
      if (pending.length > 0 || toSkip > 0) throw new MkvError('the body ends within an element');
      yield* close();
    },
  };
}

const tagNames = (tags: Buffer) =>
  children(tags)
    .filter((tag) => tag.id === TAG)
    .flatMap((tag) => children(tag.data).filter((child) => child.id === SIMPLE_TAG))
    .map((simpleTag) => text(children(simpleTag.data), TAG_NAME));

function readBlock(bytes: Buffer): { trackNumber: number; timecode: number } {
  const length = vintLength(bytes[0], 8);
  if (length === undefined || bytes.length < length + 3) throw new MkvError('a block without a header');
  const trackNumber = vint(bytes.subarray(0, length));
  if (trackNumber === undefined) throw new MkvError('a block without a track number');
  return { trackNumber, timecode: bytes.readInt16BE(length) };
}
