import { CreateThingCommand, DetachPolicyCommand, UpdateCertificateCommand } from '@aws-sdk/client-iot';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tellStandIn, untilStruck } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { announce, claimCamera, newSerial, openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { emptyDisk, runCamera, startCamera } from '../camera-process.ts';
import { makeDeviceKey } from '../device-key.ts';
import { untilActive } from '../device-records.ts';
import { createHttpApi } from '../http-api.ts';
import { persistedFragments } from '../kinesis-video.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import { ConnectRefused, connectDevice, type MqttDevice } from '../mqtt-device.ts';
import { describeBooted, describeWorld } from '../world.ts';

vi.setConfig({ testTimeout: 60_000 });

let run: LocalRun;
let outputs: Outputs;
let justBooted: Record<string, unknown>;

beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
  justBooted = await describeBooted(outputs);
});
afterAll(() => run.stop());

const reset = () => tellStandIn(outputs.aws, 'reset');

/** A camera of each mode, from announcement to persisted fragment, as the demo does it. */
async function walk(): Promise<void> {
  const cameras = (['thing-name', 'certificate-id', 'fixed'] as const).map((streamMode, index) => ({
    serialNumber: `CAM-000${index + 1}`,
    streamMode,
    directory: emptyDisk(),
  }));
  await announce(outputs, ...cameras.map(({ serialNumber, streamMode }) => ({ serialNumber, streamMode })));
  for (const camera of cameras) {
    const { code, printed } = await runCamera(outputs, 'boot', camera);
    expect(printed).toMatch(/fragments? PERSISTED/);
    expect(code).toBe(0);
    await untilActive(outputs, camera.serialNumber);
  }
}

test('a new world holds no device, no claim, one claim certificate and the fixed stream', () => {
  expect(justBooted).toMatchObject({
    devices: [],
    claims: [],
    things: [],
    devicePolicyTargets: [],
    claimCertificates: [expect.anything()],
    certificates: [expect.anything()],
    streams: [expect.objectContaining({ StreamName: 'firstlight-local-fixed' })],
  });
});

describe('a reset', () => {
  test('after a walk, faults, quotas, a moved clock and an operator who broke things: all is as it was', async () => {
    await walk();
    const { iot } = awsClients(outputs, outputs.personas.admin);
    await iot.send(new CreateThingCommand({ thingName: 'stray' }));
    const [claim] = justBooted.certificates as [{ certificateId: string; certificateArn: string }];
    await iot.send(new UpdateCertificateCommand({ certificateId: claim.certificateId, newStatus: 'INACTIVE' }));
    await iot.send(new DetachPolicyCommand({ policyName: outputs.claim.templateName, target: claim.certificateArn }));
    await tellStandIn(outputs.aws, 'faults', {
      faults: [{ service: '*', operation: '*', kind: 'throttle' }],
      quotas: true,
    });
    await tellStandIn(outputs.aws, 'clock', { advanceSeconds: 86_400 });

    await reset();
    expect(await describeWorld(outputs)).toEqual(justBooted);
    expect(await persistedFragments(outputs, outputs.personas.admin, 'firstlight-local-fixed')).toEqual([]);
    // outputs.json is still true, to the letter.
    await walk();
  });

  test('ends what the cameras of the old world had', async () => {
    const { serialNumber, configuration: _, ...held } = await claimCamera(outputs, { serialNumber: newSerial() });
    const camera = await connectDevice(outputs, { clientId: serialNumber, held });
    await untilActive(outputs, serialNumber);
    await reset();
    await camera.ended;
    await expect(connectDevice(outputs, { clientId: serialNumber, held })).rejects.toThrow(ConnectRefused);
    const operator = createHttpApi(outputs, outputs.personas.operator);
    expect((await operator.get(`/devices/${serialNumber}`)).status).toBe(404);
    expect(await describeWorld(outputs)).toEqual(justBooted);
  });

  test('twice in a row, and five at once, is one', async () => {
    await claimCamera(outputs, { serialNumber: newSerial() });
    await reset();
    await reset();
    await Promise.all(Array.from({ length: 5 }, reset));
    expect(await describeWorld(outputs)).toEqual(justBooted);
    await claimCamera(outputs, { serialNumber: newSerial() });
    await reset();
  });
});

describe('a reset in the middle', () => {
  /** Resolves once the broker has taken the question, which is being answered from then on. */
  async function send(session: MqttDevice, topic: string, question: object): Promise<void> {
    await session.client.subscribeAsync([`${topic}/accepted`, `${topic}/rejected`], { qos: 1 });
    await session.client.publishAsync(topic, JSON.stringify(question), { qos: 1 });
  }

  const holdUp = (service: string, operation: string, ms = 500) =>
    tellStandIn(outputs.aws, 'faults', { faults: [{ service, operation, kind: 'delay', ms }] });

  test.each([
    ['RegisterThing', 'iot', 'RegisterThing'],
    ["the hook's first call", 'dynamodb', 'BatchGetItem'],
    ["the hook's write", 'dynamodb', 'UpdateItem'],
    ["the hook's stream", 'kinesisvideo', 'CreateStream'],
  ])('of %s leaves nothing of it', async (_, service, operation) => {
    const SerialNumber = newSerial();
    await announce(outputs, { serialNumber: SerialNumber });
    const session = await openClaim(outputs);
    const { ownershipToken: certificateOwnershipToken, certificateId } = await takeCertificate(session);
    await holdUp(service, operation);
    const topic = `$aws/provisioning-templates/${outputs.claim.templateName}/provision/json`;
    await send(session, topic, { certificateOwnershipToken, parameters: { SerialNumber } });
    await untilStruck(outputs.aws);
    await reset();
    await session.ended;
    expect(await describeWorld(outputs)).toEqual(justBooted);
    // Had it lived on, it would be through before a claim that comes after it and is held up as long.
    await holdUp(service, operation);
    await claimCamera(outputs, { serialNumber: newSerial() });
    const later = JSON.stringify(await describeWorld(outputs));
    expect(later).not.toContain(SerialNumber);
    expect(later).not.toContain(certificateId);
    await reset();
  });

  test.each(['CreateKeysAndCertificate', 'CreateCertificateFromCsr'])(
    'of %s, held up or not, leaves no certificate',
    async (operation) => {
      const { certificateSigningRequest } = await makeDeviceKey();
      const csr = operation === 'CreateCertificateFromCsr';
      const topic = `$aws/certificates/create${csr ? '-from-csr' : ''}/json`;
      const question = csr ? { certificateSigningRequest } : {};
      const { length } = justBooted.certificates as unknown[];
      for (const ms of [0, 500]) {
        const session = await openClaim(outputs);
        await holdUp('iot', operation, ms);
        for (let i = 0; i < 3; i++) await send(session, topic, question);
        await reset();
        await session.ended;
        expect(await describeWorld(outputs)).toEqual(justBooted);
        // As above: those that are asked for later come, and no others.
        const later = await openClaim(outputs);
        await holdUp('iot', operation, ms);
        for (let i = 0; i < 3; i++) expect((await later.ask(topic, question)).outcome).toBe('accepted');
        expect((await describeWorld(outputs)).certificates).toHaveLength(length + 3);
        await reset();
        await later.ended;
      }
    },
  );

  test('of PutMedia ends the film; the camera claims anew in the new world', async () => {
    const camera = { serialNumber: newSerial(), directory: emptyDisk() };
    await announce(outputs, { serialNumber: camera.serialNumber });
    const filming = startCamera(outputs, 'boot', camera, '--seconds', '60', '--patience', '5');
    await filming.sees(/is ACTIVE/);
    await reset();
    expect(await describeWorld(outputs)).toEqual(justBooted);
    // Its certificate is of another world: it says so, and does not hang.
    const { code } = await filming.ended;
    expect(code).toBe(1);
    expect(await describeWorld(outputs)).toEqual(justBooted);
    await announce(outputs, { serialNumber: camera.serialNumber });
    const fresh = await runCamera(outputs, 'boot', { ...camera, directory: emptyDisk() });
    expect(fresh.code).toBe(0);
    await reset();
  });

  test('of ten claims at once, again and again: a claim works right after', async () => {
    for (let round = 0; round < 3; round++) {
      const serials = Array.from({ length: 10 }, newSerial);
      await announce(outputs, ...serials.map((serialNumber) => ({ serialNumber })));
      const sessions = await Promise.all(serials.map(() => openClaim(outputs)));
      const claims = sessions.map(async (session, index) => {
        const { ownershipToken } = await takeCertificate(session);
        const SerialNumber = serials[index];
        return registerThing(session, outputs.claim.templateName, ownershipToken, { SerialNumber });
      });
      // In each round at another place: after the first, the fourth, the seventh answer.
      const enough = Promise.withResolvers<void>();
      let answers = 0;
      for (const claim of claims) {
        claim.then(
          () => ++answers > round * 3 && enough.resolve(),
          () => {},
        );
      }
      await enough.promise;
      await reset();
      await Promise.allSettled(claims);
      expect(await describeWorld(outputs)).toEqual(justBooted);
    }
    await claimCamera(outputs, { serialNumber: newSerial() });
  });
});
