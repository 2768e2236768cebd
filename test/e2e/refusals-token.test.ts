import { UpdateProvisioningTemplateCommand } from '@aws-sdk/client-iot';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { tellStandIn } from '../admin.ts';
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
import { freeCertificate, newClaimCertificate } from '../claim-certificates.ts';
import { createHttpApi } from '../http-api.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import type { MqttDevice } from '../mqtt-device.ts';
import { expectNothingMade } from '../nothing-made.ts';

const outputs = inject('outputs');
const { templateName } = outputs.claim;
const operator = createHttpApi(outputs, outputs.personas.operator);

let device: MqttDevice;
let pending: Pending;

beforeAll(async () => {
  device = await openClaim(outputs);
  pending = await takeCertificate(device);
});
afterAll(async () => {
  await device.close();
  await claimCamera(outputs, { serialNumber: newSerial() });
});

describe('an ownership token', () => {
  const refused = {
    outcome: 'rejected',
    content: { statusCode: 400, errorCode: 'InvalidCertificateOwnershipToken', errorMessage: expect.any(String) },
  };

  test('that is empty, missing, garbage or no text is refused', async () => {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber });
    const { ownershipToken } = pending;
    const flipped = (ownershipToken.startsWith('A') ? 'B' : 'A') + ownershipToken.slice(1);
    for (const token of ['', undefined, null, 7, {}, 'x', 'x'.repeat(5000), flipped, ownershipToken.slice(0, -1)]) {
      expect(await registerThing(device, templateName, token, { SerialNumber: serialNumber })).toMatchObject(refused);
    }
    expect((await registerThing(device, templateName, '', {})).content.errorMessage).toBe(
      'Certificate ownership token cannot be empty.',
    );
    // It did not even come to the hook.
    expect((await operator.get(`/devices/${serialNumber}/claims`)).body.claims).toEqual([]);
    await expectNothingMade(outputs, { certificateId: pending.certificateId, name: serialNumber });
  });

  test('is good for one registration', async () => {
    const [first, second] = [newSerial(), newSerial()];
    await announce(outputs, { serialNumber: first }, { serialNumber: second });
    const { ownershipToken, certificateId } = await takeCertificate(device);
    const once = await registerThing(device, templateName, ownershipToken, { SerialNumber: first });
    expect(once.outcome).toBe('accepted');
    for (const SerialNumber of [first, second]) {
      expect(await registerThing(device, templateName, ownershipToken, { SerialNumber })).toMatchObject(refused);
    }
    const { certificates } = (await operator.get(`/devices/${first}`)).body;
    expect(certificates.map(({ id }: { id: string }) => id)).toEqual([certificateId]);
    await expectNothingMade(outputs, { name: second });
  });

  test('is good after a refusal', async () => {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber });
    const { ownershipToken } = await takeCertificate(device);
    const no = await registerThing(device, templateName, ownershipToken, { SerialNumber: newSerial() });
    expect(no.outcome).toBe('rejected');
    const yes = await registerThing(device, templateName, ownershipToken, { SerialNumber: serialNumber });
    expect(yes.outcome).toBe('accepted');
  });

  test('of another connection is refused, and stays good for its own', async () => {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber });
    const { ownershipToken, certificateId } = await takeCertificate(device);
    const otherClaim = await newClaimCertificate(outputs);
    for (const stranger of [
      await openClaim(outputs),
      await openClaim(outputs, { held: otherClaim, clientId: device.clientId.replace(/.$/, 'x') }),
    ]) {
      const answer = await registerThing(stranger, templateName, ownershipToken, { SerialNumber: serialNumber });
      expect(answer).toMatchObject(refused);
      await stranger.close();
    }
    await expectNothingMade(outputs, { certificateId, name: serialNumber });
    const yes = await registerThing(device, templateName, ownershipToken, { SerialNumber: serialNumber });
    expect(yes.outcome).toBe('accepted');
  });
});

describe('a template', () => {
  test('that the claim certificate is not for ends the session', async () => {
    const session = await openClaim(outputs);
    await expect(registerThing(session, 'another-template', pending.ownershipToken, {})).rejects.toThrow('hung up');
    await session.ended;
  });

  test('that nobody made is not found', async () => {
    const session = await openClaim(outputs, { held: await freeCertificate(outputs) });
    const { ownershipToken, certificateId } = await takeCertificate(session);
    const answer = await registerThing(session, 'no-such-template', ownershipToken, { SerialNumber: 'x' });
    expect(answer).toMatchObject({
      outcome: 'rejected',
      content: { statusCode: 404, errorCode: 'ResourceNotFound', errorMessage: expect.any(String) },
    });
    await expectNothingMade(outputs, { certificateId });
    await session.close();
  });
});

describe('in a stand-in of its own', () => {
  let run: LocalRun;
  let own: Outputs;
  beforeAll(async () => {
    run = await startLocalRun();
    own = run.outputs;
  });
  afterAll(async () => {
    await claimCamera(own, { serialNumber: newSerial() });
    await run.stop();
  });

  test('an ownership token ends after an hour, and its certificate with it', async () => {
    const serialNumber = newSerial();
    await announce(own, { serialNumber });
    const session = await openClaim(own);
    const { ownershipToken, certificateId } = await takeCertificate(session);
    await expectNothingMade(own, { certificateId });
    await tellStandIn(own.aws, 'clock', { advanceSeconds: 3601 });
    const answer = await registerThing(session, own.claim.templateName, ownershipToken, { SerialNumber: serialNumber });
    expect(answer).toMatchObject({
      outcome: 'rejected',
      content: { statusCode: 400, errorCode: 'InvalidCertificateOwnershipToken' },
    });
    await session.close();
    await expectNothingMade(own, { certificateId, gone: true, name: serialNumber, clockOffsetMs: 3_601_000 });
    await tellStandIn(own.aws, 'reset');
  });

  test('a disabled template registers nothing until it is enabled again', async () => {
    const serialNumber = newSerial();
    await announce(own, { serialNumber });
    const { iot } = awsClients(own, own.personas.admin);
    const { templateName } = own.claim;
    const session = await openClaim(own);
    const { ownershipToken, certificateId } = await takeCertificate(session);
    await iot.send(new UpdateProvisioningTemplateCommand({ templateName, enabled: false }));
    const no = await registerThing(session, templateName, ownershipToken, { SerialNumber: serialNumber });
    expect(no).toMatchObject({ outcome: 'rejected', content: { statusCode: 403, errorCode: 'AccessDenied' } });
    await expectNothingMade(own, { certificateId, name: serialNumber });
    await iot.send(new UpdateProvisioningTemplateCommand({ templateName, enabled: true }));
    const yes = await registerThing(session, templateName, ownershipToken, { SerialNumber: serialNumber });
    expect(yes.outcome).toBe('accepted');
    await session.close();
  });
});
