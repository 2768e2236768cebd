import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { Sha256 } from '@aws-crypto/sha256-js';
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  GetDataEndpointCommand,
  KinesisVideoClient,
} from '@aws-sdk/client-kinesis-video';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKinesisVideo } from '../../local/kinesisvideo/service.ts';
import { createStreams } from '../../local/kinesisvideo/streams.ts';
import type { Service } from '../../local/service.ts';
import { ACCOUNT, type AwsDoor, openDoor, REGION } from './aws-door.ts';
import { block, cluster, END_OF_FRAGMENT, footage, head, tag } from './matroska.ts';

interface Ack {
  EventType: string;
  FragmentTimecode?: number;
  FragmentNumber?: string;
  ErrorId?: number;
}

let door: AwsDoor;
let service: Service;
let kvs: KinesisVideoClient;
let streamArn: string;

beforeEach(async () => {
  door = await openDoor(({ clock, faults, url }) => {
    const streams = createStreams({ clock, region: REGION, accountId: ACCOUNT });
    service = createKinesisVideo({ streams, clock, faults, dataEndpoint: url });
    return service;
  });
  kvs = new KinesisVideoClient(door.client);
  streamArn = await createStream('cam-1', 24);
});
afterEach(() => door.close());

async function createStream(StreamName: string, DataRetentionInHours: number): Promise<string> {
  const { StreamARN } = await kvs.send(new CreateStreamCommand({ StreamName, DataRetentionInHours }));
  door.clock.advance(1);
  return StreamARN ?? '';
}

/** Signs as the producer SDK does: over the empty body. */
async function sign(path: string, headers: Record<string, string>, client = door.client, body?: string) {
  const signer = new SignatureV4({
    service: 'kinesisvideo',
    region: REGION,
    credentials: client.credentials,
    sha256: Sha256,
  });
  const host = `127.0.0.1:${door.port}`;
  const signed = await signer.sign(
    {
      method: 'POST',
      protocol: 'http:',
      hostname: '127.0.0.1',
      port: door.port,
      path,
      query: {},
      headers: { host, ...headers },
      body,
    },
    { signingDate: new Date(door.clock.now()) },
  );
  return signed.headers;
}

interface PutMedia {
  client: ClientRequest;
  /** Once the status line is here. */
  response: Promise<IncomingMessage>;
  /** The next acknowledgement; undefined at the end. */
  ack(): Promise<Ack | undefined>;
  rest(): Promise<Ack[]>;
}

async function putMedia(headers: Record<string, string> = {}, client = door.client): Promise<PutMedia> {
  const sent = await sign(
    '/putMedia',
    {
      'x-amzn-fragment-acknowledgment-required': '1',
      'x-amzn-fragment-timecode-type': 'ABSOLUTE',
      'x-amzn-producer-start-timestamp': '1795498624.893',
      ...('x-amzn-stream-arn' in headers ? {} : { 'x-amzn-stream-name': 'cam-1' }),
      ...headers,
    },
    client,
  );
  const put = request({
    port: door.port,
    method: 'POST',
    path: '/putMedia',
    headers: { ...sent, 'transfer-encoding': 'chunked' },
  });
  put.on('error', () => {});
  put.flushHeaders();
  const response = once(put, 'response').then(([message]) => message as IncomingMessage);
  response.catch(() => {});
  const lines = response.then((message) => acknowledgements(message)[Symbol.asyncIterator]());
  lines.catch(() => {});
  const ack = async () => (await (await lines).next()).value as Ack | undefined;
  return {
    client: put,
    response,
    ack,
    async rest() {
      const all: Ack[] = [];
      for (let next = await ack(); next; next = await ack()) all.push(next);
      return all;
    },
  };
}

async function* acknowledgements(message: IncomingMessage): AsyncGenerator<Ack> {
  let pending = '';
  for await (const chunk of message) {
    pending += chunk;
    for (let end = pending.indexOf('\n'); end !== -1; end = pending.indexOf('\n')) {
      yield JSON.parse(pending.slice(0, end));
      pending = pending.slice(end + 1);
    }
  }
}

async function refusal(put: PutMedia) {
  const response = await put.response;
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, code: response.headers['x-amzn-errortype'], message: JSON.parse(text).Message };
}

const types = (acks: Ack[]) => acks.map((ack) => ack.EventType).join(' ');

async function listFragments(StreamName = 'cam-1', more = {}) {
  const body = JSON.stringify({ StreamName, ...more });
  const headers = await sign('/listFragments', { 'content-type': 'application/json' }, door.client, body);
  const response = await fetch(`${door.url}/listFragments`, { method: 'POST', headers, body });
  return (await response.json()) as {
    Fragments: { FragmentNumber: string; ProducerTimestamp: number; FragmentSizeInBytes: number }[];
    NextToken?: string;
    Message?: string;
  };
}

test('acknowledgements come while the body still goes out', async () => {
  const put = await putMedia();
  expect((await put.response).statusCode).toBe(200);
  put.client.write(Buffer.concat([head(), cluster(1000)]));
  const buffering = await put.ack();
  expect(buffering).toEqual({
    EventType: 'BUFFERING',
    FragmentTimecode: 1000,
    FragmentNumber: expect.stringMatching(/^\d{47}$/),
  });
  put.client.write(cluster(2000));
  expect(await put.ack()).toEqual({ ...buffering, EventType: 'RECEIVED' });
  expect(await put.ack()).toEqual({ ...buffering, EventType: 'PERSISTED' });
  const second = await put.ack();
  expect(second).toMatchObject({ EventType: 'BUFFERING', FragmentTimecode: 2000 });
  expect(String(second?.FragmentNumber) > String(buffering?.FragmentNumber)).toBe(true);
  // The end of kvssink: it waits for PERSISTED with the request still open.
  put.client.write(END_OF_FRAGMENT);
  expect(await put.ack()).toMatchObject({ EventType: 'RECEIVED', FragmentTimecode: 2000 });
  expect(await put.ack()).toMatchObject({ EventType: 'PERSISTED', FragmentTimecode: 2000 });
  put.client.end();
  expect(await put.rest()).toEqual([]);
  expect((await listFragments()).Fragments).toHaveLength(2);
});

test('other tags close nothing; the end of the body does', async () => {
  const put = await putMedia();
  put.client.write(Buffer.concat([head(), cluster(1000), tag('LOCATION')]));
  put.client.end();
  expect(types(await put.rest())).toBe('BUFFERING RECEIVED PERSISTED');
});

test('footage from a real muxer is persisted second by second', async () => {
  const start = Date.UTC(2026, 10, 24);
  const put = await putMedia({ 'x-amzn-stream-arn': streamArn });
  put.client.end(footage(3, start));
  const acks = await put.rest();
  expect(types(acks)).toBe(Array(3).fill('BUFFERING RECEIVED PERSISTED').join(' '));
  const { Fragments } = await listFragments();
  expect(Fragments.map((fragment) => fragment.ProducerTimestamp * 1000 - start)).toEqual([0, 1000, 2000]);
  expect(Fragments.map((fragment) => fragment.FragmentNumber)).toEqual(
    acks.filter((ack) => ack.EventType === 'PERSISTED').map((ack) => ack.FragmentNumber),
  );
});

test('RELATIVE timecodes count from the producer start, and are acknowledged as they were sent', async () => {
  const put = await putMedia({
    'x-amzn-fragment-timecode-type': 'RELATIVE',
    'x-amzn-producer-start-timestamp': '1795498624.893',
  });
  put.client.end(Buffer.concat([head(), cluster(500)]));
  expect((await put.rest()).map((ack) => ack.FragmentTimecode)).toEqual([500, 500, 500]);
  expect((await listFragments()).Fragments[0]?.ProducerTimestamp).toBeCloseTo(1795498625.393, 3);
});

test('a stream without retention persists nothing', async () => {
  await createStream('fleeting', 0);
  const put = await putMedia({ 'x-amzn-stream-name': 'fleeting' });
  put.client.end(Buffer.concat([head(), cluster(0), cluster(1000)]));
  expect(types(await put.rest())).toBe('BUFFERING RECEIVED BUFFERING RECEIVED');
  expect((await listFragments('fleeting')).Fragments).toEqual([]);
});

test('fragments are gone when the retention period is over; lists come in pages', async () => {
  const put = await putMedia();
  put.client.end(footage(3, 0));
  await put.rest();
  const page = await listFragments('cam-1', { MaxResults: 2 });
  expect(page.Fragments).toHaveLength(2);
  const next = await listFragments('cam-1', { MaxResults: 2, NextToken: page.NextToken });
  expect([next.Fragments.length, next.NextToken]).toEqual([1, undefined]);
  const selector = (StartTimestamp: number, EndTimestamp: number) => ({
    FragmentSelector: {
      FragmentSelectorType: 'PRODUCER_TIMESTAMP',
      TimestampRange: { StartTimestamp, EndTimestamp },
    },
  });
  expect((await listFragments('cam-1', selector(1, 1.5))).Fragments).toHaveLength(1);
  door.clock.advance(24 * 3600 + 1);
  expect((await listFragments()).Fragments).toEqual([]);
});

test.each([
  ['broken Matroska', Buffer.from('no Matroska'.repeat(10)), 4006, ''],
  ['four tracks', Buffer.concat([head([1, 2, 3, 4]), cluster(0)]), 4005, ''],
  ['a frame of a track that is not there', Buffer.concat([head(), cluster(0, [block(2)])]), 4010, 'BUFFERING'],
  ['a track without a frame', Buffer.concat([head([1, 2]), cluster(0), cluster(9)]), 4011, 'BUFFERING'],
  [
    'a fragment older than the last',
    Buffer.concat([head(), cluster(9), cluster(8)]),
    4004,
    'BUFFERING RECEIVED PERSISTED',
  ],
  [
    'a fragment that begins before the last one ends',
    Buffer.concat([head(), cluster(0, [block(), block(1, 900)]), cluster(900)]),
    4004,
    'BUFFERING RECEIVED PERSISTED BUFFERING',
  ],
  ['a second film', Buffer.concat([head(), cluster(0), head(), cluster(9)]), 4006, 'BUFFERING RECEIVED PERSISTED'],
  ['a fragment of 21 seconds', Buffer.concat([head(), cluster(0, [block(), block(1, 21_000)])]), 4002, 'BUFFERING'],
  ['garbage after a good start', Buffer.concat([head(), cluster(0), Buffer.alloc(99)]), 4006, 'BUFFERING'],
])('%s is acknowledged as an ERROR, and that is the end', async (_, body, errorId, before) => {
  const put = await putMedia();
  put.client.write(body);
  const acks = await put.rest();
  const error = acks.pop();
  expect(types(acks)).toBe(before);
  expect(error).toMatchObject({ EventType: 'ERROR', ErrorId: errorId });
  if (before === '') expect(error).toMatchObject({ FragmentTimecode: -1, FragmentNumber: '' });
  // The stream is free again.
  const again = await putMedia();
  again.client.end(Buffer.concat([head(), cluster(0)]));
  expect(types(await again.rest())).toBe('BUFFERING RECEIVED PERSISTED');
});

test('a fragment of more than 50 MB is too large', async () => {
  const put = await putMedia();
  put.client.write(Buffer.concat([head(), cluster(0)]));
  const tenMegabytes = block(1, 1, Buffer.alloc(10 << 20));
  for (let n = 0; n < 6; n++) put.client.write(tenMegabytes);
  expect((await put.rest()).at(-1)).toMatchObject({ EventType: 'ERROR', ErrorId: 4001 });
});

test.each([
  ['an unknown stream', { 'x-amzn-stream-name': 'nobody' }, 404, 'ResourceNotFoundException'],
  ['no timecode type', { 'x-amzn-fragment-timecode-type': 'SOMETIMES' }, 400, 'InvalidArgumentException'],
  [
    'RELATIVE without a start',
    { 'x-amzn-fragment-timecode-type': 'RELATIVE', 'x-amzn-producer-start-timestamp': 'now' },
    400,
    'InvalidArgumentException',
  ],
])('%s is refused before any acknowledgement', async (_, headers, status, code) => {
  const put = await putMedia(headers);
  put.client.write(head());
  expect(await refusal(put)).toMatchObject({ status, code });
});

test('a stream that is not ACTIVE yet is not found', async () => {
  await kvs.send(new CreateStreamCommand({ StreamName: 'young' }));
  expect(await refusal(await putMedia({ 'x-amzn-stream-name': 'young' }))).toMatchObject({
    status: 404,
    message: 'The requested stream is not found or not active.',
  });
});

const everything = [{ Effect: 'Allow', Action: 'kinesisvideo:*', Resource: '*' }];

test('the newest of two connections is refused', async () => {
  const client = door.sessionOf('camera', 'certificate-1', everything);
  const first = await putMedia({}, client);
  await first.response;
  expect(await refusal(await putMedia({}, client))).toMatchObject({
    status: 400,
    code: 'ConnectionLimitExceededException',
  });
  // Another camera with a key of its own is no renewal.
  const other = door.sessionOf('camera', 'certificate-2', everything);
  expect(await refusal(await putMedia({}, other))).toMatchObject({ code: 'ConnectionLimitExceededException' });
  first.client.end(Buffer.concat([head(), cluster(0)]));
  expect(types(await first.rest())).toBe('BUFFERING RECEIVED PERSISTED');
  expect((await (await putMedia({}, other)).response).statusCode).toBe(200);
});

test('with renewed credentials a camera opens the next connection before it closes the last', async () => {
  const first = await putMedia({}, door.sessionOf('camera', 'certificate-1', everything));
  first.client.write(Buffer.concat([head(), cluster(0)]));
  await first.ack();
  const second = await putMedia({}, door.sessionOf('camera', 'certificate-1', everything));
  second.client.write(Buffer.concat([head(), cluster(1000)]));
  expect(await second.ack()).toMatchObject({ EventType: 'BUFFERING' });
  const third = await putMedia({}, door.sessionOf('camera', 'certificate-1', everything));
  expect(await refusal(third)).toMatchObject({ code: 'ConnectionLimitExceededException' });
  first.client.end(END_OF_FRAGMENT);
  expect(types(await first.rest())).toBe('RECEIVED PERSISTED');
  second.client.end();
  expect(types(await second.rest())).toBe('RECEIVED PERSISTED');
});

test('a client that goes away leaves no half fragment and no occupied stream', async () => {
  const put = await putMedia();
  put.client.write(Buffer.concat([head(), cluster(0)]));
  await put.ack();
  put.client.destroy();
  await expect
    .poll(async () => {
      const again = await putMedia();
      again.client.end(Buffer.concat([head(), cluster(5000)]));
      return (await again.response).statusCode;
    })
    .toBe(200);
  await expect.poll(async () => (await listFragments()).Fragments.length).toBe(1);
  expect((await listFragments()).Fragments[0]?.ProducerTimestamp).toBe(5);
});

test('silence is told as IDLE, and half a minute of it is the end; a moved clock is not', async () => {
  const put = await putMedia();
  put.client.write(Buffer.concat([head(), cluster(0)]));
  expect(await put.ack()).toMatchObject({ EventType: 'BUFFERING' });
  door.clock.advance(600);
  // Its timer fires on a turn of its own; the connection answers still.
  await new Promise((resolve) => setImmediate(resolve));
  put.client.write(cluster(1000));
  expect(types([(await put.ack()) as Ack, (await put.ack()) as Ack, (await put.ack()) as Ack])).toBe(
    'RECEIVED PERSISTED BUFFERING',
  );
  const last = put.rest();
  await expect
    .poll(async () => {
      door.clock.advance(15);
      return Promise.race([last, undefined]);
    })
    .toEqual([{ EventType: 'IDLE' }, { EventType: 'IDLE' }]);
});

test('a connection lives 45 minutes at most', async () => {
  const put = await putMedia();
  put.client.write(Buffer.concat([head(), cluster(0)]));
  await put.ack();
  door.clock.advance(45 * 60 + 1);
  expect(await put.rest()).toEqual([expect.objectContaining({ EventType: 'ERROR', ErrorId: 4003 })]);
});

test('a stream deleted under a connection takes no further fragment', async () => {
  const put = await putMedia();
  put.client.write(Buffer.concat([head(), cluster(0)]));
  await put.ack();
  await kvs.send(new DeleteStreamCommand({ StreamARN: streamArn }));
  put.client.write(cluster(1000));
  expect((await put.rest()).at(-1)).toMatchObject({ EventType: 'ERROR', ErrorId: 4008 });
});

test("a camera may not send to its neighbour's stream", async () => {
  const Resource = 'arn:aws:kinesisvideo:*:*:stream/cam-2/*';
  const neighbour = door.clientOf('cam2', [{ Effect: 'Allow', Action: 'kinesisvideo:PutMedia', Resource }]);
  const put = await putMedia({}, neighbour);
  put.client.write(head());
  expect(await refusal(put)).toMatchObject({
    status: 403,
    code: 'AccessDeniedException',
    message: expect.stringContaining(`kinesisvideo:PutMedia on resource: ${streamArn}`),
  });
});

test('faults meet PutMedia too: a throttle, then an answer that is lost', async () => {
  door.faults.set([{ service: 'kinesis-video', operation: 'PutMedia', kind: 'throttle', times: 1 }], false);
  expect(await refusal(await putMedia())).toMatchObject({ status: 400, code: 'ClientLimitExceededException' });
  door.faults.set([{ service: 'kinesisvideo', operation: 'PutMedia', kind: 'lost-answer', times: 1 }], false);
  const put = await putMedia();
  put.client.end(Buffer.concat([head(), cluster(0)]));
  await expect(put.rest()).rejects.toThrow();
  expect((await listFragments()).Fragments).toHaveLength(1);
});

test('the endpoint to list fragments at is the same', async () => {
  const { DataEndpoint } = await kvs.send(
    new GetDataEndpointCommand({ StreamName: 'cam-1', APIName: 'LIST_FRAGMENTS' }),
  );
  expect(DataEndpoint).toBe(door.url);
  expect(await listFragments('nobody')).toEqual({ Message: 'The requested stream is not found or not active.' });
});

test('Expect: 100-continue is answered before the body', async () => {
  const headers = await sign('/putMedia', {
    'x-amzn-fragment-timecode-type': 'ABSOLUTE',
    'x-amzn-stream-name': 'cam-1',
  });
  const put = request({
    port: door.port,
    method: 'POST',
    path: '/putMedia',
    headers: { ...headers, expect: '100-continue' },
  });
  const answered = once(put, 'response');
  const told = once(put, 'continue');
  put.flushHeaders();
  await told;
  put.end(Buffer.concat([head(), cluster(0)]));
  const [response] = (await answered) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  await once(response.resume(), 'end');
});

test('a reset ends what is open and forgets its fragments', async () => {
  const snapshot = await service.snapshot();
  const put = await putMedia();
  put.client.write(Buffer.concat([head(), cluster(0), cluster(1000)]));
  await put.ack();
  await service.restore(snapshot);
  await expect(put.rest()).rejects.toThrow();
  expect((await listFragments()).Fragments).toEqual([]);
  const again = await putMedia();
  again.client.end(Buffer.concat([head(), cluster(0)]));
  expect(types(await again.rest())).toBe('BUFFERING RECEIVED PERSISTED');
});
