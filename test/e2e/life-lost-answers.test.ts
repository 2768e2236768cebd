import { DescribeCertificateCommand, ListCertificatesCommand } from '@aws-sdk/client-iot';
import { describe, expect, test, vi } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import {
  announce,
  claimCamera,
  type ManifestRow,
  newSerial,
  openClaim,
  type Pending,
  registerThing,
  takeCertificate,
} from '../camera-claim.ts';
import { emptyDisk, runCamera } from '../camera-process.ts';
import { idsOf, powerfulCertificates, readClaims, readDevice, untilActive } from '../device-records.ts';
import { startFaultyRun } from '../faulty-run.ts';
import { type Answer, connectDevice, type MqttDevice } from '../mqtt-device.ts';
import { until } from '../until.ts';

vi.setConfig({ testTimeout: 60_000 });

const { outputs, faults, known } = await startFaultyRun();
await claimCamera(outputs, { serialNumber: known(newSerial()) });

async function announced(row: Partial<ManifestRow> = {}): Promise<string> {
  const serialNumber = known(newSerial());
  await announce(outputs, { serialNumber, ...row });
  return serialNumber;
}

/** A device that holds a certificate and asks to be registered, as often as it takes. */
async function pendingDevice(): Promise<
  Pending & { session: MqttDevice; register(SerialNumber: string): Promise<Answer> }
> {
  const session = await openClaim(outputs);
  const pending = await takeCertificate(session);
  const register = (SerialNumber: string) =>
    registerThing(session, outputs.claim.templateName, pending.ownershipToken, { SerialNumber });
  return { ...pending, session, register };
}

describe('the answer to an MQTT operation is lost', () => {
  // The camera gives one answer so long before it asks anew.
  const patience = ['--answer', '4'];

  test('RegisterThing: the camera goes on with another certificate for its key; the first one leaves', async () => {
    const serialNumber = await announced();
    await faults({ service: 'iot', operation: 'RegisterThing', kind: 'lost-answer', times: 1 });
    const { code, printed } = await runCamera(outputs, 'boot', { serialNumber, directory: emptyDisk() }, ...patience);
    expect(printed).toMatch(/tries again .* no answer on .*provision/);
    expect(code).toBe(0);
    const device = await untilActive(outputs, serialNumber);
    expect(device.certificates).toMatchObject([{ state: 'leaving' }, { state: 'current' }]);
    expect(new Set(device.certificates.map(({ publicKeySha256 }) => publicKeySha256)).size).toBe(1);
    // It is `reconcile`'s to take its power away; until then it is known.
    expect(device.dueAt).toBeDefined();
    expect((await readClaims(outputs, serialNumber)).map(({ reason }) => reason)).toEqual(['same-key', 'allow-list']);
  });

  test.each([
    ['CreateCertificateFromCsr', []],
    ['CreateKeysAndCertificate', ['--keys-by-aws']],
  ])('%s: the camera asks again; the certificate that nobody heard of has no power', async (operation, flags) => {
    const serialNumber = await announced();
    const before = await certificateIds();
    await faults({ service: 'iot', operation, kind: 'lost-answer', times: 1 });
    const { code, printed } = await runCamera(
      outputs,
      'boot',
      { serialNumber, directory: emptyDisk() },
      ...patience,
      ...flags,
    );
    expect(printed).toMatch(/tries again .* no answer on .*create/);
    expect(code).toBe(0);
    const device = await untilActive(outputs, serialNumber);
    expect(device.certificates).toMatchObject([{ state: 'current' }]);
    expect(device.dueAt).toBeUndefined();

    const unheard = (await certificateIds()).filter((id) => !before.includes(id) && !idsOf(device).includes(id));
    expect(unheard).toHaveLength(1);
    const { iot } = awsClients(outputs, outputs.personas.admin);
    const certificateId = unheard[0] as string;
    const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
    expect(certificateDescription?.status).toBe('PENDING_ACTIVATION');
    expect(await powerfulCertificates(outputs)).not.toContain(certificateId);
  });

  async function certificateIds(): Promise<string[]> {
    const { iot } = awsClients(outputs, outputs.personas.admin);
    const { certificates = [] } = await iot.send(new ListCertificatesCommand({ pageSize: 250 }));
    return certificates.map(({ certificateId = '' }) => certificateId);
  }

  test.each(['CreateCertificateFromCsr', 'RegisterThing'])(
    '%s fails, is throttled and comes late: the camera backs off and comes through',
    async (operation) => {
      const serialNumber = await announced();
      await faults(
        { service: 'iot', operation, kind: 'error', times: 1 },
        { service: 'iot', operation, kind: 'throttle', after: 1, times: 1 },
        { service: 'iot', operation, kind: 'delay', ms: 500, after: 2, times: 1 },
      );
      const { code, printed } = await runCamera(outputs, 'boot', { serialNumber, directory: emptyDisk() });
      expect(printed).toMatch(/tries again .*: 500 InternalFailure/);
      expect(printed).toMatch(/tries again .*: 429 Throttled/);
      expect(code).toBe(0);
      expect((await untilActive(outputs, serialNumber)).certificates).toHaveLength(1);
    },
  );
});

describe("the hook's calls", () => {
  const calls = [
    ['dynamodb', 'BatchGetItem'],
    ['dynamodb', 'UpdateItem'],
    ['kinesisvideo', 'CreateStream'],
  ] as const;

  describe.each(['lost-answer', 'error', 'throttle'] as const)('%s', (kind) => {
    test.each(calls)(
      'at %s %s: the camera hears a yes all the same, and becomes active',
      async (service, operation) => {
        const serialNumber = await announced();
        const { session, register, certificateId, ...held } = await pendingDevice();
        await faults({ service, operation, kind, times: 1 });
        expect((await register(serialNumber)).outcome).toBe('accepted');
        await session.close();
        const device = await readDevice(outputs, serialNumber);
        expect(device.certificates).toMatchObject([{ id: certificateId, state: 'allowed' }]);
        // Nobody knows whether that stream is there: it is finished later.
        expect(device.streams).toMatchObject([{ state: operation === 'CreateStream' ? 'pending' : 'making' }]);

        const camera = await connectDevice(outputs, { clientId: serialNumber, held });
        await until('its stream', async () => (await readDevice(outputs, serialNumber)).streams[0]?.state === 'made');
        expect(await untilActive(outputs, serialNumber)).toMatchObject({
          certificates: [{ id: certificateId, state: 'current' }],
        });
        await camera.close();
      },
    );
  });

  test.each(['BatchGetItem', 'UpdateItem'])(
    'at dynamodb %s, until it gives up: a no, then a yes to the same certificate',
    async (operation) => {
      const serialNumber = await announced();
      const { session, register, certificateId } = await pendingDevice();
      await faults({ service: 'dynamodb', operation, kind: 'error' });
      expect(await register(serialNumber)).toMatchObject({ outcome: 'rejected', content: { statusCode: 403 } });
      expect(await powerfulCertificates(outputs)).not.toContain(certificateId);
      await faults();
      expect((await register(serialNumber)).outcome).toBe('accepted');
      expect(idsOf(await readDevice(outputs, serialNumber))).toEqual([certificateId]);
      await session.close();
    },
  );

  test('a yes that is written and never said, because of five seconds: the next try hears it', async () => {
    const serialNumber = await announced();
    const { session, register, certificateId } = await pendingDevice();
    await faults(
      { service: 'dynamodb', operation: 'BatchGetItem', kind: 'delay', ms: 1200 },
      // Longer than the function waits for it: written, with nobody listening.
      { service: 'dynamodb', operation: 'UpdateItem', kind: 'delay', ms: 1700 },
    );
    const start = performance.now();
    expect(await register(serialNumber)).toMatchObject({ outcome: 'rejected', content: { statusCode: 403 } });
    expect(performance.now() - start).toBeLessThan(6500);
    expect(await powerfulCertificates(outputs)).not.toContain(certificateId);
    await faults();
    expect((await register(serialNumber)).outcome).toBe('accepted');
    expect(idsOf(await readDevice(outputs, serialNumber))).toEqual([certificateId]);
    await session.close();
  });

  test('CreateStream hangs: the hook does not wait for it', async () => {
    const serialNumber = await announced();
    const { session, register } = await pendingDevice();
    await faults({ service: 'kinesisvideo', operation: 'CreateStream', kind: 'delay', ms: 8000 });
    expect((await register(serialNumber)).outcome).toBe('accepted');
    expect(await readDevice(outputs, serialNumber)).toMatchObject({ streams: [{ state: 'pending' }] });
    expect((await readDevice(outputs, serialNumber)).dueAt).toBeDefined();
    await session.close();
  });
});
