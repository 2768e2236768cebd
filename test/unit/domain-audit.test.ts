import { describe, expect, it } from 'vitest';
import { beginAudit, phaseNames, readAudit, toNextPhase, writeAudit } from '../../shared/domain/audit.ts';
import { recountOf } from '../../shared/domain/counts.ts';
import type { Device } from '../../shared/domain/device.ts';
import {
  driftOf,
  expectedOf,
  type Found,
  type FoundCertificate,
  isSettled,
  neededStreams,
  needsCloserLook,
} from '../../shared/domain/drift.ts';
import { beginReport, reportFailure, reportLeft, reportMended } from '../../shared/domain/reconciliation.ts';
import { emptySketch, flip, mayDiffer, readSketch, turnOf, writeSketch } from '../../shared/domain/sketch.ts';
import { beginTally, tallyDevice, wrongCounters } from '../../shared/domain/tally.ts';
import { askRecount, isListedRight, relist } from '../../shared/domain/upkeep.ts';

const now = new Date('2026-11-24T08:00:00.000Z');
const long = '2026-11-20T08:00:00.000Z';
const types = { 'thing-name': 'tn', 'certificate-id': 'ci', fixed: 'fx' };

const certificate = (change: object = {}) =>
  ({ id: 'c1', publicKeySha256: 'k', door: 'mqtt', state: 'current', since: long, ...change }) as const;

const device = (change: object = {}): Device =>
  ({
    serialNumber: 'CAM-1',
    version: 3,
    status: 'active',
    thingName: 'CAM-1',
    streamMode: 'thing-name',
    channels: [],
    registeredAt: long,
    certificates: [certificate()],
    streams: [{ name: 'CAM-1', state: 'made', since: long }],
    history: [],
    ...change,
  }) as Device;

describe('a sketch', () => {
  const entries = Array.from({ length: 100_000 }, (_, index) => `power ${index.toString(16).padStart(64, '0')}`);

  it('of two lists of a hundred thousand in any order holds nothing but what differs', () => {
    const sketch = emptySketch();
    for (const entry of entries) flip(sketch, entry);
    const other = entries.toReversed().filter((_, index) => index !== 77 && index !== 7777);
    for (const entry of [...other, 'power of a stranger']) flip(sketch, entry);
    const differing = [entries.at(-78), entries.at(-7778), 'power of a stranger'] as string[];
    for (const entry of differing) expect(mayDiffer(sketch, entry)).toBe(true);
    // Those that share a place with one that differs get a closer look for nothing.
    expect(entries.filter((entry) => mayDiffer(sketch, entry)).length).toBeLessThan(40);
    const read = readSketch(writeSketch(sketch));
    expect(read && differing.every((entry) => mayDiffer(read, entry))).toBe(true);
  });

  it.each(['', 'AAAA', 'no base64 at all'])('is not %j', (text) => expect(readSketch(text)).toBeUndefined());
});

it('each device has its turn in so many audits, and the turns are about alike', () => {
  const turns = Array.from({ length: 10_000 }, (_, index) => turnOf(`CAM-${index}`, 10));
  for (let turn = 0; turn < 10; turn++) {
    const { length } = turns.filter((one) => one === turn);
    expect(length).toBeGreaterThan(800);
    expect(length).toBeLessThan(1200);
  }
  expect(turnOf('CAM-1', 1)).toBe(0);
});

it('an audit goes through its phases, and is read as it was written', () => {
  const audit = beginAudit({ phase: 'due' }, now);
  const phases = [audit.phase];
  while (toNextPhase(audit)) phases.push(audit.phase);
  expect(phases).toEqual(phaseNames);
  expect(toNextPhase(beginAudit({ phase: 'power', isOnly: true }, now))).toBe(false);
  const begun = { ...audit, position: { type: 2, after: 'x' }, tally: { 'status#active': { expected: 2 } }, fleet: 7 };
  expect(readAudit(writeAudit(begun))).toEqual(begun);
  expect(readAudit(writeAudit({ ...begun, phase: 'unheard' as never }))).toBeUndefined();
});

describe('what is under way', () => {
  it.each([
    ['nothing', {}, true],
    [
      'a claim that is an hour old',
      { certificates: [certificate({ state: 'allowed', since: '2026-11-24T07:00:00.000Z' })] },
      false,
    ],
    ['a claim that nobody has shown for days', { certificates: [certificate({ state: 'allowed' })] }, true],
    ['a making', { making: { door: 'line', since: long } }, false],
    ['a cut-off', { cutOff: { act: 'suspend', since: long, dueAt: long } }, false],
    ['a takeover', { takeover: { from: 'OLD', since: long, step: 'reserved' } }, false],
    ['a takeover that waits for life', { takeover: { from: 'OLD', since: long, step: 'waiting' } }, true],
    ['an old unit whose place is given away', { replacedBy: 'NEW' }, false],
  ])('%s: settled %s', (_, change, settled) => {
    expect(isSettled(device(change), now)).toBe(settled);
    expect(expectedOf(device(change), types, now).length > 0).toBe(settled);
  });

  it('expects nothing at AWS of a device that nobody has claimed, or that is retired', () => {
    expect(expectedOf(device({ status: 'registered', certificates: [] }), types, now)).toEqual([]);
    expect(expectedOf(device({ status: 'retired' }), types, now)).toEqual([]);
  });

  it('expects power of a certificate that was renewed for as long as its grace lasts', () => {
    const leaving = (leavesAt: string) =>
      device({ certificates: [certificate(), certificate({ id: 'c0', state: 'leaving', leavesAt })] });
    expect(expectedOf(leaving('2026-11-24T09:00:00.000Z'), types, now)).toContain('power c0');
    expect(expectedOf(leaving('2026-11-24T07:00:00.000Z'), types, now)).not.toContain('power c0');
  });
});

describe('drift', () => {
  const thing = { thingName: 'CAM-1', thingTypeName: 'tn', serialNumber: 'CAM-1', batch: '-' };
  const atAws = (change: Partial<FoundCertificate> = {}): FoundCertificate => ({
    certificateArn: 'arn:c1',
    isActive: true,
    hasPolicy: true,
    things: ['CAM-1'],
    ...change,
  });
  const found = (change: Partial<Found> = {}): Found => ({
    thing,
    certificates: new Map([['c1', atAws()]]),
    missingStreams: [],
    ...change,
  });
  const of = (of: Device, there: Found) => driftOf(of, there, types).map(({ what, remedy }) => `${what}: ${remedy.do}`);
  const holding = (change: Partial<FoundCertificate>) => found({ certificates: new Map([['c1', atAws(change)]]) });

  it.each<[string, Device, Found, string[]]>([
    ['none', device(), found(), []],
    ['no policy', device(), holding({ hasPolicy: false }), ['policy-missing: give-policy']],
    ['not attached', device(), holding({ things: [] }), ['attachment-missing: attach']],
    [
      'no thing, and power comes last',
      device(),
      { ...holding({ things: [], hasPolicy: false }), thing: undefined },
      ['thing-missing: make-thing', 'attachment-missing: attach', 'policy-missing: give-policy'],
    ],
    ['another type', device(), found({ thing: { ...thing, thingTypeName: 'fx' } }), ['thing-differs: make-thing']],
    ['another batch', device({ batch: '48' }), found(), ['thing-differs: make-thing']],
    [
      'a thing of somebody else: nothing is given to it',
      device(),
      { ...holding({ things: [], hasPolicy: false }), thing: { ...thing, serialNumber: 'X' } },
      ['thing-taken: nothing'],
    ],
    ['inactive', device(), holding({ isActive: false }), ['certificate-inactive: nothing']],
    ['gone', device(), found({ certificates: new Map() }), ['certificate-missing: nothing']],
    [
      'a claim that never came to AWS is the work list’s',
      device({ status: 'claimed', certificates: [certificate({ state: 'allowed' })] }),
      found({ certificates: new Map(), thing: undefined }),
      [],
    ],
    ['a stream is missing', device(), found({ missingStreams: ['CAM-1'] }), ['stream-missing: make-stream']],
    ['suspended, with power', device({ status: 'suspended' }), found(), ['power-while-suspended: cut-off']],
    ['suspended, without', device({ status: 'suspended' }), holding({ isActive: false }), []],
    ['nobody has claimed it', device({ status: 'registered' }), found(), []],
  ])('%s', (_, record, there, drift) => expect(of(record, there)).toEqual(drift));

  it('asks for a closer look where no list tells enough', () => {
    expect(needsCloserLook(device())).toBe(false);
    expect(
      needsCloserLook(device({ certificates: [certificate(), certificate({ id: 'c2', state: 'allowed' })] })),
    ).toBe(true);
    expect(needsCloserLook(device({ status: 'suspended' }))).toBe(true);
    expect(needsCloserLook(device({ status: 'suspended', certificates: [] }))).toBe(false);
  });

  it('needs the streams that go on, and not those that have ended or are somebody else’s', () => {
    const streams = [
      { name: 'a', state: 'made', since: long },
      { name: 'b', state: 'made', since: long, until: long },
      { name: 'c', state: 'taken', since: long },
      { name: 'd', state: 'making', since: long },
      { name: 'e', state: 'pending', since: long },
    ];
    expect(neededStreams(device({ streams }))).toEqual(['a', 'd']);
    expect(neededStreams(device({ status: 'retired', streams }))).toEqual([]);
  });
});

describe('a tally', () => {
  const counter = (name: string, count: number, steps = 1) => ({ kind: 'status' as const, name, count, steps });
  const note = (status: 'active' | 'claimed', owing = false) => ({ counted: { status }, owing });
  const active = { status: 'active' } as const;

  it('tells a counter that stood still and is wrong, also one that is there no more', () => {
    const counters = [counter('active', 5), counter('claimed', 0)];
    const tally = beginTally(counters);
    if (!tally) return expect.fail();
    for (let i = 0; i < 2; i++) tallyDevice(tally, active, note('active'));
    tallyDevice(
      tally,
      { status: 'retired', batch: '4#8' },
      { counted: { status: 'retired', batch: '4#8' }, owing: false },
    );
    expect(wrongCounters(tally, counters)).toEqual([
      { ...counter('active', 5), expected: 2 },
      { kind: 'status', name: 'retired', count: 0, expected: 1 },
      { kind: 'batch', name: '4#8', count: 0, expected: 1 },
    ]);
  });

  it('does not judge what moves: a counter, or a device on its way from one to the other', () => {
    const counters = [counter('active', 5), counter('claimed', 5)];
    const moved = [counter('active', 5, 2), counter('claimed', 5)];
    for (const late of [undefined, note('claimed'), note('active', true)]) {
      const tally = beginTally(counters) ?? {};
      tallyDevice(tally, active, late);
      if (late?.counted.status === 'claimed') expect(wrongCounters(tally, counters)).toEqual([]);
      else expect(wrongCounters(tally, counters)).toEqual([{ ...counter('claimed', 5), expected: 0 }]);
    }
    const tally = beginTally(counters) ?? {};
    expect(wrongCounters(tally, moved)).toEqual([{ ...counter('claimed', 5), expected: 0 }]);
  });

  it('is none where there are more names than one item holds', () => {
    expect(beginTally(Array.from({ length: 2001 }, (_, index) => counter(String(index), 1)))).toBeUndefined();
  });
});

it('a record that asks for it is counted anew, though nothing of it has changed', () => {
  const before = device();
  const after = askRecount(before, now);
  expect(after).toMatchObject({ version: 4, history: [] });
  expect(recountOf(before, after)).toMatchObject({ serialNumber: 'CAM-1', counted: { status: 'active' } });
  expect(recountOf(after, { ...after, version: 5 })).toBeUndefined();
});

it('a record that the work list should have is put there, and nothing is said of it', () => {
  const late = device({ streams: [{ name: 'CAM-1', state: 'pending', since: long }] });
  expect(isListedRight(late)).toBe(false);
  expect(relist(late, now)).toMatchObject({ dueAt: long, version: 4, history: [] });
  expect(isListedRight(device())).toBe(true);
});

it('a report lists so many findings and counts the others', () => {
  const report = beginReport(false);
  for (let i = 0; i < 150; i++) reportMended(report, 'policy-missing', `CAM-${i}`);
  for (let i = 0; i < 100; i++) reportLeft(report, 'certificate-inactive', `CAM-${i}`, 'because');
  reportFailure(
    report,
    'audit',
    'things',
    Object.assign(new Error('x'.repeat(1000)), { name: 'AccessDeniedException' }),
  );
  reportFailure(report, 'audit', 'things', 'a text');
  expect(report).toMatchObject({
    done: { 'policy-missing': 150 },
    left: { 'certificate-inactive': 100 },
    failed: { AccessDeniedException: 1, unknown: 1 },
    unlisted: 52,
  });
  expect(report.findings).toHaveLength(200);
  const failed = beginReport(true);
  reportFailure(failed, 'audit', 'things', new Error('x'.repeat(1000)));
  expect(failed.findings[0]?.why).toHaveLength(300);
});
