import { once } from 'node:events';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createCredentialProvider } from '../../local/iot/credentials.ts';
import { type Held, type IotWorld, startIotWorld } from './iot-world.ts';

let world: IotWorld;
let camera: Held;
let server: ReturnType<typeof createCredentialProvider>;
const DOCUMENT = JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Deny', Action: '*', Resource: '*' } });
let loseAnswer: boolean;

beforeAll(async () => {
  world = await startIotWorld();
  await world.addRole('camera', 'credentials.iot.amazonaws.com', { PolicyDocument: DOCUMENT });
  await world.addRole('lambda', 'lambda.amazonaws.com', { PolicyDocument: DOCUMENT });
  server = createCredentialProvider({
    registry: world.registry,
    tls: world.tls,
    clock: world.clock,
    faults: { meet: async () => ({ loseAnswer }) },
    identities: world.identities,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  camera = await world.certificate({ policy: 'device' });
  world.addThing('cam-a', {}, 'thing-name');
  world.attach(camera.certificateId, 'cam-a');
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await world.stop();
});
beforeEach(() => {
  loseAnswer = false;
  world.registry.roleAliases.set('camera', {
    roleAlias: 'camera',
    roleAliasArn: world.registry.arn('rolealias/camera'),
    roleArn: 'arn:aws:iam::000000000000:role/camera',
    credentialDurationSeconds: 900,
    creationDate: 0,
    lastModifiedDate: 0,
  });
});

async function get(held: Held | undefined, options: { path?: string; thingName?: string; method?: string } = {}) {
  const { path = '/role-aliases/camera/credentials', thingName, method = 'GET' } = options;
  const asked = request({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    path,
    method,
    agent: false,
    ca: world.issuer.caPem,
    ...(held && { cert: held.certificatePem, key: held.privateKey }),
    headers: thingName === undefined ? {} : { 'x-amzn-iot-thingname': thingName },
  });
  asked.end();
  const [response] = await once(asked, 'response');
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode, type: response.headers['x-amzn-errortype'], body: JSON.parse(text) };
}

const refused = (status: number, type: string, message: string) => ({ status, type, body: { message } });

test('a camera gets keys that know its thing, type and certificate', async () => {
  const { status, body } = await get(camera, { thingName: 'cam-a' });
  expect(status).toBe(200);
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = body.credentials;
  // What the KVS producer SDK can hold: an expiration of exactly this form, a token of 2048 characters.
  expect(expiration).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(Math.abs(Date.parse(expiration) - Date.now() - 900_000)).toBeLessThan(5_000);
  expect(sessionToken.length).toBeLessThanOrEqual(2048);
  expect(world.identities.find(accessKeyId)).toMatchObject({
    secretAccessKey,
    sessionToken,
    arn: `arn:aws:sts::000000000000:assumed-role/camera/${camera.certificateId}`,
    context: {
      'credentials-iot:AwsCertificateId': camera.certificateId,
      'credentials-iot:ThingName': 'cam-a',
      'credentials-iot:ThingTypeName': 'thing-name',
    },
  });
});

test('without the header the keys know the certificate alone', async () => {
  const { body } = await get(camera);
  expect(world.identities.find(body.credentials.accessKeyId)?.context).toEqual({
    'credentials-iot:AwsCertificateId': camera.certificateId,
  });
});

test.each(['INACTIVE', 'REVOKED', 'PENDING_ACTIVATION'] as const)('a certificate that is %s', async (status) => {
  const held = await world.certificate({ policy: 'device', status });
  const invalid = refused(403, 'AccessDeniedException', 'Certificate is invalid on this endpoint');
  expect(await get(held, { thingName: 'nobody' })).toEqual(invalid);
});

test('no certificate, and one that nobody registered', async () => {
  const invalid = refused(403, 'AccessDeniedException', 'Certificate is invalid on this endpoint');
  expect(await get(undefined)).toEqual(invalid);
  const held = await world.certificate({ policy: 'device' });
  world.registry.deleteCertificate(held.certificateId);
  expect(await get(held)).toEqual(invalid);
});

test('refusals come in the measured order', async () => {
  const bare = await world.certificate();
  const noName = refused(403, 'AccessDeniedException', 'Invalid thing name passed');
  const denied = refused(403, 'AccessDeniedException', 'Access Denied');
  expect(await get(bare, { thingName: 'cam-a', path: '/role-aliases/none/credentials' })).toEqual(noName);
  expect(await get(camera, { thingName: 'cam-b' })).toEqual(noName);
  expect(await get(bare, { path: '/role-aliases/none/credentials' })).toEqual(denied);
  expect(await get(camera, { path: '/role-aliases/CAMERA/credentials' })).toEqual(denied);
  world.registry.roleAliases.delete('camera');
  expect(await get(camera)).toEqual(refused(404, 'ResourceNotFoundException', 'Role alias does not exist'));
});

test.each([
  [
    'is not there',
    { roleArn: 'arn:aws:iam::000000000000:role/none' },
    'Unable to assume the role, or the role to assume does not exist',
  ],
  [
    'trusts another',
    { roleArn: 'arn:aws:iam::000000000000:role/lambda' },
    'Unable to assume the role, or the role to assume does not exist',
  ],
  [
    'has shorter sessions',
    { credentialDurationSeconds: 7200 },
    'The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role',
  ],
])('a role that %s', async (_, members, message) => {
  Object.assign(world.registry.roleAliases.get('camera') ?? {}, members);
  expect(await get(camera)).toEqual(refused(400, 'InvalidRequestException', message));
});

test('any other path', async () => {
  for (const path of ['/', '/role-aliases/camera', '/role-aliases/%/credentials/']) {
    expect((await get(camera, { path })).status).toBe(404);
  }
  expect((await get(camera, { method: 'POST' })).status).toBe(404);
  expect((await get(camera, { path: '/role-aliases/%/credentials' })).status).toBe(403);
});

test('an answer can be lost, the keys were given', async () => {
  const before = world.identities.sessions.size;
  loseAnswer = true;
  await expect(get(camera)).rejects.toThrow();
  expect(world.identities.sessions.size).toBe(before + 1);
});
