import { describe, expect, it } from 'vitest';
import { type ClaimAttempt, type ClaimCertificate, decideClaim } from '../../shared/domain/claim.ts';
import { endCutOff, lapsedDenials, liftDenials, reassert } from '../../shared/domain/cut-off.ts';
import type { Device, DeviceStatus } from '../../shared/domain/device.ts';
import { Failure } from '../../shared/domain/failure.ts';
import { showLife } from '../../shared/domain/life.ts';
import {
  approveClaim,
  keyOfClaim,
  reopen,
  resume,
  retire,
  setReprovisioning,
  suspend,
} from '../../shared/domain/lifecycle.ts';
import { announceRow } from '../../shared/domain/manifest.ts';
import {
  announceReplacement,
  beginTakeover,
  endTakeover,
  giveUpPlace,
  takeOver,
} from '../../shared/domain/replacement.ts';

const now = new Date('2026-11-24T08:00:00Z');
const at = now.toISOString();
const earlier = '2026-11-24T07:00:00.000Z';
const minutes = (count: number) => new Date(now.getTime() + count * 60_000);
const key = (letter: string) => letter.repeat(64);
const order = { by: 'arn:aws:iam::000000000000:user/ops', why: 'stolen' };

const certificate = (id: string, state: Device['certificates'][number]['state'], since = earlier) => ({
  id,
  publicKeySha256: key('a'),
  door: 'mqtt' as const,
  state,
  since,
});

const statuses: DeviceStatus[] = ['registered', 'claimed', 'active', 'suspended', 'retired'];

const device = (status: DeviceStatus, change: Partial<Device> = {}): Device => ({
  serialNumber: 'CAM-1',
  version: 3,
  status,
  thingName: 'CAM-1',
  streamMode: 'thing-name',
  channels: ['sub'],
  registeredAt: earlier,
  ...(status !== 'registered' && { claimedAt: earlier }),
  certificates:
    status === 'registered' || status === 'retired'
      ? []
      : [certificate('one', status === 'claimed' ? 'allowed' : 'current')],
  streams: status === 'registered' ? [] : [{ name: 'CAM-1', state: 'made', since: earlier }],
  ...(status === 'suspended' && { suspendedFrom: 'active' as const }),
  history: [{ at: earlier, by: 'factory', what: 'announced' }],
  ...change,
});

const fresh = (change: Partial<Device> = {}) =>
  device('registered', { serialNumber: 'CAM-2', thingName: 'CAM-2', ...change });

/** What became of it: the new status, `same` for the very same device, or the code of the failure. */
const outcome = (before: Device, next: Device | Failure): string =>
  next instanceof Failure ? next.code : next === before ? 'same' : next.status;

const done = (next: Device | Failure): Device => {
  if (next instanceof Failure) throw next;
  return next;
};

type Act = (device: Device) => Device | Failure;
const acts: Record<string, Act> = {
  suspend: (one) => suspend(one, order, now),
  resume: (one) => resume(one, order, now),
  retire: (one) => retire(one, { ...order, streams: 'keep' }, now),
  reopen: (one) => reopen(one, order, now),
  approve: (one) => approveClaim(one, { ...order, publicKeySha256: key('b') }, now),
  policy: (one) => setReprovisioning(one, { ...order, policy: 'refuse' }, now),
  replaced: (one) => {
    const taking = beginTakeover(one, fresh(), { ...order, keepUntilConnected: false }, now);
    return taking instanceof Failure ? taking : giveUpPlace(one, 'CAM-2', order, now);
  },
};

/** Design §5, row by row. */
const table: Record<string, Record<DeviceStatus, string>> = {
  suspend: {
    registered: 'suspended',
    claimed: 'suspended',
    active: 'suspended',
    suspended: 'same',
    retired: 'device-retired',
  },
  resume: {
    registered: 'device-not-suspended',
    claimed: 'device-not-suspended',
    active: 'same',
    suspended: 'active',
    retired: 'device-retired',
  },
  retire: { registered: 'retired', claimed: 'retired', active: 'retired', suspended: 'retired', retired: 'same' },
  reopen: {
    registered: 'device-not-retired',
    claimed: 'device-not-retired',
    active: 'device-not-retired',
    suspended: 'device-not-retired',
    retired: 'registered',
  },
  approve: {
    registered: 'device-unclaimed',
    claimed: 'claimed',
    active: 'active',
    suspended: 'device-suspended',
    retired: 'device-retired',
  },
  policy: {
    registered: 'registered',
    claimed: 'claimed',
    active: 'active',
    suspended: 'suspended',
    retired: 'device-retired',
  },
  replaced: {
    registered: 'device-unclaimed',
    claimed: 'retired',
    active: 'retired',
    suspended: 'retired',
    retired: 'device-retired',
  },
};

const cells = Object.entries(table).flatMap(([act, row]) =>
  statuses.map((status) => ({ act, status, expected: row[status] })),
);

it('a re-provisioning policy is set by its name, once, and taken back by `default`', () => {
  const set = (one: Device, policy: 'refuse' | 'default') => setReprovisioning(one, { ...order, policy }, now);
  const refusing = done(set(device('active'), 'refuse'));
  expect(refusing.reprovisioning).toBe('refuse');
  expect(refusing.history.at(-1)).toMatchObject({ what: 'reprovisioning-set', why: 'refuse: stolen' });
  expect(set(refusing, 'refuse')).toBe(refusing);
  const back = done(set(refusing, 'default'));
  expect(back).not.toHaveProperty('reprovisioning');
  expect(set(back, 'default')).toBe(back);
});

describe('the table of a life', () => {
  it.each(cells)('$status, $act: $expected', ({ act, status, expected }) => {
    const before = device(status);
    const next = (acts[act] as Act)(before);
    expect(outcome(before, next)).toBe(expected);
    if (next instanceof Failure || next === before) return;
    expect(next.version).toBe(before.version + 1);
    expect(next.history.at(-1)).toMatchObject({ at, by: order.by });
    expect(next.history.at(-1)?.why).toMatch(/stolen$/);
  });

  it.each(['registered', 'claimed', 'active'] as const)('resumes to %s', (status) => {
    const back = done(resume(done(suspend(device(status), order, now)), order, now));
    // Called again it goes on: what it had may not be given back yet.
    expect(resume(back, order, now)).toBe(back);
    expect(back.status).toBe(status);
    expect(back).not.toHaveProperty('suspendedFrom');
  });

  it('leaves something due until AWS has been asked', () => {
    const cut = done(suspend(device('active'), order, now));
    expect(cut).toMatchObject({ cutOff: { act: 'suspend', since: at }, dueAt: minutes(1).toISOString() });
    const ended = endCutOff(cut, { removed: [], complete: true, deniedUntil: minutes(65).toISOString() }, 'f', now);
    expect(ended).not.toHaveProperty('cutOff');
    expect(ended).toMatchObject({ denied: [{ certificateId: 'one' }], dueAt: minutes(65).toISOString() });
    expect(lapsedDenials(ended, minutes(64))).toEqual([]);
    expect(lapsedDenials(ended, minutes(65))).toEqual(['one']);
    const lifted = liftDenials(ended, ['one'], 'f', minutes(65));
    expect(lifted).not.toHaveProperty('denied');
    expect(lifted).not.toHaveProperty('dueAt');
  });

  it('lifts the denial of what it gives back, and only of that', () => {
    const denied = ['one', 'gone'].map((certificateId) => ({ certificateId, until: minutes(60).toISOString() }));
    const back = done(resume(device('suspended', { denied }), order, now));
    const ended = endCutOff(back, { removed: [], complete: true }, 'f', now);
    expect(ended.denied).toEqual([{ certificateId: 'gone', until: minutes(60).toISOString() }]);
  });

  it('looks again where a hook had just said yes', () => {
    const cut = done(suspend(device('claimed', { certificates: [certificate('one', 'allowed', at)] }), order, now));
    const once = endCutOff(cut, { removed: [], complete: true, deniedUntil: minutes(65).toISOString() }, 'f', now);
    expect(once.cutOff).toMatchObject({ act: 'suspend', dueAt: minutes(10).toISOString() });
    const twice = endCutOff(
      once,
      { removed: [], complete: true, deniedUntil: minutes(75).toISOString() },
      'f',
      minutes(10),
    );
    expect(twice).not.toHaveProperty('cutOff');
    expect(twice.denied).toEqual([{ certificateId: 'one', until: minutes(75).toISOString() }]);
  });

  it('goes on where AWS had no time, and lists only what is left', () => {
    const cut = done(retire(device('active'), { ...order, streams: 'keep' }, now));
    expect(cut.certificates).toMatchObject([{ id: 'one', state: 'leaving' }]);
    const half = endCutOff(cut, { removed: [], complete: false }, 'f', minutes(1));
    expect(half.cutOff).toMatchObject({ act: 'retire', dueAt: minutes(2).toISOString() });
    const whole = endCutOff(
      half,
      { removed: ['one'], complete: true, deniedUntil: minutes(65).toISOString() },
      'f',
      now,
    );
    expect(whole).toMatchObject({ certificates: [], denied: [{ certificateId: 'one' }] });
    expect(whole).not.toHaveProperty('cutOff');
  });

  it('does again what somebody else’s order may have overtaken', () => {
    expect(reassert(device('active'), now)).toMatchObject({ cutOff: { act: 'resume', dueAt: at } });
    expect(reassert(device('suspended'), now)).toMatchObject({ cutOff: { act: 'suspend', dueAt: at } });
  });

  it('makes nothing for a suspended device and judges none of its claims', () => {
    const unfinished = device('claimed', { streams: [{ name: 'CAM-1', state: 'pending', since: earlier }] });
    const ended = endCutOff(done(suspend(unfinished, order, now)), { removed: [], complete: true }, 'f', now);
    expect(ended).not.toHaveProperty('dueAt');
  });
});

describe('streams', () => {
  it('are kept unless they are to be deleted', () => {
    expect(done(retire(device('active'), { ...order, streams: 'keep' }, now)).cutOff).not.toHaveProperty('streams');
    expect(done(retire(device('active'), { ...order, streams: 'delete' }, now)).cutOff?.streams).toBe('delete');
  });

  it('never come along into a new life', () => {
    const again = done(reopen(device('retired'), order, now));
    expect(again).toMatchObject({ thingName: 'CAM-1-r1', lives: 1, streams: [], formerStreams: [{ name: 'CAM-1' }] });
    expect(again).not.toHaveProperty('claimedAt');
    const third = done(reopen({ ...again, status: 'retired' }, order, now));
    expect(third.thingName).toBe('CAM-1-r2');
  });

  it('of another life wait until the certificates of this one are gone', () => {
    const leaving = device('retired', { certificates: [certificate('one', 'leaving')] });
    expect(outcome(leaving, reopen(leaving, order, now))).toBe('cut-off-unfinished');
  });

  it('of a place that is being taken over are not the new hardware’s to delete', () => {
    const waiting = fresh({ takeover: { from: 'CAM-1', since: at, step: 'waiting' } });
    expect(outcome(waiting, retire(waiting, { ...order, streams: 'delete' }, now))).toBe('takeover-unfinished');
  });
});

const batch: ClaimCertificate = { certificateId: 'batch', createdAt: earlier, createdBy: 'ops' };
const attempt = (change: Partial<ClaimAttempt> = {}): ClaimAttempt => ({
  serialNumber: 'CAM-1',
  door: 'mqtt',
  certificateId: 'two',
  publicKeySha256: key('b'),
  token: 'none',
  claimCertificateId: 'batch',
  ...change,
});
const claimOf = (known: Device, change: Partial<ClaimAttempt> = {}, when = now) => {
  const decision = decideClaim(known, batch, attempt(change), when, { openClaims: false });
  return decision.allow ? decision.device : decision.reason;
};

describe('an approval', () => {
  const approved = done(approveClaim(device('active'), { ...order, publicKeySha256: key('b') }, now));

  it('lets in the key that ops saw, once, and no other', () => {
    expect(claimOf(device('active'))).toBe('approval-needed');
    expect(claimOf(approved, { publicKeySha256: key('c') })).toBe('approval-needed');
    const granted = claimOf(approved) as Device;
    expect(granted.certificates.map(({ id, state }) => `${id} ${state}`)).toEqual(['one current', 'two allowed']);
    expect(granted).not.toHaveProperty('approval');
    expect(granted.history.at(-1)?.claim?.assurance).toBe('approval');
  });

  it('lapses after a day', () => {
    expect(typeof claimOf(approved, {}, minutes(24 * 60 - 1))).toBe('object');
    expect(claimOf(approved, {}, minutes(24 * 60))).toBe('approval-needed');
  });

  it('frees a claim that nobody shows', () => {
    const claimed = done(approveClaim(device('claimed'), { ...order, publicKeySha256: key('b') }, now));
    expect(claimOf(device('claimed'))).toBe('already-claimed');
    expect(typeof claimOf(claimed)).toBe('object');
  });

  it('lifts neither a pin nor the policy "refuse"', () => {
    const pinned = device('active', { publicKeySha256: key('a') });
    expect(outcome(pinned, approveClaim(pinned, { ...order, publicKeySha256: key('b') }, now))).toBe('key-mismatch');
    expect(claimOf({ ...approved, reprovisioning: 'refuse' })).toBe('already-claimed');
  });

  it('needs an attempt with a key', () => {
    const seen = { serialNumber: 'CAM-1', at, door: 'mqtt' as const, reason: 'approval-needed' as const };
    expect(keyOfClaim({ ...seen, publicKeySha256: key('b') }, 'id')).toBe(key('b'));
    for (const claim of [undefined, seen]) expect(keyOfClaim(claim, 'id')).toMatchObject({ code: 'claim-not-found' });
  });
});

describe('a suspended or a retired device', () => {
  it.each(['suspended', 'retired'] as const)('%s: refuses every key and takes no sign of life', (status) => {
    const known = device(status, { publicKeySha256: key('a') });
    expect(claimOf(known, { publicKeySha256: key('a') })).toBe(status);
    expect(showLife(known, { certificateId: 'one', at }, now)).toMatchObject({ code: `device-${status}` });
  });

  it('needs a new token for a new life, and the old one stays spent', () => {
    const tokened = device('retired', { claimTokenSha256: key('1'), claimTokenSpentAt: earlier });
    const again = done(reopen(tokened, order, now));
    expect(again.claimTokenSpentAt).toBe(earlier);
    const row = {
      serialNumber: 'CAM-1',
      streamMode: 'thing-name' as const,
      channels: ['sub'],
      claimTokenSha256: key('2'),
    };
    const verdict = announceRow(again, row, 'factory', now, undefined);
    expect(verdict).toMatchObject({ outcome: 'updated', device: { thingName: 'CAM-1-r1' } });
    expect('device' in verdict && verdict.device).not.toHaveProperty('claimTokenSpentAt');
  });
});

describe('a replacement', () => {
  const old = device('active', { model: 'A1' });
  const take = { ...order, keepUntilConnected: false };

  it.each([
    ['itself', old, 'invalid-request'],
    ['a claimed one', device('claimed', { serialNumber: 'CAM-2' }), 'replacement-not-free'],
    ['a retired one', device('retired', { serialNumber: 'CAM-2' }), 'replacement-not-free'],
    [
      'one that replaces another',
      fresh({ takeover: { from: 'CAM-9', since: at, step: 'reserved' } }),
      'replacement-not-free',
    ],
  ])('by %s: %s', (_, next, code) => {
    expect(beginTakeover(old, next, take, now)).toMatchObject({ code });
  });

  it('is not begun twice by two', () => {
    const replaced = device('active', { replacedBy: 'CAM-3' });
    expect(beginTakeover(replaced, fresh(), take, now)).toMatchObject({ code: 'device-replaced' });
  });

  it('takes over place, streams and history, once the old one is cut off', () => {
    const reserved = done(beginTakeover(old, fresh(), take, now));
    expect(reserved).toMatchObject({ thingName: 'CAM-2', takeover: { step: 'reserved' }, dueAt: at });
    expect(claimOf(reserved)).toBe('raced');
    const given = done(giveUpPlace(old, 'CAM-2', order, now));
    expect(given).toMatchObject({ status: 'retired', replacedBy: 'CAM-2', cutOff: { act: 'replace' } });
    const taken = takeOver(old, reserved, 'f', now);
    expect(taken).toMatchObject({
      serialNumber: 'CAM-2',
      status: 'registered',
      thingName: 'CAM-1',
      channels: ['sub'],
      streams: [{ name: 'CAM-1', state: 'made' }],
      replaces: 'CAM-1',
    });
    expect(taken).not.toHaveProperty('takeover');
    expect(taken.history.map(({ what, of }) => [what, of])).toEqual([
      ['announced', 'CAM-1'],
      ['announced', undefined],
      ['taking-over', undefined],
      ['taken-over', undefined],
    ]);
    expect(takeOver(old, taken, 'f', now)).toBe(taken);
    expect(beginTakeover(given, taken, take, now)).toBe(taken);
    expect(giveUpPlace(given, 'CAM-2', order, now)).toBe(given);
    expect(typeof claimOf(taken)).toBe('object');
  });

  it('keeps mode and channels of the place, whatever a manifest says of the new one', () => {
    const taken = takeOver(old, done(beginTakeover(old, fresh({ channels: [] }), take, now)), 'f', now);
    const row = { serialNumber: 'CAM-2', streamMode: 'certificate-id' as const, channels: [] };
    expect(announceRow(taken, row, 'factory', now, undefined)).toEqual({ outcome: 'unchanged' });
    expect(announceRow(taken, { ...row, batch: '43' }, 'factory', now, undefined)).toMatchObject({
      outcome: 'updated',
      device: { batch: '43', streamMode: 'thing-name', channels: ['sub'], thingName: 'CAM-1' },
    });
  });

  it('keeps the old one until the new one has shown life', () => {
    const reserved = done(beginTakeover(old, fresh(), { ...order, keepUntilConnected: true }, now));
    expect(announceReplacement(old, 'CAM-2', order, now)).toMatchObject({ status: 'active', replacedBy: 'CAM-2' });
    const waiting = takeOver(old, reserved, 'f', now);
    expect(waiting).toMatchObject({ thingName: 'CAM-1', takeover: { step: 'waiting' } });
    expect(waiting).not.toHaveProperty('dueAt');
    const claimed = claimOf(waiting, { serialNumber: 'CAM-2' }) as Device;
    const alive = done(showLife(claimed, { certificateId: 'two', at }, now));
    expect(alive).toMatchObject({ status: 'active', takeover: { step: 'cutting' }, dueAt: at });
    expect(endTakeover(alive, 'f', now)).not.toHaveProperty('takeover');
  });
});
