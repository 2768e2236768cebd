import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { announce, newSerial } from '../camera-claim.ts';
import { makeDeviceKey } from '../device-key.ts';
import { expectNoUnknownPower, idsOf, powerfulCertificates, readDevice } from '../device-records.ts';
import { callFunction } from '../function-call.ts';
import { type ApiAnswer, createHttpApi } from '../http-api.ts';
import { announceWithKey, cameraOf, claimOverHttps, sayConnected } from '../https-camera.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import { switchOffSchedules } from '../schedules.ts';
import { switchOffStreamConsumers } from '../stream-consumers.ts';
import { until } from '../until.ts';

vi.setConfig({ testTimeout: 120_000 });

let run: LocalRun;
let outputs: Outputs;
let factory: ReturnType<typeof createHttpApi>;
const serials: string[] = [];

beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
  await switchOffStreamConsumers(outputs);
  await switchOffSchedules(outputs);
  factory = createHttpApi(outputs, outputs.personas.factory);
});
/** How far the stand-in's clock is ahead of ours. */
let offset = 0;
afterEach(async () => {
  await tellStandIn(outputs.aws, 'faults');
  if (offset === 0) await expectNoUnknownPower(outputs, serials);
});
afterAll(() => run.stop());

const inject = (...faults: object[]) => tellStandIn(outputs.aws, 'faults', { faults });
const codeOf = ({ status, body }: ApiAnswer) => `${status} ${body.code ?? body.message}`;

async function newDevice() {
  const device = await announceWithKey(outputs, { pinned: true, channels: ['sub'] });
  serials.push(device.serialNumber);
  return device;
}
type NewDevice = Awaited<ReturnType<typeof newDevice>>;

const DOORS = {
  provision: ({ serialNumber, certificateSigningRequest }: NewDevice) =>
    factory.post(`/devices/${serialNumber}/provision`, { certificateSigningRequest }),
  claims: ({ serialNumber, certificateSigningRequest }: NewDevice) =>
    claimOverHttps(outputs, { serialNumber, certificateSigningRequest }),
};
const READS = { provision: 'GetItem', claims: 'BatchGetItem' };

/** What the two doors ask AWS for, in order; `after`: so many of that kind are let through. */
const STEPS: [service: string, operation: string | undefined, after: number][] = [
  ['dynamodb', undefined, 0],
  ['dynamodb', 'UpdateItem', 0],
  ['iot', 'CreateThing', 0],
  ['kinesisvideo', 'CreateStream', 0],
  ['iot', 'CreateCertificateFromCsr', 0],
  ['dynamodb', 'UpdateItem', 1],
  ['iot', 'AttachThingPrincipal', 0],
  ['iot', 'AttachPolicy', 0],
  ['dynamodb', 'UpdateItem', 2],
];

describe.each(['provision', 'claims'] as const)('a device made by POST …/%s', (door) => {
  const make = (device: NewDevice) => DOORS[door](device);
  const steps = STEPS.map(([service, operation, after]) => ({ service, operation: operation ?? READS[door], after }));

  /** The same call goes on where the other stopped, and then answers the same for ever. */
  async function expectToGoOn(device: NewDevice): Promise<void> {
    const made = await make(device);
    expect(codeOf(made)).toMatch(/^201/);
    expect(made.body).toMatchObject({ serialNumber: device.serialNumber, thingName: device.serialNumber });
    expect(await powerfulCertificates(outputs)).toContain(made.body.certificateId);
    expect((await make(device)).body).toEqual(made.body);
    const record = await readDevice(outputs, device.serialNumber);
    expect(record).toMatchObject({ status: 'claimed', streams: [{ name: device.serialNumber }] });
    // A stream that did not answer in time is finished after the proof of life.
    expect(['made', 'pending']).toContain(record.streams[0]?.state);
    expect(record).not.toHaveProperty('making');
    expect(idsOf(record, 'allowed')).toEqual([made.body.certificateId]);
  }

  test.each(steps)('killed at $service $operation ($after done) is resumed by the same call', async (step) => {
    const device = await newDevice();
    await inject({ ...step, kind: 'kill', times: 1 });
    const killed = await make(device);
    expect(killed.status).toBeGreaterThanOrEqual(500);
    await tellStandIn(outputs.aws, 'faults');
    await expectNoUnknownPower(outputs, serials);
    await expectToGoOn(device);
  });

  test.each(steps)('with a lost answer to $service $operation ($after done) comes through', async (step) => {
    const device = await newDevice();
    await inject({ ...step, kind: 'lost-answer', times: 1 });
    await make(device);
    await tellStandIn(outputs.aws, 'faults');
    await expectNoUnknownPower(outputs, serials);
    await expectToGoOn(device);
  });

  test.each(steps)('throttled at $service $operation ($after done) comes through in one call', async (step) => {
    const device = await newDevice();
    await inject({ ...step, kind: 'throttle', times: 4 });
    expect(codeOf(await make(device))).toMatch(/^201/);
    await expectToGoOn(device);
  });

  test('is told to come back where AWS throttles for longer than there is time', async () => {
    const device = await newDevice();
    await inject({ service: 'iot', operation: 'AttachPolicy', kind: 'throttle' });
    const answer = await make(device);
    expect(codeOf(answer)).toBe('503 busy');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    await tellStandIn(outputs.aws, 'faults');
    expect(await powerfulCertificates(outputs)).not.toContain(idsOf(await readDevice(outputs, device.serialNumber))[0]);
    await expectToGoOn(device);
  });

  test('whose caller hangs up goes on, and the same call is answered the same', async () => {
    const device = await newDevice();
    await inject({ service: 'iot', operation: 'AttachPolicy', kind: 'delay', ms: 1000, times: 1 });
    const { serialNumber } = device;
    await hangUp(door, device, async () => idsOf(await readDevice(outputs, serialNumber)).length === 1);
    const [certificateId] = idsOf(await readDevice(outputs, serialNumber));
    await until('the device to be made all the same', async () => {
      return !('making' in (await readDevice(outputs, serialNumber)));
    });
    await expectToGoOn(device);
    expect(idsOf(await readDevice(outputs, serialNumber))).toEqual([certificateId]);
  });
});

/** Sends the request, and closes the connection once `seen`. `POST /claims` is the one that can be sent without a signature; a signed one goes the same way. */
async function hangUp(door: keyof typeof DOORS, device: NewDevice, seen: () => Promise<boolean>): Promise<void> {
  const { serialNumber, certificateSigningRequest } = device;
  const [path, body] =
    door === 'claims'
      ? ['/claims', { serialNumber, certificateSigningRequest }]
      : [`/devices/${serialNumber}/provision`, { certificateSigningRequest }];
  const text = JSON.stringify(body);
  const { headers } = await factory.sign('POST', path, { text });
  const sent = request(new URL(path, outputs.api), { method: 'POST', headers });
  const closed = new Promise((resolve) => {
    sent.on('error', () => {}).on('close', resolve);
  });
  sent.end(text);
  await until('the certificate to be on record', seen);
  sent.destroy();
  await closed;
}

describe('a key that AWS makes', () => {
  const provision = (serialNumber: string) => factory.post(`/devices/${serialNumber}/provision`, {});
  async function announced(): Promise<string> {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber });
    serials.push(serialNumber);
    return serialNumber;
  }

  test('asked for again before the proof of life is another, and the earlier certificate leaves; after it, 409', async () => {
    const serialNumber = await announced();
    const first = await provision(serialNumber);
    expect(first).toMatchObject({
      status: 201,
      body: { privateKey: expect.stringMatching(/^-----BEGIN (RSA )?PRIVATE KEY/) },
    });
    const second = await provision(serialNumber);
    expect(second.status).toBe(201);
    expect(second.body.privateKey).not.toBe(first.body.privateKey);
    const device = await readDevice(outputs, serialNumber);
    expect(idsOf(device, 'allowed')).toEqual([second.body.certificateId]);
    expect(idsOf(device, 'leaving')).toEqual([first.body.certificateId]);
    expect(JSON.stringify(device)).not.toContain('PRIVATE KEY');

    expect((await sayConnected(outputs, cameraOf(second))).status).toBe(204);
    expect(codeOf(await provision(serialNumber))).toBe('409 device-active');
    const own = await makeDeviceKey();
    const { certificateSigningRequest } = own;
    expect(codeOf(await factory.post(`/devices/${serialNumber}/provision`, { certificateSigningRequest }))).toBe(
      '409 device-active',
    );
    expect(await readDevice(outputs, serialNumber)).toMatchObject({ status: 'active' });
  });

  test.each([
    ['kill', 'CreateKeysAndCertificate'],
    ['kill', 'AttachThingPrincipal'],
    ['kill', 'AttachPolicy'],
    ['lost-answer', 'UpdateItem'],
    ['lost-answer', 'CreateKeysAndCertificate'],
    ['lost-answer', 'AttachPolicy'],
  ])('is made anew after a %s at %s, and one certificate stays', async (kind, operation) => {
    const serialNumber = await announced();
    const isRecord = operation === 'UpdateItem';
    await inject({ service: isRecord ? 'dynamodb' : 'iot', operation, kind, times: 1, after: isRecord ? 1 : 0 });
    await provision(serialNumber);
    await tellStandIn(outputs.aws, 'faults');
    const made = await provision(serialNumber);
    expect(made.status).toBe(201);
    expect(idsOf(await readDevice(outputs, serialNumber), 'allowed')).toEqual([made.body.certificateId]);
    expect((await sayConnected(outputs, cameraOf(made))).status).toBe(204);
  });

  test('twenty at once leave one certificate with power, which one of them holds', async () => {
    const serialNumber = await announced();
    const answers = await Promise.all(Array.from({ length: 20 }, () => provision(serialNumber)));
    const device = await readDevice(outputs, serialNumber);
    const [allowed] = idsOf(device, 'allowed');
    expect(idsOf(device, 'allowed')).toHaveLength(1);
    expect(answers.find(({ body }) => body.certificateId === allowed)?.status).toBe(201);
    for (const answer of answers)
      expect(codeOf(answer)).toMatch(/^(201|409 (version-conflict|too-many-certificates)|503)/);
  });
});

/** The last: it moves the clock, and what is signed after it must say so. */
describe('what nobody comes back for', () => {
  const MINUTES = 60;
  const when = () => ({ signingDate: new Date(Date.now() + offset * 1000) });

  test.each([
    ['with a key of the camera', true, 'claimed'],
    ['with a key that AWS made, which nobody has', false, 'registered'],
  ])('%s: reconcile finishes or undoes it', async (_, ownKey, status) => {
    const serialNumber = newSerial();
    const { certificateSigningRequest } = await makeDeviceKey();
    const api = createHttpApi(outputs, outputs.personas.factory);
    await api.post('/devices', { devices: [{ serialNumber }] }, when());
    await inject({ service: 'iot', operation: 'AttachPolicy', kind: 'kill', times: 1 });
    const body = ownKey ? { certificateSigningRequest } : {};
    const killed = await api.post(`/devices/${serialNumber}/provision`, body, when());
    expect(killed.status).toBeGreaterThanOrEqual(500);
    const [certificateId = ''] = idsOf(await readDevice(outputs, serialNumber, when()));
    await tellStandIn(outputs.aws, 'faults');

    for (let round = 0; round < 3; round++) {
      await tellStandIn(outputs.aws, 'clock', { advanceSeconds: 31 * MINUTES });
      offset += 31 * MINUTES;
      expect((await callReconcile()).functionError).toBeUndefined();
    }
    const device = await readDevice(outputs, serialNumber, when());
    expect(device).toMatchObject({ status });
    expect(device).not.toHaveProperty('making');
    expect(idsOf(device)).toEqual(ownKey ? [certificateId] : []);
  });

  const callReconcile = () => callFunction(outputs, 'reconcile', {}, offset * 1000);
});
