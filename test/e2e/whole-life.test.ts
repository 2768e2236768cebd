import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { announce, newSerial } from '../camera-claim.ts';
import { type Body, emptyDisk, runCamera, startCamera } from '../camera-process.ts';
import { type DeviceKey, makeDeviceKey } from '../device-key.ts';
import { idsOf, readDevice, untilActive } from '../device-records.ts';
import { type BusEvent, listenToBus } from '../event-bus.ts';
import { callFunction } from '../function-call.ts';
import { createHttpApi } from '../http-api.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';

vi.setConfig({ testTimeout: 60_000 });

// One camera from announcement to retirement, as the reference camera in a process of its own, and the events of each step.
let run: LocalRun;
let operator: ReturnType<typeof createHttpApi>;
let bus: Awaited<ReturnType<typeof listenToBus>>;

const first = newSerial();
const second = newSerial();
const story: { step: string; events: string[] }[] = [];

beforeAll(async () => {
  run = await startLocalRun();
  operator = createHttpApi(run.outputs, run.outputs.personas.operator);
  bus = await listenToBus(run.outputs);
});
afterAll(async () => {
  await run.stop();
  console.log(story.map(({ step, events }) => `${step.padEnd(58)}${events.join(', ')}`).join('\n'));
});

const about = (serialNumber: string) => (event: BusEvent) => event.detail.serialNumber === serialNumber;

/** Does it, and waits until each of these events of the device has come that had not come before. */
async function step(words: string, serialNumber: string, types: string[], act: () => Promise<unknown>): Promise<void> {
  const before = new Set(bus.heard);
  await act();
  for (const type of types) {
    const isNew = (event: BusEvent) =>
      !before.has(event) && event['detail-type'] === type && about(serialNumber)(event);
    await bus.until(`${type} of ${serialNumber}`, isNew);
  }
  const events = bus.heard.filter((event) => !before.has(event) && about(serialNumber)(event));
  story.push({ step: words, events: [...new Set(events.map((event) => event['detail-type']))] });
}

async function act(serialNumber: string, verb: string, body: object = {}): Promise<void> {
  const answer = await operator.post(`/devices/${serialNumber}/${verb}`, body);
  expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 });
}

/** As it leaves the factory, or a factory reset: its disk holds the key that was made there, and nothing else. */
function unit(serialNumber: string, { privateKeyPem }: DeviceKey): Body {
  const directory = emptyDisk();
  writeFileSync(join(directory, 'private.key'), privateKeyPem, { mode: 0o600 });
  return { serialNumber, directory };
}

async function boots(camera: Body): Promise<void> {
  const { code, printed } = await runCamera(run.outputs, 'boot', camera);
  expect(printed).toMatch(/fragments? PERSISTED/);
  expect(code, printed).toBe(0);
  await untilActive(run.outputs, camera.serialNumber);
}

const films = async (camera: Body) => {
  const { code, printed } = await runCamera(run.outputs, 'stream', camera, '--seconds', '1');
  return code === 0 && /fragments? PERSISTED/.test(printed) ? 'persisted' : printed;
};

describe('the life of one camera', () => {
  let camera: Body;
  let key: DeviceKey;

  test('is announced, claims its identity and films', async () => {
    key = await makeDeviceKey();
    camera = unit(first, key);
    await step('announced, its key pinned', first, ['Device announced'], () =>
      announce(run.outputs, { serialNumber: first, publicKeySha256: key.publicKeySha256 }),
    );
    await step('first boot: claimed, connected, first frame', first, ['Device claimed', 'Device shown life'], () =>
      boots(camera),
    );
  });

  test('renews its certificate while it films', async () => {
    const [before] = idsOf(await readDevice(run.outputs, first), 'current');
    await step('renewed while filming', first, ['Device renewing', 'Device shown life'], async () => {
      const filming = startCamera(run.outputs, 'renew', camera, '--seconds', '6');
      const { code, printed } = await filming.ended;
      expect(code, printed).toBe(0);
      expect(printed).toMatch(/fragments? PERSISTED/);
    });
    const device = await readDevice(run.outputs, first);
    expect(idsOf(device, 'current')).not.toContain(before);
    expect(idsOf(device, 'current')).toHaveLength(1);
    expect(idsOf(device, 'leaving')).toEqual([before]);
  });

  test('is suspended, refused everywhere, and resumed', async () => {
    await step('suspended', first, ['Device suspended', 'Device cut off'], () => act(first, 'suspend'));
    expect(await films(camera)).toMatch(/refused|denied|403/i);
    await step('a claim meanwhile', first, ['Claim refused'], async () => {
      const { code, printed } = await runCamera(run.outputs, 'boot', unit(first, key));
      expect(code, printed).not.toBe(0);
    });
    await step('resumed', first, ['Device resumed', 'Device power restored'], () => act(first, 'resume'));
    expect(await films(camera)).toBe('persisted');
  });

  test('comes back from a factory reset with one certificate', async () => {
    camera = unit(first, key);
    await step('factory reset: claimed again with the same key', first, ['Device claimed', 'Device shown life'], () =>
      boots(camera),
    );
    await callFunction(run.outputs, 'reconcile', {});
    const device = await readDevice(run.outputs, first);
    expect(idsOf(device, 'current')).toHaveLength(1);
    expect(device).not.toHaveProperty('contested');
  });

  test('is replaced by other hardware, which films in its place until it is retired', async () => {
    const nextKey = await makeDeviceKey();
    await announce(run.outputs, { serialNumber: second, publicKeySha256: nextKey.publicKeySha256 });
    await step('replaced', first, ['Device replaced', 'Device cut off'], () => act(first, 'replace', { by: second }));
    expect(await films(camera)).toMatch(/refused|denied|403/i);

    const next = unit(second, nextKey);
    await step('the other unit: claimed in that place, films', second, ['Device claimed', 'Device shown life'], () =>
      boots(next),
    );
    expect(await readDevice(run.outputs, second)).toMatchObject({ status: 'active', thingName: first });
    await step('retired', second, ['Device retired', 'Device cut off'], () => act(second, 'retire'));
    expect(await films(next)).toMatch(/refused|denied|403/i);
    expect(await readDevice(run.outputs, second)).toMatchObject({ status: 'retired', certificates: [] });
  });
});
