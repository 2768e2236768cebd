import { createHash } from 'node:crypto';
import { DeleteItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { announce, newSerial, openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { listenToBus } from '../event-bus.ts';
import { createHttpApi } from '../http-api.ts';
import { announceWithKey, cameraOf, claimOverHttps, sayConnected } from '../https-camera.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';
import { until } from '../until.ts';

/** Queries, counts and events of the registry, on a stand-in of its own: one test meddles with its clock and its faults. */

let run: LocalRun;
let operator: ReturnType<typeof createHttpApi>;
let devicesTable: string;

/** Enough for several pages of everything. */
const FLEET = 240;
const PREFIX = 'OPS-';
const serials = Array.from({ length: FLEET }, (_, n) => `${PREFIX}${String(n).padStart(4, '0')}`);

beforeAll(async () => {
  run = await startLocalRun();
  operator = createHttpApi(run.outputs, run.outputs.personas.operator);
  devicesTable = run.outputs.claim.templateName.replace(/-claim$/, '-devices');
  const factory = createHttpApi(run.outputs, run.outputs.personas.factory);
  for (let first = 0; first < FLEET; first += 80) {
    const devices = serials
      .slice(first, first + 80)
      .map((serialNumber, n) => ({ serialNumber, batch: `b${n % 3}`, model: `m${n % 2}` }));
    const { status } = await factory.post('/devices', { devices });
    expect(status).toBe(200);
  }
}, 120_000);
afterAll(() => run.stop());

// biome-ignore lint/suspicious/noExplicitAny: rows as the API gives them
type Row = any;

async function pagesOf(
  query: string,
  limit: number,
  between: () => Promise<unknown> = async () => {},
): Promise<Row[][]> {
  const pages: Row[][] = [];
  let cursor = '';
  for (;;) {
    const { status, body } = await operator.get(`/devices?limit=${limit}${query && `&${query}`}${cursor}`);
    expect(status, JSON.stringify(body)).toBe(200);
    pages.push(body.devices);
    if (body.nextCursor === undefined) return pages;
    cursor = `&cursor=${body.nextCursor}`;
    await between();
  }
}

const serialsOf = (rows: Row[]): string[] => rows.map(({ serialNumber }) => serialNumber);

/** The items themselves. */
async function truth(): Promise<Row[]> {
  const { dynamoDb } = awsClients(run.outputs, run.outputs.personas.admin);
  const { Items = [] } = await dynamoDb.send(new ScanCommand({ TableName: devicesTable, ConsistentRead: true }));
  return Items.map((item) =>
    Object.fromEntries(
      ['serialNumber', 'status', 'batch', 'model', 'registeredAt', 'claimedAt'].map((name) => [name, item[name]?.S]),
    ),
  );
}

describe('GET /devices', () => {
  test('without a filter: every device once, in the order of the serial numbers', async () => {
    const pages = await pagesOf('', 50);
    expect(serialsOf(pages.flat())).toEqual(serials);
    expect(pages.map(({ length }) => length)).toEqual([50, 50, 50, 50, 40]);
    expect(pages[0]?.[0]).toEqual({
      serialNumber: serials[0],
      status: 'registered',
      streamMode: 'thing-name',
      batch: 'b0',
      model: 'm0',
      registeredAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
  });

  test.each([
    ['batch=b1', ({ batch }: Row) => batch === 'b1'],
    ['model=m1', ({ model }: Row) => model === 'm1'],
    ['status=registered', () => true],
    ['status=active', () => false],
    ['batch=b2&model=m0&status=registered', ({ batch, model }: Row) => batch === 'b2' && model === 'm0'],
    ['serialPrefix=OPS-01', ({ serialNumber }: Row) => serialNumber.startsWith('OPS-01')],
    ['serialPrefix=OPS-00&batch=b0', ({ serialNumber, batch }: Row) => /^OPS-00/.test(serialNumber) && batch === 'b0'],
    ['serialPrefix=OPS-00&status=registered', ({ serialNumber }: Row) => /^OPS-00/.test(serialNumber)],
    ['serialPrefix=NOBODY', () => false],
    ['claimedAfter=2020-01-01T00:00:00Z', () => false],
  ])('%s: the newest first, on one page as on many', async (query, isWanted) => {
    const wanted = (await truth())
      .filter(({ serialNumber }) => serialNumber.startsWith(PREFIX))
      .filter(isWanted)
      .sort((a, b) =>
        a.registeredAt === b.registeredAt
          ? a.serialNumber < b.serialNumber
            ? -1
            : 1
          : a.registeredAt < b.registeredAt
            ? 1
            : -1,
      );
    for (const limit of [17, 1000]) {
      expect(serialsOf((await pagesOf(query, limit)).flat())).toEqual(serialsOf(wanted));
    }
  });

  test('50 devices if nobody says how many', async () => {
    expect((await operator.get('/devices')).body.devices).toHaveLength(50);
  });

  test.each(['0', '1001', '-1', '1.5', 'many', '', '1e2'])('limit %j is refused', async (limit) => {
    const { status, body } = await operator.get(`/devices?limit=${limit}`);
    expect([status, body.code, body.errors?.[0]?.pointer]).toEqual([400, 'invalid-request', '/limit']);
  });

  test.each([
    ['claimedAfter=yesterday', '/claimedAfter'],
    ['claimedAfter=2026-02-30T00:00:00Z', '/claimedAfter'],
    ['claimedBefore=2026-11-24', '/claimedBefore'],
    ['claimedAfter=2026-11-24T00:00:00Z&claimedBefore=2026-11-23T00:00:00Z', '/claimedBefore'],
    ['status=sleeping', '/status'],
    ['status=', '/status'],
    ['batch=', '/batch'],
    ['certificateId=abc', '/certificateId'],
    ['serialPrefix=a%20b', '/serialPrefix'],
    ['state=active', '/state'],
  ])('%s is refused, by the name of what is wrong', async (query, pointer) => {
    const { status, body } = await operator.get(`/devices?${query}`);
    expect([status, body.code, body.errors?.[0]?.pointer]).toEqual([400, 'invalid-request', pointer]);
  });

  test('a cursor is good for its own query, unchanged', async () => {
    const { body } = await operator.get('/devices?batch=b1&limit=5');
    const cursor: string = body.nextCursor;
    expect((await operator.get(`/devices?batch=b1&limit=7&cursor=${cursor}`)).status).toBe(200);
    const other = cursor.at(-5) === 'A' ? 'B' : 'A';
    const refused = [
      `batch=b2&cursor=${cursor}`,
      `cursor=${cursor}`,
      `batch=b1&status=registered&cursor=${cursor}`,
      `batch=b1&cursor=${cursor.slice(0, -5)}${other}${cursor.slice(-4)}`,
      `batch=b1&cursor=${cursor.slice(0, -1)}`,
      `batch=b1&cursor=${cursor}x`,
      'batch=b1&cursor=',
      'batch=b1&cursor=!!!',
      `batch=b1&cursor=${Buffer.from('["b","OPS-0001"]').toString('base64url')}`,
    ];
    for (const query of refused) {
      const { status, body: problem } = await operator.get(`/devices?${query}`);
      expect([query, status, problem.code]).toEqual([query, 400, 'invalid-cursor']);
    }
  });

  test('pages stay stable while devices change, come and go', async () => {
    const { dynamoDb } = awsClients(run.outputs, run.outputs.personas.admin);
    const extra = Array.from({ length: 30 }, () => `${newSerial()}`);
    await announce(run.outputs, ...extra.map((serialNumber) => ({ serialNumber, batch: 'moving' })));
    const before = (await pagesOf('batch=moving', 1000)).flat();
    const factory = createHttpApi(run.outputs, run.outputs.personas.factory);
    let page = 0;
    const pages = await pagesOf('batch=moving', 6, async () => {
      page += 1;
      // Others change, new ones come, and the very one that this page ended with goes.
      await factory.post('/devices', {
        devices: extra.map((serialNumber) => ({ serialNumber, batch: 'moving', model: `x${page}` })),
      });
      await announce(run.outputs, { serialNumber: newSerial(), batch: 'moving' });
      const gone = serialsOf(before)[page * 6 - 1] as string;
      await dynamoDb.send(new DeleteItemCommand({ TableName: devicesTable, Key: { serialNumber: { S: gone } } }));
    });
    // What page n ends with goes after page n was read; nothing else of the list is missing, and nothing comes twice.
    expect(serialsOf(pages.flat())).toEqual([...new Set(serialsOf(pages.flat()))]);
    const deleted = new Set(Array.from({ length: page }, (_, n) => serialsOf(before)[(n + 1) * 6 - 1]));
    const met = new Set(serialsOf(pages.flat()));
    expect(serialsOf(before).filter((serial) => !met.has(serial) && !deleted.has(serial))).toEqual([]);
  });

  test('auditors may, factories may not', async () => {
    const { personas } = run.outputs;
    expect((await createHttpApi(run.outputs, personas.auditor).get('/devices')).status).toBe(200);
    expect((await createHttpApi(run.outputs, personas.auditor).get('/stats')).status).toBe(200);
    expect((await createHttpApi(run.outputs, personas.factory).get('/devices')).status).toBe(403);
    expect((await createHttpApi(run.outputs, personas.factory).get('/stats')).status).toBe(403);
  });
});

/** The counts, once they are what the items say. */
async function untilStatsAreTrue(): Promise<Row> {
  return until('the counts to be true', async () => {
    const counted: Record<string, Record<string, number>> = { status: {}, batch: {}, model: {} };
    for (const row of await truth()) {
      for (const kind of ['status', 'batch', 'model']) {
        const name = row[kind];
        const counts = counted[kind] ?? {};
        if (name !== undefined) counts[name] = (counts[name] ?? 0) + 1;
      }
    }
    const { body } = await operator.get('/stats');
    const none = { registered: 0, claimed: 0, active: 0, suspended: 0, retired: 0 };
    const wanted = { ...counted, status: { ...none, ...counted.status } };
    return JSON.stringify(sorted(body)) === JSON.stringify(sorted(wanted)) && body;
  });
}

const sorted = (value: unknown): unknown =>
  typeof value === 'object' && value !== null
    ? Object.entries(value)
        .map(([key, member]) => [key, sorted(member)])
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
    : value;

describe('a life on the bus', () => {
  test('an event for each transition, and the counts follow', async () => {
    const bus = await listenToBus(run.outputs);
    const device = await announceWithKey(run.outputs, { pinned: true });
    const { serialNumber } = device;
    const of = (type: string) => (event: { 'detail-type': string; detail: { serialNumber: string } }) =>
      event['detail-type'] === type && event.detail.serialNumber === serialNumber;

    const announced = await bus.until('the announcement', of('Device announced'));
    expect(announced).toMatchObject({
      source: 'firstlight',
      bus: devicesTable.replace(/-devices$/, ''),
      detail: { status: 'registered', version: 1, what: 'announced', by: expect.stringContaining(':user/factory') },
    });

    const { certificateSigningRequest, publicKeySha256, privateKeyPem } = device;
    const answer = await claimOverHttps(run.outputs, { serialNumber, certificateSigningRequest });
    const camera = cameraOf(answer, privateKeyPem);
    const { detail } = await bus.until('the claim', of('Device claimed'));
    expect(detail).toMatchObject({ status: 'claimed', previousStatus: 'registered', claim: { publicKeySha256 } });
    await sayConnected(run.outputs, camera);
    const life = await bus.until('the proof of life', of('Device shown life'));
    expect(life.detail).toMatchObject({ status: 'active', previousStatus: 'claimed' });
    expect(JSON.stringify(bus.heard)).not.toMatch(/PRIVATE KEY|claimTokenSha256/);

    const { body } = await operator.get(`/devices?certificateId=${camera.certificateId}`);
    expect(serialsOf(body.devices)).toEqual([serialNumber]);
    expect(serialsOf((await operator.get('/devices?status=active')).body.devices)).toContain(serialNumber);
    const claimedAfter = new Date(Date.now() - 60_000).toISOString();
    expect(serialsOf((await operator.get(`/devices?claimedAfter=${claimedAfter}`)).body.devices)).toContain(
      serialNumber,
    );
    const nobody = createHash('sha256').update('nobody').digest('hex');
    expect((await operator.get(`/devices?certificateId=${nobody}`)).body).toEqual({ devices: [] });
    expect((await untilStatsAreTrue()).status.active).toBeGreaterThan(0);
  });

  test('a claim that is refused is told with its reason', async () => {
    const bus = await listenToBus(run.outputs);
    const SerialNumber = newSerial();
    const device = await openClaim(run.outputs);
    try {
      const { ownershipToken, certificateId } = await takeCertificate(device);
      const { templateName } = run.outputs.claim;
      expect((await registerThing(device, templateName, ownershipToken, { SerialNumber })).outcome).toBe('rejected');
      const { detail } = await bus.until(
        'the denial',
        (event) => event['detail-type'] === 'Claim refused' && event.detail.serialNumber === SerialNumber,
      );
      expect(detail).toMatchObject({ door: 'mqtt', why: 'unknown-serial', certificateId });
    } finally {
      await device.close();
    }
  });

  test.each([
    ['dies after its first write', { service: 'dynamodb', operation: 'UpdateItem', kind: 'kill', after: 5, times: 1 }],
    ['loses an answer', { service: 'dynamodb', operation: 'UpdateItem', kind: 'lost-answer', after: 6, times: 4 }],
    ['is refused by the bus', { service: 'events', operation: 'PutEvents', kind: 'error', times: 6 }],
  ])('whoever counts %s: told at least once, counted exactly once', async (_, fault) => {
    const { aws } = run.outputs;
    await untilStatsAreTrue();
    const bus = await listenToBus(run.outputs);
    const rows = Array.from({ length: 4 }, () => ({ serialNumber: newSerial(), batch: 'unlucky' }));
    const factory = createHttpApi(run.outputs, run.outputs.personas.factory);
    await tellStandIn(aws, 'faults', { faults: [fault] });
    await factory.post('/devices', { devices: rows });
    // Whatever of the announcement itself has met the fault.
    await factory.post('/devices', { devices: rows });
    for (const { serialNumber } of rows) {
      await bus.until(
        `the announcement of ${serialNumber}`,
        (event) => event['detail-type'] === 'Device announced' && event.detail.serialNumber === serialNumber,
      );
    }
    await tellStandIn(aws, 'faults', {});
    await untilStatsAreTrue();
  });

  test('what is said of an instant is found by it, and what is no event is refused', async () => {
    const { aws, region, personas } = run.outputs;
    const since = new Date(Date.now() - 3_600_000).toISOString();
    const answer = await fetch(`${aws}/_firstlight/events?since=${since}&waitSeconds=0`);
    const { events } = (await answer.json()) as { events: unknown[] };
    expect(events.length).toBeGreaterThan(FLEET);
    expect((await fetch(`${aws}/_firstlight/events?since=then`)).status).toBe(400);
    const put = (credentials: { accessKeyId: string; secretAccessKey: string }, entry: object) =>
      new EventBridgeClient({ endpoint: aws, region, credentials, maxAttempts: 1 }).send(
        new PutEventsCommand({ Entries: [entry] }),
      );
    const entry = {
      Source: 'test',
      DetailType: 'x',
      Detail: '{}',
      EventBusName: devicesTable.replace(/-devices$/, ''),
    };
    await expect(put(personas.operator, entry)).rejects.toThrow(/not authorized to perform: events:PutEvents/);
    expect(await put(personas.admin, { ...entry, Detail: 'none' })).toMatchObject({
      FailedEntryCount: 1,
      Entries: [{ ErrorCode: 'MalformedDetail' }],
    });
  });
});
