import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { beginAudit } from '../../shared/domain/audit.ts';
import { Failure } from '../../shared/domain/failure.ts';
import { beginReport } from '../../shared/domain/reconciliation.ts';
import { flip } from '../../shared/domain/sketch.ts';
import { readCamera, unlessDenied } from '../../shared/edge/camera.ts';
import { readClaim, readProvision } from '../../shared/edge/claim.ts';
import { denied } from '../../shared/edge/denial.ts';
import { type HttpAnswer, type HttpRequest, http } from '../../shared/edge/http.ts';
import { job } from '../../shared/edge/job.ts';
import { patient } from '../../shared/edge/patience.ts';
import { readReconcileOrder, reconcileAnswer } from '../../shared/edge/reconcile.ts';

let lines: string[];
beforeEach(() => {
  lines = [];
  const keep = (line: string) => void lines.push(line);
  vi.spyOn(console, 'log').mockImplementation(keep);
  vi.spyOn(console, 'error').mockImplementation(keep);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const certificateId = 'a1'.repeat(32);
const event = (change: object = {}) => ({
  routeKey: 'POST /claims',
  headers: { 'content-type': 'application/json' },
  requestContext: {},
  body: '{}',
  isBase64Encoded: false,
  ...change,
});
const ask = async (answer: (request: HttpRequest) => Promise<HttpAnswer>, change: object = {}) =>
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  (await http({}, answer)(event(change) as never, {} as never)) as any;

describe('a camera’s door', () => {
  const roles = ['thing-name-role', 'fixed-role'];
  const caller = (arn: string) => readCamera({ caller: arn } as HttpRequest, roles);
  const session = (role: string, name: string) => `arn:aws:sts::000000000000:assumed-role/${role}/${name}`;

  it('knows a camera by its role and the certificate that names its session', () => {
    expect(caller(session('fixed-role', certificateId))).toBe(certificateId);
    for (const other of [
      session('admin', certificateId),
      session('fixed-role', 'me'),
      `arn:aws:iam::000000000000:user/${certificateId}`,
      'anonymous',
    ]) {
      expect(() => caller(other)).toThrow('not allowed');
    }
  });

  it('denies alike, whatever the reason, and tells the log', async () => {
    const superseded = Promise.reject(new Failure('certificate-superseded', 'the certificate was replaced'));
    const answers = [
      await ask(() => unlessDenied({ certificateId }, superseded)),
      await ask(async () => denied('claim', { reason: 'token-invalid' })),
    ];
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]).toMatchObject({ statusCode: 403 });
    expect(JSON.parse(answers[0].body)).toMatchObject({ code: 'denied' });
    expect(lines.map((line) => JSON.parse(line).reason)).toEqual(['certificate-superseded', 'token-invalid']);
    await expect(unlessDenied({}, Promise.reject(new Error('outage')))).rejects.toThrow('outage');
  });

  it('answers 204 without a body', async () => {
    expect(await ask(async () => ({ status: 204 }))).toEqual({
      statusCode: 204,
      headers: { 'cache-control': 'no-store' },
    });
  });
});

describe('what a request leaves out', () => {
  it('is absent: a body, a request for a certificate, a token', async () => {
    const bodies: unknown[] = [];
    const take = async (request: HttpRequest) => {
      bodies.push(readProvision(request));
      return { status: 201, body: {} };
    };
    expect((await ask(take, { body: undefined, headers: {} })).statusCode).toBe(201);
    expect((await ask(take)).statusCode).toBe(201);
    expect(bodies).toEqual([{}, {}]);
    expect((await ask(take, { body: '{"key": 1}' })).statusCode).toBe(400);
    expect((await ask(take, { body: '{}', headers: {} })).statusCode).toBe(415);
    const csr = '-----BEGIN CERTIFICATE REQUEST-----';
    const request = { json: () => ({ serialNumber: 'A', certificateSigningRequest: csr }) } as unknown as HttpRequest;
    expect(readClaim(request)).toEqual({
      serialNumber: 'A',
      certificateSigningRequest: csr,
    });
  });
});

describe('patience', () => {
  const throttle = () => Object.assign(new Error('Rate exceeded'), { name: 'ThrottlingException' });
  const portThat = (failures: Error[]) => {
    const port = {
      calls: 0,
      async make(name: string) {
        port.calls++;
        const failure = failures.shift();
        if (failure) throw failure;
        return `made ${name}`;
      },
    };
    return port;
  };

  it.each([
    ['a throttle', { name: 'ThrottlingException' }],
    ['a throttle of KVS', { name: 'ClientLimitExceededException' }],
    ['a table that is too busy', { name: 'ProvisionedThroughputExceededException' }],
    ['a throttle of IAM', { name: 'Throttling' }],
    ['429 by another name', { name: 'SlowDown', $metadata: { httpStatusCode: 429 } }],
    ['a batch of which DynamoDB took a part', new Failure('busy', 'try again')],
  ])('asks again after %s while there is time', async (_, failure) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const failures = [throttle(), failure instanceof Error ? failure : Object.assign(new Error('x'), failure)];
    const port = portThat(failures);
    const made = patient(port, () => 20_000).make('it');
    await vi.runAllTimersAsync();
    expect(await made).toBe('made it');
    expect(port.calls).toBe(3);
  });

  it('is every route’s, in all of its ports; when the time is nearly over it is 503 with Retry-After', async () => {
    const [one, two, late] = [portThat([throttle()]), portThat([throttle()]), portThat([throttle()])];
    vi.spyOn(Math, 'random').mockReturnValue(0);
    let remainingMs = 20_000;
    const handler = http({ one, two, late, now: () => 'now' }, async (_, ports) => {
      const made = [await ports.one.make('1'), await ports.two.make('2'), ports.now()];
      remainingMs = 2999;
      await ports.late.make('3');
      return { status: 200, body: made };
    });
    const answer = await handler(event() as never, { getRemainingTimeInMillis: () => remainingMs } as never);
    expect(answer).toMatchObject({ statusCode: 503, headers: { 'retry-after': '2' } });
    expect([one.calls, two.calls, late.calls]).toEqual([2, 2, 1]);
  });

  it.each(['outage', 'LimitExceededException'])('has none with %s', async (name) => {
    const port = portThat([Object.assign(new Error(name), { name })]);
    await expect(patient(port, () => 20_000).make('it')).rejects.toThrow(name);
    expect(port.calls).toBe(1);
  });
});

describe('a job', () => {
  const context = { getRemainingTimeInMillis: () => 1000 };

  it('logs and answers what it did, and rethrows what stopped it', async () => {
    expect(await job('reconcile', readReconcileOrder, async () => ({ looked: 1 }))({}, context)).toEqual({ looked: 1 });
    await expect(
      job('reconcile', readReconcileOrder, async () => {
        throw new Error('outage');
      })({}, context),
    ).rejects.toThrow('outage');
    expect(lines.map((line) => JSON.parse(line).what)).toEqual(['reconcile', 'reconcile']);
  });

  const read = (event: unknown) => job('reconcile', readReconcileOrder, async (order) => order)(event, context);

  it.each([
    [{}, { by: 'operator', dryRun: false }],
    [{ dryRun: true }, { by: 'operator', dryRun: true }],
    [{ audit: true }, { by: 'operator', dryRun: false, audit: { phase: 'due', isThorough: false } }],
    [
      { dryRun: true, thorough: true },
      { by: 'operator', dryRun: true, audit: { phase: 'due', isThorough: true } },
    ],
    [{ only: 'power' }, { by: 'operator', dryRun: false, audit: { phase: 'power', isOnly: true, isThorough: false } }],
    [
      { version: '0', source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} },
      { by: 'schedule', dryRun: false },
    ],
  ])('%j is an order', async (event, order) => {
    expect(await read(event)).toEqual(order);
  });

  it('an order goes on where an earlier answer stopped, and a rehearsal only with a rehearsal', async () => {
    const audit = { ...beginAudit({ phase: 'things' }, new Date()), position: { type: 1 } };
    flip(audit.sketch, 'something');
    const { next } = reconcileAnswer({ report: beginReport(true), audit });
    expect(await read({ dryRun: true, cursor: next })).toEqual({ by: 'operator', dryRun: true, audit });
    for (const cursor of [next, '', 'AAAA', `${next}A`]) {
      await expect(read({ dryRun: false, cursor })).rejects.toMatchObject({ code: 'invalid-cursor' });
    }
  });

  it.each([
    [{ dryrun: true }],
    [{ dryRun: 'yes' }],
    [{ only: 'nothing' }],
    [{ source: 'aws.events', 'detail-type': 'else' }],
    ['text'],
    [null],
  ])('%j is no order, and nothing is done', async (event) => {
    const work = async () => expect.fail('it was done');
    const ordered = job('reconcile', readReconcileOrder, work)(event, context);
    await expect(ordered).rejects.toMatchObject({ code: 'invalid-request' });
  });
});
