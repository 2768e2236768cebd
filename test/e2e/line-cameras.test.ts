import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { announce, newSerial } from '../camera-claim.ts';
import { emptyDisk, runCamera } from '../camera-process.ts';
import { askForCredentials } from '../credential-provider.ts';
import { idsOf, readClaims, readDevice, untilActive } from '../device-records.ts';
import { type ApiAnswer, createHttpApi } from '../http-api.ts';
import { announceWithKey, cameraOf, claimOverHttps, newToken, sayConnected } from '../https-camera.ts';
import { persistedFragments } from '../kinesis-video.ts';
import { openShell, type Shell } from '../shell.ts';

vi.setConfig({ testTimeout: 120_000 });

const outputs = inject('outputs');
const { factory, operator } = outputs.personas;
let shell: Shell;
beforeAll(async () => {
  shell = await openShell(outputs);
});
afterAll(() => shell.close());

/** `curl --aws-sigv4` of a factory, as docs/api.md tells it. */
const CURL = `curl -sS --fail-with-body --aws-sigv4 aws:amz:${outputs.region}:execute-api --user ${factory.accessKeyId}:${factory.secretAccessKey} -H content-type:application/json`;

/** What the line copies to a camera's disk beside its key: the very line of docs/api.md, for the folder that we are in. */
const [, IDENTITY = ''] =
  /^(jq '\{serialNumber, stage.* > )LINE-0003\/identity\.json$/m.exec(readFileSync('docs/api.md', 'utf8')) ?? [];

async function expectToFilm(
  {
    serialNumber,
    directory,
    streamName = serialNumber,
  }: { serialNumber: string; directory: string; streamName?: string },
  ...flags: string[]
): Promise<void> {
  const { code, printed } = await runCamera(outputs, 'boot', { serialNumber, directory }, ...flags);
  expect(printed).toMatch(/fragments? PERSISTED/);
  expect(code).toBe(0);
  await untilActive(outputs, serialNumber);
  const fragments = await persistedFragments(outputs, outputs.personas.admin, streamName);
  expect(fragments.length).toBeGreaterThan(0);
}

describe('a device that the line has provisioned with curl', () => {
  test.each([
    [
      'a key of its own',
      `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout private.key -subj /CN=camera -out camera.csr 2>/dev/null
       jq -n --rawfile csr camera.csr '{certificateSigningRequest: $csr}' |`,
      '-d @-',
      '',
    ],
    ['a key that AWS made', '', `-d '{}'`, '(umask 077; jq -r .privateKey connection.json > private.key)'],
    [
      'a key that AWS made, asked for without a body',
      '',
      '-X POST',
      '(umask 077; jq -r .privateKey connection.json > private.key)',
    ],
  ])('and %s streams with the reference camera', async (_, before, body, after) => {
    const serialNumber = newSerial();
    const directory = emptyDisk();
    await shell.runs(`cd ${directory}
      ${CURL} ${outputs.api}/devices -d '{"devices": [{"serialNumber": "${serialNumber}"}]}' | jq -e '.results[0].outcome == "created"' > /dev/null
      ${before} ${CURL} ${outputs.api}/devices/${serialNumber}/provision ${body} > connection.json
      ${after}
      ${IDENTITY} identity.json`);
    await expectToFilm({ serialNumber, directory });
    const [claim] = await readClaims(outputs, serialNumber);
    expect(claim).toMatchObject({ outcome: 'granted', door: 'line', reason: 'line' });
  });

  test.each(['certificate-id', 'fixed'] as const)('in mode %s streams as well', async (streamMode) => {
    const device = await announceWithKey(outputs, { streamMode });
    const api = createHttpApi(outputs, factory);
    const { serialNumber, certificateSigningRequest, privateKeyPem } = device;
    const answer = await api.post(`/devices/${serialNumber}/provision`, { certificateSigningRequest });
    const directory = emptyDisk();
    await writeIdentity(directory, answer, privateKeyPem);
    const { connection, certificateId } = answer.body;
    const { streamName } = connection;
    await expectToFilm({ serialNumber, directory, streamName });
    expect(streamName).toBe(streamMode === 'fixed' ? 'firstlight-local-fixed' : certificateId);
  });
});

async function writeIdentity(directory: string, { body }: ApiAnswer, privateKeyPem: string): Promise<void> {
  const { serialNumber, certificateId, certificatePem, thingName, connection } = body;
  const configuration = { ...connection, renewAfterDays: '' };
  const registeredAt = new Date().toISOString();
  const identity = {
    serialNumber,
    stage: 'registered',
    certificateId,
    certificatePem,
    thingName,
    configuration,
    registeredAt,
  };
  await writeFile(join(directory, 'private.key'), privateKeyPem, { mode: 0o600 });
  await writeFile(join(directory, 'identity.json'), JSON.stringify(identity), { mode: 0o600 });
}

describe('a camera whose network blocks MQTT', () => {
  test('claims with its token over HTTPS, says that it lives, and films; not one MQTT packet goes out', async () => {
    const [serialNumber, claimToken] = [newSerial(), newToken()];
    await announce(outputs, { serialNumber, claimToken, channels: ['sub'] });
    const directory = emptyDisk();
    // Nothing listens there: MQTT would fail.
    await expectToFilm({ serialNumber, directory }, '--https', '--token', claimToken, '--mqtt-endpoint', '127.0.0.1:9');
    const device = await readDevice(outputs, serialNumber);
    expect(device).toMatchObject({ status: 'active', claimToken: 'spent' });
    expect(device.streams.map(({ name, state }) => `${name} ${state}`)).toEqual([
      `${serialNumber} made`,
      `${serialNumber}.sub made`,
    ]);
    expect(await readClaims(outputs, serialNumber)).toMatchObject([{ door: 'https', reason: 'claim-token' }]);
    expect(await readFile(join(directory, 'identity.json'), 'utf8')).not.toContain(claimToken);
    // Booted again it needs no claim.
    await expectToFilm({ serialNumber, directory }, '--https');
    expect(idsOf(await readDevice(outputs, serialNumber))).toHaveLength(1);
  });

  test('and who is on the allow-list only, is denied', async () => {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber });
    const body = { serialNumber, directory: emptyDisk() };
    const { code, printed } = await runCamera(outputs, 'boot', body, '--https');
    expect(code).not.toBe(0);
    expect(printed).toMatch(/denied/);
    expect(await readClaims(outputs, serialNumber)).toMatchObject([{ outcome: 'refused', door: 'https' }]);
  });
});

describe('POST /connected', () => {
  async function claimed() {
    const device = await announceWithKey(outputs, { pinned: true });
    return cameraOf(await claimOverHttps(outputs, device), device.privateKeyPem);
  }

  test('with the first credentials makes a device active; again it changes nothing', async () => {
    const camera = await claimed();
    const answers = [await sayConnected(outputs, camera), await sayConnected(outputs, camera)];
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [204, ''],
      [204, ''],
    ]);
    const device = await readDevice(outputs, camera.serialNumber);
    expect(device).toMatchObject({ status: 'active', certificates: [{ id: camera.certificateId, state: 'current' }] });
  });

  test('of another device is denied, and so is one of nobody; neither changes', async () => {
    const [one, two] = [await claimed(), await claimed()];
    for (const serialNumber of [two.serialNumber, newSerial()]) {
      expect(await sayConnected(outputs, one, serialNumber)).toMatchObject({ status: 403, body: { code: 'denied' } });
    }
    for (const { serialNumber } of [one, two])
      expect(await readDevice(outputs, serialNumber)).toMatchObject({ status: 'claimed' });
  });

  test('of more than 16,384 bytes, or no request of it, is refused before anybody is asked', async () => {
    const { serialNumber, thingName, configuration, ...held } = await claimed();
    const { body } = await askForCredentials(outputs, { held, roleAlias: configuration.roleAlias, thingName });
    const camera = createHttpApi(outputs, body.credentials);
    const sent = async (text: string, headers = {}) => {
      const answer = await camera.call('POST', '/connected', { text, headers });
      return `${answer.status} ${answer.body.code}`;
    };
    const long = JSON.stringify({ serialNumber, why: 'x'.repeat(16_384) });
    expect(await sent(long)).toBe('413 body-too-large');
    expect(await sent('{')).toBe('400 invalid-json');
    expect(await sent('{"serialNumber": "a b"}')).toBe('400 invalid-request');
    expect(await sent('{}', { 'content-type': 'text/plain' })).toBe('415 unsupported-media-type');
    expect(await readDevice(outputs, serialNumber)).toMatchObject({ status: 'claimed' });
  });

  test('is open to no person, and a camera’s credentials open nothing else', async () => {
    const { serialNumber, thingName, configuration, ...held } = await claimed();
    const { roleAlias } = configuration;
    const { body } = await askForCredentials(outputs, { held, roleAlias, thingName });
    for (const keys of [factory, operator, outputs.personas.auditor]) {
      expect((await createHttpApi(outputs, keys).post('/connected', { serialNumber })).status).toBe(403);
    }
    // An administrator may call it, and is no camera.
    expect(await createHttpApi(outputs, outputs.personas.admin).post('/connected', { serialNumber })).toMatchObject({
      status: 403,
      body: { code: 'denied' },
    });
    const camera = createHttpApi(outputs, body.credentials);
    for (const [method, path] of [
      ['POST', '/devices'],
      ['GET', `/devices/${serialNumber}`],
      ['GET', `/devices/${serialNumber}/claims`],
      ['POST', `/devices/${serialNumber}/provision`],
      ['POST', '/claim-certificates'],
      ['GET', '/claim-certificates'],
      ['POST', `/claim-certificates/${'ab'.repeat(32)}/disable`],
      ['POST', '/provisioning-claims'],
      ['GET', '/openapi.json'],
    ] as const) {
      const answer = await camera.call(method, path, method === 'POST' ? { body: {} } : {});
      expect([path, answer.status, answer.body]).toEqual([path, 403, { message: 'Forbidden' }]);
    }
    expect(await readDevice(outputs, serialNumber)).toMatchObject({ status: 'claimed' });
  });
});
