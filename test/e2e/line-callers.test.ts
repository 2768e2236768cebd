import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { newSerial } from '../camera-claim.ts';
import { makeDeviceKey } from '../device-key.ts';
import { idsOf, readDevice } from '../device-records.ts';
import { createHttpApi, type Keys } from '../http-api.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import { describeBooted, describeWorld } from '../world.ts';

vi.setConfig({ testTimeout: 120_000 });

let run: LocalRun;
let outputs: Outputs;
beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
  await describeBooted(outputs);
});
afterAll(() => run.stop());

type Persona = 'factory' | 'operator' | 'auditor';
const EVERYBODY: Persona[] = ['factory', 'operator', 'auditor'];
const ID = 'ab'.repeat(32);

/** The routes of docs/api.md, and whose they are. */
const ROUTES: [method: 'GET' | 'POST', path: string, of: Persona[]][] = [
  ['POST', '/devices', ['factory', 'operator']],
  ['GET', '/devices/CAM-1', EVERYBODY],
  ['GET', '/devices/CAM-1/claims', ['operator', 'auditor']],
  ['POST', '/devices/CAM-1/provision', ['factory', 'operator']],
  ['POST', '/connected', []],
  ['POST', '/claim-certificates', ['operator']],
  ['GET', '/claim-certificates', ['operator', 'auditor']],
  ['POST', `/claim-certificates/${ID}/disable`, ['operator']],
  ['POST', '/provisioning-claims', ['factory', 'operator']],
  ['GET', '/openapi.json', EVERYBODY],
  ['GET', '/devices', ['operator', 'auditor']],
  ['GET', '/stats', ['operator', 'auditor']],
  ['POST', '/devices/CAM-1/suspend', ['operator']],
  ['POST', '/devices/CAM-1/resume', ['operator']],
  ['POST', '/devices/CAM-1/retire', ['operator']],
  ['POST', '/devices/CAM-1/reopen', ['operator']],
  ['POST', '/devices/CAM-1/replace', ['operator']],
  ['POST', '/devices/CAM-1/approve-claim', ['operator']],
  ['POST', '/devices/CAM-1/reprovisioning', ['operator']],
];

/** A body that would do something, were it let in. */
const bodyOf = (method: string, path: string) =>
  method === 'GET' ? {} : { body: path === '/devices' ? { devices: [{ serialNumber: 'CAM-1' }] } : {} };

describe.each(ROUTES)('%s %s', (method, path, of) => {
  const call = (keys?: Keys, signingDate?: Date) =>
    createHttpApi(outputs, keys).call(method, path, { ...bodyOf(method, path), ...(signingDate && { signingDate }) });
  const forbidden = { status: 403, body: { message: 'Forbidden' } };

  test('forbids whoever is not its persona, and does nothing', async () => {
    const before = await describeWorld(outputs);
    for (const persona of EVERYBODY.filter((one) => !of.includes(one))) {
      expect(await call(outputs.personas[persona]), persona).toMatchObject(forbidden);
    }
    expect(await describeWorld(outputs)).toEqual(before);
  });

  test('forbids what is unsigned, signed with another secret, or signed six minutes ago or ahead', async () => {
    const before = await describeWorld(outputs);
    const { admin } = outputs.personas;
    expect(await call()).toMatchObject(forbidden);
    expect(await call({ ...admin, secretAccessKey: `${admin.secretAccessKey}x` })).toMatchObject(forbidden);
    for (const minutes of [-6, 6]) {
      expect(await call(admin, new Date(Date.now() + minutes * 60_000)), `${minutes}`).toMatchObject(forbidden);
    }
    expect(await describeWorld(outputs)).toEqual(before);
  });

  test('has no other methods', async () => {
    for (const other of ['PUT', 'DELETE', 'PATCH', method === 'GET' ? 'POST' : 'GET']) {
      if (ROUTES.some(([one, same]) => one === other && same === path)) continue;
      const answer = await createHttpApi(outputs, outputs.personas.admin).call(other, path);
      expect([other, answer.status]).toEqual([other, 404]);
    }
  });
});

describe('the same signed request twice', () => {
  const signingDate = new Date();
  const api = (persona: Persona) => createHttpApi(outputs, outputs.personas[persona]);
  const twice = async (path: string, body: object) => {
    const more = { body, signingDate };
    const [first, second] = [
      await api('factory').call('POST', path, more),
      await api('factory').call('POST', path, more),
    ];
    return [first, second] as const;
  };

  test('is the same bytes, and announces a device once', async () => {
    const more = { body: { devices: [{ serialNumber: newSerial() }] }, signingDate };
    const signed = [
      await api('factory').sign('POST', '/devices', more),
      await api('factory').sign('POST', '/devices', more),
    ];
    expect(signed[1]).toEqual(signed[0]);
    const [first, second] = await twice('/devices', more.body);
    expect(first.body.results).toMatchObject([{ outcome: 'created' }]);
    expect(second.body.results).toMatchObject([{ outcome: 'unchanged' }]);
  });

  test('makes a device once, and answers the same', async () => {
    const serialNumber = newSerial();
    await twice('/devices', { devices: [{ serialNumber }] });
    const { certificateSigningRequest } = await makeDeviceKey();
    const [first, second] = await twice(`/devices/${serialNumber}/provision`, { certificateSigningRequest });
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    const device = await readDevice(outputs, serialNumber);
    expect(idsOf(device)).toEqual([first.body.certificateId]);
    const { things = [] } = (await describeWorld(outputs)) as { things?: { thingName: string }[] };
    expect(things.filter(({ thingName }) => thingName === serialNumber)).toHaveLength(1);
  });
});

test('no key of a caller is in a log', async () => {
  const folder = join(run.directory, 'logs');
  const logs = await readdir(folder);
  const text = (await Promise.all(logs.map((file) => readFile(join(folder, file), 'utf8')))).join('\n');
  expect(text).not.toMatch(/PRIVATE KEY|AWS4-HMAC-SHA256|BEGIN CERTIFICATE/);
  for (const { secretAccessKey } of Object.values(outputs.personas)) expect(text).not.toContain(secretAccessKey);
});
