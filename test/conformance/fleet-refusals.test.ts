import * as iot from '@aws-sdk/client-iot';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { registerThing } from '../camera-claim.ts';
import { cloud, eventually, unique } from '../cloud.ts';
import {
  expectNothingRegistered,
  type Fleet,
  makeCertificate,
  makeFleet,
  newThing,
  register,
  take,
  templateBody,
} from '../fleet-provisioning.ts';
import { endOf, type MqttDevice } from '../mqtt-device.ts';

/**
 * What fleet provisioning refuses, and how. AWS publishes no list of codes; only InvalidCertificateOwnershipToken has been seen
 * (aws-iot-device-sdk-js-v2 issue 69), the others are the stand-in's guess, name and status. Makes what fleet-provisioning.test.ts makes.
 */

let fleet: Fleet;
let templateName: string;
/** One a test: a wrong guess may cost it. */
let session: MqttDevice;

beforeAll(async () => {
  fleet = await makeFleet();
  templateName = await fleet.makeTemplate(templateBody(fleet));
});
beforeEach(async () => {
  session = await fleet.openClaim();
});
afterEach(() => session.close());

const rejected = (statusCode: number, errorCode: string) => ({
  outcome: 'rejected',
  content: { statusCode, errorCode, errorMessage: expect.any(String) },
});
const badToken = rejected(400, 'InvalidCertificateOwnershipToken');

describe('a template', () => {
  test.each([4, 5] as const)(
    'guess: that the policy does not name ends the session, MQTT %d',
    async (protocolVersion) => {
      const claim = await fleet.openClaim({ protocolVersion });
      await expect(registerThing(claim, unique('x'), 'x', {})).rejects.toThrow('hung up');
      expect(await endOf(claim)).toBe(protocolVersion === 5 ? 0x87 : undefined);
    },
  );

  test('guess: that is not there is not found', async () => {
    const { ownershipToken } = await take(session);
    const answer = await registerThing(session, unique('t'), ownershipToken, { ThingName: newThing() });
    expect(answer).toMatchObject(rejected(404, 'ResourceNotFound'));
  });

  test('guess: is not enabled unless it says so', async () => {
    const name = await fleet.makeTemplate(templateBody(fleet), { enabled: undefined });
    const described = await cloud.iot.send(new iot.DescribeProvisioningTemplateCommand({ templateName: name }));
    expect(described.enabled).toBe(false);
  });

  test('guess: that is disabled denies', async () => {
    const name = await fleet.makeTemplate(templateBody(fleet), { enabled: false });
    const thingName = newThing();
    const answer = await register(session, name, { ThingName: thingName });
    expect(answer).toMatchObject(rejected(403, 'AccessDenied'));
    await expectNothingRegistered({ thingName, certificateId: answer.certificateId });
    await cloud.iot.send(new iot.UpdateProvisioningTemplateCommand({ templateName: name, enabled: true }));
    await eventually(async () =>
      expect(await register(session, name, { ThingName: thingName })).toMatchObject({ outcome: 'accepted' }),
    );
  });
});

describe('parameters', () => {
  test('guess: one that is missing is invalid, and nothing is made', async () => {
    const name = await fleet.makeTemplate(templateBody(fleet, { parameters: { Colour: { Type: 'String' } } }));
    const thingName = newThing();
    const answer = await register(session, name, { ThingName: thingName });
    expect(answer).toMatchObject(rejected(400, 'InvalidParameters'));
    await expectNothingRegistered({ thingName, certificateId: answer.certificateId });
  });

  test('guess: one that the template does not declare is invalid, and nothing is made', async () => {
    const thingName = newThing();
    const answer = await register(session, templateName, { ThingName: thingName, Undeclared: 'x' });
    expect(answer).toMatchObject(rejected(400, 'InvalidParameters'));
    await expectNothingRegistered({ thingName, certificateId: answer.certificateId });
  });

  test("guess: the certificate's id, sent by the device, counts for nothing", async () => {
    const thingName = newThing();
    const other = await take(session);
    const answer = await register(session, templateName, {
      ThingName: thingName,
      'AWS::IoT::Certificate::Id': other.certificateId,
    });
    expect(answer).toMatchObject({ outcome: 'accepted' });
    await expect(
      cloud.iot.send(new iot.ListThingPrincipalsCommand({ thingName })).then(({ principals }) => principals),
    ).resolves.toEqual([expect.stringContaining(answer.certificateId)]);
  });

  test.each<[string, unknown]>([
    ['a list', ['x']],
    ['a text', 'x'],
    ['a number for a value', { ThingName: 7 }],
  ])('guess: that are %s are invalid', async (_, parameters) => {
    const { ownershipToken } = await take(session);
    const answer = await registerThing(session, templateName, ownershipToken, parameters);
    expect(answer).toMatchObject(rejected(400, 'InvalidParameters'));
  });

  test.each(['', 'has space', 'a/b', 'x'.repeat(129)])('guess: a thing cannot be called "%s"', async (thingName) => {
    const answer = await register(session, templateName, { ThingName: thingName });
    expect(answer).toMatchObject(rejected(400, 'InvalidParameters'));
  });
});

test.each(['json', 'cbor'])('guess: a payload that is no %s is invalid', async (format) => {
  for (const topic of ['$aws/certificates/create-from-csr', `$aws/provisioning-templates/${templateName}/provision`]) {
    const answer = await session.ask(`${topic}/${format}`, Buffer.from('{"certificateSigningRequest":'));
    expect(answer).toMatchObject(rejected(400, 'InvalidParameters'));
  }
});

test('guess: a request for a certificate that is none is invalid', async () => {
  const topic = '$aws/certificates/create-from-csr/json';
  for (const question of [{}, { certificateSigningRequest: 'garbage' }]) {
    expect(await session.ask(topic, question)).toMatchObject(rejected(400, 'InvalidParameters'));
  }
});

describe('an ownership token', () => {
  test('that is empty or missing is refused in these words', async () => {
    for (const token of ['', undefined]) {
      expect(await registerThing(session, templateName, token, {})).toMatchObject({
        ...badToken,
        content: { errorMessage: 'Certificate ownership token cannot be empty.' },
      });
    }
  });

  test('that was never given out is refused', async () => {
    const { ownershipToken } = await take(session);
    for (const token of ['x', `${ownershipToken.slice(0, -2)}${ownershipToken.endsWith('AA') ? 'BB' : 'AA'}`]) {
      expect(await registerThing(session, templateName, token, { ThingName: newThing() })).toMatchObject(badToken);
    }
  });

  test('guess: is good for one success', async () => {
    const [first, second] = [newThing(), newThing()];
    const { outcome, ownershipToken } = await register(session, templateName, { ThingName: first });
    expect(outcome).toBe('accepted');
    for (const ThingName of [first, second]) {
      expect(await registerThing(session, templateName, ownershipToken, { ThingName })).toMatchObject(badToken);
    }
  });

  test('guess: is still good after a rejection', async () => {
    const ThingName = newThing();
    const no = await register(session, templateName, { ThingName: 'no thing name' });
    expect(no.outcome).toBe('rejected');
    const yes = await registerThing(session, templateName, no.ownershipToken, { ThingName });
    expect(yes).toMatchObject({ outcome: 'accepted' });
  });

  test('guess: is good on a later connection of the same client', async () => {
    const clientId = unique('client');
    const ThingName = newThing();
    const first = await fleet.openClaim({ clientId });
    const { ownershipToken } = await take(first);
    await first.close();
    const later = await fleet.openClaim({ clientId });
    expect(await registerThing(later, templateName, ownershipToken, { ThingName })).toMatchObject({
      outcome: 'accepted',
    });
    await later.close();
  });

  test('guess: is refused from another client id, and stays good for its own', async () => {
    const ThingName = newThing();
    const { ownershipToken, certificateId } = await take(session);
    const stranger = await fleet.openClaim();
    expect(await registerThing(stranger, templateName, ownershipToken, { ThingName })).toMatchObject(badToken);
    await stranger.close();
    await expectNothingRegistered({ thingName: ThingName, certificateId });
    expect(await registerThing(session, templateName, ownershipToken, { ThingName })).toMatchObject({
      outcome: 'accepted',
    });
  });

  test('guess: is refused from another claim certificate under the same client id', async () => {
    const clientId = unique('client');
    const held = await makeCertificate(fleet.claimPolicyName);
    const ThingName = newThing();
    const first = await fleet.openClaim({ clientId });
    const { ownershipToken, certificateId } = await take(first);
    await first.close();
    const stranger = await fleet.openClaim({ clientId, held });
    expect(await registerThing(stranger, templateName, ownershipToken, { ThingName })).toMatchObject(badToken);
    await stranger.close();
    await expectNothingRegistered({ thingName: ThingName, certificateId });
  });
});
