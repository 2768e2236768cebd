import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { DescribeCertificateCommand, ListAttachedPoliciesCommand } from '@aws-sdk/client-iot';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { announce, newSerial, openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { type CountingDoor, startCountingDoor } from '../counting-door.ts';
import { certificateIdOf, makeDeviceKey } from '../device-key.ts';
import { type FunctionProcess, startFunction } from '../function-process.ts';
import { createHttpApi } from '../http-api.ts';

const outputs = inject('outputs');
const operator = createHttpApi(outputs, outputs.personas.operator);
const { iot, dynamoDb } = awsClients(outputs, outputs.personas.admin);

const powerOf = async (certificateId: string) => {
  const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
  const target = certificateDescription?.certificateArn;
  const { policies = [] } = await iot.send(new ListAttachedPoliciesCommand({ target }));
  return { status: certificateDescription?.status, policies: policies.map(({ policyName }) => policyName) };
};
const recordOf = async (certificateId: string) => {
  const Key = { certificateId: { S: certificateId } };
  const TableName = 'firstlight-local-claim-certificates';
  return (await dynamoDb.send(new GetItemCommand({ TableName, Key }))).Item;
};

describe('POST /claim-certificates', () => {
  test('with a request: for the key of the asker, which never leaves him', async () => {
    const { certificateSigningRequest, publicKeySha256, privateKeyPem } = await makeDeviceKey();
    const claimWindow = { from: '2026-01-01T00:00:00Z', until: '2099-01-01T00:00:00Z' };
    const order = { batch: 'B-7', certificateSigningRequest, claimWindow };
    const { status, body } = await operator.post('/claim-certificates', order);
    expect(status).toBe(201);
    expect(Object.keys(body).sort()).toEqual(
      ['batch', 'certificateId', 'certificatePem', 'claimWindow', 'createdAt', 'createdBy'].sort(),
    );
    expect(body).toMatchObject({ batch: 'B-7', claimWindow, certificateId: certificateIdOf(body.certificatePem) });
    const spki = new X509Certificate(body.certificatePem).publicKey.export({ type: 'spki', format: 'der' });
    expect(createHash('sha256').update(spki).digest('hex')).toBe(publicKeySha256);
    expect(await powerOf(body.certificateId)).toEqual({ status: 'ACTIVE', policies: ['firstlight-local-claim'] });
    expect(await recordOf(body.certificateId)).toMatchObject({
      batch: { S: 'B-7' },
      claimWindow: { M: expect.anything() },
    });

    // It opens its own batch and no other.
    const held = { certificatePem: body.certificatePem, privateKeyPem };
    const [mine, other] = [newSerial(), newSerial()];
    await announce(outputs, { serialNumber: mine, batch: 'B-7' }, { serialNumber: other, batch: 'B-8' });
    const session = await openClaim(outputs, { held });
    const register = async (SerialNumber: string) => {
      const { ownershipToken } = await takeCertificate(session);
      return (await registerThing(session, outputs.claim.templateName, ownershipToken, { SerialNumber })).outcome;
    };
    expect(await register(other)).toBe('rejected');
    expect(await register(mine)).toBe('accepted');
    await session.close();
    const { claims } = (await operator.get(`/devices/${other}/claims`)).body;
    expect(claims).toMatchObject([{ reason: 'wrong-claim-certificate', claimCertificateId: body.certificateId }]);
  });

  test('without one: AWS makes the key, which is shown this once and kept nowhere', async () => {
    const { status, body, headers } = await operator.post('/claim-certificates', {});
    expect(status).toBe(201);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body.privateKey).toMatch(/^-----BEGIN (RSA )?PRIVATE KEY-----/);
    expect(await powerOf(body.certificateId)).toEqual({ status: 'ACTIVE', policies: ['firstlight-local-claim'] });
    const record = await recordOf(body.certificateId);
    expect(Object.keys(record ?? {}).sort()).toEqual(['certificateId', 'createdAt', 'createdBy']);
  });

  test.each([
    ['a request that is none', { certificateSigningRequest: 'hello' }, 'invalid-request'],
    [
      'a request that AWS cannot read',
      { certificateSigningRequest: '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n' },
      'invalid-certificate-request',
    ],
    ['an unknown field', { batches: ['1'] }, 'invalid-request'],
    ['a batch that cannot be an attribute', { batch: 'a b' }, 'invalid-request'],
    [
      'a window that ends before it begins',
      { claimWindow: { from: '2027-01-01T00:00:00Z', until: '2026-01-01T00:00:00Z' } },
      'invalid-request',
    ],
  ])('refuses %s', async (_, order, code) => {
    const { status, headers, body } = await operator.post('/claim-certificates', order);
    expect({ status, code: body.code }).toEqual({ status: 400, code });
    expect(headers.get('content-type')).toBe('application/problem+json');
  });
});

describe('no certificate has power that no record knows', () => {
  let door: CountingDoor;
  let fn: FunctionProcess;
  beforeAll(async () => {
    door = await startCountingDoor(outputs.aws);
    fn = await startFunction(outputs, 'createClaimCertificate', door.url);
  });
  afterAll(async () => {
    await fn.stop();
    door.close();
  });

  test('the record comes before the policy', async () => {
    const event = {
      headers: { 'content-type': 'application/json' },
      requestContext: {},
      body: JSON.stringify({ batch: randomBytes(4).toString('hex') }),
      isBase64Encoded: false,
    };
    expect(await fn.invoke(event)).toMatchObject({ statusCode: 201 });
    expect(door.calls).toEqual([
      { service: 'iot', operation: 'POST /keys-and-certificate?setAsActive=true' },
      { service: 'dynamodb', operation: 'PutItem' },
      { service: 'iot', operation: 'PUT /target-policies/firstlight-local-claim' },
    ]);
  });
});
