import { describe, expect, it } from 'vitest';
import {
  type ClaimAttempt,
  type ClaimCertificate,
  type ClaimSettings,
  decideClaim,
  withdrawClaim,
} from '../../shared/domain/claim.ts';
import type { Device, DeviceStatus } from '../../shared/domain/device.ts';

const now = new Date('2026-11-24T08:00:00Z');
const earlier = '2026-11-24T07:00:00.000Z';
const settings: ClaimSettings = { openClaims: false };
const key = (letter: string) => letter.repeat(64);

const device = (change: Partial<Device> = {}): Device => ({
  serialNumber: 'CAM-1',
  version: 3,
  status: 'registered',
  thingName: 'CAM-1',
  streamMode: 'thing-name',
  channels: [],
  registeredAt: earlier,
  certificates: [],
  streams: [],
  history: [],
  ...change,
});

const held = (id: string, publicKey: string, state: Device['certificates'][number]['state'] = 'allowed') => ({
  id,
  publicKeySha256: key(publicKey),
  door: 'mqtt' as const,
  state,
  since: earlier,
});

const claimed = (change: Partial<Device> = {}) =>
  device({ status: 'claimed', claimedAt: earlier, certificates: [held('first', 'a')], ...change });

const active = (change: Partial<Device> = {}) =>
  device({ status: 'active', claimedAt: earlier, certificates: [held('first', 'a', 'current')], ...change });

const batchCertificate: ClaimCertificate = { certificateId: 'batch', createdAt: earlier, createdBy: 'ops' };

const attempt = (change: Partial<ClaimAttempt> = {}): ClaimAttempt => ({
  serialNumber: 'CAM-1',
  door: 'mqtt',
  certificateId: 'second',
  publicKeySha256: key('b'),
  token: 'none',
  claimCertificateId: 'batch',
  ...change,
});

type Case = {
  known?: Device | undefined;
  certificate?: ClaimCertificate | undefined;
  asked?: Partial<ClaimAttempt>;
  rules?: Partial<ClaimSettings>;
};

const decide = ({ known, certificate = batchCertificate, asked = {}, rules = {} }: Case) =>
  decideClaim(known, certificate, attempt(asked), now, { ...settings, ...rules });

const decideWithout = (known: Device) => decideClaim(known, undefined, attempt(), now, settings);

const reason = (one: Case) => {
  const decision = decide(one);
  return decision.allow ? 'allowed' : decision.reason;
};

const allowed = (one: Case): Device => {
  const decision = decide(one);
  if (!decision.allow) throw new Error(decision.reason);
  return decision.device;
};

const admittedBy = (one: Case) => allowed(one).history.at(-1)?.claim?.assurance;

describe('a claim of a registered device', () => {
  it('becomes claimed, with its certificate, its stream and who claimed it', () => {
    expect(allowed({ known: device() })).toEqual({
      ...device(),
      version: 4,
      status: 'claimed',
      claimedAt: now.toISOString(),
      openedBy: 'batch',
      openedAt: now.toISOString(),
      openings: { batch: 1 },
      certificates: [
        { id: 'second', publicKeySha256: key('b'), door: 'mqtt', state: 'allowed', since: now.toISOString() },
      ],
      streams: [{ name: 'CAM-1', state: 'making', since: now.toISOString() }],
      dueAt: '2026-11-24T10:00:00.000Z',
      history: [
        {
          at: now.toISOString(),
          by: 'certificate:batch',
          what: 'claimed',
          claim: {
            assurance: 'allow-list',
            door: 'mqtt',
            certificateId: 'second',
            publicKeySha256: key('b'),
            claimCertificateId: 'batch',
          },
        },
      ],
    });
  });

  it('streams under its certificate in certificate-id mode, and makes no stream in fixed mode', () => {
    expect(allowed({ known: device({ streamMode: 'certificate-id' }) }).streams[0]?.name).toBe('second');
    expect(allowed({ known: device({ streamMode: 'fixed' }) }).streams).toEqual([]);
  });

  it('is admitted by the strongest proof there is', () => {
    expect(admittedBy({ known: device({ publicKeySha256: key('b'), claimTokenSha256: 'x' }) })).toBe('pinned-key');
    expect(admittedBy({ known: device({ claimTokenSha256: 'x' }), asked: { token: 'right' } })).toBe('claim-token');
    expect(admittedBy({ known: device() })).toBe('allow-list');
    expect(admittedBy({ known: undefined, rules: { openClaims: true } })).toBe('open');
  });

  it('is refused for each reason', () => {
    expect(reason({ known: undefined })).toBe('unknown-serial');
    expect(reason({ known: device({ publicKeySha256: key('c') }) })).toBe('key-mismatch');
    expect(reason({ known: device({ claimTokenSha256: 'x' }) })).toBe('token-missing');
    expect(reason({ known: device({ claimTokenSha256: 'x' }), asked: { token: 'wrong' } })).toBe('token-invalid');
    const certificates = Array.from({ length: 25 }, (_, index) => held(`${index}`, 'c', 'leaving'));
    expect(reason({ known: device({ certificates }) })).toBe('too-many-certificates');
  });
});

describe('the claim certificate', () => {
  const disabled = { ...batchCertificate, disabledAt: earlier };

  it('opens nothing that is not pinned or tokened once it is disabled or unknown', () => {
    expect(reason({ known: device(), certificate: disabled })).toBe('claim-certificate-disabled');
    expect(decideWithout(device())).toMatchObject({ reason: 'claim-certificate-unknown' });
    expect(reason({ known: device({ publicKeySha256: key('b') }), certificate: disabled })).toBe('allowed');
    expect(decideWithout(device({ publicKeySha256: key('b') })).allow).toBe(true);
  });

  it('of a batch opens that batch only, whatever else is proven', () => {
    const certificate = { ...batchCertificate, batch: '42' };
    expect(reason({ known: device({ batch: '42' }), certificate })).toBe('allowed');
    expect(decide({ known: device({ batch: '41', publicKeySha256: key('b') }), certificate })).toEqual({
      allow: false,
      reason: 'wrong-claim-certificate',
      contested: true,
    });
    expect(reason({ known: device(), certificate })).toBe('wrong-claim-certificate');
  });

  it('opens nothing outside its window, which ends when it says', () => {
    const within = (from: string | undefined, until: string | undefined) =>
      reason({ known: device(), certificate: { ...batchCertificate, claimWindow: { from, until } } });
    expect(within('2026-11-24T08:00:00Z', undefined)).toBe('allowed');
    expect(within('2026-11-24T08:00:01Z', undefined)).toBe('outside-claim-window');
    expect(within(undefined, '2026-11-24T08:00:01Z')).toBe('allowed');
    expect(within(undefined, '2026-11-24T08:00:00Z')).toBe('outside-claim-window');
  });
});

describe('a claim of a claimed device, whose answer may have been lost', () => {
  it('is answered the same when the same certificate asks again, and nothing changes', () => {
    const known = claimed();
    const decision = decide({ known, asked: { certificateId: 'first', publicKeySha256: key('a') } });
    expect(decision).toEqual({ allow: true, repeated: true, device: known });
  });

  it('yields to the same key: both certificates stay allowed, since either may be the one it holds', () => {
    const next = allowed({ known: claimed(), asked: { publicKeySha256: key('a') } });
    expect(next.certificates.map(({ id, state }) => [id, state])).toEqual([
      ['first', 'allowed'],
      ['second', 'allowed'],
    ]);
    expect(next.claimedAt).toBe(earlier);
    expect(next.history.at(-1)?.claim?.assurance).toBe('same-key');
  });

  it('yields to the unspent token: the other key’s certificate leaves at once and is due', () => {
    const next = allowed({ known: claimed({ claimTokenSha256: 'x' }), asked: { token: 'right' } });
    expect(next.certificates.map(({ id, state }) => [id, state])).toEqual([
      ['first', 'leaving'],
      ['second', 'allowed'],
    ]);
    expect(next.dueAt).toBe(now.toISOString());
  });

  it('does not spend the token by a yes', () => {
    const next = allowed({ known: device({ claimTokenSha256: 'x' }), asked: { token: 'right' } });
    expect(next.claimTokenSpentAt).toBeUndefined();
  });

  it('yields to no other key, which is a sign of a clone; the clock alone frees nothing', () => {
    const known = claimed({ claimedAt: '2020-01-01T00:00:00.000Z' });
    expect(decide({ known })).toEqual({ allow: false, reason: 'already-claimed', contested: true });
    const pinned = claimed({ publicKeySha256: key('a') });
    expect(decide({ known: pinned })).toEqual({ allow: false, reason: 'key-mismatch', contested: true });
  });

  it('is refused to a certificate that was replaced meanwhile', () => {
    const known = claimed({ certificates: [held('first', 'a', 'leaving'), held('third', 'c')] });
    const decision = decide({ known, asked: { certificateId: 'first', publicKeySha256: key('a') } });
    expect(decision).toMatchObject({ reason: 'certificate-superseded', contested: true });
  });
});

describe('a claim of an active device', () => {
  const sameKey = { publicKeySha256: key('a') };

  it('follows the re-provisioning policy: the device’s, else the deployment’s, else by whether a key is pinned', () => {
    expect(reason({ known: active({ publicKeySha256: key('a') }), asked: sameKey })).toBe('allowed');
    expect(reason({ known: active(), asked: sameKey })).toBe('approval-needed');
    expect(reason({ known: active(), asked: sameKey, rules: { reprovisioning: 'same-key' } })).toBe('allowed');
    expect(reason({ known: active(), rules: { reprovisioning: 'same-key' } })).toBe('already-claimed');
    expect(reason({ known: active(), rules: { reprovisioning: 'replace-certificate' } })).toBe('allowed');
    const refusing = active({ reprovisioning: 'refuse' });
    expect(reason({ known: refusing, asked: sameKey, rules: { reprovisioning: 'replace-certificate' } })).toBe(
      'already-claimed',
    );
  });

  it('keeps what its camera holds until the new certificate has shown life', () => {
    const next = allowed({ known: active(), rules: { reprovisioning: 'replace-certificate' } });
    expect(next.status).toBe('active');
    expect(next.certificates.map(({ state }) => state)).toEqual(['current', 'allowed']);
  });

  it('is refused to a spent token, which is a sign of a clone', () => {
    const known = active({ claimTokenSha256: 'x', claimTokenSpentAt: earlier });
    expect(decide({ known, asked: { token: 'right' } })).toEqual({
      allow: false,
      reason: 'token-spent',
      contested: true,
    });
  });
});

it.each<DeviceStatus & ('suspended' | 'retired')>(['suspended', 'retired'])(
  'a claim of a %s device is refused, whatever the key, even to the same certificate',
  (status) => {
    const known = active({ status, publicKeySha256: key('a') });
    for (const asked of [{ publicKeySha256: key('a') }, { certificateId: 'first', publicKeySha256: key('a') }]) {
      expect(reason({ known, asked, rules: { reprovisioning: 'replace-certificate' } })).toBe(status);
    }
  },
);

it('a grant that was taken back leaves the device as it was, but for its version and history', () => {
  const before = device();
  const after = withdrawClaim(before, allowed({ known: before }), 'stream-taken', now);
  const { version, history, ...rest } = after;
  const { version: _, history: __, ...was } = before;
  expect(rest).toEqual(was);
  expect(version).toBe(5);
  expect(history).toEqual([
    { at: now.toISOString(), by: 'function:provisioning-hook', what: 'claim-withdrawn', why: 'stream-taken' },
  ]);
});
