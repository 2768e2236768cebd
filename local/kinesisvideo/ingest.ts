import type { Clock } from '../clock.ts';
import { MkvError } from './ebml.ts';
import { createMkvReader, type MkvEvent } from './mkv.ts';
import type { Stream, Streams } from './streams.ts';

/** API_dataplane_PutMedia, "Acknowledgement error codes". */
const ERRORS: Record<number, string> = {
  4001: 'MAX_FRAGMENT_SIZE_REACHED',
  4002: 'MAX_FRAGMENT_DURATION_REACHED',
  4003: 'MAX_CONNECTION_DURATION_REACHED',
  4004: 'FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS',
  4005: 'MORE_THAN_ALLOWED_TRACKS_FOUND',
  4006: 'INVALID_MKV_DATA',
  4008: 'STREAM_NOT_ACTIVE',
  4010: 'TRACK_NUMBER_MISMATCH',
  4011: 'FRAMES_MISSING_FOR_TRACK',
  5000: 'INTERNAL_ERROR',
};

/** KVS quotas: tracks a fragment, bytes a fragment, length of a fragment. */
const MOST_TRACKS = 3;
const LARGEST_FRAGMENT = 50 * 1024 * 1024;
const LONGEST_FRAGMENT_MS = 20_000;

export interface Ingest {
  /** False when nothing more is taken: an ERROR has been acknowledged. */
  push(chunk: Buffer): boolean;
  /** The body has ended. */
  end(): void;
  /** Acknowledges an ERROR from outside the media. */
  fail(errorId: number): void;
}

interface OpenFragment {
  number: string;
  timecodeMs: number;
  lastFrameMs: number;
  tracksSeen: Set<number>;
}

/** The fragments of one PutMedia, and what is said about each: BUFFERING when it opens, RECEIVED when it is whole, PERSISTED when it is kept. */
export function createIngest({
  streams,
  stream,
  clock,
  acknowledge,
  producerStart,
}: {
  streams: Streams;
  stream: Stream;
  clock: Clock;
  acknowledge: (ack: object) => void;
  /** Epoch ms that the timecodes count from; undefined when they are absolute. */
  producerStart: number | undefined;
}): Ingest {
  const reader = createMkvReader();
  let tracks: readonly number[] = [];
  let fragment: OpenFragment | undefined;
  let previousTimecode = Number.NEGATIVE_INFINITY;
  let latestFrameMs = Number.NEGATIVE_INFINITY;

  // FragmentNumber is longer than any JSON number keeps: a string, as real answers have it.
  const say = (EventType: string, { timecodeMs, number }: OpenFragment) =>
    acknowledge({ EventType, FragmentTimecode: timecodeMs, FragmentNumber: number });

  function fail(errorId: number): void {
    // An error outside any fragment has timecode -1 and an empty number (AWS's own example).
    acknowledge({
      EventType: 'ERROR',
      FragmentTimecode: fragment?.timecodeMs ?? -1,
      FragmentNumber: fragment?.number ?? '',
      ErrorId: errorId,
      ErrorCode: ERRORS[errorId],
    });
  }

  /** The id of the error that ends the connection, if there is one. */
  function take(event: MkvEvent): number | undefined {
    switch (event.type) {
      case 'tracks':
        tracks = event.trackNumbers;
        return tracks.length > MOST_TRACKS ? 4005 : undefined;
      case 'opened':
        return open(event.timecodeMs);
      case 'frame':
        return fragment && addFrame(fragment, event);
      case 'closed':
        return fragment && close(fragment, event.bytesOfFragment);
    }
  }

  function open(timecodeMs: number): number | undefined {
    fragment = { number: streams.nextFragmentNumber(), timecodeMs, lastFrameMs: timecodeMs, tracksSeen: new Set() };
    const status = streams.status(stream);
    if (status !== 'ACTIVE' && status !== 'UPDATING') return 4008;
    if (timecodeMs < previousTimecode) return 4004;
    previousTimecode = timecodeMs;
    say('BUFFERING', fragment);
    return undefined;
  }

  function addFrame(to: OpenFragment, event: Extract<MkvEvent, { type: 'frame' }>): number | undefined {
    if (!tracks.includes(event.trackNumber)) return 4010;
    // API_dataplane_PutMedia: "The earliest frame timestamp in a fragment must be after the latest frame timestamp in the previous fragment."
    if (event.timecodeMs <= latestFrameMs) return 4004;
    to.tracksSeen.add(event.trackNumber);
    to.lastFrameMs = Math.max(to.lastFrameMs, event.timecodeMs);
    if (event.bytesOfFragment > LARGEST_FRAGMENT) return 4001;
    return to.lastFrameMs - to.timecodeMs > LONGEST_FRAGMENT_MS ? 4002 : undefined;
  }

  function close(whole: OpenFragment, sizeBytes: number): number | undefined {
    if (whole.tracksSeen.size < tracks.length) return 4011;
    fragment = undefined;
    latestFrameMs = whole.lastFrameMs;
    say('RECEIVED', whole);
    // "PERSISTED: ... only if the data retention period is greater than zero" (API_dataplane_PutMedia).
    if (stream.retentionHours === 0) return undefined;
    streams.keep(stream, {
      fragmentNumber: whole.number,
      sizeBytes,
      lengthMs: whole.lastFrameMs - whole.timecodeMs,
      producedAt: (producerStart ?? 0) + whole.timecodeMs,
      receivedAt: clock.now(),
    });
    say('PERSISTED', whole);
    return undefined;
  }

  function drain(events: Generator<MkvEvent>): boolean {
    try {
      for (const event of events) {
        const errorId = take(event);
        if (errorId === undefined) continue;
        fail(errorId);
        return false;
      }
      return true;
    } catch (error) {
      // Nobody above catches what a piece of a body does: a bug is told here, and the stand-in stays up.
      if (!(error instanceof MkvError)) console.error(error);
      fail(error instanceof MkvError ? 4006 : 5000);
      return false;
    }
  }

  return {
    push: (chunk) => drain(reader.push(chunk)),
    end: () => void drain(reader.end()),
    fail,
  };
}
