import { DescribeCertificateCommand, ListAttachedPoliciesCommand } from '@aws-sdk/client-iot';
import { CreateStreamCommand } from '@aws-sdk/client-kinesis-video';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { newSerial, openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { type Held, makeDeviceKey } from '../device-key.ts';
import { readClaims, readDevice } from '../device-records.ts';
import { createHttpApi } from '../http-api.ts';
import { newToken } from '../https-camera.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import { until } from '../until.ts';

vi.setConfig({ testTimeout: 120_000 });

let run: LocalRun;
let outputs: Outputs;
beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
});
afterAll(() => run.stop());

/** How far the stand-in's clock is ahead of ours. */
let offset = 0;
const when = () => ({ signingDate: new Date(Date.now() + offset * 1000) });
const advance = async (advanceSeconds: number) => {
  await tellStandIn(outputs.aws, 'clock', { advanceSeconds });
  offset += advanceSeconds;
};
const inSeconds = (seconds: number) => new Date(Date.now() + (offset + seconds) * 1000).toISOString();
const as = (persona: 'factory' | 'operator' | 'auditor') => createHttpApi(outputs, outputs.personas[persona]);

type Certificate = Held & { certificateId: string };
async function make(order: object): Promise<Certificate> {
  const { status, body } = await as('operator').post('/claim-certificates', order, when());
  expect(status).toBe(201);
  return { certificateId: body.certificateId, certificatePem: body.certificatePem, privateKeyPem: body.privateKey };
}
async function announced(row: object = {}): Promise<string> {
  const serialNumber = newSerial();
  const { body } = await as('factory').post('/devices', { devices: [{ serialNumber, ...row }] }, when());
  expect(body.results).toMatchObject([{ outcome: 'created' }]);
  return serialNumber;
}
/** A whole claim at the MQTT door; says how it ended, and why as ops read it. */
async function claimBy(held: Held, serialNumber: string, claimToken?: string): Promise<string> {
  const device = await openClaim(outputs, { held });
  try {
    const { ownershipToken } = await takeCertificate(device);
    const parameters = { SerialNumber: serialNumber, ...(claimToken && { ClaimToken: claimToken }) };
    const { outcome } = await registerThing(device, outputs.claim.templateName, ownershipToken, parameters);
    const [newest] = await readClaims(outputs, serialNumber, when());
    return `${outcome} ${newest?.reason}`;
  } finally {
    await device.close();
  }
}
async function listed(certificateId: string) {
  for (let cursor = ''; ; ) {
    const { body } = await as('auditor').get(`/claim-certificates${cursor}`, when());
    const found = body.claimCertificates.find((one: Certificate) => one.certificateId === certificateId);
    if (found || body.nextCursor === undefined) return found;
    cursor = `?cursor=${encodeURIComponent(body.nextCursor)}`;
  }
}
/** The registry's stream counts and lists, a moment behind. */
const untilOpened = (certificateId: string, claims: number) =>
  until(`${claims} claims to be counted`, async () => {
    const one = await listed(certificateId);
    return one?.opened === claims && one;
  });
const disable = (certificateId: string, body: object = {}, query = '') =>
  as('operator').post(`/claim-certificates/${certificateId}/disable${query}`, body, when());

describe('a claim certificate', () => {
  test('made for a key of the asker opens claims; AWS makes none, and none is answered', async () => {
    const key = await makeDeviceKey();
    const { certificateSigningRequest, privateKeyPem } = key;
    const { status, body } = await as('operator').post('/claim-certificates', {
      certificateSigningRequest,
      batch: 'own-key',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ batch: 'own-key', certificateId: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(body).not.toHaveProperty('privateKey');
    const serialNumber = await announced({ batch: 'own-key' });
    expect(await claimBy({ certificatePem: body.certificatePem, privateKeyPem }, serialNumber)).toBe(
      'accepted allow-list',
    );
  });

  test('of a batch opens no other batch, nor what has none; the list counts both', async () => {
    const certificate = await make({ batch: 'week-47' });
    const rows = [{ batch: 'week-47' }, { batch: 'week-48' }, {}];
    const told = [];
    for (const row of rows) told.push(await claimBy(certificate, await announced(row)));
    expect(told).toEqual([
      'accepted allow-list',
      'rejected wrong-claim-certificate',
      'rejected wrong-claim-certificate',
    ]);
    expect(await untilOpened(certificate.certificateId, 1)).toMatchObject({
      kind: 'batch',
      batch: 'week-47',
      opened: 1,
      refused: 2,
      lastRefusedAt: expect.any(String),
      createdBy: expect.stringMatching(/user\/operator$/),
    });
  });

  test('has a window: nothing before it, claims within it, nothing from its end on', async () => {
    const certificate = await make({
      batch: 'windowed',
      claimWindow: { from: inSeconds(600), until: inSeconds(1200) },
    });
    const [one, two] = [await announced({ batch: 'windowed' }), await announced({ batch: 'windowed' })];
    expect(await claimBy(certificate, one)).toBe('rejected outside-claim-window');
    await advance(700);
    expect(await claimBy(certificate, one)).toBe('accepted allow-list');
    await advance(600);
    expect(await claimBy(certificate, two)).toBe('rejected outside-claim-window');
  });

  test.each([
    [
      'a window that ends before it begins',
      { claimWindow: { from: '2030-01-02T00:00:00Z', until: '2030-01-01T00:00:00Z' } },
    ],
    ['a window of no instants', { claimWindow: { from: 'monday' } }],
    ['a batch that AWS would not take', { batch: 'Woche 47' }],
    ['an unknown field', { batches: [] }],
  ])('is not made with %s', async (_, order) => {
    const { status, body } = await as('operator').post('/claim-certificates', order, when());
    expect([status, body.code]).toEqual([400, 'invalid-request']);
  });

  test('disabled opens nothing any more and is cut off; what it opened is listed, since when as well', async () => {
    const certificate = await make({});
    const { certificateId } = certificate;
    const opened: string[] = [];
    for (let n = 0; n < 3; n++) {
      const serialNumber = await announced();
      expect(await claimBy(certificate, serialNumber)).toBe('accepted allow-list');
      opened.unshift(serialNumber);
      await advance(60);
    }
    await untilOpened(certificateId, 3);
    const open = await openClaim(outputs, { held: certificate });
    const { status, body } = await disable(certificateId);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      certificateId,
      opened: 3,
      disabledAt: expect.any(String),
      disabledBy: expect.any(String),
    });
    expect(body.devices.map(({ serialNumber }: { serialNumber: string }) => serialNumber)).toEqual(opened);
    expect(body).not.toHaveProperty('nextCursor');

    await open.ended;
    await expect(openClaim(outputs, { held: certificate })).rejects.toThrow();
    const { iot } = awsClients(outputs, outputs.personas.admin, offset * 1000);
    const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
    expect(certificateDescription?.status).toBe('INACTIVE');
    const target = certificateDescription?.certificateArn;
    expect((await iot.send(new ListAttachedPoliciesCommand({ target }))).policies).toEqual([]);

    const openedSince = body.devices[1].openedAt;
    const later = await disable(certificateId, { openedSince });
    expect(later.body.devices).toEqual(body.devices.slice(0, 2));
    expect(later.body.disabledAt).toBe(body.disabledAt);
    const pages = [];
    for (let query = '?limit=2'; query !== ''; ) {
      const page = await disable(certificateId, {}, query);
      pages.push(...page.body.devices);
      query = page.body.nextCursor ? `?limit=2&cursor=${encodeURIComponent(page.body.nextCursor)}` : '';
    }
    expect(pages).toEqual(body.devices);
    // What it has opened lives on.
    for (const serialNumber of opened)
      expect(await readDevice(outputs, serialNumber, when())).toMatchObject({ status: 'claimed' });
  });

  test('lists what it has opened also where the device has claimed with another since, and each claim of one', async () => {
    const [first, second] = [await make({}), await make({})];
    const claimToken = newToken();
    const serialNumber = await announced({ claimToken });
    for (const held of [first, first, second])
      expect(await claimBy(held, serialNumber, claimToken)).toBe('accepted claim-token');
    await untilOpened(first.certificateId, 2);
    await untilOpened(second.certificateId, 1);
    const { certificates, ...device } = await readDevice(outputs, serialNumber, when());
    expect(device).toMatchObject({ openedBy: second.certificateId });
    expect(device).not.toHaveProperty('openings');
    const ids = certificates.map(({ id }) => id);
    const lists = [];
    for (const { certificateId } of [first, second]) {
      const { body } = await disable(certificateId);
      expect(new Set(body.devices.map((one: { serialNumber: string }) => one.serialNumber))).toEqual(
        new Set([serialNumber]),
      );
      lists.push(body.devices.map((one: { certificateId: string }) => one.certificateId));
    }
    // The newest first; the record lists them in their order.
    expect(lists).toEqual([[ids[1], ids[0]], [ids[2]]]);
  });

  test('whose yes was taken back, since the stream could not be made, has refused and not opened', async () => {
    const certificate = await make({});
    const serialNumber = await announced();
    const { kinesisVideo } = awsClients(outputs, outputs.personas.admin, offset * 1000);
    await kinesisVideo.send(new CreateStreamCommand({ StreamName: serialNumber }));
    expect(await claimBy(certificate, serialNumber)).toBe('rejected stream-taken');
    // What comes after it in the stream has been taken, so that has been as well.
    const next = await announced();
    expect(await claimBy(certificate, next)).toBe('accepted allow-list');
    expect(await untilOpened(certificate.certificateId, 1)).toMatchObject({ refused: 1 });
    const { body } = await disable(certificate.certificateId);
    expect(body.devices).toMatchObject([{ serialNumber: next }]);
  });

  test('that nobody made is not found, and what is none is no id', async () => {
    expect((await disable('ab'.repeat(32))).body.code).toBe('claim-certificate-not-found');
    expect((await disable('AB'.repeat(32))).body.code).toBe('invalid-request');
    expect((await disable('1')).body.code).toBe('invalid-request');
  });

  test('that was disabled in the registry alone opens what is tokened, and nothing else', async () => {
    // Between our record and AWS: the next call of disable goes on there.
    const certificate = await make({});
    await tellStandIn(outputs.aws, 'faults', {
      faults: [{ service: 'iot', operation: 'UpdateCertificate', kind: 'error' }],
    });
    expect((await disable(certificate.certificateId)).status).toBe(500);
    await tellStandIn(outputs.aws, 'faults');
    const claimToken = newToken();
    expect(await claimBy(certificate, await announced())).toBe('rejected claim-certificate-disabled');
    expect(await claimBy(certificate, await announced({ claimToken }), claimToken)).toBe('accepted claim-token');
    expect((await disable(certificate.certificateId)).status).toBe(200);
    await expect(openClaim(outputs, { held: certificate })).rejects.toThrow();
  });
});

describe("an installer's claim", () => {
  test('opens over MQTT for five minutes, its own batch alone, and then AWS lets it in no more', async () => {
    const { status, body } = await as('factory').post('/provisioning-claims', { batch: 'install' }, when());
    expect(status).toBe(201);
    expect(body.templateName).toBe(outputs.claim.templateName);
    expect(body.mqttEndpoint).toBe(`${outputs.mqtt.host}:${outputs.mqtt.port}`);
    expect(Date.parse(body.expiresAt) - Date.now() - offset * 1000).toBeGreaterThan(280_000);
    expect(Date.parse(body.expiresAt) - Date.now() - offset * 1000).toBeLessThan(301_000);
    const held = { certificatePem: body.certificatePem, privateKeyPem: body.privateKey };
    expect(await claimBy(held, await announced({ batch: 'install' }))).toBe('accepted allow-list');
    expect(await claimBy(held, await announced({ batch: 'other' }))).toBe('rejected wrong-claim-certificate');
    expect(await untilOpened(body.certificateId, 1)).toMatchObject({
      kind: 'installer',
      batch: 'install',
      opened: 1,
      refused: 1,
    });

    const serialNumber = await announced({ batch: 'install' });
    const device = await openClaim(outputs, { held });
    await advance(301);
    const late = await takeCertificate(device)
      .then(({ ownershipToken }) =>
        registerThing(device, body.templateName, ownershipToken, { SerialNumber: serialNumber }),
      )
      .catch(() => ({ outcome: 'cut off' }));
    expect(late.outcome).not.toBe('accepted');
    await device.close();
    await expect(openClaim(outputs, { held })).rejects.toThrow();
    expect(await readDevice(outputs, serialNumber, when())).toMatchObject({ status: 'registered' });
  });
});
