import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { announce, claimCamera, newSerial, openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { emptyDisk, runCamera, startCamera } from '../camera-process.ts';
import { idsOf, powerfulCertificates, readDevice, untilActive } from '../device-records.ts';
import { startFaultyRun } from '../faulty-run.ts';
import { failuresOf } from '../function-log.ts';
import { connectDevice } from '../mqtt-device.ts';
import { seeded, seeds } from '../seeds.ts';
import { until } from '../until.ts';

// A camera is a process: more than two at a time would only take each other's time.
vi.setConfig({ maxConcurrency: 2, testTimeout: 60_000 });

const { run, outputs, faults, known, expectNoUnknownPower } = await startFaultyRun();

async function announced(more: { channels?: string[] } = {}) {
  const serialNumber = known(newSerial());
  await announce(outputs, { serialNumber, ...more });
  return { serialNumber, directory: emptyDisk() };
}

/** A camera that was killed `kills` times comes through, with a certificate a life at most, and all but its own on their way out. */
async function expectToGoOn(camera: { serialNumber: string; directory: string }, kills: number) {
  const { code, printed } = await runCamera(outputs, 'boot', camera);
  expect(printed).toMatch(/fragments? PERSISTED/);
  expect(code).toBe(0);
  const device = await untilActive(outputs, camera.serialNumber);
  expect(idsOf(device).length).toBeLessThanOrEqual(kills + 1);
  expect(idsOf(device, 'current')).toHaveLength(1);
  expect(idsOf(device, 'allowed')).toEqual([]);
  return device;
}

describe('a camera that loses power', () => {
  test.concurrent.each([
    ['once it has its key', /made its key/, 0],
    ['once it holds a certificate', /certificate [0-9a-f]{64}/, 1],
    ['once it knows its thing', /is thing/, 0],
    ['once it has shown life', /connected as/, 0],
    ['once it has credentials', /AWS credentials until/, 0],
    ['once it knows its stream', /is ACTIVE/, 0],
    ['once it is done', /PERSISTED/, 0],
  ])('%s goes on', async (_, line, more) => {
    const camera = await announced();
    const first = startCamera(outputs, 'boot', camera);
    await first.sees(line);
    await first.kill();
    // The yes may have been on its way when it died: then, and only then, a second certificate is needed.
    await expectToGoOn(camera, more);
  });

  test('between the yes of the registry and its disk goes on with a second certificate', async () => {
    const camera = await announced();
    // The hook has written its yes and waits for the stream.
    await faults({ service: 'kinesisvideo', operation: 'CreateStream', kind: 'delay', ms: 1200, times: 1 });
    const first = startCamera(outputs, 'boot', camera);
    const granted = await until('the yes', async () => {
      const device = await readDevice(outputs, camera.serialNumber);
      return device.status === 'claimed' && device;
    });
    await first.kill();
    await until('its certificate to have power all the same', async () => {
      return (await powerfulCertificates(outputs)).includes(idsOf(granted)[0] as string);
    });
    const device = await expectToGoOn(camera, 1);
    expect(idsOf(device, 'leaving')).toEqual(idsOf(granted));
    expect(device.dueAt).toBeDefined();
  });

  test.concurrent.each(seeds(1, 2))('again and again, at any moment, goes on (seed %i)', async (seed) => {
    const camera = await announced();
    const random = seeded(seed);
    const kills = 3;
    for (let kill = 0; kill < kills; kill++) {
      const life = startCamera(outputs, 'boot', camera);
      // Its first line tells that it runs; from there, anywhere up to its end.
      await life.sees(/has its key|made its key/);
      await Promise.race([pause(random() * 600), life.ended]);
      await life.kill();
    }
    await expectToGoOn(camera, kills);
  });
});

describe('a function that is killed', () => {
  test.each([
    ['dynamodb', 'BatchGetItem', 0],
    ['dynamodb', 'UpdateItem', 1],
    ['kinesisvideo', 'CreateStream', 2],
  ])('the hook at its %s %s, %i calls done: the next try of the same camera succeeds', async (service, operation) => {
    const { serialNumber } = await announced();
    const device = await openClaim(outputs);
    const { ownershipToken, certificateId } = await takeCertificate(device);
    await faults({ service, operation, kind: 'kill', times: 1 });
    const ask = () => registerThing(device, outputs.claim.templateName, ownershipToken, { SerialNumber: serialNumber });
    expect(await ask()).toMatchObject({ outcome: 'rejected', content: { statusCode: 403 } });
    await expectNoUnknownPower();
    expect((await ask()).outcome).toBe('accepted');
    expect(idsOf(await readDevice(outputs, serialNumber), 'allowed')).toEqual([certificateId]);
    await device.close();
  });

  test('the hook, in the middle of the reference camera: booted again, it comes through', async () => {
    const camera = await announced();
    await faults({ service: 'kinesisvideo', operation: 'CreateStream', kind: 'kill', times: 1 });
    const denied = await runCamera(outputs, 'boot', camera);
    expect(denied).toMatchObject({ code: 1, printed: expect.stringContaining('the claim was denied') });
    await expectToGoOn(camera, 0);
  });

  test.each(['GetItem', 'UpdateItem', 'CreateStream'])(
    'on-presence, at its %s: AWS asks it again, and the camera becomes active',
    async (operation) => {
      const serialNumber = known(newSerial());
      const { thingName, ...held } = await claimCamera(outputs, { serialNumber, channels: ['sub'] });
      const service = operation === 'CreateStream' ? 'kinesisvideo' : 'dynamodb';
      await faults({ service, operation, kind: 'kill', times: 1 });
      const before = await failuresOf(run, 'onPresence');
      const device = await connectDevice(outputs, { clientId: thingName, held });
      // The registry is read by another function, which must not meet the fault in its place.
      await until('the fault to strike', async () => (await failuresOf(run, 'onPresence')) > before);
      await tellStandIn(outputs.aws, 'clock', { advanceSeconds: 61 });
      const { certificates } = await untilActive(outputs, serialNumber);
      expect(certificates).toMatchObject([{ state: 'current' }]);
      await until('its channel', async () =>
        (await readDevice(outputs, serialNumber)).streams.every(({ state }) => state === 'made'),
      );
      await device.close();
    },
  );
});
