import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { announce } from '../camera-claim.ts';
import { certificateIdOf } from '../device-key.ts';
import type { Keys } from '../http-api.ts';
import { openUpload, type ProducerSettings, producerCall, producerCredentials, type Upload } from '../kvs-producer.ts';
import { type KvssinkCommand, pasteKvssinkLine } from '../kvssink-line.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';
import { cluster, END_OF_FRAGMENT, head } from '../unit/matroska.ts';

/** The line that `camera kvssink` prints is AWS's producer, ready to go: each property means what it should, and with exactly these it films. */

let run: LocalRun;

beforeAll(async () => {
  run = await startLocalRun();
});
afterAll(() => run?.stop());

const camera = async (command: string, serialNumber: string, ...flags: string[]) => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    'cli/firstlight.ts',
    'camera',
    command,
    ...['--serial', serialNumber, '--dir', join(run.directory, 'cameras', serialNumber)],
    ...['--outputs', join(run.directory, 'outputs.json'), ...flags],
  ]);
  return stdout.trim();
};

interface Mode {
  streamMode: 'thing-name' | 'certificate-id' | 'fixed';
  streamName: (serialNumber: string, certificateId: string) => string;
}

const MODES: Mode[] = [
  { streamMode: 'thing-name', streamName: (serial) => serial },
  { streamMode: 'certificate-id', streamName: (_, certificateId) => certificateId },
  { streamMode: 'fixed', streamName: () => 'firstlight-local-fixed' },
];

describe.each(MODES)('$streamMode', ({ streamMode, streamName }) => {
  const serialNumber = `KVS-${streamMode}`;
  let command: KvssinkCommand;
  let producer: ProducerSettings;
  let keys: Required<Keys>;
  let dataEndpoint: string;

  beforeAll(async () => {
    await announce(run.outputs, { serialNumber, streamMode });
    await camera('boot', serialNumber);
    command = await pasteKvssinkLine(await camera('kvssink', serialNumber));
    producer = settingsOf(command);
  });

  test('every property is there and means what it should', async () => {
    const { aws, region, credentials, caPath } = run.outputs;
    const { environment, pipeline, properties, iotCertificate } = command;
    expect(environment).toEqual({ CONTROL_PLANE_URI: aws, AWS_DEFAULT_REGION: region });
    expect(aws).not.toMatch(/\/$/);
    expect(pipeline.length).toBeGreaterThan(1);
    expect(pipeline.at(-1)?.[0]).toBe('kvssink');
    // What kvssink takes: H.264 in whole access units.
    expect(pipeline.at(-2)?.join(' ')).toBe('video/x-h264,stream-format=avc,alignment=au');

    const certificate = await readFile(iotCertificate['cert-path'] ?? '', 'utf8');
    expect(properties).toMatchObject({
      'stream-name': streamName(serialNumber, certificateIdOf(certificate)),
      'aws-region': region,
      'allow-create-stream': 'false',
      'fragment-acks': 'true',
    });
    expect(Number(properties['storage-size'])).toBeGreaterThan(0);
    expect(Number(properties['stop-stream-timeout'])).toBeGreaterThan(0);
    expect(properties['iot-certificate']).toMatch(/^iot-certificate,/);
    expect(iotCertificate).toEqual({
      endpoint: `${credentials.host}:${credentials.port}`,
      'cert-path': expect.stringMatching(/^\/[\w.:/+-]+$/),
      'key-path': expect.stringMatching(/^\/[\w.:/+-]+$/),
      'ca-path': expect.stringMatching(/^\/[\w.:/+-]+\.pem$/),
      'role-aliases': `firstlight-local-${streamMode}`,
      'iot-thing-name': serialNumber,
    });
    expect(iotCertificate['ca-path']).toBe(caPath);
    expect(await readFile(iotCertificate['key-path'] ?? '', 'utf8')).toContain('PRIVATE KEY');
  });

  test('credentials, description and data endpoint, as the producer asks for them', async () => {
    keys = await producerCredentials(producer);
    const described = await producerCall(
      producer,
      keys,
      'describeStream',
      `{\n\t"StreamName": "${producer.streamName}"\n}`,
    );
    expect(described).toMatchObject({
      status: 200,
      body: { StreamInfo: { StreamName: producer.streamName, Status: 'ACTIVE', DataRetentionInHours: 24 } },
    });
    const { StreamARN } = described.body.StreamInfo;
    // stream-tags=kvs,k=v
    const tags = JSON.stringify({ StreamARN, Tags: { k: 'v' } });
    expect(await producerCall(producer, keys, 'tagStream', tags)).toMatchObject({ status: 200 });
    const question = JSON.stringify({ StreamName: producer.streamName, APIName: 'PUT_MEDIA' });
    const { status, body } = await producerCall(producer, keys, 'getDataEndpoint', question);
    expect(status).toBe(200);
    dataEndpoint = body.DataEndpoint;
  });

  test('films; the last fragment is persisted at its end tag, with the request still open', async () => {
    const upload = await openUpload(producer, keys, dataEndpoint);
    const start = Date.now();
    upload.send(Buffer.concat([head(), cluster(start)]));
    const first = await eventOf(upload, 'BUFFERING', start);
    upload.send(cluster(start + 1000));
    expect(await eventOf(upload, 'RECEIVED', start)).toBe(first);
    expect(await eventOf(upload, 'PERSISTED', start)).toBe(first);
    const second = await eventOf(upload, 'BUFFERING', start + 1000);
    upload.send(END_OF_FRAGMENT);
    expect(await eventOf(upload, 'RECEIVED', start + 1000)).toBe(second);
    expect(await eventOf(upload, 'PERSISTED', start + 1000)).toBe(second);
    expect(BigInt(second)).toBeGreaterThan(BigInt(first));
    expect(await upload.finish()).toEqual([]);
  });

  test('changes over to new credentials: two uploads overlap for a moment', async () => {
    const old = await openUpload(producer, keys, dataEndpoint);
    const start = Date.now();
    old.send(Buffer.concat([head(), cluster(start)]));
    await eventOf(old, 'BUFFERING', start);
    const renewed = await producerCredentials(producer);
    expect(renewed.accessKeyId).not.toBe(keys.accessKeyId);
    const next = await openUpload(producer, renewed, dataEndpoint);
    next.send(Buffer.concat([head(), cluster(start + 1000)]));
    await eventOf(next, 'BUFFERING', start + 1000);
    old.send(END_OF_FRAGMENT);
    await eventOf(old, 'RECEIVED', start);
    await eventOf(old, 'PERSISTED', start);
    expect(await old.finish()).toEqual([]);
    next.send(END_OF_FRAGMENT);
    await eventOf(next, 'RECEIVED', start + 1000);
    await eventOf(next, 'PERSISTED', start + 1000);
    expect(await next.finish()).toEqual([]);
  });

  test("is refused a neighbour's stream, and making one of its own", async () => {
    const neighbour = streamMode === 'thing-name' ? 'KVS-certificate-id' : 'KVS-thing-name';
    const denied = (action: string) => ({
      status: 403,
      body: { Message: expect.stringContaining(`is not authorized to perform: kinesisvideo:${action}`) },
    });
    expect(
      await producerCall(producer, keys, 'describeStream', JSON.stringify({ StreamName: neighbour })),
    ).toMatchObject(denied('DescribeStream'));
    await expect(openUpload({ ...producer, streamName: neighbour }, keys, dataEndpoint)).rejects.toThrow(
      'putMedia: 403',
    );
    const creation = {
      DeviceName: 'Kinesis_Video_Device',
      StreamName: neighbour,
      MediaType: 'video/h264',
      DataRetentionInHours: 2,
    };
    expect(await producerCall(producer, keys, 'createStream', JSON.stringify(creation))).toMatchObject(
      denied('CreateStream'),
    );
  });

  test('without iot-thing-name kvssink names the stream, which is right in one mode only', async () => {
    const { iotCertificate } = producer;
    const mistaken = { ...producer, iotCertificate: { ...iotCertificate, 'iot-thing-name': producer.streamName } };
    const outcome = producerCredentials(mistaken);
    if (streamMode === 'thing-name') await expect(outcome).resolves.toBeDefined();
    else await expect(outcome).rejects.toThrow('http status 403: Invalid thing name passed');
  });
});

test("a channel's line names the channel's stream and the same thing", async () => {
  const serialNumber = 'KVS-channels';
  await announce(run.outputs, { serialNumber, streamMode: 'thing-name', channels: ['front'] });
  await camera('boot', serialNumber);
  const streamName = `${serialNumber}.front`;
  const command = await pasteKvssinkLine(await camera('kvssink', serialNumber, '--stream', streamName));
  expect(command.properties['stream-name']).toBe(streamName);
  expect(command.iotCertificate['iot-thing-name']).toBe(serialNumber);
  const producer = settingsOf(command);
  const keys = await producerCredentials(producer);
  await vi.waitFor(
    async () =>
      expect(
        await producerCall(producer, keys, 'describeStream', JSON.stringify({ StreamName: streamName })),
      ).toMatchObject({ status: 200 }),
    { timeout: 10_000 },
  );
});

function settingsOf({ environment, properties, iotCertificate }: KvssinkCommand): ProducerSettings {
  return {
    controlPlane: environment.CONTROL_PLANE_URI ?? '',
    region: environment.AWS_DEFAULT_REGION ?? '',
    streamName: properties['stream-name'] ?? '',
    iotCertificate: iotCertificate as ProducerSettings['iotCertificate'],
  };
}

/** The next acknowledgement must be this one; resolves with the fragment's number. */
async function eventOf(upload: Upload, EventType: string, FragmentTimecode: number): Promise<string> {
  const acknowledgement = await upload.acknowledged();
  expect(acknowledgement).toMatchObject({ EventType, FragmentTimecode });
  return acknowledgement.FragmentNumber ?? '';
}
