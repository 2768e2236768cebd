import { beforeEach, describe, expect, it } from 'vitest';
import { type Clock, createClock } from '../../local/clock.ts';
import { createFaults, type Fault, type Faults } from '../../local/faults.ts';

let clock: Clock;
let faults: Faults;

beforeEach(() => {
  clock = createClock();
  faults = createFaults({ clock });
});

const fault = (more: Partial<Fault> = {}): Fault => ({
  service: 'iot',
  operation: 'CreateThing',
  kind: 'error',
  ...more,
});
const meet = (service = 'iot', operation = 'CreateThing', resource?: string, byFunction = true) =>
  faults.meet(service, operation, { resource, byFunction }).then(
    ({ kill, loseAnswer }) => (kill ? 'killed' : loseAnswer ? 'lost' : 'ok'),
    (error) => error.code as string,
  );
const many = async (count: number, ...call: Parameters<typeof meet>) => {
  const outcomes: string[] = [];
  for (let index = 0; index < count; index++) outcomes.push(await meet(...call));
  return outcomes;
};

describe('a fault', () => {
  it('strikes its own operation until it is taken away', async () => {
    faults.set([fault()], false);
    expect(await many(2)).toEqual(['InternalFailureException', 'InternalFailureException']);
    expect(await meet('iot', 'DescribeThing')).toBe('ok');
    expect(await meet('kinesisvideo', 'CreateThing')).toBe('ok');
    faults.clear();
    expect(await meet()).toBe('ok');
  });

  it('waits for `after` calls and ends after `times`', async () => {
    faults.set([fault({ after: 2, times: 2 })], false);
    const error = 'InternalFailureException';
    expect(await many(6)).toEqual(['ok', 'ok', error, error, 'ok', 'ok']);
  });

  it('may be for any operation of any service', async () => {
    faults.set([fault({ service: '*', operation: '*', kind: 'kill', after: 1 })], false);
    expect([await meet('dynamodb', 'GetItem'), await meet('kinesisvideo', 'CreateStream')]).toEqual(['ok', 'killed']);
  });

  it('kills functions only, and counts only their calls', async () => {
    faults.set([fault({ service: '*', operation: '*', kind: 'kill', after: 1, times: 1 })], false);
    const outcomes = [];
    for (const byFunction of [false, true, false, true, true]) {
      outcomes.push(await meet('iot', 'RegisterThing', byFunction ? undefined : 'mqtt', byFunction));
    }
    expect(outcomes).toEqual(['ok', 'ok', 'ok', 'killed', 'ok']);
  });

  it.each(['iot-data', 'iotdata', 'IoT Data Plane'])('knows the service as %s', async (service) => {
    faults.set([fault({ service, operation: 'Publish', kind: 'lost-answer' })], false);
    expect(await meet('iotdata', 'Publish')).toBe('lost');
  });

  it.each([
    ['iot', 'ThrottlingException', 400],
    ['iotdata', 'ThrottlingException', 429],
    ['kinesisvideo', 'ClientLimitExceededException', 400],
    ['dynamodb', 'ProvisionedThroughputExceededException', 400],
    ['sts', 'ThrottlingException', 400],
    ['lambda', 'TooManyRequestsException', 429],
  ])('throttles %s by its own error', async (service, code, status) => {
    faults.set([fault({ service, operation: '*', kind: 'throttle' })], false);
    await expect(faults.meet(service, 'Any')).rejects.toMatchObject({ code, status });
  });

  it.each([
    ['kinesisvideo', 'AccountStreamLimitExceededException', 400],
    ['iot', 'LimitExceededException', 410],
    ['sqs', 'LimitExceededException', 400],
  ])('says that the account of %s is full by its own error', async (service, code, status) => {
    faults.set([fault({ service, operation: '*', kind: 'limit' })], false);
    await expect(faults.meet(service, 'Any')).rejects.toMatchObject({ code, status });
  });

  it('delays, and may then do more', async () => {
    faults.set([fault({ kind: 'delay', ms: 30 }), fault({ kind: 'lost-answer' })], false);
    const started = performance.now();
    expect(await meet()).toBe('lost');
    expect(performance.now() - started).toBeGreaterThanOrEqual(29);
  });
});

describe('quotas', () => {
  const passed = (outcomes: string[]) => outcomes.filter((outcome) => outcome === 'ok').length;

  it('are off unless asked for', async () => {
    expect(passed(await many(50, 'iot', 'UpdateCertificate'))).toBe(50);
  });

  it.each<[number, string, string, string?]>([
    [10, 'iot', 'UpdateCertificate'],
    [15, 'iot', 'AttachPolicy'],
    [15, 'iot', 'CreateCertificateFromCsr'],
    [20, 'iot', 'CreateCertificateFromCsr', 'mqtt'],
    [10, 'iot', 'RegisterThing', 'mqtt'],
    [100, 'iot', 'AssumeRoleWithCertificate'],
    [50, 'kinesisvideo', 'CreateStream', 'x'],
    [5, 'kinesisvideo', 'DescribeStream', 'x'],
    [5, 'kinesisvideo', 'PutMedia', 'x'],
  ])('let %i calls a second of %s %s pass (%s)', async (rate, service, operation, resource) => {
    faults.set([], true);
    expect(passed(await many(rate + 5, service, operation, resource))).toBeLessThanOrEqual(rate + 1);
    clock.advance(10);
    expect(passed(await many(rate, service, operation, resource))).toBe(rate);
  });

  it('count MQTT and HTTP, and each stream, on their own', async () => {
    faults.set([], true);
    await many(30, 'iot', 'RegisterThing', 'mqtt');
    expect(await meet('iot', 'RegisterThing')).toBe('ok');
    await many(10, 'kinesisvideo', 'DescribeStream', 'a');
    expect(await meet('kinesisvideo', 'DescribeStream', 'b')).toBe('ok');
  });

  it('know no limit for what AWS states none', async () => {
    faults.set([], true);
    expect(passed(await many(200, 'dynamodb', 'GetItem'))).toBe(200);
  });
});
