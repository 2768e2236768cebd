import { randomBytes } from 'node:crypto';
import { ListAttachedPoliciesCommand, ListCertificatesCommand } from '@aws-sdk/client-iot';
import { DescribeStreamCommand } from '@aws-sdk/client-kinesis-video';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { announce, newSerial } from '../camera-claim.ts';
import { callFunction } from '../function-call.ts';
import { hookEvent, issueCertificate } from '../hook-event.ts';
import { createHttpApi } from '../http-api.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';
import { switchOffSchedules } from '../schedules.ts';
import { switchOffStreamConsumers } from '../stream-consumers.ts';

let run: LocalRun;
let operator: ReturnType<typeof createHttpApi>;

beforeAll(async () => {
  run = await startLocalRun();
  await switchOffStreamConsumers(run.outputs);
  await switchOffSchedules(run.outputs);
  operator = createHttpApi(run.outputs, run.outputs.personas.operator);
});
afterAll(() => run.stop());
afterEach(() => tellStandIn(run.outputs.aws, 'faults'));

const inject = (...faults: object[]) => tellStandIn(run.outputs.aws, 'faults', { faults });
const aws = () => awsClients(run.outputs, run.outputs.personas.admin);
const device = async (serialNumber: string) => (await operator.get(`/devices/${serialNumber}`)).body;
const newDevice = async (row: object = {}) => {
  const serialNumber = newSerial();
  await announce(run.outputs, { serialNumber, ...row });
  return serialNumber;
};
const claimWith = async (certificate: Awaited<ReturnType<typeof issueCertificate>>, SerialNumber: string) =>
  (await callFunction(run.outputs, 'provisioningHook', await hookEvent(run.outputs, certificate, { SerialNumber })))
    .payload;
const connect = (clientId: string, principalIdentifier: string) =>
  callFunction(run.outputs, 'onPresence', {
    clientId,
    principalIdentifier,
    eventType: 'connected',
    timestamp: Date.now(),
  });

describe('the hook', () => {
  test('says no when the registry cannot be read, and yes when it can be again', async () => {
    const serialNumber = await newDevice();
    const certificate = await issueCertificate(run.outputs);
    await inject({ service: 'dynamodb', operation: 'BatchGetItem', kind: 'error' });
    expect(await claimWith(certificate, serialNumber)).toEqual({ allowProvisioning: false });
    await inject();
    expect(await device(serialNumber)).toMatchObject({ status: 'registered', certificates: [] });
    expect(await claimWith(certificate, serialNumber)).toMatchObject({ allowProvisioning: true });
  });

  test('reads its own write when the answer to it was lost', async () => {
    const serialNumber = await newDevice();
    const certificate = await issueCertificate(run.outputs);
    await inject({ service: 'dynamodb', operation: 'UpdateItem', kind: 'lost-answer', times: 1 });
    expect(await claimWith(certificate, serialNumber)).toMatchObject({ allowProvisioning: true });
    const { certificates, version } = await device(serialNumber);
    expect({ version, certificates }).toMatchObject({ version: 2, certificates: [{ id: certificate.certificateId }] });
  });

  test.each([
    ['dynamodb', 'BatchGetItem'],
    ['dynamodb', 'UpdateItem'],
    ['kinesisvideo', 'CreateStream'],
  ])('killed at %s %s, it gives the same certificate its yes the next time', async (service, operation) => {
    const serialNumber = await newDevice();
    const certificate = await issueCertificate(run.outputs);
    const event = await hookEvent(run.outputs, certificate, { SerialNumber: serialNumber });
    await inject({ service, operation, kind: 'kill', times: 1 });
    expect(await callFunction(run.outputs, 'provisioningHook', event)).toMatchObject({ functionError: 'Unhandled' });
    expect(await claimWith(certificate, serialNumber)).toMatchObject({ allowProvisioning: true });
    expect((await device(serialNumber)).certificates).toMatchObject([{ id: certificate.certificateId }]);
    const { StreamInfo } = await aws().kinesisVideo.send(new DescribeStreamCommand({ StreamName: serialNumber }));
    expect(StreamInfo?.StreamName).toBe(serialNumber);
  });

  test.each(['error', 'throttle', 'lost-answer'])(
    'does not wait for a stream (%s): yes, due, and finished by the proof of life',
    async (kind) => {
      const serialNumber = await newDevice();
      const { certificateId, ...certificate } = await issueCertificate(run.outputs);
      await inject({ service: 'kinesisvideo', operation: 'CreateStream', kind });
      expect(await claimWith({ certificateId, ...certificate }, serialNumber)).toMatchObject({
        allowProvisioning: true,
        parameterOverrides: { StreamName: serialNumber },
      });
      expect(await device(serialNumber)).toMatchObject({
        status: 'claimed',
        streams: [{ name: serialNumber, state: 'pending' }],
        dueAt: expect.any(String),
      });

      await inject();
      expect((await connect(serialNumber, certificateId)).functionError).toBeUndefined();
      const active = await device(serialNumber);
      expect(active).toMatchObject({ status: 'active', streams: [{ name: serialNumber, state: 'made' }] });
      expect(active).not.toHaveProperty('dueAt');
      const { StreamInfo } = await aws().kinesisVideo.send(new DescribeStreamCommand({ StreamName: serialNumber }));
      expect(StreamInfo?.StreamName).toBe(serialNumber);
    },
  );
});

describe('presence', () => {
  test('an outage is thrown, so that Lambda tries again; the same event then finishes the work', async () => {
    const serialNumber = await newDevice({ channels: ['main', 'sub'] });
    const certificate = await issueCertificate(run.outputs);
    await claimWith(certificate, serialNumber);
    await inject({ service: 'dynamodb', operation: 'GetItem', kind: 'error' });
    expect(await connect(serialNumber, certificate.certificateId)).toMatchObject({ functionError: 'Unhandled' });
    await inject();
    expect(await device(serialNumber)).toMatchObject({ status: 'claimed' });

    expect((await connect(serialNumber, certificate.certificateId)).functionError).toBeUndefined();
    expect((await device(serialNumber)).streams).toMatchObject([
      { name: serialNumber, state: 'made' },
      { name: `${serialNumber}.main`, state: 'made', channel: 'main' },
      { name: `${serialNumber}.sub`, state: 'made', channel: 'sub' },
    ]);
    for (const StreamName of [`${serialNumber}.main`, `${serialNumber}.sub`]) {
      const { StreamInfo } = await aws().kinesisVideo.send(new DescribeStreamCommand({ StreamName }));
      expect(StreamInfo?.StreamName).toBe(StreamName);
    }
  });

  test('a sign that proves nothing is dropped: it is not worth a retry', async () => {
    const serialNumber = await newDevice();
    const stranger = 'ab'.repeat(32);
    for (const clientId of [serialNumber, newSerial()]) {
      expect(await connect(clientId, stranger)).toEqual({ functionError: undefined, payload: null });
    }
    expect(await callFunction(run.outputs, 'onPresence', { eventType: 'disconnected' })).toMatchObject({
      payload: null,
    });
    expect(await device(serialNumber)).toMatchObject({ status: 'registered', version: 1 });
  });

  test('a superseded certificate that shows life is noted as the sign of a clone, and switches nothing off', async () => {
    const ClaimToken = randomBytes(32).toString('hex');
    const serialNumber = await newDevice({ claimToken: ClaimToken });
    const [old, newer] = [await issueCertificate(run.outputs), await issueCertificate(run.outputs)];
    for (const certificate of [old, newer]) {
      const parameters = { SerialNumber: serialNumber, ClaimToken };
      const event = await hookEvent(run.outputs, certificate, parameters);
      expect((await callFunction(run.outputs, 'provisioningHook', event)).payload.allowProvisioning).toBe(true);
    }
    await connect(serialNumber, newer.certificateId);
    expect(await connect(serialNumber, old.certificateId)).toEqual({ functionError: undefined, payload: null });
    expect(await device(serialNumber)).toMatchObject({
      status: 'active',
      contested: { reason: 'certificate-superseded' },
      certificates: [
        { id: old.certificateId, state: 'leaving' },
        { id: newer.certificateId, state: 'current' },
      ],
    });
  });
});

describe('POST /claim-certificates', () => {
  const problem = async () => {
    const { status, headers, body } = await operator.post('/claim-certificates', {});
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(JSON.stringify(body)).not.toMatch(/stack|\.mjs|InternalFailure|PRIVATE/);
    return { status, retryAfter: headers.get('retry-after'), body };
  };
  const powerless = async () => {
    const { certificates = [] } = await aws().iot.send(new ListCertificatesCommand({ pageSize: 250 }));
    const attached = certificates.map(async ({ certificateArn: target }) => {
      const { policies = [] } = await aws().iot.send(new ListAttachedPoliciesCommand({ target }));
      return policies.length > 0;
    });
    return (await Promise.all(attached)).filter((hasPower) => !hasPower).length;
  };

  test('no record, no power: the certificate of a failed write can do nothing, and the caller sees none of our insides', async () => {
    const before = await powerless();
    await inject({ service: 'dynamodb', operation: 'PutItem', kind: 'error' });
    expect(await problem()).toEqual({
      status: 500,
      retryAfter: null,
      body: { type: 'urn:firstlight:problem:internal', title: 'Internal', status: 500, code: 'internal' },
    });
    await inject();
    expect(await powerless()).toBe(before + 1);
  });

  test('when AWS throttles, the caller is told to come back', async () => {
    await inject({ service: 'iot', operation: 'CreateKeysAndCertificate', kind: 'throttle' });
    expect(await problem()).toMatchObject({ status: 503, retryAfter: '2', body: { code: 'busy' } });
  });
});
