import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Credentials } from './credentials.ts';
import { StepFailed, unreachable } from './failure.ts';
import { refusal } from './kinesis-video.ts';
import type { Fragment } from './media.ts';
import { signedHeaders } from './sign.ts';

export interface Acknowledgement {
  EventType: 'BUFFERING' | 'RECEIVED' | 'PERSISTED' | 'IDLE' | 'ERROR';
  FragmentTimecode?: number;
  /** Up to 47 digits: more than a number holds. */
  FragmentNumber?: string;
  ErrorId?: number;
}

export interface PutMediaOptions {
  dataEndpoint: string;
  streamName: string;
  region: string;
  credentials: Credentials;
  startMs: number;
  /** The last word about a fragment: PERSISTED where the stream stores, RECEIVED where its retention is 0. */
  untilAcknowledged: 'PERSISTED' | 'RECEIVED';
  /** Called at each last word. */
  onAcknowledged?: (() => void) | undefined;
}

/** How long to wait for the head of the answer before the first byte of film. */
const welcomeMs = 1000;
/** How long the cloud may be silent while we wait for its last word. It closes a connection itself after 30 s. */
const silenceMs = 30_000;

/**
 * One PutMedia: a request that goes on as long as the film does, while its answer, already begun, brings the
 * acknowledgements. Returns the last word about each fragment, in order.
 */
export async function putMedia(
  fragments: AsyncIterable<Fragment> | Iterable<Fragment>,
  options: PutMediaOptions,
): Promise<Acknowledgement[]> {
  const url = new URL('/putMedia', options.dataEndpoint);
  const headers = await signedHeaders(
    url,
    {
      'x-amzn-stream-name': options.streamName,
      'x-amzn-fragment-timecode-type': 'ABSOLUTE',
      'x-amzn-fragment-acknowledgment-required': '1',
      'x-amzn-producer-start-timestamp': (options.startMs / 1000).toFixed(3),
    },
    options,
  );
  const { request: send } = url.protocol === 'https:' ? https : http;
  const request = send(url, { method: 'POST', headers, agent: false });
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  request.on('error', (error) => broken.reject(unreachable(url.origin, error)));
  const acknowledged = listen(request, options, broken.reject);
  try {
    // The answer begins before the film does: a refusal is heard here, and not drowned in the middle of it.
    request.flushHeaders();
    await Promise.race([acknowledged.welcome, sleep(welcomeMs, undefined, { ref: false }), broken.promise]);
    for await (const { bytes, timecodeMs } of fragments) {
      acknowledged.expect(timecodeMs);
      await Promise.race([write(request, bytes), broken.promise]);
    }
    // The request stays open until the last fragment is safe: whoever hangs up first does not know.
    const words = await Promise.race([acknowledged.all(), broken.promise]);
    request.end();
    // A stream takes one connection: let go of this one before the next is opened.
    await Promise.race([acknowledged.closed, sleep(5000, undefined, { ref: false })]);
    return words;
  } finally {
    acknowledged.stop();
    if (!request.writableEnded) request.destroy();
  }
}

function write(request: http.ClientRequest, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => request.write(bytes, () => resolve()));
}

function listen(
  request: http.ClientRequest,
  { untilAcknowledged: last, onAcknowledged }: Pick<PutMediaOptions, 'untilAcknowledged' | 'onAcknowledged'>,
  fail: (error: StepFailed) => void,
) {
  const waiting = new Set<number>();
  const words: Acknowledgement[] = [];
  const allDone = Promise.withResolvers<Acknowledgement[]>();
  const welcome = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  let complete = false;
  let timer: NodeJS.Timeout | undefined;

  function settle() {
    clearTimeout(timer);
    if (complete && waiting.size === 0) return allDone.resolve(words);
    if (complete)
      timer = setTimeout(() => fail(new StepFailed('again', 'putMedia: no acknowledgement within 30 s')), silenceMs);
  }

  function take(acknowledgement: Acknowledgement) {
    const { EventType, FragmentTimecode = -1 } = acknowledgement;
    if (EventType === 'ERROR') return fail(errorFrom(acknowledgement));
    if (EventType === last && waiting.delete(FragmentTimecode)) {
      words.push(acknowledgement);
      onAcknowledged?.();
    }
    settle();
  }

  request.on('response', (response) => {
    if (response.statusCode === 200) welcome.resolve();
    let rest = '';
    response.setEncoding('utf8');
    response.on('error', () => {}); // request's own 'error' or 'close' tells
    response.on('data', (text: string) => {
      if (response.statusCode !== 200) {
        rest += text;
        return;
      }
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const acknowledgement of lines.flatMap(parse)) take(acknowledgement);
    });
    response.on('close', () => {
      closed.resolve();
      if (response.statusCode === 200) fail(new StepFailed('again', 'putMedia: the cloud closed the connection'));
      const errorType = response.headers['x-amzn-errortype'] ?? response.headers['x-amz-errortype'];
      fail(refusal('putMedia', response.statusCode ?? 0, String(errorType ?? ''), rest));
    });
  });

  return {
    welcome: welcome.promise,
    closed: closed.promise,
    expect: (timecodeMs: number) => void waiting.add(timecodeMs),
    all() {
      complete = true;
      settle();
      return allDone.promise;
    },
    stop: () => clearTimeout(timer),
  };
}

/** One line of the answer. Kinesis Video puts one JSON object on each; anything else is skipped, as its own SDK does. */
function parse(line: string): Acknowledgement[] {
  try {
    return line.trim() === '' ? [] : [JSON.parse(line)];
  } catch {
    return [];
  }
}

/** Read error, connection too old, stream not ACTIVE, and AWS's own troubles: worth another connection. */
const passing = (id: number) => id === 4000 || id === 4003 || id === 4008 || id >= 5000;

function errorFrom({ ErrorId = 0, FragmentNumber }: Acknowledgement): StepFailed {
  const where = FragmentNumber ? ` in fragment ${FragmentNumber}` : '';
  return new StepFailed(
    passing(ErrorId) ? 'again' : 'never',
    `putMedia: error ${ErrorId}${where} (${meanings[ErrorId] ?? 'see PutMedia, "Error codes"'})`,
  );
}

const meanings: Record<number, string> = {
  4000: 'the stream could not be read',
  4001: 'a fragment is over 50 MB',
  4002: 'a fragment is longer than 20 s',
  4003: 'the connection is over 45 minutes old',
  4004: 'a fragment begins before the one before it',
  4005: 'more than three tracks',
  4006: 'this is not Matroska',
  4007: 'the producer start time is not a time',
  4008: 'the stream is not ACTIVE',
};
