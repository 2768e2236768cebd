import { randomBytes, randomUUID } from 'node:crypto';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import {
  announce,
  claimCamera,
  newSerial,
  openClaim,
  type Pending,
  registerThing,
  takeCertificate,
} from '../camera-claim.ts';
import { newClaimCertificate } from '../claim-certificates.ts';
import { listenToBus } from '../event-bus.ts';
import { createHttpApi } from '../http-api.ts';
import type { MqttDevice } from '../mqtt-device.ts';
import { expectNothingMade } from '../nothing-made.ts';

const outputs = inject('outputs');
const { templateName } = outputs.claim;
const admin = awsClients(outputs, outputs.personas.admin);
const factory = createHttpApi(outputs, outputs.personas.factory);
const operator = createHttpApi(outputs, outputs.personas.operator);

/** What no serial number may be; the first is not even sent. */
const BAD_SERIALS: [what: string, serialNumber: string | undefined][] = [
  ['missing', undefined],
  ['empty', ''],
  ['129 characters', 'A'.repeat(129)],
  ...[...'/+#$*.: '].map((sign): [string, string] => [`with ${JSON.stringify(sign)}`, `CAM${sign}1-${randomUUID()}`]),
];

/** The very bytes of the hook's no: whatever the reason, the device reads these. */
let denial: string;
let device: MqttDevice;
let pending: Pending;
let bus: Awaited<ReturnType<typeof listenToBus>>;

beforeAll(async () => {
  bus = await listenToBus(outputs);
  device = await openClaim(outputs);
  pending = await takeCertificate(device);
  const answer = await registerThing(device, templateName, pending.ownershipToken, { SerialNumber: newSerial() });
  denial = answer.payload.toString();
});
afterAll(async () => {
  await device.close();
  // It has said no all along, and still says yes.
  await claimCamera(outputs, { serialNumber: newSerial() });
});

async function reasonsOf(serialNumber: string): Promise<string[]> {
  const { status, body } = await operator.get(`/devices/${serialNumber}/claims`);
  expect(status).toBe(200);
  return body.claims.map(({ reason }: { reason: string }) => reason);
}

describe.each(BAD_SERIALS)('a serial number %s', (_, serialNumber) => {
  test('is not announced', async () => {
    const { status, body } = await factory.post('/devices', { devices: [{ serialNumber }] });
    expect(status).toBe(200);
    expect(body.results).toHaveLength(1);
    expect(body.results[0]).toMatchObject({
      outcome: 'rejected',
      problem: { detail: expect.stringContaining('serialNumber') },
    });
    if (serialNumber) expect(await itemOf(serialNumber)).toBeUndefined();
  });

  test('is not looked up', async () => {
    if (!serialNumber) return;
    const path = `/devices/${encodeURIComponent(serialNumber)}`;
    for (const answer of [await operator.get(path), await operator.get(`${path}/claims`)]) {
      expect(answer.status).toBe(400);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(answer.body).toMatchObject({ status: 400, detail: expect.stringContaining('serialNumber') });
    }
  });

  test('claims nothing and learns nothing', async () => {
    const answer = await registerThing(device, templateName, pending.ownershipToken, { SerialNumber: serialNumber });
    expect(answer.outcome).toBe('rejected');
    expect(answer.payload.toString()).toBe(denial);
    await expectNothingMade(outputs, {
      certificateId: pending.certificateId,
      ...(serialNumber && { name: serialNumber }),
    });
    // Nobody can ask for it by its serial number: ops hear of it on the bus.
    const { detail } = await bus.until('the refusal', ({ detail: { why, certificateId, sent } }) => {
      return why === 'invalid-serial' && certificateId === pending.certificateId && sent === serialNumber;
    });
    expect(detail).toMatchObject({ serialNumber: '#invalid', door: 'mqtt' });
    expect((await operator.get('/devices/%23invalid/claims')).status).toBe(400);
  });
});

test('a serial number nobody announced claims nothing; the registry says why', async () => {
  const SerialNumber = newSerial();
  const answer = await registerThing(device, templateName, pending.ownershipToken, { SerialNumber });
  expect(answer).toMatchObject({ outcome: 'rejected', content: { statusCode: 403, errorCode: 'AccessDenied' } });
  expect(answer.payload.toString()).toBe(denial);
  await expectNothingMade(outputs, { certificateId: pending.certificateId, name: SerialNumber });
  expect(await reasonsOf(SerialNumber)).toEqual(['unknown-serial']);
  expect((await operator.get(`/devices/${SerialNumber}`)).status).toBe(404);
});

test.each([
  'ThingName',
  'ThingTypeName',
  'Batch',
  'RoleAlias',
  'StreamName',
  'Channels',
  'AWS::IoT::Certificate::Id',
  'Other',
])('the parameter %s, sent by the device, is refused', async (name) => {
  const serialNumber = newSerial();
  await announce(outputs, { serialNumber });
  const parameters = { SerialNumber: serialNumber, [name]: 'mine' };
  const answer = await registerThing(device, templateName, pending.ownershipToken, parameters);
  expect(answer.payload.toString()).toBe(denial);
  await expectNothingMade(outputs, { certificateId: pending.certificateId, name: serialNumber });
  expect(await reasonsOf(serialNumber)).toEqual(['parameter-not-allowed']);
  expect((await operator.get(`/devices/${serialNumber}`)).body.status).toBe('registered');
});

test('parameters that are missing or no map of strings are refused', async () => {
  const missing = await registerThing(device, templateName, pending.ownershipToken);
  expect(missing.payload.toString()).toBe(denial);
  for (const parameters of ['text', ['list'], { SerialNumber: 7 }, { SerialNumber: { deep: 'x' } }]) {
    const answer = await registerThing(device, templateName, pending.ownershipToken, parameters);
    expect(answer).toMatchObject({ outcome: 'rejected', content: { statusCode: 400, errorCode: 'InvalidParameters' } });
  }
  await expectNothingMade(outputs, { certificateId: pending.certificateId });
});

describe('a denied camera cannot tell', () => {
  const batch = `b-${randomUUID().slice(0, 8)}`;
  const claimToken = '0123456789abcdef0123456789abcdef';
  test.each([
    ['another key is pinned', { publicKeySha256: randomBytes(32).toString('hex') }, {}, 'key-mismatch'],
    ['its claim token is missing', { claimToken }, {}, 'token-missing'],
    ['its claim token is wrong', { claimToken }, { ClaimToken: 'fedcba9876543210fedcba9876543210' }, 'token-invalid'],
    ['it is announced and claimed by another key', {}, {}, 'already-claimed'],
  ])('that %s', async (_, row, parameters, reason) => {
    const serialNumber = newSerial();
    if (reason === 'already-claimed') await claimCamera(outputs, { serialNumber, batch, ...row });
    else await announce(outputs, { serialNumber, batch, ...row });
    const before = (await operator.get(`/devices/${serialNumber}`)).body;
    const answer = await registerThing(device, templateName, pending.ownershipToken, {
      SerialNumber: serialNumber,
      ...parameters,
    });
    expect(answer.payload.toString()).toBe(denial);
    expect((await reasonsOf(serialNumber))[0]).toBe(reason);
    const { status, certificates, streams } = (await operator.get(`/devices/${serialNumber}`)).body;
    expect({ status, certificates, streams }).toEqual({
      status: before.status,
      certificates: before.certificates,
      streams: before.streams,
    });
    await expectNothingMade(outputs, { certificateId: pending.certificateId });
  });
});

test('a claim certificate of another batch opens nothing, and the device is marked', async () => {
  const serialNumber = newSerial();
  await announce(outputs, { serialNumber, batch: 'mine' });
  const session = await openClaim(outputs, { held: await newClaimCertificate(outputs, 'another') });
  const { ownershipToken, certificateId } = await takeCertificate(session);
  const answer = await registerThing(session, templateName, ownershipToken, { SerialNumber: serialNumber });
  expect(answer.payload.toString()).toBe(denial);
  await session.close();
  await expectNothingMade(outputs, { certificateId, name: serialNumber });
  expect(await reasonsOf(serialNumber)).toEqual(['wrong-claim-certificate']);
  expect((await operator.get(`/devices/${serialNumber}`)).body).toMatchObject({
    status: 'registered',
    contested: expect.anything(),
  });
});

async function itemOf(serialNumber: string) {
  const { Item } = await admin.dynamoDb.send(
    new GetItemCommand({ TableName: 'firstlight-local-devices', Key: { serialNumber: { S: serialNumber } } }),
  );
  return Item;
}
