import { describe, expect, it } from 'vitest';
import { type Counted, type Recount, recountOf, stepsBetween } from '../../shared/domain/counts.ts';
import type { Device } from '../../shared/domain/device.ts';
import { denialOf, transitionsOf } from '../../shared/domain/transition.ts';
import { countDevices, type Ledger, type Note } from '../../shared/flow/count.ts';

const device = (change: Partial<Device> = {}): Device => ({
  serialNumber: 'CAM-1',
  version: 1,
  status: 'registered',
  thingName: 'CAM-1',
  streamMode: 'thing-name',
  channels: [],
  batch: '42',
  registeredAt: '2026-11-24T06:00:00.000Z',
  certificates: [],
  streams: [],
  history: [{ at: '2026-11-24T06:00:00.000Z', by: 'factory', what: 'announced' }],
  ...change,
});

/** The ledger as the table keeps it; every call may be the last that is made, or that is heard of. */
function ledgerOf() {
  const notes = new Map<string, Note & { owing: boolean }>();
  const counters = new Map<string, { count: number; has: Map<string, string> }>();
  let left = Number.POSITIVE_INFINITY;
  const mortal = <Result>(call: () => Result): Result => {
    left -= 1;
    // Dies before the call, or right after it.
    if (left === 0) throw new Error('killed');
    const result = call();
    left -= 1;
    if (left === 0) throw new Error('killed');
    return result;
  };
  const counterOf = (kind: string, name: string) => {
    const key = `${kind}/${name}`;
    const counter = counters.get(key) ?? { count: 0, has: new Map() };
    counters.set(key, counter);
    return counter;
  };
  const ledger: Ledger = {
    begin: async (recount) =>
      mortal(() => {
        const { serialNumber, stamp, counted } = recount;
        const known = notes.get(serialNumber);
        if (known?.owing) return { state: 'owing', note: known };
        if (known && stamp <= known.stamp) return undefined;
        const note = { serialNumber, stamp, was: known?.counted ?? {}, counted, owing: true };
        notes.set(serialNumber, note);
        return { state: 'begun', note };
      }),
    add: async ({ kind, name, by, of }) => {
      for (const { serialNumber, stamp } of of) {
        mortal(() => {
          const counter = counterOf(kind, name);
          if ((counter.has.get(serialNumber) ?? '') >= stamp) return;
          counter.has.set(serialNumber, stamp);
          counter.count += by;
        });
      }
    },
    settle: async ({ serialNumber, stamp }) =>
      mortal(() => {
        const note = notes.get(serialNumber);
        if (note?.stamp === stamp) note.owing = false;
      }),
    forget: async ({ kind, name, of }) =>
      mortal(() => {
        for (const { serialNumber } of of) counterOf(kind, name).has.delete(serialNumber);
      }),
  };
  return {
    ledger,
    dieAfter: (calls: number) => {
      left = calls;
    },
    counts: () => Object.fromEntries([...counters].flatMap(([key, { count }]) => (count === 0 ? [] : [[key, count]]))),
    remembered: () => [...counters.values()].reduce((sum, { has }) => sum + has.size, 0),
  };
}

const recount = (serialNumber: string, version: number, counted: Counted, life = '2026'): Recount => ({
  serialNumber,
  stamp: `${life}#${version}`,
  counted,
});

const batches = [
  [recount('A', 1, { status: 'registered', batch: '42' }), recount('B', 1, { status: 'registered', batch: '42' })],
  [
    recount('A', 2, { status: 'claimed', batch: '42', opened: { c1: 1 } }),
    recount('C', 1, { status: 'registered', model: 'A1' }),
  ],
  [
    recount('A', 3, { status: 'active', batch: '42', opened: { c1: 3, c2: 1 } }),
    recount('B', 2, { status: 'registered', batch: '43' }),
  ],
  [
    recount('C', 2, {}),
    recount('C', 1, { status: 'registered' }, '2027'),
    recount('A', 4, { status: 'suspended', opened: { c1: 2, c2: 1 } }),
  ],
];
const wanted = {
  'status/registered': 2,
  'status/suspended': 1,
  'batch/43': 1,
  'opened/c1': 2,
  'opened/c2': 1,
};

describe('each device is counted once', () => {
  it('however often its changes come', async () => {
    const { ledger, counts, remembered } = ledgerOf();
    for (const batch of batches) for (let again = 0; again < 3; again++) await countDevices(batch, ledger);
    for (const batch of batches) await countDevices(batch, ledger);
    expect(counts()).toEqual(wanted);
    expect(remembered()).toBe(0);
  });

  it('wherever the one who counts dies, as often as it dies there', async () => {
    for (let calls = 1; calls < 60; calls++) {
      const { ledger, counts, dieAfter } = ledgerOf();
      for (const batch of batches) {
        dieAfter(calls);
        for (let again = 0; again < 40; again++) {
          const taken = await countDevices(batch, ledger).catch(() => undefined);
          if (taken !== undefined) break;
          dieAfter(calls + again);
        }
      }
      expect(counts(), `dying after ${calls}`).toEqual(wanted);
    }
  });

  it('from the version that was counted last to the one that is, whatever lies between', async () => {
    const { ledger, counts } = ledgerOf();
    await countDevices([recount('A', 1, { status: 'registered' })], ledger);
    await countDevices([recount('A', 7, { status: 'active' })], ledger);
    await countDevices([recount('A', 3, { status: 'claimed' })], ledger);
    expect(counts()).toEqual({ 'status/active': 1 });
  });
});

describe('what a change asks of the counters', () => {
  it('nothing, where nothing that is counted has changed', () => {
    expect(recountOf(device(), device({ version: 2, model: undefined as never }))).toBeUndefined();
    expect(recountOf(device(), device({ contested: '2026', contestedCount: 1 }))).toBeUndefined();
    expect(recountOf(undefined, undefined)).toBeUndefined();
  });

  it('a new one, a changed one and one that is gone', () => {
    expect(recountOf(undefined, device())).toMatchObject({
      stamp: '2026-11-24T06:00:00.000Z#0000000001',
      counted: { status: 'registered', batch: '42' },
    });
    expect(recountOf(device(), device({ version: 2, status: 'claimed' }))).toMatchObject({
      stamp: '2026-11-24T06:00:00.000Z#0000000002',
    });
    expect(recountOf(device(), undefined)).toMatchObject({
      stamp: '2026-11-24T06:00:00.000Z#0000000002',
      counted: {},
    });
    expect(stepsBetween({ status: 'claimed', batch: '42' }, { status: 'active', batch: '42', model: 'A1' })).toEqual([
      { kind: 'status', name: 'claimed', by: -1 },
      { kind: 'status', name: 'active', by: 1 },
      { kind: 'model', name: 'A1', by: 1 },
    ]);
  });
});

describe('what is told of a change', () => {
  const entry = { at: '2026-11-24T07:00:00.000Z', by: 'certificate:1', what: 'shown-life' as const };
  it('each new entry of the history, though the history is bounded', () => {
    const before = device({ status: 'claimed' });
    const after = device({ version: 2, status: 'active', history: [entry] });
    expect(transitionsOf(before, after)).toEqual([
      {
        type: 'Device shown life',
        at: entry.at,
        detail: expect.objectContaining({ status: 'active', previousStatus: 'claimed', version: 2, by: entry.by }),
      },
    ]);
    expect(transitionsOf(after, after)).toEqual([]);
    expect(transitionsOf(after, undefined)).toEqual([]);
  });

  it('a sign of a clone, which is in no history', () => {
    const after = device({ contested: entry.at, contestedReason: 'key-mismatch', contestedCount: 2 });
    expect(transitionsOf(device({ contested: 'x', contestedCount: 1 }), after)).toEqual([
      { type: 'Device contested', at: entry.at, detail: expect.objectContaining({ why: 'key-mismatch', count: 2 }) },
    ]);
  });

  it('a claim that was refused, with its reason', () => {
    const claim = { serialNumber: 'CAM-1', at: entry.at, door: 'mqtt' as const, reason: 'retired' as const };
    expect(denialOf(claim)).toMatchObject({
      type: 'Claim refused',
      detail: { why: 'retired', claimId: `${entry.at}#` },
    });
  });
});
