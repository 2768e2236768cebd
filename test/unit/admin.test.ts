import { beforeEach, describe, expect, it } from 'vitest';
import { createAdmin } from '../../local/admin.ts';
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
const meet = () =>
  faults.meet('iot', 'CreateThing').then(
    () => 'ok',
    (error) => error.code as string,
  );

describe('the admin door', () => {
  let resets = 0;
  const ask = async (verb: string, body: unknown = {}, more = {}) => {
    const admin = createAdmin({ faults, clock, reset: () => void resets++ });
    const answer = await admin({
      method: 'POST',
      path: `/_firstlight/${verb}`,
      query: '',
      headers: { host: '127.0.0.1:4566' },
      body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      ...more,
    });
    return answer && { status: answer.status, ...JSON.parse(answer.body) };
  };

  it('sets faults and quotas, and switches all off', async () => {
    expect(await ask('faults', { faults: [fault({ kind: 'throttle', times: 1 })], quotas: true })).toMatchObject({
      status: 200,
    });
    expect(await meet()).toBe('ThrottlingException');
    await ask('faults', { faults: [fault()] });
    expect(await meet()).toBe('InternalFailureException');
    await ask('faults', {});
    expect(await meet()).toBe('ok');
  });

  it('tells what is set, and how often it has struck', async () => {
    await ask('faults', { faults: [fault({ after: 1, times: 2 }), fault({ operation: 'DeleteThing' })] });
    const struck = async () => (await ask('faults', {}, { method: 'GET' }))?.faults;
    expect(await struck()).toEqual([
      { ...fault({ after: 1, times: 2 }), struck: 0 },
      { ...fault({ operation: 'DeleteThing' }), struck: 0 },
    ]);
    expect([await meet(), await meet(), await meet(), await meet()]).toEqual([
      'ok',
      'InternalFailureException',
      'InternalFailureException',
      'ok',
    ]);
    expect(await struck()).toMatchObject([{ struck: 2 }, { struck: 0 }]);
    faults.clear();
    expect(await struck()).toEqual([]);
  });

  it('moves the clock and resets', async () => {
    const before = clock.now();
    expect(await ask('clock', { advanceSeconds: 60 })).toMatchObject({ status: 200 });
    expect(clock.now() - before).toBeGreaterThanOrEqual(60_000);
    await ask('reset', '');
    expect(resets).toBe(1);
  });

  it.each<[string, string, unknown]>([
    ['no JSON', 'faults', '{'],
    ['a list', 'faults', []],
    ['an unknown key', 'faults', { fault: [] }],
    ['faults that are no list', 'faults', { faults: {} }],
    ['quotas that are text', 'faults', { quotas: 'yes' }],
    ['a fault without a service', 'faults', { faults: [{ ...fault(), service: undefined }] }],
    ['a fault without an operation', 'faults', { faults: [{ ...fault(), operation: '' }] }],
    ['an unknown kind', 'faults', { faults: [{ ...fault(), kind: 'explode' }] }],
    ['a misspelt key', 'faults', { faults: [{ ...fault(), time: 1 }] }],
    ['a negative count', 'faults', { faults: [fault({ after: -1 })] }],
    ['a delay of no length', 'faults', { faults: [fault({ kind: 'delay' })] }],
    ['a clock that goes back', 'clock', { advanceSeconds: -1 }],
    ['a clock by text', 'clock', { advanceSeconds: '60' }],
    ['a clock without a number', 'clock', {}],
  ])('answers 400 to %s, and changes nothing', async (_, verb, body) => {
    faults.set([fault()], false);
    expect(await ask(verb, body)).toMatchObject({ status: 400, message: expect.stringMatching(/\w/) });
    expect(await meet()).toBe('InternalFailureException');
  });

  it('is for POST, for this machine, and for no web page', async () => {
    expect(await ask('reset', {}, { method: 'GET' })).toMatchObject({
      status: 405,
      message: expect.stringContaining('Use POST for'),
    });
    expect(await ask('faults', {}, { method: 'PUT' })).toMatchObject({
      status: 405,
      message: expect.stringContaining('Use GET or POST for'),
    });
    expect(await ask('faults', {}, { method: 'GET', remoteAddress: '10.0.0.7' })).toMatchObject({ status: 403 });
    expect(await ask('reset', {}, { remoteAddress: '10.0.0.7' })).toMatchObject({ status: 403 });
    expect(await ask('reset', {}, { headers: { host: 'evil.example' } })).toMatchObject({ status: 403 });
    expect(await ask('reset', {}, { headers: { host: 'localhost', origin: 'http://evil.example' } })).toMatchObject({
      status: 403,
    });
    expect(await ask('other')).toBeUndefined();
  });
});
