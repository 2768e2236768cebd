import type { Credentials } from './credentials.ts';
import { StepFailed, unreachable } from './failure.ts';
import { signedHeaders } from './sign.ts';

export interface KinesisVideoDoor {
  region: string;
  /** A stand-in's URL; AWS's own for the region if left out. */
  endpoint?: string | undefined;
  credentials: () => Promise<Credentials>;
}

export interface StreamInfo {
  StreamName: string;
  StreamARN: string;
  Status: 'CREATING' | 'ACTIVE' | 'UPDATING' | 'DELETING';
  DataRetentionInHours: number;
}

/** DescribeStream, as long as the stream is not ACTIVE worth trying again: the backend makes it while we boot. */
export async function activeStream(door: KinesisVideoDoor, streamName: string): Promise<StreamInfo> {
  const { StreamInfo: stream } = await call<{ StreamInfo: StreamInfo }>(door, 'describeStream', {
    StreamName: streamName,
  });
  if (stream.Status === 'ACTIVE') return stream;
  throw new StepFailed(stream.Status === 'DELETING' ? 'never' : 'again', `stream ${streamName} is ${stream.Status}`);
}

/** Where to PutMedia this stream. It differs from stream to stream and must be asked for. */
export async function dataEndpoint(door: KinesisVideoDoor, streamName: string): Promise<string> {
  const { DataEndpoint } = await call<{ DataEndpoint: string }>(door, 'getDataEndpoint', {
    StreamName: streamName,
    APIName: 'PUT_MEDIA',
  });
  return DataEndpoint;
}

async function call<Answer>(door: KinesisVideoDoor, operation: string, input: object): Promise<Answer> {
  const url = new URL(`${door.endpoint ?? awsEndpoint(door.region)}/${operation}`);
  const body = JSON.stringify(input);
  const credentials = await door.credentials();
  const { host: _, ...headers } = await signedHeaders(
    url,
    { 'content-type': 'application/json' },
    { region: door.region, credentials, body },
  );
  const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) }).catch(
    (error) => {
      throw unreachable(url.origin, error.cause ?? error);
    },
  );
  const text = await response.text();
  if (!response.ok) throw refusal(operation, response.status, response.headers.get('x-amzn-errortype'), text);
  return JSON.parse(text);
}

function awsEndpoint(region: string): string {
  return `https://kinesisvideo.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** Kinesis Video's way of saying no: the error's name in a header, `Message` with a capital M in the body. */
export function refusal(operation: string, status: number, errorType: string | null, body: string): StepFailed {
  const [name = ''] = (errorType ?? '').split(':');
  const words = `${operation}: ${[status, name, messageIn(body)].filter(Boolean).join(' ')}`;
  // The keys ran out on the way, or the stream is still being made: the next attempt has what it needs.
  if (name === 'ExpiredTokenException' || status === 404) return new StepFailed('again', words);
  if (/LimitExceeded|Throttling/.test(name) || status === 429 || status >= 500) return new StepFailed('again', words);
  if (status === 401 || status === 403) return new StepFailed('denied', words);
  return new StepFailed('never', words);
}

function messageIn(body: string): string {
  try {
    const { Message, message } = JSON.parse(body);
    return Message ?? message ?? '';
  } catch {
    return body.slice(0, 200);
  }
}
