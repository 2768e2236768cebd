import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DescribeCertificateCommand,
  DescribeThingCommand,
  ListAttachedPoliciesCommand,
  ListThingPrincipalsV2Command,
} from '@aws-sdk/client-iot';
import { DescribeStreamCommand, GetDataEndpointCommand, ListTagsForStreamCommand } from '@aws-sdk/client-kinesis-video';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { announce, claimCamera, type ManifestRow, newSerial } from '../camera-claim.ts';
import { type Ended, emptyDisk, runCamera, startCamera } from '../camera-process.ts';
import { askForCredentials } from '../credential-provider.ts';
import { certificateIdOf } from '../device-key.ts';
import { readClaims, readDevice, untilActive } from '../device-records.ts';
import type { Keys } from '../http-api.ts';
import { persistedFragments } from '../kinesis-video.ts';
import { connectDevice } from '../mqtt-device.ts';
import { putMedia } from '../put-media.ts';
import { until } from '../until.ts';

const outputs = inject('outputs');
const { iot, kinesisVideo } = awsClients(outputs, outputs.personas.admin);
const prefix = outputs.claim.templateName.replace(/-claim$/, '');

interface Walk {
  streamMode: NonNullable<ManifestRow['streamMode']>;
  mqtt: '5' | '3.1.1';
  format: 'json' | 'cbor';
  keysBy: 'camera' | 'AWS';
  /** How the claim is admitted. */
  by: 'allow-list' | 'claim-token';
}

/** Every pair of two choices is among these. */
const WALKS: Walk[] = [
  { streamMode: 'thing-name', mqtt: '5', format: 'json', keysBy: 'camera', by: 'allow-list' },
  { streamMode: 'thing-name', mqtt: '3.1.1', format: 'cbor', keysBy: 'AWS', by: 'claim-token' },
  { streamMode: 'certificate-id', mqtt: '5', format: 'cbor', keysBy: 'camera', by: 'claim-token' },
  { streamMode: 'certificate-id', mqtt: '3.1.1', format: 'json', keysBy: 'AWS', by: 'allow-list' },
  { streamMode: 'fixed', mqtt: '5', format: 'json', keysBy: 'AWS', by: 'claim-token' },
  { streamMode: 'fixed', mqtt: '3.1.1', format: 'cbor', keysBy: 'camera', by: 'allow-list' },
];

const batch = `batch-${randomUUID().slice(0, 8)}`;
const cameras = WALKS.map((walk) => ({
  ...walk,
  serialNumber: newSerial(),
  directory: emptyDisk(),
  channels: walk === WALKS[0] ? ['sub', 'audio'] : [],
  ...(walk.by === 'claim-token' && { claimToken: randomBytes(16).toString('hex') }),
}));
type Camera = (typeof cameras)[number];
let boots: Ended[];

beforeAll(async () => {
  const rows = cameras.map(({ serialNumber, streamMode, channels, claimToken }) => {
    return { serialNumber, streamMode, channels, batch, ...(claimToken !== undefined && { claimToken }) };
  });
  await announce(outputs, ...rows);
  // Two at a time: on a desk of two cores more would only take each other's time.
  const [evens, odds] = await Promise.all(
    [0, 1].map(async (lane) => {
      const ended: Ended[] = [];
      for (const camera of cameras.filter((_, index) => index % 2 === lane)) ended.push(await boot(camera));
      return ended;
    }),
  );
  boots = cameras.map((_, index) => (index % 2 ? odds : evens)?.[index >> 1] as Ended);
}, 120_000);

function boot(camera: Camera): Promise<Ended> {
  const { mqtt, format, keysBy, claimToken } = camera;
  const flags = ['--mqtt', mqtt, '--format', format];
  if (keysBy === 'AWS') flags.push('--keys-by-aws');
  if (claimToken !== undefined) flags.push('--token', claimToken);
  return runCamera(outputs, 'boot', camera, ...flags);
}

const ownCertificate = async ({ directory }: Camera) =>
  certificateIdOf(await readFile(join(directory, 'certificate.pem'), 'utf8'));

async function streamOf(camera: Camera): Promise<string> {
  if (camera.streamMode === 'fixed') return `${prefix}-fixed`;
  return camera.streamMode === 'thing-name' ? camera.serialNumber : ownCertificate(camera);
}

async function credentialsOf(camera: Camera): Promise<Keys> {
  const held = {
    certificatePem: await readFile(join(camera.directory, 'certificate.pem'), 'utf8'),
    privateKeyPem: await readFile(join(camera.directory, 'private.key'), 'utf8'),
  };
  const roleAlias = `${prefix}-${camera.streamMode}`;
  const { status, body } = await askForCredentials(outputs, { held, roleAlias, thingName: camera.serialNumber });
  expect(status).toBe(200);
  const { accessKeyId, secretAccessKey, sessionToken } = body.credentials;
  return { accessKeyId, secretAccessKey, sessionToken };
}

/** What a stream answers to a camera: DescribeStream and GetDataEndpoint by their error, PutMedia (of nothing) by its status. */
async function asked(keys: Keys, StreamName: string): Promise<unknown[]> {
  const { kinesisVideo: door } = awsClients(outputs, keys);
  const answers = [
    door.send(new DescribeStreamCommand({ StreamName })),
    door.send(new GetDataEndpointCommand({ StreamName, APIName: 'PUT_MEDIA' })),
  ].map((answer) =>
    answer.then(
      () => undefined,
      (error: Error) => error.name,
    ),
  );
  const { status } = await putMedia(outputs, keys, { name: StreamName }, Buffer.alloc(0));
  return [...(await Promise.all(answers)), status];
}

const fragmentsIn = (name: string) => persistedFragments(outputs, outputs.personas.admin, name);
const printedFragments = (ended?: Ended) => Number(/(\d+) fragments? PERSISTED/.exec(ended?.printed ?? '')?.[1] ?? 0);

describe.each(cameras.map((camera, index) => ({ ...camera, index })))(
  '$streamMode, MQTT $mqtt, $format, key made by the $keysBy',
  ({ index, ...camera }) => {
    const { serialNumber, streamMode } = camera;

    test('walks to its first frame', async () => {
      expect(boots[index]?.printed).toMatch(/\d+ fragments? PERSISTED/);
      expect(boots[index]?.code).toBe(0);
    });

    test('is one thing everywhere: registry, thing, certificate, policy, claims', async () => {
      const certificateId = await ownCertificate(camera);
      const device = await untilActive(outputs, serialNumber);
      expect(device).toMatchObject({
        status: 'active',
        thingName: serialNumber,
        streamMode,
        batch,
        certificates: [{ id: certificateId, state: 'current' }],
        claimToken: camera.by === 'claim-token' ? 'spent' : 'none',
      });
      expect(device.dueAt).toBeUndefined();

      const thing = await iot.send(new DescribeThingCommand({ thingName: serialNumber }));
      expect(thing).toMatchObject({ thingTypeName: `${prefix}-${streamMode}`, attributes: { serialNumber, batch } });
      const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
      expect(certificateDescription?.status).toBe('ACTIVE');
      const principal = certificateDescription?.certificateArn;
      const { thingPrincipalObjects } = await iot.send(new ListThingPrincipalsV2Command({ thingName: serialNumber }));
      expect(thingPrincipalObjects).toEqual([{ principal, thingPrincipalType: 'EXCLUSIVE_THING' }]);
      const { policies } = await iot.send(new ListAttachedPoliciesCommand({ target: principal }));
      expect(policies?.map(({ policyName }) => policyName)).toEqual([`${prefix}-device`]);

      const claims = await readClaims(outputs, serialNumber);
      expect(claims).toMatchObject([{ outcome: 'granted', reason: camera.by, certificateId, door: 'mqtt' }]);
    });

    test('has its fragments in its own stream', async () => {
      const name = await streamOf(camera);
      const { StreamInfo } = await kinesisVideo.send(new DescribeStreamCommand({ StreamName: name }));
      expect(StreamInfo).toMatchObject({ Status: 'ACTIVE', DataRetentionInHours: 24 });
      const fragments = await fragmentsIn(name);
      if (streamMode === 'fixed') {
        // The others of the shared local run film there as well.
        expect(fragments.length).toBeGreaterThanOrEqual(printedFragments(boots[4]) + printedFragments(boots[5]));
      } else {
        expect(fragments).toHaveLength(printedFragments(boots[index]));
        expect((await readDevice(outputs, serialNumber)).streams[0]).toMatchObject({ name, state: 'made' });
        const { Tags } = await kinesisVideo.send(new ListTagsForStreamCommand({ StreamName: name }));
        expect(Tags).toEqual({
          'firstlight:registry': `${prefix}-devices`,
          'firstlight:device': serialNumber,
        });
      }
      expect(fragments.length).toBeGreaterThan(0);
    });

    test("is refused at its neighbour's stream, whatever it asks for", async () => {
      // Two further on: a camera of another mode, and so of another stream.
      const neighbour = await streamOf(cameras[(index + 2) % cameras.length] as Camera);
      const own = await streamOf(camera);
      const keys = await credentialsOf(camera);
      expect(await asked(keys, own)).toEqual([undefined, undefined, 200]);
      expect(await asked(keys, neighbour)).toEqual(['AccessDeniedException', 'AccessDeniedException', 403]);
    });

    test('keeps a disk that nobody else reads', async () => {
      for (const name of await readdir(camera.directory)) {
        expect((await stat(join(camera.directory, name))).mode & 0o077).toBe(0);
      }
      expect((await stat(camera.directory)).mode & 0o077).toBe(0);
    });
  },
);

test('booted again, a camera goes on with what it has', async () => {
  const [camera] = cameras as [Camera];
  const before = await readDevice(outputs, camera.serialNumber);
  const { code, printed } = await boot(camera);
  expect(code).toBe(0);
  expect(printed).toContain('goes on where it was: it has been here before');
  const { certificates } = await readDevice(outputs, camera.serialNumber);
  expect(certificates).toEqual(before.certificates);
});

test('one process at a time boots a camera; what it has may be used meanwhile', async () => {
  const [camera] = cameras as [Camera];
  const filming = startCamera(outputs, 'boot', camera, '--seconds', '120');
  await filming.sees(/is ACTIVE/);
  const { code, printed } = await boot(camera);
  expect(printed).toBe(`another process is booting the camera in ${camera.directory}\n`);
  expect(code).toBe(1);
  const credentials = await runCamera(outputs, 'credentials', camera);
  expect(credentials).toMatchObject({ code: 0, printed: expect.stringContaining('export AWS_SESSION_TOKEN=') });
  // Power off: nothing of the lock is left.
  await filming.kill();
  expect((await boot(camera)).code).toBe(0);
});

describe('channels', () => {
  test('are made after proof of life, not before', async () => {
    const serialNumber = newSerial();
    const { thingName, configuration, ...held } = await claimCamera(outputs, { serialNumber, channels: ['main'] });
    expect(configuration.channels).toBe('main');
    const describeChannel = () => kinesisVideo.send(new DescribeStreamCommand({ StreamName: `${serialNumber}.main` }));
    await expect(describeChannel()).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    const device = await connectDevice(outputs, { clientId: thingName, held });
    const { streams } = await until('the channel', async () => {
      const { streams, ...rest } = await readDevice(outputs, serialNumber);
      return streams.some(({ channel, state }) => channel === 'main' && state === 'made') && { streams, ...rest };
    });
    expect(streams.map(({ name }) => name)).toEqual([serialNumber, `${serialNumber}.main`]);
    expect((await describeChannel()).StreamInfo?.Status).toMatch(/CREATING|ACTIVE/);
    await device.close();
  });

  test('take the film of their camera, and of no other', async () => {
    const [camera, stranger] = cameras as [Camera, Camera];
    await until('both channels', async () =>
      (await readDevice(outputs, camera.serialNumber)).streams.every(({ state }) => state === 'made'),
    );
    const stream = `${camera.serialNumber}.sub`;
    const refused = await runCamera(outputs, 'stream', stranger, '--stream', stream, '--patience', '1');
    expect(refused.code).toBe(1);
    expect(refused.printed).toMatch(/AccessDenied|not authorized/);
    expect(await fragmentsIn(stream)).toEqual([]);
    const own = await runCamera(outputs, 'stream', camera, '--stream', stream);
    expect(own.code).toBe(0);
    expect(await fragmentsIn(stream)).toHaveLength(printedFragments(own));
  });
});
