import { once } from 'node:events';
import { type IncomingMessage, request as overHttp } from 'node:http';
import { request as overTls } from 'node:https';
import { text } from 'node:stream/consumers';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Keys } from './http-api.ts';

export interface Acknowledgement {
  EventType: string;
  FragmentTimecode?: number;
  FragmentNumber?: string;
  ErrorId?: number;
}

export interface PutMediaAnswer {
  status: number;
  errorType: string | undefined;
  /** Of a 200; otherwise `text` says what is wrong. */
  acknowledgements: Acknowledgement[];
  text: string;
}

type Stream = { name: string } | { arn: string };
type MoreHeaders = Record<string, string | undefined>;

async function sign(
  url: URL,
  region: string,
  keys: Keys,
  stream: Stream,
  headers: MoreHeaders,
): Promise<Record<string, string>> {
  const signer = new SignatureV4({
    service: 'kinesisvideo',
    region,
    credentials: keys,
    sha256: Sha256,
    applyChecksum: false,
  });
  const wanted = {
    ...('name' in stream ? { 'x-amzn-stream-name': stream.name } : { 'x-amzn-stream-arn': stream.arn }),
    'x-amzn-fragment-timecode-type': 'ABSOLUTE',
    'x-amzn-producer-start-timestamp': '1795498624.893',
    ...headers,
  };
  const signed = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    headers: {
      host: url.host,
      ...(Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)) as typeof wanted),
    },
  } as Parameters<typeof signer.sign>[0]);
  return signed.headers;
}

/** One PutMedia: sends the head, then the body's pieces, ends, and gives back all that was answered. */
export async function putMedia(
  { aws, region }: { aws: string; region: string },
  keys: Keys,
  stream: Stream,
  body: Buffer,
  headers: MoreHeaders = {},
): Promise<PutMediaAnswer> {
  const url = new URL('/putMedia', aws);
  const signed = await sign(url, region, keys, stream, headers);
  return new Promise((resolve, reject) => {
    const sent = overHttp(url, { method: 'POST', headers: signed, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.once('close', () => {
        const status = response.statusCode ?? 0;
        const lines = text.split('\n').filter((line) => line !== '');
        resolve({
          status,
          errorType: (response.headers['x-amzn-errortype'] ?? response.headers['x-amz-errortype'])?.toString(),
          acknowledgements: status === 200 ? lines.map((line) => JSON.parse(line)) : [],
          text,
        });
        sent.destroy();
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** A PutMedia in chunks, as producers send it: what goes out and what is acknowledged cross each other. */
export interface Upload {
  /** Resolves with the status, once the answer begins. */
  status: Promise<number>;
  send(...pieces: Buffer[]): void;
  /** The body ends here. */
  end(): void;
  /** The next acknowledgement; undefined once the answer has ended. Rejects after half a minute without one. */
  next(): Promise<Acknowledgement | undefined>;
  /** All that are still to come until the answer ends. */
  rest(): Promise<Acknowledgement[]>;
  /** Of an answer other than 200: AWS's code for it, and its words. */
  refusal(): Promise<{ status: number; code: string | undefined; message: string | undefined }>;
}

const DEADLINE_MS = 30_000;

/** Opens it and sends nothing yet. `dataEndpoint` is what GetDataEndpoint told. */
export async function openPutMedia(
  { dataEndpoint, region }: { dataEndpoint: string; region: string },
  keys: Keys,
  stream: Stream,
  headers: MoreHeaders = {},
): Promise<Upload> {
  const url = new URL('/putMedia', dataEndpoint);
  const more = { 'x-amzn-fragment-acknowledgment-required': '1', ...headers };
  const signed = await sign(url, region, keys, stream, more);
  const sent = (url.protocol === 'https:' ? overTls : overHttp)(url, { method: 'POST', headers: signed, agent: false });
  sent.on('error', () => {}); // whoever waits for the answer is told
  sent.flushHeaders();
  const response = once(sent, 'response', { signal: AbortSignal.timeout(DEADLINE_MS) }).then(
    ([answer]) => answer as IncomingMessage,
  );
  const status = response.then(({ statusCode = 0 }) => statusCode);
  const acknowledgements = response.then((answer) => acknowledgementsIn(answer));
  for (const later of [status, acknowledgements]) later.catch(() => {});

  const next = async () => {
    const { value } = await within(DEADLINE_MS, (await acknowledgements).next());
    return value as Acknowledgement | undefined;
  };
  return {
    status,
    send: (...pieces) => void sent.write(Buffer.concat(pieces)),
    end: () => void sent.end(),
    next,
    async rest() {
      const all: Acknowledgement[] = [];
      for (let one = await next(); one; one = await next()) all.push(one);
      return all;
    },
    async refusal() {
      const { statusCode = 0, headers: told } = await response;
      const body = await text(await response);
      sent.destroy();
      const code = (told['x-amzn-errortype'] ?? told['x-amz-errortype'])?.toString().split(':')[0];
      return { status: statusCode, code, message: JSON.parse(body).Message };
    },
  };
}

async function* acknowledgementsIn(answer: IncomingMessage): AsyncGenerator<Acknowledgement> {
  if (answer.statusCode !== 200) throw new Error(`putMedia: ${answer.statusCode} ${await text(answer)}`);
  let pending = '';
  for await (const chunk of answer.setEncoding('utf8')) {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line);
  }
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no acknowledgement within ${ms} ms`)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
