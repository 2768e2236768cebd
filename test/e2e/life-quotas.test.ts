import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { announce, claimCamera, newSerial, openClaim } from '../camera-claim.ts';
import { emptyDisk, runCamera } from '../camera-process.ts';
import { makeDeviceKey } from '../device-key.ts';
import { idsOf, powerfulCertificates, readDevice, untilActive } from '../device-records.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import { type Answer, connectDevice, type MqttDevice } from '../mqtt-device.ts';
import { seeded, seeds } from '../seeds.ts';
import { until } from '../until.ts';

vi.setConfig({ testTimeout: 60_000 });

let run: LocalRun;
let outputs: Outputs;

beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
  await claimCamera(outputs, { serialNumber: newSerial() });
});
afterEach(() => tellStandIn(outputs.aws, 'faults'));
afterAll(() => run.stop());

/** As a device must: after 429, a little later and never all together. */
async function patiently(random: () => number, ask: () => Promise<Answer>, onThrottle: () => void): Promise<Answer> {
  for (let attempt = 0; ; attempt++) {
    const answer = await ask();
    if (answer.outcome === 'accepted' || answer.content.statusCode !== 429) return answer;
    expect(answer.content).toMatchObject({ errorCode: 'Throttled' });
    onThrottle();
    await pause(random() * Math.min(8000, 400 * 2 ** attempt));
  }
}

test.each(seeds(1))(
  'thirty cameras at once come through AWS’s quotas by back-off; each has one certificate (seed %i)',
  async (seed) => {
    const random = seeded(seed);
    const serials = Array.from({ length: 30 }, newSerial);
    await announce(outputs, ...serials.map((serialNumber) => ({ serialNumber })));
    const sessions = await Promise.all(serials.map(() => openClaim(outputs)));
    const requests = await Promise.all(serials.map(async () => (await makeDeviceKey()).certificateSigningRequest));
    const powerfulBefore = await powerfulCertificates(outputs);

    await tellStandIn(outputs.aws, 'faults', { quotas: true });
    const throttles = { certificates: 0, registrations: 0 };
    const boot = async (session: MqttDevice, SerialNumber: string, certificateSigningRequest: string) => {
      const issued = await patiently(
        random,
        () => session.ask('$aws/certificates/create-from-csr/json', { certificateSigningRequest }),
        () => throttles.certificates++,
      );
      const { certificateOwnershipToken, certificateId } = issued.content;
      const topic = `$aws/provisioning-templates/${outputs.claim.templateName}/provision/json`;
      const registered = await patiently(
        random,
        () => session.ask(topic, { certificateOwnershipToken, parameters: { SerialNumber } }),
        () => throttles.registrations++,
      );
      await session.close();
      return { outcome: registered.outcome, certificateId };
    };
    const start = performance.now();
    const booted = await Promise.all(
      sessions.map((session, index) => boot(session, serials[index] as string, requests[index] as string)),
    );
    const tookMs = performance.now() - start;
    await tellStandIn(outputs.aws, 'faults');

    expect(booted.map(({ outcome }) => outcome)).toEqual(serials.map(() => 'accepted'));
    // Ten at once and ten a second: thirty cannot be through before two seconds have passed.
    expect(throttles.certificates).toBeGreaterThan(0);
    expect(throttles.registrations).toBeGreaterThan(0);
    expect(tookMs).toBeGreaterThan(1900);

    for (const [index, serialNumber] of serials.entries()) {
      expect(idsOf(await readDevice(outputs, serialNumber))).toEqual([booted[index]?.certificateId]);
    }
    const powerful = (await powerfulCertificates(outputs)).filter((id) => !powerfulBefore.includes(id));
    expect(powerful.sort()).toEqual(booted.map(({ certificateId }) => certificateId).sort());
  },
);

test('the reference camera backs off from every throttle on its way', async () => {
  const serialNumber = newSerial();
  await announce(outputs, { serialNumber });
  const throttled = (service: string, operation: string) => ({ service, operation, kind: 'throttle', times: 2 });
  await tellStandIn(outputs.aws, 'faults', {
    faults: [
      throttled('iot', 'CreateCertificateFromCsr'),
      throttled('iot', 'RegisterThing'),
      throttled('iot', 'AssumeRoleWithCertificate'),
      throttled('kinesisvideo', 'DescribeStream'),
      throttled('kinesisvideo', 'GetDataEndpoint'),
      throttled('kinesisvideo', 'PutMedia'),
    ],
  });
  const { code, printed } = await runCamera(outputs, 'boot', { serialNumber, directory: emptyDisk() });
  expect(code).toBe(0);
  // A wait of the same reason is told once.
  for (const reason of [
    /429 Throttled/,
    /no credentials .* Rate exceeded/,
    /describeStream: 400 ClientLimitExceeded/,
    /getDataEndpoint: 400 ClientLimitExceeded/,
    /putMedia: 400 ClientLimitExceeded/,
  ]) {
    expect(printed).toMatch(new RegExp(`tries again .*${reason.source}`));
  }
  expect((await untilActive(outputs, serialNumber)).certificates).toHaveLength(1);
});

describe('Kinesis Video throttles the hook', () => {
  test('the camera hears its yes, the stream is pending, and is there after proof of life', async () => {
    const serialNumber = newSerial();
    await tellStandIn(outputs.aws, 'faults', {
      faults: [{ service: 'kinesisvideo', operation: 'CreateStream', kind: 'throttle', times: 1 }],
    });
    const held = await claimCamera(outputs, { serialNumber });
    const claimed = await readDevice(outputs, serialNumber);
    expect(claimed.streams).toMatchObject([{ name: serialNumber, state: 'pending' }]);
    expect(claimed.dueAt).toBeDefined();
    const device = await connectDevice(outputs, { clientId: serialNumber, held });
    await until('its stream', async () => (await readDevice(outputs, serialNumber)).streams[0]?.state === 'made');
    expect((await readDevice(outputs, serialNumber)).dueAt).toBeUndefined();
    await device.close();
  });

  test('and the reference camera waits for the stream that comes late', async () => {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber });
    await tellStandIn(outputs.aws, 'faults', {
      faults: [{ service: 'kinesisvideo', operation: 'CreateStream', kind: 'throttle', times: 1 }],
    });
    const { code, printed } = await runCamera(outputs, 'boot', { serialNumber, directory: emptyDisk() });
    expect(printed).toMatch(/PERSISTED/);
    expect(code).toBe(0);
    expect((await untilActive(outputs, serialNumber)).streams).toMatchObject([{ state: 'made' }]);
  });
});
