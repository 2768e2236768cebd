import { setTimeout as sleep } from 'node:timers/promises';
import type { Credentials } from './credentials.ts';
import { StepFailed } from './failure.ts';
import { activeStream, dataEndpoint, type KinesisVideoDoor, type StreamInfo } from './kinesis-video.ts';
import { type Clip, type Fragment, film } from './media.ts';
import { type Acknowledgement, putMedia } from './put-media.ts';

/** Somebody's credentials and the stream they are for. */
export interface Producer {
  door: KinesisVideoDoor;
  streamName: string;
  /** Aborted when another takes its place: its film ends at the next fragment's border. */
  over: AbortController;
  /** What `reach` has found out, once. */
  reached?: { info: StreamInfo; endpoint: string };
}

export interface FilmOptions {
  clip: Clip;
  /** Live, for this long. Left out: the clip's first three seconds at once, as a recording. */
  seconds?: number | undefined;
}

type Retry = <T>(step: () => Promise<T>) => Promise<T>;

/** What is heard of a film while it goes on. */
export interface Heard {
  onActive?(producer: Producer, stream: StreamInfo): void;
  /** The first time that a fragment of this producer's is safe. */
  onAcknowledged?(producer: Producer): void;
}

/** Kinesis Video ends a connection after 45 minutes; we change over before. */
const connectionMs = 40 * 60_000;
/** The KVS SDK too fetches new keys when fewer than 38 s are left. */
const lastKeysMs = 38_000;

/** Finds the stream, and asks where it takes media. */
export async function reach(producer: Producer, retry: Retry, { onActive }: Heard = {}) {
  if (producer.reached) return producer.reached;
  const { door, streamName } = producer;
  const info = await retry(() => activeStream(door, streamName));
  onActive?.(producer, info);
  const endpoint = await retry(() => dataEndpoint(door, streamName));
  producer.reached = { info, endpoint };
  return producer.reached;
}

/**
 * Films until every fragment is acknowledged for good. A long film takes several connections, each begun with keys that outlast
 * it, and each for whoever is the producer then: a renewed camera has another, sometimes with another stream. The one connection
 * that a stream takes is let go of before the next is opened.
 */
export async function stream(
  producerNow: () => Producer,
  { clip, seconds }: FilmOptions,
  retry: Retry,
  heard: Heard,
): Promise<Acknowledgement[]> {
  await reach(producerNow(), retry, heard);
  if (seconds === undefined) {
    return retry(async () => {
      const producer = producerNow();
      const credentials = await producer.door.credentials();
      const startMs = Date.now() + credentials.clockOffsetMs - 3000;
      return send(producer, credentials, startMs, film(clip, startMs, 3), heard);
    });
  }
  const words: Acknowledgement[] = [];
  for (const until = Date.now() + seconds * 1000; Date.now() < until; ) {
    await reach(producerNow(), retry, heard);
    const sent = await retry(async () => {
      const producer = producerNow();
      const credentials = await producer.door.credentials();
      const now = Date.now() + credentials.clockOffsetMs;
      const end = Math.min(
        until + credentials.clockOffsetMs,
        now + connectionMs,
        credentials.expiration.getTime() - lastKeysMs,
      );
      return send(producer, credentials, now, live(clip, now, end, credentials.clockOffsetMs, producer.over), heard);
    });
    words.push(...sent);
  }
  return words;
}

function send(
  producer: Producer,
  credentials: Credentials,
  startMs: number,
  fragments: AsyncIterable<Fragment> | Iterable<Fragment>,
  { onAcknowledged }: Heard,
): Promise<Acknowledgement[]> {
  const { door, streamName, reached } = producer;
  // It became the producer while we waited to try again.
  if (!reached) throw new StepFailed('again', `stream ${streamName} has yet to be found`);
  return putMedia(fragments, {
    dataEndpoint: reached.endpoint,
    streamName,
    region: door.region,
    credentials,
    startMs,
    untilAcknowledged: reached.info.DataRetentionInHours > 0 ? 'PERSISTED' : 'RECEIVED',
    onAcknowledged: () => onAcknowledged?.(producer),
  });
}

/** The film at its own pace: a fragment can be sent once its last picture has been seen. At least one. */
async function* live(
  clip: Clip,
  startMs: number,
  endMs: number,
  clockOffsetMs: number,
  { signal: over }: AbortController,
): AsyncGenerator<Fragment> {
  for (const fragment of film(clip, startMs)) {
    const endOfFragment = fragment.timecodeMs + fragment.durationMs;
    await sleep(Math.max(0, endOfFragment - (Date.now() + clockOffsetMs)));
    yield fragment;
    if (endOfFragment >= endMs || over.aborted) return;
  }
}
