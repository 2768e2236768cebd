import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { newSerial } from '../camera-claim.ts';
import { callFunction } from '../function-call.ts';
import { hookEvent, issueCertificate } from '../hook-event.ts';
import { type ApiAnswer, createHttpApi } from '../http-api.ts';

const outputs = inject('outputs');
const { operator, factory, auditor } = {
  operator: createHttpApi(outputs, outputs.personas.operator),
  factory: createHttpApi(outputs, outputs.personas.factory),
  auditor: createHttpApi(outputs, outputs.personas.auditor),
};

/** RFC 9457, and nothing of our insides. */
function expectProblem({ status, headers, body }: ApiAnswer, expectedStatus: number, code: string): void {
  expect({ status, body }).toMatchObject({ status: expectedStatus, body: { status: expectedStatus, code } });
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(body).toMatchObject({ type: expect.any(String), title: expect.any(String), detail: expect.any(String) });
  expect(JSON.stringify(body)).not.toMatch(/\bat .*:\d+:\d+|node:|\.mjs|stack/);
}

describe('POST /devices', () => {
  const outcomes = ({ body }: ApiAnswer) => body.results.map(({ outcome }: { outcome: string }) => outcome);

  test('is idempotent: created, then unchanged, then updated by what differs', async () => {
    const row = {
      serialNumber: newSerial(),
      model: 'A1',
      batch: '42',
      channels: ['main', 'sub'],
      attributes: { colour: 'white', lens: '4mm' },
      publicKeySha256: randomBytes(32).toString('hex'),
      claimToken: randomBytes(32).toString('hex'),
    };
    const announce = (more: object = {}) => factory.post('/devices', { devices: [{ ...row, ...more }] });
    expect(outcomes(await announce())).toEqual(['created']);
    expect(outcomes(await announce())).toEqual(['unchanged']);
    expect(outcomes(await announce({ attributes: { lens: '4mm', colour: 'white' } }))).toEqual(['unchanged']);
    expect((await factory.get(`/devices/${row.serialNumber}`)).body).toMatchObject({ version: 1 });
    expect(outcomes(await announce({ model: 'A2' }))).toEqual(['updated']);
    expect((await factory.get(`/devices/${row.serialNumber}`)).body).toMatchObject({ version: 2, model: 'A2' });
  });

  test('twenty times at once, one device comes of it', async () => {
    const body = { devices: [{ serialNumber: newSerial() }] };
    const answers = await Promise.all(Array.from({ length: 20 }, () => factory.post('/devices', body)));
    expect(answers.flatMap(outcomes).toSorted()).toEqual(['created', ...Array(19).fill('unchanged')]);
  });

  test('gives a verdict a row: a bad one never stops the good ones, and says by name what is wrong', async () => {
    const good = newSerial();
    const { status, body } = await factory.post('/devices', {
      devices: [{ serialNumber: 'CAM/1' }, { serialNumber: good }, { serialNumber: newSerial(), colour: 'red' }, 7],
    });
    expect(status).toBe(200);
    expect(body.results).toMatchObject([
      { outcome: 'rejected', problem: { code: 'invalid-request', detail: expect.stringContaining('serialNumber') } },
      { serialNumber: good, outcome: 'created' },
      { outcome: 'rejected', problem: { code: 'invalid-request', detail: 'colour is not a known field' } },
      { outcome: 'rejected', problem: { code: 'invalid-request' } },
    ]);
  });

  test('dryRun tells the verdicts and writes nothing', async () => {
    const serialNumber = newSerial();
    const answer = await factory.post('/devices', { devices: [{ serialNumber }], dryRun: true });
    expect(outcomes(answer)).toEqual(['created']);
    expectProblem(await factory.get(`/devices/${serialNumber}`), 404, 'device-not-found');
  });

  test.each([
    ['an unknown field', { devices: [{ serialNumber: 'CAM-1' }], dryRuns: true }, '/dryRuns'],
    ['no devices', {}, '/devices'],
    ['an empty list', { devices: [] }, '/devices'],
    ['101 rows', { devices: Array.from({ length: 101 }, (_, i) => ({ serialNumber: `CAM-${i}` })) }, '/devices'],
    ['a list in place of an object', [], ''],
  ])('refuses %s and names the place', async (_, body, pointer) => {
    const answer = await factory.post('/devices', body);
    expectProblem(answer, 400, 'invalid-request');
    expect(answer.body.errors).toContainEqual({ pointer, detail: expect.any(String) });
  });

  test('refuses what is no JSON, another content type, and a body without end', async () => {
    const post = (text: string, headers?: Record<string, string>) =>
      factory.call('POST', '/devices', { text, ...(headers && { headers }) });
    const secret = '{"devices": [{"claimToken": "keep-this-to-yourself"';
    const broken = await post(secret);
    expectProblem(broken, 400, 'invalid-json');
    expect(JSON.stringify(broken.body)).not.toContain('keep-this');
    expectProblem(await post(''), 400, 'invalid-json');
    expectProblem(await post('{}', { 'content-type': 'text/plain' }), 415, 'unsupported-media-type');
    const long = JSON.stringify({ devices: [{ serialNumber: newSerial(), model: 'x'.repeat(1_000_001) }] });
    expectProblem(await post(long), 413, 'body-too-large');
  });
});

describe('GET /devices/{serialNumber}', () => {
  test('shows everything but the token, its hash included', async () => {
    const serialNumber = newSerial();
    const claimToken = randomBytes(32).toString('hex');
    await factory.post('/devices', { devices: [{ serialNumber, claimToken }] });
    const { status, headers, body } = await auditor.get(`/devices/${serialNumber}`);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toMatchObject({ serialNumber, status: 'registered', claimToken: 'unspent', version: 1 });
    expect(JSON.stringify(body)).not.toContain(claimToken);
    expect(JSON.stringify(body)).not.toMatch(/claimTokenSha256|[0-9a-f]{64}/);
  });

  test('404 for a device that nobody announced, 400 for a serial number that is none', async () => {
    expectProblem(await auditor.get(`/devices/${newSerial()}`), 404, 'device-not-found');
    expectProblem(await auditor.get(`/devices/${'a'.repeat(129)}`), 400, 'invalid-request');
    expectProblem(await auditor.get('/devices/CAM:1'), 400, 'invalid-request');
  });
});

describe('GET /devices/{serialNumber}/claims', () => {
  const serialNumber = newSerial();
  const claims = (query = '') => operator.get(`/devices/${serialNumber}/claims${query}`);

  beforeAll(async () => {
    await factory.post('/devices', { devices: [{ serialNumber }] });
    const unknown = { claimCertificateId: randomBytes(32).toString('hex') };
    for (const more of [unknown, {}, {}, {}]) {
      const event = await hookEvent(outputs, await issueCertificate(outputs), { SerialNumber: serialNumber }, more);
      await callFunction(outputs, 'provisioningHook', event);
    }
  });

  test('lists yeses and refusals with their reasons, the newest first', async () => {
    const { status, body } = await claims();
    expect(status).toBe(200);
    expect(body.claims).toMatchObject([
      { outcome: 'refused', reason: 'already-claimed' },
      { outcome: 'refused', reason: 'already-claimed' },
      { outcome: 'granted', reason: 'allow-list' },
      { outcome: 'refused', reason: 'claim-certificate-unknown' },
    ]);
    for (const claim of body.claims) {
      expect(claim).toMatchObject({
        claimId: expect.any(String),
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        door: 'mqtt',
        certificateId: expect.stringMatching(/^[0-9a-f]{64}$/),
        publicKeySha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
    }
    expect(body).not.toHaveProperty('nextCursor');
  });

  test('pages show each claim once, and end', async () => {
    const seen = [];
    let cursor: string | undefined;
    for (let page = 0; page < 10; page++) {
      const { body } = await claims(`?limit=1${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      seen.push(...body.claims);
      cursor = body.nextCursor;
      if (cursor === undefined) break;
      expect(body.claims).toHaveLength(1);
    }
    expect(seen).toEqual((await claims()).body.claims);
  });

  test('refuses a limit that is none, and a cursor of another list', async () => {
    for (const limit of ['0', '1001', '-1', 'ten'])
      expectProblem(await claims(`?limit=${limit}`), 400, 'invalid-request');
    const { body } = await claims('?limit=1');
    const other = await operator.get(`/devices/${newSerial()}/claims?cursor=${body.nextCursor}`);
    expectProblem(other, 400, 'invalid-cursor');
    expectProblem(await claims('?cursor=nonsense'), 400, 'invalid-cursor');
  });
});

describe('who may call what', () => {
  const forbidden = { status: 403, body: { message: 'Forbidden' } };

  test('the factory announces and looks up, and reads no claims', async () => {
    expect(await factory.get(`/devices/${newSerial()}/claims`)).toMatchObject(forbidden);
    expect(await factory.post('/claim-certificates', {})).toMatchObject(forbidden);
  });

  test('the auditor reads and changes nothing', async () => {
    expect((await auditor.get(`/devices/${newSerial()}/claims`)).body).toEqual({ claims: [] });
    expect(await auditor.post('/devices', { devices: [{ serialNumber: newSerial() }] })).toMatchObject(forbidden);
    expect(await auditor.post('/claim-certificates', {})).toMatchObject(forbidden);
  });

  test('nobody calls anything unsigned', async () => {
    const anonymous = createHttpApi(outputs);
    expect(await anonymous.get(`/devices/${newSerial()}`)).toMatchObject(forbidden);
    expect(await anonymous.post('/devices', {})).toMatchObject(forbidden);
  });

  test('a route that is not there', async () => {
    expect(await operator.get('/')).toMatchObject({ status: 404, body: { message: 'Not Found' } });
  });
});
