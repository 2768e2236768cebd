import { DynamoDBServiceException, ScanCommand } from '@aws-sdk/client-dynamodb';
import { CreateThingCommand, DescribeThingCommand } from '@aws-sdk/client-iot';
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  GetDataEndpointCommand,
  KinesisVideoServiceException,
  ListStreamsCommand,
  TagStreamCommand,
} from '@aws-sdk/client-kinesis-video';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { type Camera, claimCamera, newSerial } from '../camera-claim.ts';
import { askForCredentials } from '../credential-provider.ts';
import { createHttpApi, type Keys } from '../http-api.ts';
import { putMedia } from '../put-media.ts';
import { footage } from '../unit/matroska.ts';

const outputs = inject('outputs');
const admin = awsClients(outputs, outputs.personas.admin);
const MODES = ['thing-name', 'certificate-id', 'fixed'] as const;
type Mode = (typeof MODES)[number];

let cameras: Record<Mode, Camera>;
let neighbour: Camera;

beforeAll(async () => {
  const [a, b, c, d] = await Promise.all([
    claimCamera(outputs, { serialNumber: newSerial(), streamMode: 'thing-name' }),
    claimCamera(outputs, { serialNumber: newSerial(), streamMode: 'certificate-id' }),
    claimCamera(outputs, { serialNumber: newSerial(), streamMode: 'fixed' }),
    claimCamera(outputs, { serialNumber: newSerial() }),
  ]);
  cameras = { 'thing-name': a, 'certificate-id': b, fixed: c };
  neighbour = d;
});
afterAll(async () => {
  const last = await claimCamera(outputs, { serialNumber: newSerial() });
  const { kinesisVideo } = awsClients(outputs, await credentialsOf(last));
  await kinesisVideo.send(new DescribeStreamCommand({ StreamName: last.configuration.streamName }));
});

async function credentialsOf(
  camera: Camera,
  { roleAlias = camera.configuration.roleAlias, named = true } = {},
): Promise<Keys> {
  const thingName = named ? { thingName: camera.thingName } : {};
  const { status, body } = await askForCredentials(outputs, { held: camera, roleAlias, ...thingName });
  expect(status).toBe(200);
  const { accessKeyId, secretAccessKey, sessionToken } = body.credentials;
  return { accessKeyId, secretAccessKey, sessionToken };
}

/** All that a camera does with a stream; each is refused in KVS's words, with the certificate as the caller's name. */
async function expectRefusedAt(streamName: string, keys: Keys, certificateId: string) {
  const { kinesisVideo } = awsClients(outputs, keys);
  const described = await admin.kinesisVideo
    .send(new DescribeStreamCommand({ StreamName: streamName }))
    .catch(() => undefined);
  const StreamARN = described?.StreamInfo?.StreamARN;
  const references = [{ StreamName: streamName }, ...(StreamARN ? [{ StreamARN }] : [])];
  for (const reference of references) {
    for (const command of [
      new DescribeStreamCommand(reference),
      new GetDataEndpointCommand({ ...reference, APIName: 'PUT_MEDIA' }),
      new TagStreamCommand({ ...reference, Tags: { mine: 'yes' } }),
    ]) {
      const error = await kinesisVideo.send(command as DescribeStreamCommand).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(KinesisVideoServiceException);
      const { name, message, $metadata } = error as KinesisVideoServiceException;
      expect([$metadata.httpStatusCode, name]).toEqual([403, 'AccessDeniedException']);
      expect(message).toMatch(new RegExp(`/${certificateId} is not authorized to perform: kinesisvideo:`));
    }
  }
  for (const stream of [{ name: streamName }, ...(StreamARN ? [{ arn: StreamARN }] : [])]) {
    const answer = await putMedia(outputs, keys, stream, footage(1, Date.now()));
    expect([answer.status, answer.errorType]).toEqual([403, 'AccessDeniedException']);
    expect(answer.text).toMatch(/kinesisvideo:PutMedia/);
  }
}

describe.each(MODES)('a %s camera', (mode) => {
  const others = MODES.filter((other) => other !== mode);

  test('may use its own stream', async () => {
    const camera = cameras[mode];
    const { kinesisVideo } = awsClients(outputs, await credentialsOf(camera));
    const StreamName = camera.configuration.streamName;
    expect((await kinesisVideo.send(new DescribeStreamCommand({ StreamName }))).StreamInfo?.StreamName).toBe(
      StreamName,
    );
  });

  test("may do nothing with its neighbours' streams, nor with one that is not there", async () => {
    const camera = cameras[mode];
    const keys = await credentialsOf(camera);
    const streams = [neighbour, ...others.map((other) => cameras[other])].map((one) => one.configuration.streamName);
    for (const stream of [...streams, newSerial()]) await expectRefusedAt(stream, keys, camera.certificateId);
  });

  test.each(others)('gets, under the alias of %s, credentials that may do nothing', async (other) => {
    const camera = cameras[mode];
    const { roleAlias } = cameras[other].configuration;
    const keys = await credentialsOf(camera, { roleAlias });
    const { sts } = awsClients(outputs, keys);
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    expect(Arn).toMatch(new RegExp(`/${camera.certificateId}$`));
    for (const one of [camera, cameras[other]]) {
      await expectRefusedAt(one.configuration.streamName, keys, camera.certificateId);
    }
  });

  test('gets, without the header that names its thing, credentials that may do nothing', async () => {
    const camera = cameras[mode];
    const keys = await credentialsOf(camera, { named: false });
    for (const one of [camera, neighbour]) {
      await expectRefusedAt(one.configuration.streamName, keys, camera.certificateId);
    }
  });
});

test('a thing that is not attached is not passed', async () => {
  const camera = cameras['thing-name'];
  const { roleAlias } = camera.configuration;
  const thingName = newSerial();
  await admin.iot.send(new CreateThingCommand({ thingName }));
  for (const other of [thingName, neighbour.thingName, newSerial(), '', `${camera.thingName}x`, '*', '../x']) {
    const answer = await askForCredentials(outputs, { held: camera, roleAlias, thingName: other });
    expect(answer).toEqual({
      status: 403,
      errorType: 'AccessDeniedException',
      body: { message: 'Invalid thing name passed' },
    });
  }
});

test('an alias that no policy names is denied, and one of another letter case is another', async () => {
  const camera = cameras['thing-name'];
  for (const roleAlias of ['no-such-alias', camera.configuration.roleAlias.toUpperCase(), '%2e%2e', '*']) {
    const answer = await askForCredentials(outputs, { held: camera, roleAlias, thingName: camera.thingName });
    expect(answer).toEqual({ status: 403, errorType: 'AccessDeniedException', body: { message: 'Access Denied' } });
  }
});

test('nothing but a GET of credentials is answered', async () => {
  const camera = cameras['thing-name'];
  const { roleAlias } = camera.configuration;
  const { thingName } = camera;
  const answer = await askForCredentials(outputs, { held: camera, roleAlias, thingName, method: 'POST' });
  expect(answer.status).toBe(404);
  expect(answer.errorType).toBe('ResourceNotFoundException');
});

test("a camera's credentials open nothing but its stream", async () => {
  const camera = cameras['thing-name'];
  const keys = await credentialsOf(camera);
  const { kinesisVideo, iot, dynamoDb } = awsClients(outputs, keys);
  const StreamName = camera.configuration.streamName;
  const { StreamInfo } = await admin.kinesisVideo.send(new DescribeStreamCommand({ StreamName }));
  for (const command of [
    new CreateStreamCommand({ StreamName: `${camera.thingName}.more` }),
    new DeleteStreamCommand({ StreamARN: StreamInfo?.StreamARN }),
    new ListStreamsCommand({}),
  ]) {
    const denied = { name: 'AccessDeniedException', $metadata: { httpStatusCode: 403 } };
    await expect(kinesisVideo.send(command as ListStreamsCommand)).rejects.toMatchObject(denied);
  }
  await expect(iot.send(new DescribeThingCommand({ thingName: camera.thingName }))).rejects.toMatchObject({
    name: 'AccessDeniedException',
    $metadata: { httpStatusCode: 403 },
  });
  const scan = await dynamoDb.send(new ScanCommand({ TableName: 'firstlight-local-devices' })).catch((error) => error);
  expect(scan).toBeInstanceOf(DynamoDBServiceException);
  expect(scan).toMatchObject({ name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } });
  const api = createHttpApi(outputs, keys);
  for (const answer of [
    await api.get(`/devices/${camera.serialNumber}`),
    await api.post('/devices', { devices: [] }),
    await api.post('/claim-certificates', {}),
  ]) {
    expect([answer.status, answer.body]).toEqual([403, { message: 'Forbidden' }]);
  }
});

test('its channels are its own too, a neighbour whose name goes on is not', async () => {
  const serialNumber = newSerial();
  const camera = await claimCamera(outputs, { serialNumber, channels: ['sub'] });
  const longer = await claimCamera(outputs, { serialNumber: `${serialNumber}x` });
  const keys = await credentialsOf(camera);
  await expectRefusedAt(longer.configuration.streamName, keys, camera.certificateId);
  const { kinesisVideo } = awsClients(outputs, keys);
  // It may ask; there is none before the camera has shown life.
  await expect(
    kinesisVideo.send(new DescribeStreamCommand({ StreamName: `${serialNumber}.sub` })),
  ).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});
