import { expect, it } from 'vitest';
import { type ClaimAttempt, decideClaim, withdrawClaim } from '../../shared/domain/claim.ts';
import { countedOf, stepsBetween } from '../../shared/domain/counts.ts';
import type { Device } from '../../shared/domain/device.ts';
import { openingsBetween } from '../../shared/domain/opening.ts';
import { decideRenewal } from '../../shared/domain/renewal.ts';
import { beginTakeover, takeOver } from '../../shared/domain/replacement.ts';

const at = (minute: number) => new Date(Date.parse('2026-11-24T08:00:00Z') + minute * 60_000);

const device = (serialNumber: string, change: Partial<Device> = {}): Device => ({
  serialNumber,
  version: 1,
  status: 'registered',
  thingName: serialNumber,
  streamMode: 'thing-name',
  channels: [],
  registeredAt: at(0).toISOString(),
  certificates: [],
  streams: [],
  history: [{ at: at(0).toISOString(), by: 'factory', what: 'announced' }],
  ...change,
});

/** A claim with the same key, so that it is let in again and again. */
const claimed = (before: Device, claimCertificateId: string, minute: number): Device => {
  const attempt: ClaimAttempt = {
    serialNumber: before.serialNumber,
    door: 'mqtt',
    certificateId: `own-${minute}`,
    publicKeySha256: 'a'.repeat(64),
    token: 'none',
    claimCertificateId,
  };
  const claimCertificate = { certificateId: claimCertificateId, createdAt: '', createdBy: '' };
  const decision = decideClaim(before, claimCertificate, attempt, at(minute), { openClaims: false });
  if (!decision.allow) throw new Error(decision.reason);
  return decision.device;
};

const opening = (claimCertificateId: string, minute: number) => ({
  claimCertificateId,
  serialNumber: 'CAM-1',
  openedAt: at(minute).toISOString(),
  certificateId: `own-${minute}`,
});

it('each claim is an opening of its claim certificate, the earlier ones of a device as well', () => {
  const fresh = device('CAM-1');
  const once = claimed(fresh, 'c1', 1);
  const twice = claimed(once, 'c2', 2);
  const thrice = claimed(twice, 'c1', 3);
  expect(openingsBetween(fresh, once)).toEqual({ opened: [opening('c1', 1)], withdrawn: [] });
  expect(openingsBetween(once, twice)).toEqual({ opened: [opening('c2', 2)], withdrawn: [] });
  expect(openingsBetween(undefined, once).opened).toEqual([opening('c1', 1)]);
  expect(countedOf(thrice).opened).toEqual({ c1: 2, c2: 1 });
  expect(stepsBetween(countedOf(fresh), countedOf(thrice)).filter(({ kind }) => kind === 'opened')).toEqual([
    { kind: 'opened', name: 'c1', by: 2 },
    { kind: 'opened', name: 'c2', by: 1 },
  ]);
});

it('a renewal opens nothing: it asks with the certificate of the camera itself', () => {
  const once = claimed(device('CAM-1'), 'c1', 1);
  const certificates = once.certificates.map((one) => ({ ...one, state: 'current' as const }));
  const active: Device = { ...once, status: 'active', certificates };
  const attempt = {
    serialNumber: 'CAM-1',
    certificateId: 'own-2',
    publicKeySha256: 'b'.repeat(64),
    claimCertificateId: 'own-1',
    clientId: 'CAM-1',
  };
  const decision = decideRenewal(active, attempt, at(60 * 24));
  if (!decision.allow) throw new Error(decision.reason);
  expect(openingsBetween(active, decision.device)).toEqual({ opened: [], withdrawn: [] });
  expect(countedOf(decision.device).opened).toEqual({ c1: 1 });
});

it('a yes that was taken back has opened nothing', () => {
  const once = claimed(device('CAM-1'), 'c1', 1);
  const twice = claimed(once, 'c1', 2);
  const back = withdrawClaim(once, twice, 'stream-limit', at(3));
  expect(openingsBetween(twice, back)).toEqual({ opened: [], withdrawn: [opening('c1', 2)] });
  expect(countedOf(back).opened).toEqual({ c1: 1 });
  const never = withdrawClaim(device('CAM-1'), once, 'stream-limit', at(3));
  expect(stepsBetween(countedOf(once), countedOf(never))).toContainEqual({ kind: 'opened', name: 'c1', by: -1 });
});

it('what runs out of the bounded history was opened all the same', () => {
  const entry = (minute: number) => ({ at: at(minute).toISOString(), by: 'ops', what: 'updated' as const });
  const full = { ...claimed(device('CAM-1'), 'c1', 1) };
  const before = { ...full, history: [...full.history.slice(-1), ...Array.from({ length: 39 }, (_, n) => entry(n))] };
  const after = { ...before, version: before.version + 1, history: [...before.history.slice(1), entry(50)] };
  expect(openingsBetween(before, after)).toEqual({ opened: [], withdrawn: [] });
});

it('the claims of a place that was taken over are those of the hardware that made them', () => {
  const old = claimed(device('CAM-1'), 'c1', 1);
  const order = { by: 'ops', keepUntilConnected: false };
  const reserved = beginTakeover(old, device('CAM-2'), order, at(2));
  if (reserved instanceof Error) throw reserved;
  const taken = takeOver(old, reserved, 'ops', at(3));
  expect(taken.history.some(({ claim }) => claim?.claimCertificateId === 'c1')).toBe(true);
  expect(openingsBetween(reserved, taken)).toEqual({ opened: [], withdrawn: [] });
  expect(countedOf(taken)).not.toHaveProperty('opened');
});
