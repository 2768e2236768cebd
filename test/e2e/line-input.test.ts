import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { newSerial, openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { makeDeviceKey } from '../device-key.ts';
import { readClaims, readDevice } from '../device-records.ts';
import { type FunctionProcess, startFunction } from '../function-process.ts';
import { type ApiAnswer, createHttpApi } from '../http-api.ts';
import { announceWithKey, cameraOf, claimOverHttps, sayConnected } from '../https-camera.ts';
import { brokenRequests } from '../signing-requests.ts';

const outputs = inject('outputs');
const factory = createHttpApi(outputs, outputs.personas.factory);
const operator = createHttpApi(outputs, outputs.personas.operator);

const announce = (...devices: object[]) => factory.post('/devices', { devices });
const verdicts = ({ status, body }: ApiAnswer) => {
  expect(status).toBe(200);
  return body.results.map(({ outcome, problem }: { outcome: string; problem?: { code: string } }) =>
    problem ? `${outcome} ${problem.code}` : outcome,
  );
};
const codeOf = ({ status, body }: ApiAnswer) => `${status} ${body.code ?? body.message}`;

const MILLION = 1_000_000;
/** Every route that takes a body, with a caller who may call it, and how many bytes it takes. */
const ROUTES = [
  ['/devices', factory, MILLION],
  [`/devices/${newSerial()}/provision`, factory, MILLION],
  ['/claims', createHttpApi(outputs), 16_384],
  ['/claim-certificates', operator, MILLION],
  [`/claim-certificates/${'ab'.repeat(32)}/disable`, operator, MILLION],
  ['/provisioning-claims', factory, MILLION],
  ...['suspend', 'resume', 'retire', 'reopen', 'replace', 'approve-claim', 'reprovisioning'].map(
    (act) => [`/devices/${newSerial()}/${act}`, operator, MILLION] as const,
  ),
] as const;

describe.each(ROUTES)('POST %s', (path, api, mostBytes) => {
  const send = async (text: string, headers: Record<string, string> = {}) => {
    const answer = await api.call('POST', path, { text, headers });
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    return codeOf(answer);
  };

  test.each(['{', 'devices', '{"serialNumber": "CAM-1",}', '\u0000', '{} {}'])(
    'refuses %j, which is no JSON',
    async (text) => {
      expect(await send(text)).toBe('400 invalid-json');
    },
  );

  test.each(['[]', 'null', '7', '"x"', '{"colour":"red"}', '{"__proto__":{"devices":[]}}'])(
    'refuses %s, which is none of its requests',
    async (text) => {
      expect(await send(text)).toBe('400 invalid-request');
    },
  );

  test.each(['text/plain', 'application/jsonp', 'application/x-www-form-urlencoded', 'application/xml'])(
    'refuses %s',
    async (type) => {
      expect(await send('{}', { 'content-type': type })).toBe('415 unsupported-media-type');
    },
  );

  test(`refuses more than ${mostBytes} bytes, and counts bytes, not characters`, async () => {
    const body = (text: string) => JSON.stringify({ colour: text });
    expect(await send(body('x'.repeat(mostBytes)))).toBe('413 body-too-large');
    expect(await send(body('é'.repeat(mostBytes / 2)))).toBe('413 body-too-large');
    expect(await send(body('x'.repeat(mostBytes - body('').length)))).toBe('400 invalid-request');
  });
});

describe('a manifest', () => {
  test('of 100 rows is taken, of 101 not at all', async () => {
    const rows = Array.from({ length: 101 }, () => ({ serialNumber: newSerial() }));
    expect(codeOf(await announce(...rows))).toBe('400 invalid-request');
    expect((await factory.get(`/devices/${rows[0]?.serialNumber}`)).status).toBe(404);
    expect(new Set(verdicts(await announce(...rows.slice(1))))).toEqual(new Set(['created']));
  });

  test('that names a serial number twice: the first row counts, one that says the same is no mistake', async () => {
    const serialNumber = newSerial();
    const rows = [
      { serialNumber, model: 'A1' },
      { serialNumber },
      { serialNumber, model: 'A1' },
      { serialNumber: newSerial() },
    ];
    expect(verdicts(await announce(...rows))).toEqual(['created', 'rejected duplicate-serial', 'unchanged', 'created']);
    expect(await readDevice(outputs, serialNumber)).toMatchObject({ model: 'A1', version: 1 });
  });

  test('in two requests at once: each serial number is made once, and what differs is written by one of them', async () => {
    const rows = Array.from({ length: 40 }, () => ({ serialNumber: newSerial() }));
    const both = await Promise.all([announce(...rows), announce(...rows.toReversed())]);
    const [first, second] = both.map(verdicts);
    expect(first.map((outcome: string, n: number) => [outcome, second.at(-1 - n)].toSorted().join())).toEqual(
      rows.map(() => 'created,unchanged'),
    );

    const serialNumber = newSerial();
    const models = Array.from({ length: 8 }, (_, n) => `M${n}`);
    const answers = await Promise.all(models.map((model) => announce({ serialNumber, model })));
    const outcomes = answers.flatMap(verdicts);
    expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
    const last = await readDevice(outputs, serialNumber);
    const written = models.filter((_, n) => outcomes[n] === 'created' || outcomes[n] === 'updated');
    expect(written).toContain((last as unknown as { model: string }).model);
    for (const outcome of outcomes) expect(outcome).toMatch(/^(created|updated|rejected version-conflict)$/);
  });

  test('with the same key under two serial numbers', async () => {
    const publicKeySha256 = randomBytes(32).toString('hex');
    const [one, two] = [newSerial(), newSerial()];
    const rows = [one, two].map((serialNumber) => ({ serialNumber, publicKeySha256 }));
    expect(verdicts(await announce(...rows))).toEqual(['created', 'rejected duplicate-key']);
    const later = await announce({ serialNumber: two, publicKeySha256 });
    expect(verdicts(later)).toEqual(['rejected duplicate-key']);
    expect(later.body.results[0].problem.detail).toBe(`the key is pinned to ${one}`);
    const asked = await factory.post('/devices', { devices: [{ serialNumber: two, publicKeySha256 }], dryRun: true });
    expect(verdicts(asked)).toEqual(['rejected duplicate-key']);
    expect((await factory.get(`/devices/${two}`)).status).toBe(404);
    // The first has another key now, as a line mends its slip: then the second may have this one.
    expect(verdicts(await announce({ serialNumber: one, publicKeySha256: randomBytes(32).toString('hex') }))).toEqual([
      'updated',
    ]);
    expect(verdicts(await announce({ serialNumber: two, publicKeySha256 }))).toEqual(['created']);
  });

  test('with the same key under eight serial numbers in as many requests at once: one gets it', async () => {
    const publicKeySha256 = randomBytes(32).toString('hex');
    const serials = Array.from({ length: 8 }, newSerial);
    const answers = await Promise.all(serials.map((serialNumber) => announce({ serialNumber, publicKeySha256 })));
    const outcomes = answers.flatMap(verdicts);
    expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
    for (const outcome of outcomes) expect(outcome).toMatch(/^(created|rejected (duplicate-key|version-conflict))$/);
    const known = await Promise.all(serials.map((serialNumber) => factory.get(`/devices/${serialNumber}`)));
    expect(known.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 7 }, () => 404)]);
  });

  const good = randomBytes(32).toString('hex');
  test.each<[string, object, RegExp]>([
    ['a hash of 63 digits', { publicKeySha256: good.slice(1) }, /^publicKeySha256 /],
    ['a hash of 65 digits', { publicKeySha256: `${good}0` }, /^publicKeySha256 /],
    ['a hash in capitals', { publicKeySha256: 'AB'.repeat(32) }, /^publicKeySha256 /],
    ['a hash in Base64', { publicKeySha256: randomBytes(32).toString('base64') }, /^publicKeySha256 /],
    ['a mode that does not exist', { streamMode: 'per-batch' }, /^streamMode /],
    ['a mode in capitals', { streamMode: 'Fixed' }, /^streamMode /],
    ['a channel with a dot', { channels: ['main.sub'] }, /^channels\/0 /],
    ['a channel twice', { channels: ['sub', 'sub'] }, /^channels must not name a channel twice/],
    ['nine channels', { channels: Array.from('123456789') }, /^channels /],
    ['an empty channel', { channels: [''] }, /^channels\/0 /],
    ['channels of a fixed stream', { streamMode: 'fixed', channels: ['sub'] }, /^channels need the stream mode/],
    ['a token of eight characters', { claimToken: 'Ab3-_x9Q' }, /^claimToken .*128 random bits/],
    ['a token of 31 hex digits', { claimToken: good.slice(0, 31) }, /^claimToken .*128 random bits/],
    ['a token of 257 characters', { claimToken: 'x'.repeat(257) }, /^claimToken /],
    ['a token with a space', { claimToken: `${'x'.repeat(30)} ` }, /^claimToken /],
    ['an unknown field', { color: 'red' }, /^color is not a known field/],
    ['a number for a model', { model: 7 }, /^model /],
    [
      '21 attributes',
      { attributes: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [n, ''])) },
      /^attributes /,
    ],
    ['null for a batch', { batch: null }, /^batch /],
  ])('%s is rejected by name, and the row beside it is made', async (_, wrong, detail) => {
    const [bad, well] = [newSerial(), newSerial()];
    const answer = await announce({ serialNumber: bad, ...wrong }, { serialNumber: well });
    expect(verdicts(answer)).toEqual(['rejected invalid-request', 'created']);
    expect(answer.body.results[0]).toMatchObject({
      serialNumber: bad,
      problem: { detail: expect.stringMatching(detail) },
    });
    expect((await factory.get(`/devices/${bad}`)).status).toBe(404);
  });

  test.each([
    '',
    'CAM/1',
    'CAM.1',
    'CAM 1',
    'Ä',
    'a'.repeat(129),
    good,
    'CAM-1-r2',
    'claim-1',
    'fleet-provisioning-1',
    '..',
  ])('the serial number %j is rejected', async (serialNumber) => {
    expect(verdicts(await announce({ serialNumber }))).toEqual(['rejected invalid-request']);
  });
});

describe('where the deployment names no fixed stream', () => {
  let announceDevices: FunctionProcess;
  beforeAll(async () => {
    announceDevices = await startFunction(outputs, 'announceDevices', outputs.aws, { FIXED_STREAM: '' });
  });
  afterAll(() => announceDevices.stop());

  test('a fixed camera is rejected, and the row beside it is made', async () => {
    const devices = [{ serialNumber: newSerial(), streamMode: 'fixed' }, { serialNumber: newSerial() }];
    const { statusCode, body } = await announceDevices.invoke({
      headers: { 'content-type': 'application/json' },
      requestContext: {},
      body: JSON.stringify({ devices }),
    });
    expect(statusCode).toBe(200);
    expect(JSON.parse(body).results).toMatchObject([
      { outcome: 'rejected', problem: { code: 'fixed-stream-missing' } },
      { outcome: 'created' },
    ]);
  });
});

describe('a serial number in a path', () => {
  test.each([
    ['%2F', 'CAM%2F1'],
    ['an escaped way up', '%2E%2E'],
    ['a way up behind a slash', 'CAM-1%2F..%2F..%2Fclaims'],
    ['129 characters', 'a'.repeat(129)],
    ['a dot', 'CAM.1'],
    ['a NUL', 'CAM%00'],
    ['a certificate id', 'ab'.repeat(32)],
  ])('with %s is none, and reaches nothing', async (_, name) => {
    for (const [method, path] of [
      ['GET', `/devices/${name}`],
      ['GET', `/devices/${name}/claims`],
      ['POST', `/devices/${name}/provision`],
    ] as const) {
      const answer = await rawCall(method, path);
      expect([400, 403, 404]).toContain(answer.status);
      expect(answer.body).not.toHaveProperty('certificateId');
      expect(answer.body).not.toHaveProperty('claims');
    }
  });

  test('of 128 characters is one', async () => {
    const serialNumber = newSerial().padEnd(128, 'x');
    expect(verdicts(await announce({ serialNumber }))).toEqual(['created']);
    expect((await factory.get(`/devices/${serialNumber}`)).status).toBe(200);
  });

  /** `URL` would tidy the path up. */
  const rawCall = (method: string, path: string) => operator.call(method, path, method === 'POST' ? { body: {} } : {});
});

describe('a certificate signing request', async () => {
  const broken = await brokenRequests();

  test.each(broken)('%s: refused at both doors, and nothing is made', async (_, certificateSigningRequest, detail) => {
    const { serialNumber, publicKeySha256 } = await announceWithKey(outputs, { pinned: true });
    expect(publicKeySha256).toBeDefined();
    const provisioned = await factory.post(`/devices/${serialNumber}/provision`, { certificateSigningRequest });
    const claimed = await claimOverHttps(outputs, { serialNumber, certificateSigningRequest });
    for (const answer of [provisioned, claimed]) {
      expect(answer.status).toBe(400);
      expect(answer.body.code).toMatch(/^invalid-(certificate-)?request$/);
      expect(answer.body.errors).toContainEqual({
        pointer: '/certificateSigningRequest',
        detail: expect.stringMatching(detail),
      });
    }
    expect(await readDevice(outputs, serialNumber)).toMatchObject({
      status: 'registered',
      version: 1,
      certificates: [],
    });
  });

  test('tells a stranger nothing of the serial number it came with', async () => {
    const [, certificateSigningRequest = ''] = broken.find(([what]) => what === 'of a broken signature') ?? [];
    const known = await announceWithKey(outputs, { pinned: true });
    const answers = await Promise.all(
      [known.serialNumber, newSerial()].map((serialNumber) =>
        claimOverHttps(outputs, { serialNumber, certificateSigningRequest }),
      ),
    );
    expect(answers[0]?.body).toEqual(answers[1]?.body);
  });

  test('of a key that is pinned to another serial number opens neither', async () => {
    const [one, two] = [
      await announceWithKey(outputs, { pinned: true }),
      await announceWithKey(outputs, { pinned: true }),
    ];
    const { certificateSigningRequest } = two;
    const { serialNumber } = one;
    expect(codeOf(await factory.post(`/devices/${serialNumber}/provision`, { certificateSigningRequest }))).toBe(
      '409 key-mismatch',
    );
    expect(codeOf(await claimOverHttps(outputs, { serialNumber, certificateSigningRequest }))).toBe('403 denied');
    // AWS would make the key, so it cannot be the pinned one.
    expect(codeOf(await factory.post(`/devices/${serialNumber}/provision`, {}))).toBe('409 key-mismatch');
    expect(await readDevice(outputs, serialNumber)).toMatchObject({ certificates: [] });
  });

  test('of a key that is pinned to another serial number opens no device that pins none, at any door', async () => {
    const { serialNumber: owner, ...key } = await announceWithKey(outputs, { pinned: true });
    const { certificateSigningRequest } = key;
    const claimToken = randomBytes(16).toString('hex');
    const [bare, tokened, free] = [newSerial(), newSerial(), newSerial()];
    await announce({ serialNumber: bare }, { serialNumber: tokened, claimToken }, { serialNumber: free });
    expect(codeOf(await factory.post(`/devices/${bare}/provision`, { certificateSigningRequest }))).toBe(
      '409 key-mismatch',
    );
    const overHttps = { serialNumber: tokened, certificateSigningRequest, claimToken };
    expect(codeOf(await claimOverHttps(outputs, overHttps))).toBe('403 denied');
    const overMqtt = await openClaim(outputs);
    const { ownershipToken } = await takeCertificate(overMqtt, key);
    const parameters = { SerialNumber: free };
    expect(await registerThing(overMqtt, outputs.claim.templateName, ownershipToken, parameters)).toMatchObject({
      outcome: 'rejected',
    });
    await overMqtt.close();
    for (const serialNumber of [bare, tokened, free]) {
      expect(await readDevice(outputs, serialNumber)).toMatchObject({ status: 'registered', certificates: [] });
      expect(await readClaims(outputs, serialNumber)).toMatchObject([{ outcome: 'refused', reason: 'key-mismatch' }]);
    }
    // A board that goes into another housing: the number it had is retired first.
    expect((await operator.post(`/devices/${owner}/retire`, {})).status).toBe(200);
    expect((await factory.post(`/devices/${bare}/provision`, { certificateSigningRequest })).status).toBe(201);
    expect((await claimOverHttps(outputs, overHttps)).status).toBe(201);
  });

  test('of one key that nobody pinned, under two serial numbers, makes two devices, and neither certificate is the other’s', async () => {
    const one = await announceWithKey(outputs);
    const two = await announceWithKey(outputs);
    const { certificateSigningRequest } = one;
    const made = await Promise.all(
      [one, two].map(({ serialNumber }) =>
        factory.post(`/devices/${serialNumber}/provision`, { certificateSigningRequest }),
      ),
    );
    expect(made.map(({ status }) => status)).toEqual([201, 201]);
    const [first, second] = made.map((answer) => cameraOf(answer, one.privateKeyPem));
    if (!first || !second) throw new Error('two were made');
    expect(first.certificateId).not.toBe(second.certificateId);
    expect((await sayConnected(outputs, first, second.serialNumber)).body).toMatchObject({ code: 'denied' });
    expect((await sayConnected(outputs, first)).status).toBe(204);
    expect(await readDevice(outputs, second.serialNumber)).toMatchObject({ status: 'claimed' });
  });

  test('has a subject that nobody believes', async () => {
    const { serialNumber } = await announceWithKey(outputs);
    const { certificateSigningRequest } = await makeDeviceKey('CN=somebody-else, O=Evil');
    const { status, body } = await factory.post(`/devices/${serialNumber}/provision`, { certificateSigningRequest });
    expect(status).toBe(201);
    expect(body).toMatchObject({ serialNumber, thingName: serialNumber, connection: { streamName: serialNumber } });
  });
});
