import { createPrivateKey, X509Certificate } from 'node:crypto';
import { Encoder } from 'cbor-x';
import type { MqttClient } from 'mqtt';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AwsError } from '../../local/error.ts';
import { type Held, type IotWorld, keyAndCsr, startIotWorld } from './iot-world.ts';

const cbor = new Encoder({ useRecords: false });
const CREATE = '$aws/certificates/create';
const FROM_CSR = '$aws/certificates/create-from-csr';
const REGISTER = '$aws/provisioning-templates/claim/provision';

let world: IotWorld;
let claim: Held;
let client: MqttClient;
let count = 0;

beforeAll(async () => {
  world = await startIotWorld();
  claim = await world.certificate({ policy: 'claim' });
});
afterAll(() => world.stop());
beforeEach(async () => {
  world.putTemplate();
  world.hook.invoke = async () => ({ allowProvisioning: true });
  world.faults.meet = async () => ({ loseAnswer: false });
  world.provisioned.length = 0;
  client = await world.connected(claim, `claim-${++count}`);
});

const json = (value: unknown) => JSON.stringify(value);
const ask = async (topic: string, payload: unknown, asker = client) => {
  const { topic: on, payload: body } = await world.ask(asker, topic, json(payload));
  return { kind: on.slice(topic.length + 1), ...JSON.parse(body.toString()) };
};
const createFromCsr = async (asker = client) => {
  const { csr, privateKey } = await keyAndCsr();
  const answer = await ask(`${FROM_CSR}/json`, { certificateSigningRequest: csr }, asker);
  return { ...answer, privateKey } as Held & { certificateOwnershipToken: string };
};
const register = (input: unknown, asker = client) => ask(`${REGISTER}/json`, input, asker);
const pendingToken = async () => (await createFromCsr()).certificateOwnershipToken;

describe('from a claim certificate to a thing', () => {
  test('with a CSR: the certificate is pending until RegisterThing, then connects', async () => {
    const created = await createFromCsr();
    expect(Object.keys(created).sort()).toEqual(
      ['certificateId', 'certificateOwnershipToken', 'certificatePem', 'kind', 'privateKey'].sort(),
    );
    expect(created.certificateOwnershipToken.length).toBeLessThanOrEqual(512);
    expect(world.registry.certificate(created.certificateId)?.status).toBe('PENDING_ACTIVATION');
    await expect(world.connected(created, 'cam-1')).rejects.toThrow(/Not authorized/);

    const answer = await register({
      certificateOwnershipToken: created.certificateOwnershipToken,
      templateName: 'claim', // the 3.1.1 client of the device SDK sends it
      parameters: { SerialNumber: 'cam-1' },
    });
    expect(answer).toEqual({ kind: 'accepted', thingName: 'cam-1', deviceConfiguration: { region: 'us-east-1' } });
    expect(world.registry.certificate(created.certificateId)).toMatchObject({ status: 'ACTIVE' });
    expect(world.registry.certificate(created.certificateId)?.ownership).toBeUndefined();
    await world.connected(created, 'cam-1', { protocolVersion: 5 });
  });

  test('with keys by AWS: an empty payload and {} are both taken, the private key fits', async () => {
    const { payload } = await world.ask(client, `${CREATE}/json`, '');
    const { certificatePem, privateKey, publicKey } = JSON.parse(payload.toString());
    expect(publicKey).toBeUndefined();
    expect(new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKey))).toBe(true);
    expect(await ask(`${CREATE}/json`, {})).toMatchObject({ kind: 'accepted' });
  });

  test('in CBOR', async () => {
    const { csr } = await keyAndCsr();
    const created = await world.ask(client, `${FROM_CSR}/cbor`, cbor.encode({ certificateSigningRequest: csr }));
    expect(created.topic).toBe(`${FROM_CSR}/cbor/accepted`);
    const { certificateOwnershipToken } = cbor.decode(created.payload);
    const parameters = { SerialNumber: 'cam-cbor' };
    const registered = await world.ask(
      client,
      `${REGISTER}/cbor`,
      cbor.encode({ certificateOwnershipToken, parameters }),
    );
    expect(registered.topic).toBe(`${REGISTER}/cbor/accepted`);
    expect(cbor.decode(registered.payload)).toMatchObject({ thingName: 'cam-cbor' });
  });

  test('the hook gets what AWS sends, its overrides reach the template', async () => {
    let seen: unknown;
    world.hook.invoke = async (call) => {
      seen = call;
      return { allowProvisioning: true, parameterOverrides: { ThingName: 'place' } };
    };
    const created = await createFromCsr();
    await register({
      certificateOwnershipToken: created.certificateOwnershipToken,
      parameters: { SerialNumber: 'cam-2', ThingName: 'mine' },
    });
    const templateArn = world.registry.arn('provisioningtemplate/claim');
    expect(seen).toEqual({
      targetArn: 'arn:aws:lambda:us-east-1:000000000000:function:hook',
      templateArn,
      event: {
        claimCertificateId: claim.certificateId,
        certificateId: created.certificateId,
        certificatePem: created.certificatePem,
        templateArn,
        clientId: `claim-${count}`,
        parameters: { SerialNumber: 'cam-2', ThingName: 'mine' },
      },
    });
    expect(world.provisioned[0]).toMatchObject({ parameters: { SerialNumber: 'cam-2', ThingName: 'place' } });
  });

  test('only the asker hears the answer', async () => {
    const other = await world.connected(claim, 'claim-other');
    await other.subscribeAsync(`${CREATE}/json/accepted`, { qos: 1 });
    let heard = 0;
    other.on('message', () => heard++);
    await ask(`${CREATE}/json`, {});
    await ask(`${CREATE}/json`, {}, other);
    expect(heard).toBe(1);
  });

  test('without a subscription the answer is lost, the work is done', async () => {
    const before = world.registry.certificates.size;
    await client.publishAsync(`${CREATE}/json`, '{}', { qos: 1 });
    await expect.poll(() => world.registry.certificates.size).toBe(before + 1);
  });
});

describe('the ownership token', () => {
  const refused = { kind: 'rejected', statusCode: 400, errorCode: 'InvalidCertificateOwnershipToken' };

  test.each([
    ['missing', {}],
    ['empty', { certificateOwnershipToken: '' }],
  ])('%s', async (_, input) => {
    expect(await register(input)).toEqual({
      ...refused,
      errorMessage: 'Certificate ownership token cannot be empty.',
    });
  });

  test.each([
    ['of another kind', 7],
    ['made up', 'x'.repeat(192)],
    ['not ASCII', 'ä'.repeat(192)],
  ])('%s', async (_, token) => {
    expect(await register({ certificateOwnershipToken: token })).toMatchObject(refused);
  });

  test('works once', async () => {
    const token = await pendingToken();
    expect(await register({ certificateOwnershipToken: token })).toMatchObject({ kind: 'accepted' });
    expect(await register({ certificateOwnershipToken: token })).toMatchObject(refused);
  });

  test('works again after a rejection', async () => {
    const token = await pendingToken();
    world.hook.invoke = async () => ({ allowProvisioning: false });
    expect(await register({ certificateOwnershipToken: token })).toMatchObject({ kind: 'rejected', statusCode: 403 });
    world.hook.invoke = async () => ({ allowProvisioning: true });
    expect(await register({ certificateOwnershipToken: token })).toMatchObject({ kind: 'accepted' });
  });

  test('is nobody else’s', async () => {
    const token = await pendingToken();
    const other = await world.connected(claim, 'claim-thief');
    expect(await register({ certificateOwnershipToken: token }, other)).toMatchObject(refused);
  });

  test('ends after an hour and takes its certificate along', async () => {
    const { certificateOwnershipToken, certificateId } = await createFromCsr();
    world.clock.advance(3599);
    expect(world.registry.certificate(certificateId)).toBeDefined();
    world.clock.advance(2);
    expect(await register({ certificateOwnershipToken })).toMatchObject(refused);
    expect(world.registry.certificate(certificateId)).toBeUndefined();
  });

  test('of two requests at once exactly one executes', async () => {
    const token = await pendingToken();
    let release = () => {};
    world.hook.invoke = () =>
      new Promise((resolve) => {
        release = () => resolve({ allowProvisioning: true });
      });
    const answers: string[] = [];
    await client.subscribeAsync([`${REGISTER}/json/accepted`, `${REGISTER}/json/rejected`], { qos: 1 });
    client.on('message', (topic, body) =>
      answers.push(`${topic.split('/').at(-1)} ${JSON.parse(body.toString()).statusCode}`),
    );
    for (let i = 0; i < 2; i++) {
      await client.publishAsync(`${REGISTER}/json`, json({ certificateOwnershipToken: token }), { qos: 1 });
    }
    await expect.poll(() => answers).toEqual(['rejected 409']);
    release();
    await expect.poll(() => answers).toEqual(['rejected 409', 'accepted undefined']);
    expect(world.provisioned).toHaveLength(1);
  });
});

describe('it says no', () => {
  test('to a provisioning role that may not do its part', async () => {
    await world.addRole('idle', 'iot.amazonaws.com', {
      PolicyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: { Effect: 'Deny', Action: '*', Resource: '*' },
      }),
    });
    const template = world.registry.templates.get('claim');
    if (template) template.provisioningRoleArn = 'arn:aws:iam::000000000000:role/idle';
    const { certificateOwnershipToken, certificateId } = await createFromCsr();
    expect(await register({ certificateOwnershipToken, parameters: { SerialNumber: 'cam-idle' } })).toMatchObject({
      kind: 'rejected',
      statusCode: 403,
      errorCode: 'AccessDenied',
    });
    expect(world.registry.things.has('cam-idle')).toBe(false);
    expect(world.registry.certificate(certificateId)?.status).toBe('PENDING_ACTIVATION');
  });

  test('to parameters that make no thing', async () => {
    const token = await pendingToken();
    expect(await register({ certificateOwnershipToken: token, parameters: { SerialNumber: 'a b' } })).toMatchObject({
      statusCode: 400,
      errorCode: 'InvalidParameters',
    });
  });

  test.each<[string, () => Promise<unknown>]>([
    ['throws', async () => Promise.reject(new Error('boom'))],
    [
      'throws at once',
      () => {
        throw new Error('boom');
      },
    ],
    ['answers nothing', async () => undefined],
    ['answers null', async () => null],
    ['answers a string', async () => 'true'],
    ['says "true"', async () => ({ allowProvisioning: 'true' })],
    ['says 1', async () => ({ allowProvisioning: 1 })],
    ['overrides with a number', async () => ({ allowProvisioning: true, parameterOverrides: { a: 1 } })],
    ['overrides with a list', async () => ({ allowProvisioning: true, parameterOverrides: ['a'] })],
  ])('to a hook that %s', async (_, invoke) => {
    world.hook.invoke = invoke;
    const { certificateOwnershipToken, certificateId } = await createFromCsr();
    expect(await register({ certificateOwnershipToken })).toMatchObject({
      kind: 'rejected',
      statusCode: 403,
      errorCode: 'AccessDenied',
    });
    expect(world.registry.certificate(certificateId)?.status).toBe('PENDING_ACTIVATION');
    expect(world.provisioned).toHaveLength(0);
  });

  test('to a hook that takes longer than 5 s', async () => {
    world.hook.invoke = () => new Promise(() => {});
    // Real time is the subject: the limit is on it, as the function is.
    const started = Date.now();
    expect(await register({ certificateOwnershipToken: await pendingToken() })).toMatchObject({ statusCode: 403 });
    expect(Date.now() - started).toBeGreaterThanOrEqual(4_990);
  });

  test('to a template that is not there, not allowed, or disabled', async () => {
    const token = await pendingToken();
    const template = world.registry.templates.get('claim');
    if (template) template.enabled = false;
    expect(await register({ certificateOwnershipToken: token })).toMatchObject({
      statusCode: 403,
      errorCode: 'AccessDenied',
    });
    world.registry.templates.delete('claim');
    expect(await register({ certificateOwnershipToken: token })).toMatchObject({
      statusCode: 404,
      errorCode: 'ResourceNotFound',
    });
    await expect(world.ask(client, '$aws/provisioning-templates/other/provision/json', '{}')).rejects.toThrow();
    expect(client.connected).toBe(false);
  });

  test.each([
    ['garbage', FROM_CSR, 'json', '{"certificateSigning'],
    ['a list', FROM_CSR, 'json', '[]'],
    ['bad UTF-8', FROM_CSR, 'json', Buffer.from([0x22, 0xff, 0x22])],
    ['no CSR', FROM_CSR, 'json', '{}'],
    ['a CSR that is none', FROM_CSR, 'json', '{"certificateSigningRequest":"-----BEGIN"}'],
    ['a huge CBOR array', FROM_CSR, 'cbor', Buffer.from([0x9b, 0, 0, 0, 0, 0x10, 0, 0, 0])],
    ['cut CBOR', FROM_CSR, 'cbor', Buffer.from([0xbf, 0x61])],
    ['deep CBOR', FROM_CSR, 'cbor', Buffer.alloc(100_000, 0x81)],
    ['parameters that are no map', REGISTER, 'json', '{"certificateOwnershipToken":"x","parameters":{"a":1}}'],
  ])('to %s', async (_, topic, format, payload) => {
    const answer = await world.ask(client, `${topic}/${format}`, payload);
    expect(answer.topic).toBe(`${topic}/${format}/rejected`);
    const body = format === 'json' ? JSON.parse(answer.payload.toString()) : cbor.decode(answer.payload);
    expect(body).toMatchObject({ statusCode: 400, errorCode: 'InvalidParameters' });
    expect(Object.keys(body).sort()).toEqual(['errorCode', 'errorMessage', 'statusCode']);
  });

  test.each([
    ['ThrottlingException', 400, 429, 'Throttled'],
    ['InternalFailureException', 500, 500, 'InternalFailure'],
    ['ResourceConflictsException', 409, 409, 'ResourceConflicts'],
    ['AccessDeniedException', 403, 403, 'AccessDenied'],
  ])('as %s of an inner call does', async (code, status, statusCode, errorCode) => {
    world.faults.meet = async () => {
      throw new AwsError(code, status, 'no');
    };
    expect(await ask(`${CREATE}/json`, {})).toMatchObject({
      kind: 'rejected',
      statusCode,
      errorCode,
      errorMessage: 'no',
    });
  });

  test('and loses an answer on request: the work is done', async () => {
    const token = await pendingToken();
    world.faults.meet = async () => ({ loseAnswer: true });
    await client.publishAsync(`${REGISTER}/json`, json({ certificateOwnershipToken: token }), { qos: 1 });
    await expect.poll(() => world.provisioned.length).toBe(1);
    world.faults.meet = async () => ({ loseAnswer: false });
    expect(await register({ certificateOwnershipToken: token })).toMatchObject({
      errorCode: 'InvalidCertificateOwnershipToken',
    });
  });
});

test('a trusted user’s claim opens its own template and nothing else, for five minutes', async () => {
  const expiresAt = world.clock.now() + 300_000;
  const held = await world.certificate({ provisioningClaim: { templateName: 'claim', expiresAt } });
  const installer = await world.connected(held, 'installer');
  const token = (await createFromCsr(installer)).certificateOwnershipToken;
  expect(await register({ certificateOwnershipToken: token }, installer)).toMatchObject({ kind: 'accepted' });
  world.clock.advance(301);
  await expect(ask(`${CREATE}/json`, {}, installer)).rejects.toThrow();
  await expect(world.connected(held, 'installer')).rejects.toThrow(/Not authorized/);
});
