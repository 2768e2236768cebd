import { setTimeout as sleep } from 'node:timers/promises';
import type { Credentials } from './credentials.ts';
import { activeStream, dataEndpoint, type KinesisVideoDoor, type StreamInfo } from './kinesis-video.ts';
import { type Clip, type Fragment, film } from './media.ts';
import { type Acknowledgement, putMedia } from './put-media.ts';

export interface FilmOptions {
  streamName: string;
  clip: Clip;
  /** Live, for this long. Left out: the clip's first three seconds at once, as a recording. */
  seconds?: number | undefined;
}

type Retry = <T>(step: () => Promise<T>) => Promise<T>;

/** Kinesis Video ends a connection after 45 minutes; we change over before. */
const connectionMs = 40 * 60_000;
/** The KVS SDK too fetches new keys when fewer than 38 s are left. */
const lastKeysMs = 38_000;

/**
 * Films into a stream until every fragment is acknowledged for good: finds the stream, asks where it takes media, and
 * sends. A long film takes several connections, each begun with keys that outlast it.
 */
export async function stream(
  door: KinesisVideoDoor,
  { streamName, clip, seconds }: FilmOptions,
  retry: Retry,
  onActive: (stream: StreamInfo) => void,
): Promise<Acknowledgement[]> {
  const info = await retry(() => activeStream(door, streamName));
  onActive(info);
  const endpoint = await retry(() => dataEndpoint(door, streamName));
  const last = info.DataRetentionInHours > 0 ? 'PERSISTED' : 'RECEIVED';
  const send = (credentials: Credentials, startMs: number, fragments: AsyncIterable<Fragment> | Iterable<Fragment>) =>
    putMedia(fragments, {
      dataEndpoint: endpoint,
      streamName,
      region: door.region,
      credentials,
      startMs,
      untilAcknowledged: last,
    });

  if (seconds === undefined) {
    return retry(async () => {
      const credentials = await door.credentials();
      const startMs = Date.now() + credentials.clockOffsetMs - 3000;
      return send(credentials, startMs, film(clip, startMs, 3));
    });
  }
  const words: Acknowledgement[] = [];
  for (const until = Date.now() + seconds * 1000; Date.now() < until; ) {
    const sent = await retry(async () => {
      const credentials = await door.credentials();
      const now = Date.now() + credentials.clockOffsetMs;
      const end = Math.min(
        until + credentials.clockOffsetMs,
        now + connectionMs,
        credentials.expiration.getTime() - lastKeysMs,
      );
      return send(credentials, now, live(clip, now, end, credentials.clockOffsetMs));
    });
    words.push(...sent);
  }
  return words;
}

/** The film at its own pace: a fragment can be sent once its last picture has been seen. At least one. */
async function* live(clip: Clip, startMs: number, endMs: number, clockOffsetMs: number): AsyncGenerator<Fragment> {
  for (const fragment of film(clip, startMs)) {
    const over = fragment.timecodeMs + fragment.durationMs;
    await sleep(Math.max(0, over - (Date.now() + clockOffsetMs)));
    yield fragment;
    if (over >= endMs) return;
  }
}
