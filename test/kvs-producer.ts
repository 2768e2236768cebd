import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, request as overHttp } from 'node:http';
import { request as overTls } from 'node:https';
import { json, text } from 'node:stream/consumers';
import type { Keys } from './http-api.ts';
import type { Acknowledgement } from './put-media.ts';

/**
 * AWS's KVS producer SDK as it was captured on the wire (kvssink 3.5.0, producer-c 1.6.0), written by hand: another client than the AWS SDK
 * for JavaScript, with another idea of what is signed. `Host` is sent and signed without the port; security token, content type and content
 * length are sent but not signed; PutMedia signs `connection` and `transfer-encoding`, and the empty body.
 */

export interface ProducerSettings {
  /** CONTROL_PLANE_URI. */
  controlPlane: string;
  /** AWS_DEFAULT_REGION. */
  region: string;
  streamName: string;
  /** kvssink's `iot-certificate`. */
  iotCertificate: Record<'endpoint' | 'cert-path' | 'key-path' | 'ca-path' | 'role-aliases' | 'iot-thing-name', string>;
}

export interface CallAnswer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  body: any;
}

/** A PutMedia that goes on: what is sent and what is acknowledged cross each other. */
export interface Upload {
  status: number;
  send(piece: Buffer): void;
  /** The next acknowledgement; rejects after five seconds without one. */
  acknowledged(): Promise<Acknowledgement>;
  /** The last chunk. Resolves when the server has ended its answer too, with what else it acknowledged. */
  finish(): Promise<Acknowledgement[]>;
}

type Headers = [name: string, value: string][];

const USER_AGENT = 'AWS-SDK-KVS/3.5.0 GCC/13.3.0 Linux/6.8.0 x86_64';
const EMPTY = '';

/** What AckParser.c and the credential parser of the producer SDK refuse. */
function insist(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the producer SDK would not take this: ${what}`);
}

/** The producer's first step. Throws for anything but a 200 whose keys it can hold. */
export async function producerCredentials({ iotCertificate: iot }: ProducerSettings): Promise<Required<Keys>> {
  insist(iot['ca-path'].endsWith('.pem'), `a CA file called ${iot['ca-path']}`);
  const [cert, key, ca] = await Promise.all(
    ['cert-path', 'key-path', 'ca-path'].map((name) => readFile(iot[name as 'ca-path'])),
  );
  const sent = overTls(`https://${iot.endpoint}/role-aliases/${iot['role-aliases']}/credentials`, {
    cert,
    key,
    ca,
    agent: false,
    minVersion: 'TLSv1.2',
    timeout: 5000,
    headers: { 'user-agent': 'AWS-SDK-KVS', 'x-amzn-iot-thingname': iot['iot-thing-name'], Accept: '*/*' },
  }).end();
  const answer = await answerTo(sent);
  const body = (await json(answer)) as { message?: string; credentials: Required<Keys> & { expiration: string } };
  if (answer.statusCode !== 200) throw new Error(`http status ${answer.statusCode}: ${body.message}`);
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = body.credentials;
  insist(accessKeyId.length <= 128 && secretAccessKey.length <= 128, 'a key of more than 128 characters');
  insist(sessionToken.length <= 2048, `a token of ${sessionToken.length} characters`);
  insist(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(expiration), `the expiration ${expiration}`);
  insist(Date.parse(expiration) > Date.now(), 'credentials that have expired');
  return { accessKeyId, secretAccessKey, sessionToken };
}

/** `describeStream`, `getDataEndpoint`, `tagStream` or `createStream`. */
export async function producerCall(
  { controlPlane, region }: ProducerSettings,
  keys: Required<Keys>,
  operation: string,
  body: string,
): Promise<CallAnswer> {
  insist(!controlPlane.endsWith('/'), 'a control plane with a trailing slash');
  const url = new URL(`${controlPlane}/${operation}`);
  const signed: Headers = [
    ['host', url.hostname],
    ['user-agent', USER_AGENT],
  ];
  const sent = post(url, [
    ...sign({ url, region, keys, signed, payload: body }),
    ['content-type', 'application/json'],
    ['content-length', String(Buffer.byteLength(body))],
  ]);
  sent.end(body);
  const answer = await answerTo(sent);
  return { status: answer.statusCode ?? 0, body: await json(answer) };
}

/** Opens PutMedia: nothing of the body is sent before `100 Continue`. */
export async function openUpload(
  { region, streamName }: ProducerSettings,
  keys: Required<Keys>,
  dataEndpoint: string,
): Promise<Upload> {
  const url = new URL(`${dataEndpoint}/putMedia`);
  const signed: Headers = [
    ['connection', 'keep-alive'],
    ['host', url.hostname],
    ['transfer-encoding', 'chunked'],
    ['user-agent', USER_AGENT],
    ['x-amzn-fragment-acknowledgment-required', '1'],
    ['x-amzn-fragment-timecode-type', 'ABSOLUTE'],
    ['x-amzn-producer-start-timestamp', String(Date.now() / 1000)],
    ['x-amzn-stream-name', streamName],
  ];
  const sent = post(url, [...sign({ url, region, keys, signed, payload: EMPTY }), ['Expect', '100-continue']]);
  sent.flushHeaders();
  const response = answerTo(sent);
  const go = once(sent, 'continue', { signal: AbortSignal.timeout(5000) });
  await Promise.race([go, response]);
  go.catch(() => {});
  return uploadOver(sent, await response);
}

async function uploadOver(sent: ClientRequest, answer: IncomingMessage): Promise<Upload> {
  const status = answer.statusCode ?? 0;
  if (status !== 200) {
    const said = await text(answer);
    sent.destroy();
    throw new Error(`putMedia: ${status} ${said}`);
  }
  const waiting: Acknowledgement[] = [];
  let arrived = Promise.withResolvers<void>();
  let rest = '';
  answer.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) waiting.push(readAcknowledgement(line));
    arrived.resolve();
    arrived = Promise.withResolvers();
  });
  const ended = once(answer, 'end');
  return {
    status,
    send: (piece) => void sent.write(piece),
    async acknowledged() {
      while (waiting.length === 0) await within(5000, arrived.promise, 'no acknowledgement');
      return waiting.shift() as Acknowledgement;
    },
    async finish() {
      sent.end();
      await within(5000, ended, 'the answer does not end');
      insist(rest === '', `an acknowledgement without an end: ${rest}`);
      return waiting;
    },
  };
}

function readAcknowledgement(line: string): Acknowledgement {
  const acknowledgement: Acknowledgement = JSON.parse(line);
  const { EventType, ErrorId, FragmentNumber, FragmentTimecode } = acknowledgement;
  insist(['BUFFERING', 'RECEIVED', 'PERSISTED', 'IDLE', 'ERROR'].includes(EventType), line);
  insist((EventType === 'ERROR') === (ErrorId !== undefined), line);
  const isOfFragment = ['BUFFERING', 'RECEIVED', 'PERSISTED'].includes(EventType);
  insist(!isOfFragment || (/^\d{47}$/.test(FragmentNumber ?? '') && Number.isInteger(FragmentTimecode)), line);
  return acknowledgement;
}

function post(url: URL, headers: Headers): ClientRequest {
  // As pairs, so that `host` goes out as it was signed.
  return overHttp(url, { method: 'POST', headers: headers.flat(), setHost: false, agent: false, timeout: 10_000 });
}

async function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  sent.once('timeout', () => sent.destroy(new Error(`silence after ${sent.path}`)));
  const [answer] = await once(sent, 'response');
  return answer;
}

/** Signature Version 4 over the given headers and x-amz-date only (IAM guide, "Create a signed AWS API request"). */
function sign(asked: { url: URL; region: string; keys: Required<Keys>; signed: Headers; payload: string }): Headers {
  const { url, region, keys, payload } = asked;
  const time = new Date().toISOString().replace(/[:-]|\.\d+/g, '');
  const signed = [...asked.signed, ['x-amz-date', time] as const].sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const canonical = [
    'POST',
    url.pathname,
    '',
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    hash(payload),
  ];
  const scope = [time.slice(0, 8), region, 'kinesisvideo', 'aws4_request'];
  const toSign = ['AWS4-HMAC-SHA256', time, scope.join('/'), hash(canonical.join('\n'))].join('\n');
  const key = scope.reduce<Buffer | string>((secret, part) => hmac(secret, part), `AWS4${keys.secretAccessKey}`);
  const credential = `${keys.accessKeyId}/${scope.join('/')}`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${hmac(key, toSign).toString('hex')}`;
  return [
    ...asked.signed,
    ['X-Amz-Date', time],
    ['x-amz-security-token', keys.sessionToken],
    ['Authorization', authorization],
  ];
}

const hash = (value: string) => createHash('sha256').update(value).digest('hex');
const hmac = (key: Buffer | string, value: string) => createHmac('sha256', key).update(value).digest();

async function within<T>(ms: number, promise: Promise<T>, otherwise: string): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error(`${otherwise} within ${ms} ms`)), ms);
  try {
    return await Promise.race([promise, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
