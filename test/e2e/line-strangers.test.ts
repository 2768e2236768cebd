import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { CreateThingCommand } from '@aws-sdk/client-iot';
import { CreateStreamCommand } from '@aws-sdk/client-kinesis-video';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { announce, claimCamera, newSerial } from '../camera-claim.ts';
import { makeDeviceKey } from '../device-key.ts';
import { expectNoUnknownPower, idsOf, powerfulCertificates, readClaims, readDevice } from '../device-records.ts';
import { type ApiAnswer, createHttpApi } from '../http-api.ts';
import { announceWithKey, cameraOf, claimOverHttps, newToken, sayConnected } from '../https-camera.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';

vi.setConfig({ testTimeout: 120_000 });

let run: LocalRun;
let outputs: Outputs;
/** All that got, or could have got, a certificate. */
const serials: string[] = [];
beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
});
afterAll(() => run.stop());

const claim = (serialNumber: string, certificateSigningRequest: string, claimToken?: string) =>
  claimOverHttps(outputs, { serialNumber, certificateSigningRequest, ...(claimToken !== undefined && { claimToken }) });
const newDevice = async (row: Parameters<typeof announceWithKey>[1]) => {
  const device = await announceWithKey(outputs, row);
  serials.push(device.serialNumber);
  return device;
};
const reasonsOf = async (serialNumber: string, when = {}) =>
  (await readClaims(outputs, serialNumber, when)).map(({ reason }) => reason);
const admin = () => awsClients(outputs, outputs.personas.admin);

/** Byte by byte what a stranger sees, save for the time and the number of the request. */
function seenOf({ status, headers, body }: ApiAnswer): string {
  const telling = [...headers].filter(([name]) => !['date', 'apigw-requestid'].includes(name));
  return JSON.stringify([status, telling, body]);
}

describe('POST /claims', () => {
  test('denies every reason alike, and writes each one down', async () => {
    const stranger = await makeDeviceKey();
    const { certificateSigningRequest: csr, publicKeySha256 } = stranger;
    const claimToken = newToken();
    const announced = async (row: object = {}) => {
      const serialNumber = newSerial();
      await announce(outputs, { serialNumber, ...row });
      serials.push(serialNumber);
      return serialNumber;
    };
    const spent = await newDevice({ claimToken });
    const camera = cameraOf(
      await claim(spent.serialNumber, spent.certificateSigningRequest, claimToken),
      spent.privateKeyPem,
    );
    expect((await sayConnected(outputs, camera)).status).toBe(204);
    const [thingTaken, streamTaken] = [await newDevice({ pinned: true }), await announced({ claimToken })];
    await admin().iot.send(new CreateThingCommand({ thingName: thingTaken.serialNumber }));
    await admin().kinesisVideo.send(new CreateStreamCommand({ StreamName: streamTaken }));
    // Approved for the stranger's very key: over MQTT it would do.
    const approved = await newDevice({});
    const { serialNumber: named } = approved;
    const line = createHttpApi(outputs, outputs.personas.factory);
    const { certificateSigningRequest } = approved;
    expect((await line.post(`/devices/${named}/provision`, { certificateSigningRequest })).status).toBe(201);
    const operator = createHttpApi(outputs, outputs.personas.operator);
    expect((await operator.post(`/devices/${named}/approve-claim`, { publicKeySha256 })).status).toBe(200);
    const overMqtt = await claimCamera(outputs, { serialNumber: newSerial() });
    serials.push(overMqtt.serialNumber);

    const denials: [serialNumber: string, claimToken: string | undefined, reason: string, csr?: string][] = [
      [newSerial(), undefined, 'unknown-serial'],
      [newSerial(), claimToken, 'unknown-serial'],
      [await announced(), undefined, 'claim-certificate-unknown'],
      [await announced(), claimToken, 'claim-certificate-unknown'],
      [overMqtt.serialNumber, undefined, 'claim-certificate-unknown'],
      [named, undefined, 'claim-certificate-unknown'],
      [await announced({ publicKeySha256: createHash('sha256').update('x').digest('hex') }), undefined, 'key-mismatch'],
      [await announced({ claimToken }), undefined, 'token-missing'],
      [await announced({ claimToken }), newToken(), 'token-invalid'],
      [await announced({ claimToken }), 'Ab3-_x9Q', 'token-invalid'],
      [await announced({ claimToken }), '', 'token-missing'],
      [await announced({ claimToken }), `${claimToken} `, 'token-invalid'],
      [await announced({ claimToken }), claimToken.toUpperCase(), 'token-invalid'],
      [spent.serialNumber, claimToken, 'token-spent'],
      [thingTaken.serialNumber, undefined, 'thing-taken', thingTaken.certificateSigningRequest],
      [streamTaken, claimToken, 'stream-taken'],
    ];
    const seen = new Set<string>();
    for (const [serialNumber, token, reason, own = csr] of denials) {
      const answer = await claim(serialNumber, own, token);
      seen.add(seenOf(answer));
      expect([serialNumber, ...(await reasonsOf(serialNumber))]).toContain(reason);
    }
    expect(seen.size).toBe(1);
    expect([...seen][0]).toMatch(/^\[403,.*"code":"denied"/);
    await expectNoUnknownPower(outputs, serials);
  });

  test('of a serial number of another, a token opens nothing, and is not used up', async () => {
    const [mine, other] = [newToken(), newToken()];
    const [one, two] = [await newDevice({ claimToken: mine }), await newDevice({ claimToken: other })];
    expect((await claim(one.serialNumber, one.certificateSigningRequest, other)).status).toBe(403);
    expect((await claim(two.serialNumber, two.certificateSigningRequest, other)).status).toBe(201);
    expect((await claim(one.serialNumber, one.certificateSigningRequest, mine)).status).toBe(201);
  });

  test('a token opens again for the same key, for another until the proof of life, and then for nobody', async () => {
    const claimToken = newToken();
    const { serialNumber, certificateSigningRequest } = await newDevice({ claimToken });
    const first = await claim(serialNumber, certificateSigningRequest, claimToken);
    const again = await claim(serialNumber, certificateSigningRequest, claimToken);
    expect(again.body).toEqual(first.body);
    // The key alone says who it is.
    expect((await claim(serialNumber, certificateSigningRequest)).body).toEqual(first.body);

    const other = await makeDeviceKey();
    const moved = await claim(serialNumber, other.certificateSigningRequest, claimToken);
    expect(moved.status).toBe(201);
    expect(idsOf(await readDevice(outputs, serialNumber), 'allowed')).toEqual([moved.body.certificateId]);
    expect((await sayConnected(outputs, cameraOf(moved, other.privateKeyPem))).status).toBe(204);
    expect(await readDevice(outputs, serialNumber)).toMatchObject({ status: 'active', claimToken: 'spent' });
    expect((await claim(serialNumber, (await makeDeviceKey()).certificateSigningRequest, claimToken)).status).toBe(403);
    // The first key has lost its certificate to the second one.
    expect((await claim(serialNumber, certificateSigningRequest, claimToken)).status).toBe(403);
    expect(await readDevice(outputs, serialNumber)).toMatchObject({ contested: { reason: 'token-spent' } });
  });

  test('a token at the same instant with eight keys: whoever is answered last holds the one certificate', async () => {
    const claimToken = newToken();
    const { serialNumber } = await newDevice({ claimToken });
    const keys = await Promise.all(Array.from({ length: 8 }, () => makeDeviceKey()));
    const answers = await Promise.all(
      keys.map((key) => claim(serialNumber, key.certificateSigningRequest, claimToken)),
    );
    for (const { status } of answers) expect([201, 403, 409, 503]).toContain(status);
    const device = await readDevice(outputs, serialNumber);
    expect(idsOf(device, 'allowed')).toHaveLength(1);
    const winner = answers.find(({ body }) => body.certificateId === idsOf(device, 'allowed')[0]);
    expect(winner?.status).toBe(201);
    expect(await powerfulCertificates(outputs)).toEqual(expect.arrayContaining(idsOf(device, 'allowed')));
    await expectNoUnknownPower(outputs, serials);
  });

  test('a pinned key at the same instant, eight times: one certificate, and the same answer for all', async () => {
    const { serialNumber, certificateSigningRequest } = await newDevice({ pinned: true });
    const answers = await Promise.all(Array.from({ length: 8 }, () => claim(serialNumber, certificateSigningRequest)));
    const granted = answers.filter(({ status }) => status === 201);
    expect(granted.length).toBeGreaterThan(0);
    expect(new Set(granted.map(({ body }) => body.certificateId)).size).toBe(1);
    expect(idsOf(await readDevice(outputs, serialNumber))).toHaveLength(1);
    expect((await claim(serialNumber, certificateSigningRequest)).body).toEqual(granted[0]?.body);
  });
});

describe('what strangers write', () => {
  test('leaves nothing in the registry of devices, and nothing at AWS', async () => {
    const serialNumber = newSerial();
    const before = await powerfulCertificates(outputs);
    const { certificateSigningRequest } = await makeDeviceKey();
    expect((await claim(serialNumber, certificateSigningRequest, newToken())).status).toBe(403);
    const auditor = createHttpApi(outputs, outputs.personas.auditor);
    expect((await auditor.get(`/devices/${serialNumber}`)).status).toBe(404);
    expect(await reasonsOf(serialNumber)).toEqual(['unknown-serial']);
    expect(await powerfulCertificates(outputs)).toEqual(before);
  });

  test('comes no faster than the route lets through', async () => {
    const { certificateSigningRequest } = await makeDeviceKey();
    const serialNumber = newSerial();
    const answers = await Promise.all(Array.from({ length: 80 }, () => claim(serialNumber, certificateSigningRequest)));
    const statuses = answers.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([403, 429]));
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(20);
  });
});

test('no token of a claim, nor its hash, is in a log', async () => {
  const tokens = [newToken(), newToken(), newToken()];
  const [mine = '', wrong = '', overMqtt = ''] = tokens;
  const { serialNumber, certificateSigningRequest } = await newDevice({ claimToken: mine });
  expect((await claim(serialNumber, certificateSigningRequest, wrong)).status).toBe(403);
  expect((await claim(serialNumber, certificateSigningRequest, mine)).status).toBe(201);
  const mqtt = newSerial();
  serials.push(mqtt);
  await claimCamera(outputs, { serialNumber: mqtt, claimToken: overMqtt });
  const row = { serialNumber: newSerial(), claimToken: mine.slice(0, 20) };
  const { body } = await createHttpApi(outputs, outputs.personas.factory).post('/devices', { devices: [row] });
  expect(body.results).toMatchObject([{ outcome: 'rejected' }]);

  const folder = join(run.directory, 'logs');
  const logs = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8')));
  const text = logs.join('\n');
  // The logs are those of these very claims.
  for (const logged of [serialNumber, mqtt]) expect(text).toContain(logged);
  const hashOf = (token: string, as: 'hex' | 'base64' | 'base64url') => createHash('sha256').update(token).digest(as);
  for (const token of [...tokens, row.claimToken]) {
    for (const secret of [token, hashOf(token, 'hex'), hashOf(token, 'base64'), hashOf(token, 'base64url')]) {
      expect(text).not.toContain(secret);
    }
  }
});

// What follows moves the clock.
let offset = 0;
const when = () => ({ signingDate: new Date(Date.now() + offset * 1000) });
const advance = async (advanceSeconds: number) => {
  await tellStandIn(outputs.aws, 'clock', { advanceSeconds });
  offset += advanceSeconds;
};

const notKeptOf = async (serialNumber: string) => {
  const auditor = createHttpApi(outputs, outputs.personas.auditor);
  return (await auditor.get(`/devices/${serialNumber}/claims?limit=1000`, when())).body.notKept;
};

describe('a token that is guessed at', () => {
  test('after ten wrong tokens it looks at none for an hour; then the right one opens', async () => {
    const claimToken = newToken();
    const { serialNumber, certificateSigningRequest } = await newDevice({ claimToken });
    const pinned = await newDevice({ pinned: true });
    for (let n = 0; n < 10; n++) {
      expect((await claim(serialNumber, certificateSigningRequest, newToken())).status).toBe(403);
      expect((await claim(pinned.serialNumber, certificateSigningRequest, newToken())).status).toBe(403);
    }
    expect((await claim(serialNumber, certificateSigningRequest, claimToken)).status).toBe(403);
    expect((await reasonsOf(serialNumber))[0]).toBe('too-many-tokens');
    // A pinned key needs no token, so none can shut it out.
    expect((await claim(pinned.serialNumber, pinned.certificateSigningRequest)).status).toBe(201);

    await advance(3600);
    expect((await claim(serialNumber, certificateSigningRequest, claimToken)).status).toBe(201);
  });
});

test('of one serial number twenty denials an hour are kept whole, and of the others the last; the rest is counted', async () => {
  const TableName = outputs.claim.templateName.replace(/-claim$/, '-claims');
  const items = async () => {
    const { dynamoDb } = awsClients(outputs, outputs.personas.admin, offset * 1000);
    return (await dynamoDb.send(new ScanCommand({ TableName, Select: 'COUNT' }))).Count ?? 0;
  };
  const serialNumber = newSerial();
  const announcement = { devices: [{ serialNumber }] };
  await createHttpApi(outputs, outputs.personas.factory).post('/devices', announcement, when());
  const { certificateSigningRequest } = await makeDeviceKey();
  // From the next full hour on, so that all of it is one hour.
  await advance(3600 - ((Date.now() / 1000 + offset) % 3600) + 1);
  const before = await items();
  for (let n = 0; n < 30; n++) await claim(serialNumber, certificateSigningRequest);
  // Twenty, the counter of the day, and the last.
  expect((await items()) - before).toBe(22);
  const claims = await readClaims(outputs, serialNumber, when());
  expect(claims).toHaveLength(21);
  expect(claims.map(({ at }) => at)).toEqual(
    claims
      .map(({ at }) => at)
      .toSorted()
      .toReversed(),
  );
  expect(await notKeptOf(serialNumber)).toEqual([{ during: claims[0]?.at.slice(0, 10), refused: 9 }]);
  expect(await readDevice(outputs, serialNumber, when())).toMatchObject({ status: 'registered', version: 1 });
});

test('of one serial number a hundred denials a day are kept whole, however many hours they are spread over', async () => {
  const serialNumber = newSerial();
  const announcement = { devices: [{ serialNumber }] };
  await createHttpApi(outputs, outputs.personas.factory).post('/devices', announcement, when());
  const strangers = await Promise.all([1, 2, 3, 4].map(() => makeDeviceKey()));
  // From the next midnight on, so that all of it is one day.
  const day = 86_400;
  await advance(day - ((Date.now() / 1000 + offset) % day) + 1);
  for (let hour = 0; hour < 6; hour++) {
    for (let four = 0; four < 5; four++) {
      await Promise.all(strangers.map((one) => claim(serialNumber, one.certificateSigningRequest)));
    }
    await advance(3600);
  }
  const claims = await readClaims(outputs, serialNumber, when());
  expect(claims).toHaveLength(101);
  expect(await notKeptOf(serialNumber)).toEqual([{ during: claims[0]?.at.slice(0, 10), refused: 19 }]);
});
