import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { DescribeCertificateCommand, UpdateCertificateCommand } from '@aws-sdk/client-iot';
import { DescribeStreamCommand } from '@aws-sdk/client-kinesis-video';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tellStandIn } from '../admin.ts';
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
import { idsOf, readClaims, readDevice } from '../device-records.ts';
import { createHttpApi, type Keys } from '../http-api.ts';
import { sayConnected } from '../https-camera.ts';
import { openUpload, type ProducerSettings, type Upload } from '../kvs-producer.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import { connectDevice } from '../mqtt-device.ts';
import { putMedia } from '../put-media.ts';
import { switchOffSchedules } from '../schedules.ts';
import { cluster, footage, head } from '../unit/matroska.ts';
import { until } from '../until.ts';

/** How far an act of ops reaches when it meets something that is under way. The clock moves, so: a stand-in of its own. */

let run: LocalRun;
let outputs: Outputs;
let operator: ReturnType<typeof createHttpApi>;
let aws: ReturnType<typeof awsClients>;

beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
  operator = createHttpApi(outputs, outputs.personas.operator);
  aws = awsClients(outputs, outputs.personas.admin);
  await switchOffSchedules(outputs);
});
afterAll(() => run.stop());

async function act(serialNumber: string, verb: string, body: object = {}) {
  const answer = await operator.post(`/devices/${serialNumber}/${verb}`, body);
  expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 });
  return answer.body;
}

async function living(): Promise<Camera> {
  const camera = await claimCamera(outputs, { serialNumber: newSerial() });
  expect((await sayConnected(outputs, camera)).status).toBe(204);
  return camera;
}

const askAs = ({ configuration, thingName, ...held }: Camera) =>
  askForCredentials(outputs, { held, roleAlias: configuration.roleAlias, thingName });

async function credentialsOf(camera: Camera): Promise<Required<Keys>> {
  const { status, body } = await askAs(camera);
  expect({ status, body }).toMatchObject({ status: 200 });
  const { accessKeyId, secretAccessKey, sessionToken } = body.credentials;
  return { accessKeyId, secretAccessKey, sessionToken };
}

const untilStreamIs = (StreamName: string) =>
  until(`the stream ${StreamName}`, async () => {
    const { StreamInfo } = await aws.kinesisVideo.send(new DescribeStreamCommand({ StreamName }));
    return StreamInfo?.Status === 'ACTIVE';
  });

const powerOf = async (certificateId: string) =>
  (await aws.iot.send(new DescribeCertificateCommand({ certificateId }))).certificateDescription?.status;

/** What AWS IoT would tell on-presence of this camera. */
async function tellPresence({ thingName, certificateId }: Camera, timestamp: number): Promise<void> {
  const FunctionName = outputs.claim.templateName.replace(/claim$/, 'onPresence');
  const event = {
    clientId: thingName,
    timestamp,
    eventType: 'connected',
    sessionIdentifier: '00000000-0000-0000-0000-000000000000',
    principalIdentifier: certificateId,
    versionNumber: 0,
  };
  const Payload = Buffer.from(JSON.stringify(event));
  const { FunctionError } = await aws.lambda.send(new InvokeCommand({ FunctionName, Payload }));
  expect(FunctionError).toBeUndefined();
}

/** The next of this kind; others are passed over. */
async function next(upload: Upload, kind: string) {
  for (;;) {
    const acknowledgement = await upload.acknowledged();
    if (acknowledgement.EventType === kind) return acknowledgement;
  }
}

test('two operators at once who have seen the same: one act is done, the other gets 409 with the version that stands', async () => {
  for (const verbs of [
    ['suspend', 'retire'],
    ['retire', 'suspend'],
    ['suspend', 'suspend'],
  ]) {
    const { serialNumber } = await living();
    const { version } = (await operator.get(`/devices/${serialNumber}`)).body;
    const answers = await Promise.all(
      verbs.map((verb) => operator.post(`/devices/${serialNumber}/${verb}`, { version })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const [lost, done] = answers[0]?.status === 409 ? answers : [...answers].reverse();
    expect(lost?.body).toMatchObject({ code: 'version-conflict', detail: expect.stringContaining(serialNumber) });
    expect(lost?.body.version).toBeGreaterThan(version);
    const stands = (await operator.get(`/devices/${serialNumber}`)).body;
    expect(stands.status).toBe(done?.body.status);
    expect(stands.version).toBeGreaterThanOrEqual(lost?.body.version);
  }
});

describe('suspended', () => {
  test('while its claim is under way: RegisterThing comes too late, and the certificate has no power', {
    timeout: 60_000,
  }, async () => {
    for (let attempt = 0; ; attempt++) {
      const serialNumber = newSerial();
      await announce(outputs, { serialNumber });
      const device = await openClaim(outputs);
      const { ownershipToken, certificateId } = await takeCertificate(device);
      // The hook has written its yes, and waits for the stream.
      const faults = [{ service: 'kinesisvideo', operation: 'CreateStream', kind: 'delay', ms: 1200 }];
      await tellStandIn(outputs.aws, 'faults', { faults });
      const parameters = { SerialNumber: serialNumber };
      const registering = registerThing(device, outputs.claim.templateName, ownershipToken, parameters);
      await until(
        'the yes to be on record',
        async () => (await readDevice(outputs, serialNumber)).status === 'claimed',
      );
      await act(serialNumber, 'suspend');
      const { outcome } = await registering;
      await tellStandIn(outputs.aws, 'faults');
      await device.close();
      expect(await readDevice(outputs, serialNumber)).toMatchObject({ status: 'suspended' });
      expect(await powerOf(certificateId)).toBe('INACTIVE');
      // The suspension may have come when all was done already: then it is no such case.
      if (outcome === 'rejected') return;
      expect(attempt, 'no suspension came in between').toBeLessThan(8);
    }
  });

  /** AWS does not say whether an inactive certificate stops a RegisterThing that is under way: here it has not. */
  async function registeredAllTheSame(): Promise<Camera> {
    const camera = await claimCamera(outputs, { serialNumber: newSerial() });
    await act(camera.serialNumber, 'suspend');
    const { certificateId } = camera;
    await aws.iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'ACTIVE' }));
    return camera;
  }

  test('and made active after that: its first sign of life cuts it off', async () => {
    const camera = await registeredAllTheSame();
    const { serialNumber, certificateId, thingName } = camera;
    const session = await connectDevice(outputs, { clientId: thingName, held: camera });
    await session.ended;
    expect(await powerOf(certificateId)).toBe('INACTIVE');
    await expect(connectDevice(outputs, { clientId: thingName, held: camera })).rejects.toThrow();
    expect((await askAs(camera)).status).toBe(403);
    expect(await readDevice(outputs, serialNumber)).toMatchObject({ status: 'suspended' });
  });

  test('and made active after that, but silent: what it gets is denied by name, and reconcile cuts it off', async () => {
    const camera = await registeredAllTheSame();
    const { serialNumber, certificateId } = camera;
    const keys = await credentialsOf(camera);
    const { status, text } = await putMedia(outputs, keys, { name: serialNumber }, footage(1, Date.now()));
    expect([status, text]).toEqual([403, expect.stringMatching(/explicit deny/)]);
    expect((await createHttpApi(outputs, keys).post('/connected', { serialNumber })).status).toBe(403);
    expect(await powerOf(certificateId)).toBe('ACTIVE');

    // It looks once more when no RegisterThing can be under way any longer: ten minutes later, or as if they had passed.
    expect((await operator.get(`/devices/${serialNumber}`)).body).toMatchObject({ cutOff: { act: 'suspend' } });
    await aws.dynamoDb.send(
      new UpdateItemCommand({
        TableName: outputs.claim.templateName.replace(/claim$/, 'devices'),
        Key: { serialNumber: { S: serialNumber } },
        UpdateExpression: 'SET cutOff.dueAt = :past, dueAt = :past',
        ExpressionAttributeValues: { ':past': { S: '2020-01-01T00:00:00.000Z' } },
      }),
    );
    const FunctionName = outputs.claim.templateName.replace(/claim$/, 'reconcile');
    const { FunctionError } = await aws.lambda.send(new InvokeCommand({ FunctionName }));
    expect(FunctionError).toBeUndefined();
    expect(await powerOf(certificateId)).toBe('INACTIVE');
  });

  test('a sign of life from before it, delivered after it, changes nothing; nor does one that comes after resume', async () => {
    const camera = await living();
    const { serialNumber, certificateId } = camera;
    const before = Date.now() - 5000;
    const { version } = await act(serialNumber, 'suspend');
    await tellPresence(camera, before);
    expect((await operator.get(`/devices/${serialNumber}`)).body).toMatchObject({ status: 'suspended', version });
    expect(await powerOf(certificateId)).toBe('INACTIVE');
    const resumed = await act(serialNumber, 'resume');
    await tellPresence(camera, before);
    const after = (await operator.get(`/devices/${serialNumber}`)).body;
    expect(after).toMatchObject({ status: 'active', version: resumed.version });
    expect(after).not.toHaveProperty('contested');
    expect(await powerOf(certificateId)).toBe('ACTIVE');
  });

  test('on record alone, it says POST /connected: not let in, and cut off there', async () => {
    const camera = await living();
    const { serialNumber, certificateId } = camera;
    const keys = await credentialsOf(camera);
    const faults = [{ service: 'iot', operation: 'UpdateCertificate', kind: 'kill', times: 1 }];
    await tellStandIn(outputs.aws, 'faults', { faults });
    expect((await operator.post(`/devices/${serialNumber}/suspend`, {})).status).toBe(500);
    await tellStandIn(outputs.aws, 'faults');
    expect(await powerOf(certificateId)).toBe('ACTIVE');
    const { status, body } = await createHttpApi(outputs, keys).post('/connected', { serialNumber });
    expect([status, body.code]).toEqual([403, 'denied']);
    expect(await powerOf(certificateId)).toBe('INACTIVE');
  });
});

test('a serial number that is retired, reopened and claimed anew: its old unit gets nothing, and harms nobody', async () => {
  const old = await living();
  const { serialNumber } = old;
  await untilStreamIs(serialNumber);
  const issued = await credentialsOf(old);
  await act(serialNumber, 'retire');
  await act(serialNumber, 'reopen');

  const device = await openClaim(outputs);
  const { ownershipToken, ...held } = await takeCertificate(device);
  const parameters = { SerialNumber: serialNumber };
  const { content } = await registerThing(device, outputs.claim.templateName, ownershipToken, parameters);
  const { thingName, deviceConfiguration: configuration } = content;
  const unit: Camera = { ...held, serialNumber, thingName, configuration };
  expect(thingName).toBe(`${serialNumber}-r1`);
  expect((await sayConnected(outputs, unit)).status).toBe(204);

  // The old unit knows nothing of all this, and goes on.
  await expect(connectDevice(outputs, { clientId: old.thingName, held: old })).rejects.toThrow();
  await expect(connectDevice(outputs, { clientId: thingName, held: old })).rejects.toThrow();
  expect((await askAs(old)).status).toBe(403);
  expect((await askAs({ ...old, thingName })).status).toBe(403);
  expect((await putMedia(outputs, issued, { name: serialNumber }, footage(1, Date.now()))).status).toBe(403);
  expect((await createHttpApi(outputs, issued).post('/connected', { serialNumber })).status).toBe(403);
  await tellPresence(old, Date.now());
  const again = await takeCertificate(device, await makeDeviceKey());
  expect((await registerThing(device, outputs.claim.templateName, again.ownershipToken, parameters)).outcome).toBe(
    'rejected',
  );
  await device.close();
  expect((await readClaims(outputs, serialNumber))[0]).toMatchObject({ reason: 'approval-needed' });
  const record = await readDevice(outputs, serialNumber);
  expect(record).toMatchObject({ status: 'active', contested: { reason: 'approval-needed', count: 1 } });
  expect(idsOf(record)).toEqual([unit.certificateId]);
  expect((await sayConnected(outputs, unit)).status).toBe(204);
});

test('suspended while it streams: the open PutMedia goes on for 45 minutes at most, and there is no other', {
  timeout: 60_000,
}, async () => {
  const camera = await living();
  const { serialNumber } = camera;
  await untilStreamIs(serialNumber);
  const keys = await credentialsOf(camera);
  const producer = { region: outputs.region, streamName: serialNumber } as ProducerSettings;
  const upload = await openUpload(producer, keys, outputs.aws);
  const start = Date.now();
  upload.send(Buffer.concat([head(), cluster(start)]));
  await next(upload, 'BUFFERING');

  await act(serialNumber, 'suspend', { reason: 'reported stolen' });
  // Kinesis Video has asked who it is once, at the beginning: what is open goes on.
  upload.send(cluster(start + 1000));
  expect(await next(upload, 'PERSISTED')).toMatchObject({ FragmentTimecode: start });
  const renewed = putMedia(outputs, keys, { name: serialNumber }, footage(1, start));
  expect(await renewed).toMatchObject({ status: 403, text: expect.stringMatching(/explicit deny/) });
  expect((await askAs(camera)).status).toBe(403);

  await tellStandIn(outputs.aws, 'clock', { advanceSeconds: 45 * 60 });
  expect(await next(upload, 'ERROR')).toMatchObject({ ErrorId: 4003 });
  await upload.finish();
  // What it was given lasts an hour, and is denied for longer than that.
  const { kinesisVideo } = awsClients(outputs, keys, 45 * 60_000);
  const asks = () => kinesisVideo.send(new DescribeStreamCommand({ StreamName: serialNumber }));
  await expect(asks()).rejects.toThrow(/explicit deny/);
  expect((await askAs(camera)).status).toBe(403);
});
