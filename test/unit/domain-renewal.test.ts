import { describe, expect, it } from 'vitest';
import { endCutOff } from '../../shared/domain/cut-off.ts';
import type { Device, DeviceCertificate, DeviceStatus } from '../../shared/domain/device.ts';
import { Failure } from '../../shared/domain/failure.ts';
import { showLife } from '../../shared/domain/life.ts';
import { suspend } from '../../shared/domain/lifecycle.ts';
import { decideRenewal, type RenewalAttempt, withdrawRenewal } from '../../shared/domain/renewal.ts';
import { forgetCertificates } from '../../shared/domain/upkeep.ts';

const now = new Date('2026-11-24T08:00:00Z');
const at = now.toISOString();
const earlier = '2026-11-23T07:00:00.000Z';
const key = (letter: string) => letter.repeat(64);
const hoursLater = (hours: number) => new Date(now.getTime() + hours * 3_600_000);

const held = (
  id: string,
  state: DeviceCertificate['state'],
  more: Partial<DeviceCertificate> = {},
): DeviceCertificate => ({ id, publicKeySha256: key('a'), door: 'mqtt', state, since: earlier, ...more });

const device = (change: Partial<Device> = {}): Device => ({
  serialNumber: 'CAM-1',
  version: 3,
  status: 'active',
  thingName: 'CAM-1',
  streamMode: 'thing-name',
  channels: [],
  registeredAt: earlier,
  claimedAt: earlier,
  activeAt: earlier,
  openedBy: 'batch',
  openedAt: earlier,
  certificates: [held('own', 'current')],
  streams: [{ name: 'CAM-1', state: 'made', since: earlier }],
  history: [],
  ...change,
});

const attempt = (change: Partial<RenewalAttempt> = {}): RenewalAttempt => ({
  serialNumber: 'CAM-1',
  certificateId: 'next',
  publicKeySha256: key('b'),
  claimCertificateId: 'own',
  clientId: 'CAM-1',
  ...change,
});

const decide = (known: Device | undefined, change: Partial<RenewalAttempt> = {}) =>
  decideRenewal(known, attempt(change), now);

/** `yes`, `yes again`, or the reason; a sign of a clone with `!`. */
const inWords = (known: Device | undefined, change: Partial<RenewalAttempt> = {}): string => {
  const decision = decide(known, change);
  if (decision.allow) return decision.repeated ? 'yes again' : 'yes';
  return `${decision.reason}${decision.contested ? '!' : ''}`;
};

const granted = (known: Device, change: Partial<RenewalAttempt> = {}, when = now): Device => {
  const decision = decideRenewal(known, attempt(change), when);
  if (!decision.allow) throw new Error(decision.reason);
  return decision.device;
};

const alive = (known: Device, certificateId: string, when = now): Device => {
  const next = showLife(known, { certificateId, at: when.toISOString() }, when);
  if (next instanceof Failure) throw next;
  return next;
};

/** By the state of the certificate that asks: `none` is one of nobody or of another device. */
const table: Record<DeviceStatus, Record<'none' | 'allowed' | 'current' | 'leaving', string>> = {
  registered: {
    none: 'certificate-unknown!',
    allowed: 'certificate-unproven',
    current: 'certificate-unproven',
    leaving: 'certificate-superseded!',
  },
  claimed: {
    none: 'certificate-unknown!',
    allowed: 'certificate-unproven',
    current: 'certificate-unproven',
    leaving: 'certificate-superseded!',
  },
  active: {
    none: 'certificate-unknown!',
    allowed: 'certificate-unproven',
    current: 'yes',
    leaving: 'certificate-superseded!',
  },
  suspended: { none: 'suspended', allowed: 'suspended', current: 'suspended', leaving: 'suspended' },
  retired: { none: 'retired', allowed: 'retired', current: 'retired', leaving: 'retired' },
};

describe('the table of a renewal', () => {
  const cells = Object.entries(table).flatMap(([status, row]) =>
    Object.entries(row).map(([asking, expected]) => ({ status, asking, expected })),
  );
  it.each(cells)('of a $status device, asked for with a certificate that is $asking: $expected', (cell) => {
    const certificates = cell.asking === 'none' ? [] : [held('own', cell.asking as DeviceCertificate['state'])];
    expect(inWords(device({ status: cell.status as DeviceStatus, certificates }))).toBe(cell.expected);
  });

  it.each<[string, Device | undefined, Partial<RenewalAttempt>, string]>([
    ['of a serial number that nobody announced', undefined, {}, 'unknown-serial'],
    ['with a foreign certificate beside its own', device(), { claimCertificateId: 'foreign' }, 'certificate-unknown!'],
    ['without any', device(), { claimCertificateId: undefined } as never, 'certificate-unknown!'],
    ['from another client id', device(), { clientId: 'CAM-2' }, 'wrong-place'],
    ['from no client id', device(), { clientId: undefined } as never, 'wrong-place'],
    ['from its serial number, in a place of another name', device({ thingName: 'CAM-0' }), {}, 'wrong-place'],
    ['from its place of another name', device({ thingName: 'CAM-0' }), { clientId: 'CAM-0' }, 'yes'],
    ['with a key that the manifest does not pin', device({ publicKeySha256: key('a') }), {}, 'yes'],
    ['with the key that it has', device(), { publicKeySha256: key('a') }, 'yes'],
  ])('%s', (_, known, change, expected) => {
    expect(inWords(known, change)).toBe(expected);
  });

  it('says the same again for the same new certificate, and no for one that a later attempt has replaced', () => {
    const once = granted(device());
    expect(inWords(once)).toBe('yes again');
    const decision = decide(once);
    expect(decision.allow && decision.device).toBe(once);
    expect(inWords(granted(once, { certificateId: 'later' }))).toBe('certificate-superseded');
  });
});

describe('a granted renewal', () => {
  it('adds one certificate and leaves everything else as it was', () => {
    expect(granted(device())).toEqual({
      ...device(),
      version: 4,
      certificates: [
        held('own', 'current'),
        { id: 'next', publicKeySha256: key('b'), door: 'renewal', state: 'allowed', since: at },
      ],
      dueAt: '2026-11-24T10:00:00.000Z',
      history: [
        {
          at,
          by: 'certificate:own',
          what: 'renewing',
          claim: {
            assurance: 'current-certificate',
            door: 'renewal',
            certificateId: 'next',
            publicKeySha256: key('b'),
            claimCertificateId: 'own',
            clientId: 'CAM-1',
          },
        },
      ],
    });
  });

  it('begins a stream in certificate-id mode only', () => {
    const streams = [{ name: 'own', state: 'made' as const, since: earlier }];
    expect(granted(device({ streamMode: 'certificate-id', streams })).streams).toEqual([
      ...streams,
      { name: 'next', state: 'making', since: at },
    ]);
    expect(granted(device({ streamMode: 'fixed', streams: [] })).streams).toEqual([]);
  });

  it('puts aside what an earlier renewal was granted and no camera has shown', () => {
    const twice = granted(granted(device()), { certificateId: 'later', publicKeySha256: key('c') });
    expect(twice.certificates.map(({ id, state }) => `${id} ${state}`)).toEqual([
      'own current',
      'next leaving',
      'later allowed',
    ]);
    expect(twice.dueAt).toBe(at);
  });

  it('waits for a claim that is under way beside it, for two hours', () => {
    const approved = device({ certificates: [held('own', 'current'), held('approved', 'allowed', { since: at })] });
    expect(inWords(approved)).toBe('too-many-certificates');
    const last = decideRenewal(approved, attempt(), new Date(hoursLater(2).getTime() - 1));
    expect(last).toMatchObject({ allow: false, reason: 'too-many-certificates' });
    expect(granted(approved, {}, hoursLater(2)).certificates.map(({ state }) => state)).toEqual([
      'current',
      'leaving',
      'allowed',
    ]);
  });

  it('is refused where too many wait to be taken away', () => {
    const waiting = Array.from({ length: 24 }, (_, index) => held(`old${index}`, 'leaving'));
    expect(inWords(device({ certificates: [...waiting.slice(1), held('own', 'current')] }))).toBe('yes');
    expect(inWords(device({ certificates: [...waiting, held('own', 'current')] }))).toBe('too-many-certificates');
  });

  it('never leaves more than two open, however often it is tried', () => {
    let known = device();
    for (let round = 0; round < 12; round++) {
      const certificateId = `r${round}`;
      const current = known.certificates.find(({ state }) => state === 'current')?.id;
      known = granted(known, { certificateId, ...(current && { claimCertificateId: current }) });
      expect(known.certificates.filter(({ state }) => state !== 'leaving').length).toBeLessThanOrEqual(2);
      if (round % 3 === 2) known = alive(known, certificateId);
    }
  });

  it('is as if it had not been once it is taken back', () => {
    const known = device({ streamMode: 'certificate-id', streams: [{ name: 'own', state: 'made', since: earlier }] });
    const withdrawn = withdrawRenewal(known, granted(known), 'stream-taken', now);
    expect(withdrawn).toEqual({
      ...known,
      version: 5,
      history: [{ at, by: 'function:renewal-hook', what: 'renewal-withdrawn', why: 'stream-taken' }],
    });
  });

  it('keeps a stream listed that AWS may have made', () => {
    const known = device({ streamMode: 'certificate-id', streams: [] });
    const withdrawn = withdrawRenewal(known, granted(known), 'stream-late', now);
    expect(withdrawn.certificates).toEqual(known.certificates);
    expect(withdrawn.streams).toEqual([{ name: 'next', state: 'making', since: at }]);
    expect(granted(withdrawn).streams).toEqual(withdrawn.streams);
  });
});

describe('the life of a renewed certificate', () => {
  it('gives the one before it an hour to change over', () => {
    const next = alive(granted(device()), 'next');
    expect(next.certificates.map(({ id, state, leavesAt }) => ({ id, state, leavesAt }))).toEqual([
      { id: 'own', state: 'leaving', leavesAt: hoursLater(1).toISOString() },
      { id: 'next', state: 'current', leavesAt: undefined },
    ]);
    expect(next.dueAt).toBe(hoursLater(1).toISOString());
    expect(next.status).toBe('active');
  });

  it('gives no time to what was never shown', () => {
    const twice = granted(granted(device()), { certificateId: 'later' });
    expect(alive(twice, 'later').dueAt).toBe(at);
  });

  it('keeps the hour of the one before when the next is quicker than that', () => {
    const once = alive(granted(device()), 'next');
    const twice = granted(once, { certificateId: 'later', claimCertificateId: 'next' }, hoursLater(0.5));
    expect(alive(twice, 'later', hoursLater(0.5)).certificates.map(({ leavesAt }) => leavesAt)).toEqual([
      hoursLater(1).toISOString(),
      hoursLater(1.5).toISOString(),
      undefined,
    ]);
  });

  it('ends at once when a claim has taken the device over', () => {
    const renewed = alive(granted(device()), 'next');
    const claimed = { ...renewed, certificates: [...renewed.certificates, held('approved', 'allowed')] };
    const next = alive(claimed, 'approved');
    expect(next.certificates.map(({ leavesAt }) => leavesAt)).toEqual([undefined, undefined, undefined]);
    expect(next.dueAt).toBe(at);
  });

  it('closes the span of the stream before it, in certificate-id mode', () => {
    const streams = [{ name: 'own', state: 'made' as const, since: earlier }];
    const known = device({ streamMode: 'certificate-id', streams });
    expect(alive(granted(known), 'next').streams).toEqual([
      { name: 'own', state: 'made', since: earlier, until: at },
      { name: 'next', state: 'made', since: at },
    ]);
  });

  it('is cut off once more where its hook had said yes just before a suspension', () => {
    const cut = suspend(granted(device()), { by: 'ops' }, now);
    if (cut instanceof Failure) throw cut;
    const once = endCutOff(cut, { removed: [], complete: true, deniedUntil: hoursLater(2).toISOString() }, 'f', now);
    expect(once.cutOff).toMatchObject({ act: 'suspend', dueAt: new Date(now.getTime() + 600_000).toISOString() });
  });

  it('ends with the certificate where it was never shown, and so does its stream', () => {
    const streams = [{ name: 'own', state: 'made' as const, since: earlier }];
    const known = device({ streamMode: 'certificate-id', streams });
    const forgotten = forgetCertificates(granted(known), ['next'], 'function:reconcile', hoursLater(2), 'never-shown');
    expect(forgotten.certificates).toEqual(known.certificates);
    expect(forgotten.streams).toEqual([
      ...streams,
      { name: 'next', state: 'making', since: at, until: hoursLater(2).toISOString() },
    ]);
    expect(forgotten.status).toBe('active');
  });
});
