import { ListRolePoliciesCommand, ListRolesCommand } from '@aws-sdk/client-iam';
import { DescribeCertificateCommand, DescribeThingCommand, ListThingPrincipalsCommand } from '@aws-sdk/client-iot';
import { DescribeStreamCommand } from '@aws-sdk/client-kinesis-video';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import {
  announce,
  type Camera,
  claimCamera,
  newSerial,
  openClaim,
  registerThing,
  takeCertificate,
} from '../camera-claim.ts';
import { askForCredentials } from '../credential-provider.ts';
import { makeDeviceKey } from '../device-key.ts';
import { readClaims, readDevice, untilActive } from '../device-records.ts';
import { type ApiAnswer, createHttpApi, type Keys } from '../http-api.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';
import { connectDevice, type MqttDevice } from '../mqtt-device.ts';
import { putMedia } from '../put-media.ts';
import { switchOffSchedules } from '../schedules.ts';
import { footage } from '../unit/matroska.ts';
import { until } from '../until.ts';

// Operators' acts write the camera roles and run reconcile, so they get a stand-in of their own.
let run: LocalRun;
let operator: ReturnType<typeof createHttpApi>;
let aws: ReturnType<typeof awsClients>;

beforeAll(async () => {
  run = await startLocalRun();
  await switchOffSchedules(run.outputs);
  operator = createHttpApi(run.outputs, run.outputs.personas.operator);
  aws = awsClients(run.outputs, run.outputs.personas.admin);
});
afterAll(() => run.stop());

const START = 1_795_498_624_000;

async function act(serialNumber: string, verb: string, body: object = {}): Promise<ApiAnswer['body']> {
  const answer = await operator.post(`/devices/${serialNumber}/${verb}`, body);
  expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 });
  return answer.body;
}

const refused = async (serialNumber: string, verb: string, body: object = {}) => {
  const { status, body: problem } = await operator.post(`/devices/${serialNumber}/${verb}`, body);
  return `${status} ${problem.code}`;
};

const connects = (camera: Camera) =>
  connectDevice(run.outputs, { clientId: camera.thingName, held: camera, protocolVersion: 5 });

/** Claimed, connected, and known to live. */
async function living(row: Parameters<typeof announce>[1]): Promise<{ camera: Camera; session: MqttDevice }> {
  const camera = await claimCamera(run.outputs, row);
  const session = await connects(camera);
  await untilActive(run.outputs, row.serialNumber);
  await untilStreamIs(camera.configuration.streamName);
  return { camera, session };
}

const askAs = ({ configuration, thingName, ...held }: Camera) =>
  askForCredentials(run.outputs, { held, roleAlias: configuration.roleAlias, thingName });

async function credentialsOf(camera: Camera): Promise<Keys> {
  const { status, body } = await askAs(camera);
  expect({ status, body }).toMatchObject({ status: 200 });
  return body.credentials;
}

/** AWS takes a second to make a stream. */
const untilStreamIs = (StreamName: string) =>
  until(`the stream ${StreamName}`, async () => {
    const { StreamInfo } = await aws.kinesisVideo.send(new DescribeStreamCommand({ StreamName }));
    return StreamInfo?.Status === 'ACTIVE';
  });

const streams = (camera: Camera, keys: Keys) =>
  putMedia(run.outputs, keys, { name: camera.configuration.streamName }, footage(1, START));

/** The reason of the newest attempt of this serial number, and what the camera was told. */
async function claimRefused(serialNumber: string): Promise<string> {
  const device = await openClaim(run.outputs);
  try {
    const { ownershipToken } = await takeCertificate(device);
    const { templateName } = run.outputs.claim;
    const { outcome } = await registerThing(device, templateName, ownershipToken, { SerialNumber: serialNumber });
    return `${outcome}: ${(await readClaims(run.outputs, serialNumber))[0]?.reason}`;
  } finally {
    await device.close();
  }
}

async function reconcile(): Promise<Record<string, unknown>> {
  const FunctionName = run.outputs.claim.templateName.replace(/claim$/, 'reconcile');
  const { FunctionError, Payload } = await aws.lambda.send(new InvokeCommand({ FunctionName }));
  const text = Buffer.from(Payload ?? []).toString();
  expect(FunctionError, text).toBeUndefined();
  return JSON.parse(text);
}

const statusOf = async (certificateId: string) => {
  try {
    const { certificateDescription } = await aws.iot.send(new DescribeCertificateCommand({ certificateId }));
    return certificateDescription?.status;
  } catch (error) {
    return (error as Error).name;
  }
};

describe('a camera that is suspended while it streams, resumed and retired', () => {
  const serialNumber = newSerial();
  let camera: Camera;
  let session: MqttDevice;
  let issued: Keys;

  test('it lives and streams', async () => {
    ({ camera, session } = await living({ serialNumber }));
    issued = await credentialsOf(camera);
    expect((await streams(camera, issued)).status).toBe(200);
  });

  test('suspended: session, credentials old and new, and claims are all refused', async () => {
    const device = await act(serialNumber, 'suspend', { reason: 'reported stolen' });
    expect(device).toMatchObject({ status: 'suspended', suspendedFrom: 'active', thingName: serialNumber });
    expect(device.history).toContainEqual(
      expect.objectContaining({
        what: 'suspended',
        why: 'reported stolen',
        by: expect.stringMatching(/:user\/.*operator/),
      }),
    );
    await session.ended;
    expect(await statusOf(camera.certificateId)).toBe('INACTIVE');
    await expect(connects(camera)).rejects.toThrow();
    expect((await askAs(camera)).status).toBe(403);
    const { status, text } = await streams(camera, issued);
    expect(status, text).toBe(403);
    expect(text).toMatch(/explicit deny/);
    expect(await claimRefused(serialNumber)).toBe('rejected: suspended');
  });

  test('again is the same, and other acts have their answers', async () => {
    const { version } = await act(serialNumber, 'suspend');
    expect((await act(serialNumber, 'suspend')).version).toBe(version);
    expect(await refused(serialNumber, 'reopen')).toBe('409 device-not-retired');
    const publicKeySha256 = 'a'.repeat(64);
    expect(await refused(serialNumber, 'approve-claim', { publicKeySha256 })).toBe('409 device-suspended');
    const stale = await operator.post(`/devices/${serialNumber}/resume`, { version: 1 });
    expect(stale).toMatchObject({ status: 409, body: { code: 'version-conflict', version } });
  });

  test('resumed: the same certificate and the same credentials work again', async () => {
    expect(await act(serialNumber, 'resume')).toMatchObject({ status: 'active' });
    expect(await statusOf(camera.certificateId)).toBe('ACTIVE');
    const again = await connects(camera);
    await again.close();
    expect((await streams(camera, issued)).status).toBe(200);
    expect((await streams(camera, await credentialsOf(camera))).status).toBe(200);
  });

  test('retired: certificate and thing are gone, the footage is not', async () => {
    const device = await act(serialNumber, 'retire', { reason: 'sold' });
    expect(device).toMatchObject({ status: 'retired', certificates: [] });
    expect(device).not.toHaveProperty('cutOff');
    expect(await statusOf(camera.certificateId)).toBe('ResourceNotFoundException');
    await expect(aws.iot.send(new DescribeThingCommand({ thingName: serialNumber }))).rejects.toThrow(/not/i);
    const { StreamInfo } = await aws.kinesisVideo.send(new DescribeStreamCommand({ StreamName: serialNumber }));
    expect(StreamInfo?.Status).toBe('ACTIVE');
    expect((await streams(camera, issued)).status).toBe(403);
    expect(await claimRefused(serialNumber)).toBe('rejected: retired');
    expect(await refused(serialNumber, 'suspend')).toBe('409 device-retired');
    expect(await refused(serialNumber, 'resume')).toBe('409 device-retired');
    expect(await act(serialNumber, 'retire')).toMatchObject({ version: device.version });
  });

  test('reopened: a new life in a new place, never the old stream', async () => {
    expect(await act(serialNumber, 'reopen')).toMatchObject({ status: 'registered', thingName: `${serialNumber}-r1` });
    const device = await openClaim(run.outputs);
    const { ownershipToken, certificateId, certificatePem, privateKeyPem } = await takeCertificate(device);
    const parameters = { SerialNumber: serialNumber };
    const { outcome, content } = await registerThing(
      device,
      run.outputs.claim.templateName,
      ownershipToken,
      parameters,
    );
    await device.close();
    expect(outcome).toBe('accepted');
    const { thingName, deviceConfiguration: configuration } = content;
    expect(configuration.streamName).toBe(`${serialNumber}-r1`);
    const next: Camera = { serialNumber, certificateId, certificatePem, privateKeyPem, thingName, configuration };
    const alive = await connects(next);
    await untilActive(run.outputs, serialNumber);
    await alive.close();
    await untilStreamIs(`${serialNumber}-r1`);
    const keys = await credentialsOf(next);
    expect((await streams(next, keys)).status).toBe(200);
    // What the last owner has filmed is not its own.
    expect((await putMedia(run.outputs, keys, { name: serialNumber }, footage(1, START))).status).toBe(403);
  });
});

describe('other hardware', () => {
  test('takes over place and stream once the old one is cut off', async () => {
    const [old, next] = [newSerial(), newSerial()];
    const { camera, session } = await living({ serialNumber: old, channels: ['sub'] });
    const issued = await credentialsOf(camera);
    expect((await streams(camera, issued)).status).toBe(200);
    await announce(run.outputs, { serialNumber: next });

    expect(await act(old, 'replace', { by: next, reason: 'broken lens' })).toMatchObject({
      status: 'retired',
      replacedBy: next,
      certificates: [],
    });
    await session.ended;
    expect((await streams(camera, issued)).status).toBe(403);
    const taken = await readDevice(run.outputs, next);
    expect(taken).toMatchObject({ status: 'registered', thingName: old, replaces: old, channels: ['sub'] });

    const device = await openClaim(run.outputs);
    const { ownershipToken, ...held } = await takeCertificate(device);
    const { content } = await registerThing(device, run.outputs.claim.templateName, ownershipToken, {
      SerialNumber: next,
    });
    await device.close();
    expect(content.thingName).toBe(old);
    const { thingName, deviceConfiguration: configuration } = content;
    const unit: Camera = { ...held, serialNumber: next, thingName, configuration };
    const alive = await connects(unit);
    expect(await untilActive(run.outputs, next)).toMatchObject({
      streams: [
        { name: old, state: 'made' },
        { name: `${old}.sub`, state: 'made' },
      ],
    });
    await alive.close();
    expect((await streams(unit, await credentialsOf(unit))).status).toBe(200);
    const { attributes } = await aws.iot.send(new DescribeThingCommand({ thingName: old }));
    expect(attributes).toMatchObject({ serialNumber: next });
    expect(await claimRefused(old)).toBe('rejected: retired');
  });

  test('waits, if the old one is to be kept until it has connected', async () => {
    const [old, next] = [newSerial(), newSerial()];
    const { camera, session } = await living({ serialNumber: old });
    await session.close();
    const key = await makeDeviceKey();
    await announce(run.outputs, { serialNumber: next, publicKeySha256: key.publicKeySha256 });
    expect(await act(old, 'replace', { by: next, keepUntilConnected: true })).toMatchObject({ status: 'active' });
    expect((await streams(camera, await credentialsOf(camera))).status).toBe(200);

    const { certificateSigningRequest, privateKeyPem } = key;
    const claim = { serialNumber: next, certificateSigningRequest };
    const { status, body } = await createHttpApi(run.outputs).post('/claims', claim);
    expect({ status, body }).toMatchObject({ status: 201, body: { thingName: old } });
    const { certificateId, certificatePem, thingName, connection: configuration } = body;
    const unit: Camera = { serialNumber: next, certificateId, certificatePem, privateKeyPem, thingName, configuration };
    const alive = await connects(unit);
    await untilActive(run.outputs, next);
    await reconcile();
    expect(await readDevice(run.outputs, old)).toMatchObject({ status: 'retired', certificates: [] });
    expect(await statusOf(camera.certificateId)).toBe('ResourceNotFoundException');
    const { principals } = await aws.iot.send(new ListThingPrincipalsCommand({ thingName: old }));
    expect(principals).toHaveLength(1);
    await alive.close();
  });

  test('is refused where it cannot be', async () => {
    const [old, claimed] = [newSerial(), newSerial()];
    const { session } = await living({ serialNumber: old });
    await session.close();
    await claimCamera(run.outputs, { serialNumber: claimed });
    expect(await refused(old, 'replace', { by: old })).toBe('400 invalid-request');
    expect(await refused(old, 'replace', { by: claimed })).toBe('409 replacement-not-free');
    expect(await refused(old, 'replace', { by: newSerial() })).toBe('404 device-not-found');
    expect(await refused(newSerial(), 'replace', { by: claimed })).toBe('404 device-not-found');
    expect(await readDevice(run.outputs, old)).toMatchObject({ status: 'active' });
  });
});

test('the key that ops has seen and approved is let in, and no other', async () => {
  const serialNumber = newSerial();
  const { session } = await living({ serialNumber });
  await session.close();
  const key = await makeDeviceKey();
  const device = await openClaim(run.outputs);
  const claim = async (own?: typeof key) => {
    const { ownershipToken } = await takeCertificate(device, own);
    const parameters = { SerialNumber: serialNumber };
    return (await registerThing(device, run.outputs.claim.templateName, ownershipToken, parameters)).outcome;
  };
  expect(await claim(key)).toBe('rejected');
  const { body } = await operator.get(`/devices/${serialNumber}/claims`);
  expect(body.claims[0]).toMatchObject({ reason: 'approval-needed', publicKeySha256: key.publicKeySha256 });
  await act(serialNumber, 'approve-claim', { claimId: body.claims[0].claimId, reason: 'new mainboard' });
  expect(await claim()).toBe('rejected');
  expect(await claim(key)).toBe('accepted');
  await device.close();
});

test('the streams go only if that is asked for', async () => {
  const serialNumber = newSerial();
  const { session } = await living({ serialNumber });
  expect(await act(serialNumber, 'retire', { streams: 'delete' })).toMatchObject({ status: 'retired', streams: [] });
  await session.ended;
  const describing = aws.kinesisVideo.send(new DescribeStreamCommand({ StreamName: serialNumber }));
  expect(
    await describing.then(
      ({ StreamInfo }) => StreamInfo?.Status,
      ({ name }) => name,
    ),
  ).toMatch(/^(DELETING|ResourceNotFoundException)$/);
});

test('each camera role has one policy of denials beside its own', async () => {
  const { Roles = [] } = await aws.iam.send(new ListRolesCommand({}));
  const cameraRoles = Roles.filter(({ RoleName }) => /CameraRole/.test(RoleName ?? ''));
  expect(cameraRoles).toHaveLength(3);
  for (const { RoleName } of cameraRoles) {
    const { PolicyNames = [] } = await aws.iam.send(new ListRolePoliciesCommand({ RoleName }));
    expect(PolicyNames.sort()).toEqual(['denied-certificates', 'stream']);
  }
});
