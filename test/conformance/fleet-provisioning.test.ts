import { readFile } from 'node:fs/promises';
import * as iot from '@aws-sdk/client-iot';
import { beforeAll, describe, expect, test } from 'vitest';
import { cloud, eventually, unique } from '../cloud.ts';
import { certificateIdOf, type Held, makeDeviceKey } from '../device-key.ts';
import { type Created, DEVICE_SDKS } from '../device-sdk.ts';
import {
  describeCertificate,
  type Fleet,
  makeFleet,
  newThing,
  register,
  take,
  templateBody,
  undoCertificate,
  undoPolicy,
} from '../fleet-provisioning.ts';
import { connectDevice } from '../mqtt-device.ts';

/**
 * Fleet provisioning as the IoT guide has it ("Device provisioning MQTT API"): from a claim certificate to a thing with its certificate and policy.
 * Makes a role, two policies, a claim certificate and templates without a hook of its own.
 */

let fleet: Fleet;
let templateName: string;

beforeAll(async () => {
  fleet = await makeFleet();
  templateName = await fleet.makeTemplate(templateBody(fleet));
});

/** What the template says is there, and the device gets in with what it was given. */
async function expectRegistered(thingName: string, certificateId: string, held: Held) {
  expect(await cloud.iot.send(new iot.DescribeThingCommand({ thingName }))).toMatchObject({
    attributes: { colour: 'red' },
  });
  const { status, certificateArn: principal = '' } = await describeCertificate(certificateId);
  expect(status).toBe('ACTIVE');
  await eventually(async () =>
    expect(await cloud.iot.send(new iot.ListThingPrincipalsV2Command({ thingName }))).toMatchObject({
      thingPrincipalObjects: [{ principal, thingPrincipalType: 'EXCLUSIVE_THING' }],
    }),
  );
  expect(await cloud.iot.send(new iot.ListAttachedPoliciesCommand({ target: principal }))).toMatchObject({
    policies: [{ policyName: fleet.devicePolicyName }],
  });
  const device = await eventually(() => connectDevice(fleet.door, { clientId: thingName, held }));
  await device.client.publishAsync(`${thingName}/hello`, 'x', { qos: 1 });
  await device.close();
}

const WAYS = [4, 5].flatMap((version) =>
  (['json', 'cbor'] as const).flatMap((format) =>
    (['keys', 'csr'] as const).map((how) => [version as 4 | 5, format, how] as const),
  ),
);

test.each(WAYS)('a device comes in over MQTT %d (4 is 3.1.1), in %s, with %s', async (protocolVersion, format, how) => {
  const thingName = newThing();
  const session = await fleet.openClaim({ protocolVersion });
  const { certificateSigningRequest, ...own } = await makeDeviceKey();
  const created = await (how === 'keys'
    ? session.ask(`$aws/certificates/create/${format}`, {})
    : session.ask(`$aws/certificates/create-from-csr/${format}`, { certificateSigningRequest }));
  const { certificateId, certificatePem, certificateOwnershipToken, privateKey } = created.content;
  undoCertificate(certificateId);
  expect(created).toMatchObject({
    outcome: 'accepted',
    content: {
      certificateId: certificateIdOf(certificatePem),
      certificateOwnershipToken: expect.stringMatching(/^.{20,512}$/), // AWS's own C demos hold 512
      ...(how === 'keys' && { privateKey: expect.stringMatching(/^-----BEGIN RSA PRIVATE KEY-----/) }),
    },
  });
  expect(Object.keys(created.content)).toHaveLength(how === 'keys' ? 4 : 3);
  expect((await describeCertificate(certificateId)).status).toBe('PENDING_ACTIVATION');

  const parameters = { ThingName: thingName, Colour: 'red' };
  const topic = `$aws/provisioning-templates/${templateName}/provision/${format}`;
  const registered = await session.ask(topic, { certificateOwnershipToken, parameters });
  await session.close();
  expect(registered).toMatchObject({ outcome: 'accepted' });
  expect(registered.content).toEqual({ thingName, deviceConfiguration: { colour: 'red' } });
  await expectRegistered(thingName, certificateId, {
    certificatePem,
    privateKeyPem: privateKey ?? own.privateKeyPem,
  });
});

describe.each(Object.entries(DEVICE_SDKS))("AWS's device SDK, %s", (_, sdk) => {
  const broker = async () => ({ ...fleet.door.mqtt, ca: await readFile(fleet.door.caPath, 'utf8') });
  const client = () => ({ held: fleet.claim, clientId: unique('client') });

  test.each(['keys', 'csr'] as const)('brings a device in with %s', async (how) => {
    const thingName = newThing();
    const { certificateSigningRequest, privateKeyPem } = await makeDeviceKey();
    const created: Created = await sdk.provision(await broker(), client(), templateName, async (identity) => {
      const made = await (how === 'keys' ? identity.createKeys() : identity.createFromCsr(certificateSigningRequest));
      undoCertificate(made.certificateId ?? '');
      const parameters = { ThingName: thingName, Colour: 'red' };
      expect(await identity.register(made.certificateOwnershipToken ?? '', parameters)).toMatchObject({
        thingName,
        deviceConfiguration: { colour: 'red' },
      });
      return made;
    });
    const { certificateId = '', certificatePem = '', privateKey = privateKeyPem } = created;
    await expectRegistered(thingName, certificateId, { certificatePem, privateKeyPem: privateKey });
    await sdk.connect(await broker(), { held: { certificatePem, privateKeyPem: privateKey }, clientId: thingName });
  });

  test('hears a rejection', async () => {
    const outcome = sdk.provision(await broker(), client(), templateName, (identity) => identity.register('x', {}));
    const error = await outcome.then(
      () => undefined,
      (reason) => reason.modeledError ?? reason,
    );
    expect(error).toMatchObject({
      statusCode: 400,
      errorCode: 'InvalidCertificateOwnershipToken',
      errorMessage: expect.any(String),
    });
  });
});

test('keys are made for an empty payload too', async () => {
  const session = await fleet.openClaim();
  const { outcome, content } = await session.ask('$aws/certificates/create/json', Buffer.alloc(0));
  undoCertificate(content.certificateId);
  expect(outcome).toBe('accepted');
  await session.close();
});

test('an answer goes to who asked', async () => {
  const [mine, other] = [await fleet.openClaim(), await fleet.openClaim()];
  const heard: string[] = [];
  other.client.on('message', (_topic, payload) => heard.push(JSON.parse(payload.toString('utf8')).certificateId));
  for (const kind of ['accepted', 'rejected']) {
    await other.client.subscribeAsync(`$aws/certificates/create-from-csr/json/${kind}`, { qos: 1 });
  }
  await take(mine);
  const own = await take(other);
  await eventually(async () => expect(heard).toEqual([own.certificateId]));
  await Promise.all([mine.close(), other.close()]);
});

test('a parameter that is not sent has its default', async () => {
  const session = await fleet.openClaim();
  const { content } = await register(session, templateName, { ThingName: newThing() });
  expect(content).toMatchObject({ deviceConfiguration: { colour: 'grey' } });
  await session.close();
});

test('a status that the template leaves out is ACTIVE, one that it gives is taken', async () => {
  const session = await fleet.openClaim();
  for (const [given, made] of [
    [{}, 'ACTIVE'],
    [{ Status: 'INACTIVE' }, 'INACTIVE'],
  ] as const) {
    const Properties = { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, ...given };
    const template = await fleet.makeTemplate(templateBody(fleet, { certificate: { Properties } }));
    const { certificateId, outcome } = await register(session, template, { ThingName: newThing() });
    expect(outcome).toBe('accepted');
    expect((await describeCertificate(certificateId)).status).toBe(made);
  }
  await session.close();
});

test('guess: without a section for it the device configuration is empty', async () => {
  const { DeviceConfiguration: _, ...body } = templateBody(fleet);
  const template = await fleet.makeTemplate(body);
  const thingName = newThing();
  const session = await fleet.openClaim();
  const { content } = await register(session, template, { ThingName: thingName });
  expect(content).toEqual({ thingName, deviceConfiguration: {} });
  await session.close();
});

describe("a trusted user's claim", () => {
  const openTrusted = async () => {
    const made = await cloud.iot.send(new iot.CreateProvisioningClaimCommand({ templateName }));
    const { certificatePem = '', keyPair } = made;
    return fleet.openClaim({ held: { certificatePem, privateKeyPem: keyPair?.PrivateKey ?? '' } });
  };

  test('opens its template without any policy', async () => {
    const session = await openTrusted();
    expect(await register(session, templateName, { ThingName: newThing() })).toMatchObject({ outcome: 'accepted' });
    await session.close();
  });

  test('guess: and ends the session over another', async () => {
    const session = await openTrusted();
    const other = await fleet.makeTemplate(templateBody(fleet));
    await expect(register(session, other, { ThingName: newThing() })).rejects.toThrow('hung up');
  });
});

test('a policy that the template spells out is made, once', async () => {
  const document = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: unique('nothing') }],
  });
  const policy = { Type: 'AWS::IoT::Policy', Properties: { PolicyDocument: document } };
  const template = await fleet.makeTemplate(templateBody(fleet, { resources: { policy } }));
  const session = await fleet.openClaim();
  const names = new Set<string | undefined>();
  for (let device = 0; device < 2; device++) {
    const { certificateId, outcome } = await register(session, template, { ThingName: newThing() });
    expect(outcome).toBe('accepted');
    const { certificateArn: target = '' } = await describeCertificate(certificateId);
    const { policies = [] } = await cloud.iot.send(new iot.ListAttachedPoliciesCommand({ target }));
    for (const { policyName } of policies) names.add(policyName);
  }
  expect(names.size).toBe(1);
  const [policyName = ''] = names;
  undoPolicy(policyName);
  expect(await cloud.iot.send(new iot.GetPolicyCommand({ policyName }))).toMatchObject({ policyDocument: document });
  await session.close();
});
