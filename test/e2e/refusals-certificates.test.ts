import {
  AttachPolicyCommand,
  CreateCertificateFromCsrCommand,
  DeleteCertificateCommand,
  DetachPolicyCommand,
  DetachThingPrincipalCommand,
  ListAttachedPoliciesCommand,
  ListPrincipalThingsCommand,
  RegisterCertificateWithoutCACommand,
  UpdateCertificateCommand,
} from '@aws-sdk/client-iot';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { type Camera, claimCamera, claimCertificate, newSerial, openClaim, takeCertificate } from '../camera-claim.ts';
import { askForCredentials } from '../credential-provider.ts';
import { certificateIdOf, type Held, makeDeviceKey, makeSelfSigned } from '../device-key.ts';
import { ConnectRefused, connectDevice } from '../mqtt-device.ts';

const outputs = inject('outputs');
const { iot } = awsClients(outputs, outputs.personas.admin);
const VERSIONS = [4, 5] as const;
/** CONNACK, "Connection Refused, not authorized" [MQTT 3.1.1 §3.2.2.3] and "Not authorized" [MQTT 5 §3.2.2.2]. */
const NOT_AUTHORIZED = { 4: 5, 5: 0x87 };

let camera: Camera;
beforeAll(async () => {
  camera = await claimCamera(outputs, { serialNumber: newSerial() });
});
afterAll(async () => {
  const last = await claimCamera(outputs, { serialNumber: newSerial() });
  for (const protocolVersion of VERSIONS) await expectConnects(last, protocolVersion);
});

async function expectConnects({ thingName, ...held }: Camera, protocolVersion: 4 | 5) {
  const session = await connectDevice(outputs, { clientId: thingName, held, protocolVersion });
  await session.close();
}

async function expectRefused(held: Held | undefined, clientId: string) {
  for (const protocolVersion of VERSIONS) {
    const error = await connectDevice(outputs, { clientId, held, protocolVersion }).catch((reason) => reason);
    expect(error).toBeInstanceOf(ConnectRefused);
    expect(error.code).toBe(NOT_AUTHORIZED[protocolVersion]);
  }
}

/** In AWS's words and under its error type, with and without a thing's name. */
async function expectNoCredentials(held: Held | undefined, message = 'Certificate is invalid on this endpoint') {
  const { roleAlias } = camera.configuration;
  for (const thingName of [camera.thingName, undefined]) {
    const answer = await askForCredentials(outputs, { held, roleAlias, ...(thingName && { thingName }) });
    expect(answer).toEqual({ status: 403, errorType: 'AccessDeniedException', body: { message } });
  }
}

const setStatus = (certificateId: string, newStatus: 'ACTIVE' | 'INACTIVE' | 'REVOKED') =>
  iot.send(new UpdateCertificateCommand({ certificateId, newStatus }));

const UNUSABLE: [string, () => Promise<Held | undefined>][] = [
  ['no certificate', async () => undefined],
  ['a certificate that was never registered', makeSelfSigned],
  [
    'a pending certificate',
    async () => {
      const device = await openClaim(outputs);
      const pending = await takeCertificate(device);
      await device.close();
      return pending;
    },
  ],
  ['an inactive certificate', () => claimedAnd('INACTIVE')],
  ['a revoked certificate', () => claimedAnd('REVOKED')],
  [
    'a deleted certificate',
    async () => {
      const { certificateId, thingName, ...held } = await claimedAnd('INACTIVE');
      const principal = `arn:aws:iot:${outputs.region}:${outputs.accountId}:cert/${certificateId}`;
      await iot.send(new DetachThingPrincipalCommand({ principal, thingName }));
      await iot.send(new DeleteCertificateCommand({ certificateId, forceDelete: true }));
      return held;
    },
  ],
];

async function claimedAnd(status: 'INACTIVE' | 'REVOKED'): Promise<Camera> {
  const held = await claimCamera(outputs, { serialNumber: newSerial() });
  await expectConnects(held, 5);
  await setStatus(held.certificateId, status);
  return held;
}

describe.each(UNUSABLE)('a client with %s', (_, make) => {
  let held: Held | undefined;
  beforeAll(async () => {
    held = await make();
  });

  test('is refused by MQTT, as a camera and as a claim client', async () => {
    await expectRefused(held, camera.thingName);
    await expectRefused(held, 'claim-1');
  });

  test('is refused by the credential provider', () => expectNoCredentials(held));
});

test('a session ends when its certificate is switched off, and comes back with it', async () => {
  const { certificateId, thingName } = camera;
  for (const protocolVersion of VERSIONS) {
    const session = await connectDevice(outputs, { clientId: thingName, held: camera, protocolVersion });
    await setStatus(certificateId, 'INACTIVE');
    // MQTT 3.1.1 lets a server say nothing when it hangs up.
    expect((await session.ended).reasonCode).toBe(protocolVersion === 5 ? 0x87 : undefined);
    await expectRefused(camera, thingName);
    await expectNoCredentials(camera);
    await setStatus(certificateId, 'ACTIVE');
    await expectConnects(camera, protocolVersion);
  }
});

test('a registered, active certificate without a policy may do nothing', async () => {
  const { certificateSigningRequest, privateKeyPem } = await makeDeviceKey();
  const { certificatePem = '' } = await iot.send(
    new CreateCertificateFromCsrCommand({ certificateSigningRequest, setAsActive: true }),
  );
  const held = { certificatePem, privateKeyPem };
  await expectRefused(held, camera.thingName);
  await expectNoCredentialsOf(held);
});

test('a certificate from elsewhere is refused until it is registered, active and allowed', async () => {
  const held = await makeSelfSigned();
  const { certificatePem } = held;
  await expectRefused(held, 'claim-elsewhere');
  const { certificateId = '', certificateArn = '' } = await iot.send(
    new RegisterCertificateWithoutCACommand({ certificatePem, status: 'INACTIVE' }),
  );
  expect(certificateId).toBe(certificateIdOf(certificatePem));
  await iot.send(new AttachPolicyCommand({ policyName: outputs.claim.templateName, target: certificateArn }));
  await expectRefused(held, 'claim-elsewhere');
  await setStatus(certificateId, 'ACTIVE');
  await (await connectDevice(outputs, { clientId: 'claim-elsewhere', held })).close();
});

async function expectNoCredentialsOf(held: Held) {
  const { roleAlias } = camera.configuration;
  const named = await askForCredentials(outputs, { held, roleAlias, thingName: camera.thingName });
  expect(named).toEqual({
    status: 403,
    errorType: 'AccessDeniedException',
    body: { message: 'Invalid thing name passed' },
  });
  const unnamed = await askForCredentials(outputs, { held, roleAlias });
  expect(unnamed).toEqual({ status: 403, errorType: 'AccessDeniedException', body: { message: 'Access Denied' } });
}

describe('a claim certificate', () => {
  test('connects as no camera, and the camera stays on', async () => {
    const held = await claimCertificate(outputs);
    const session = await connectDevice(outputs, { clientId: camera.thingName, held: camera });
    let isOn = true;
    void session.ended.then(() => {
      isOn = false;
    });
    for (const clientId of [camera.thingName, newSerial(), '', 'claim', 'x-claim-1', 'Claim-1']) {
      await expectRefused(held, clientId);
    }
    // An answer to what it publishes shows that it is still there.
    await session.client.publishAsync(`firstlight/${camera.thingName}/hello`, 'x', { qos: 1 });
    expect(isOn).toBe(true);
    await session.close();
  });

  test('gets no credentials', async () => {
    await expectNoCredentialsOf(await claimCertificate(outputs));
  });
});

test('a camera connects as no other client', async () => {
  const other = await claimCamera(outputs, { serialNumber: newSerial() });
  for (const clientId of [other.thingName, newSerial(), 'claim-1', `${camera.thingName}-1`]) {
    await expectRefused(camera, clientId);
  }
});

test('a camera whose policy is detached may do nothing more', async () => {
  const cut = await claimCamera(outputs, { serialNumber: newSerial() });
  const target = `arn:aws:iot:${outputs.region}:${outputs.accountId}:cert/${cut.certificateId}`;
  expect((await iot.send(new ListPrincipalThingsCommand({ principal: target }))).things).toEqual([cut.thingName]);
  const { policies = [] } = await iot.send(new ListAttachedPoliciesCommand({ target }));
  for (const { policyName } of policies) await iot.send(new DetachPolicyCommand({ policyName, target }));
  await expectRefused(cut, cut.thingName);
  const { roleAlias } = cut.configuration;
  const answer = await askForCredentials(outputs, { held: cut, roleAlias, thingName: cut.thingName });
  expect(answer).toMatchObject({ status: 403, body: { message: 'Access Denied' } });
});
