import { type ClaimDecision, type ClaimRefusal, mostCertificates } from './claim.ts';
import { changed, type Device, type DeviceCertificate, type GrantedClaim, unfinishedUntil } from './device.ts';
import { leave, openStreams } from './stream.ts';

/** One attempt of a camera to put a new certificate in the place of its own. */
export type RenewalAttempt = {
  serialNumber: string;
  /** The new one. */
  certificateId: string;
  publicKeySha256: string;
  /** The one that asks: AWS's `claimCertificateId`, whatever kind of certificate it is. */
  claimCertificateId?: string;
  clientId?: string;
};

const refuse = (reason: ClaimRefusal, contested = false): ClaimDecision => ({ allow: false, reason, contested });

/** A claim is under way beside the current certificate: somebody was let in, and has had no time yet to show life. */
const isClaiming = (one: DeviceCertificate, now: Date): boolean =>
  one.state === 'allowed' && one.door !== 'renewal' && now.toISOString() < unfinishedUntil(one);

const granted = (device: Device, { serialNumber: _, ...attempt }: RenewalAttempt, now: Date): Device => {
  const at = now.toISOString();
  const claim: GrantedClaim = { assurance: 'current-certificate', door: 'renewal', ...attempt };
  const certificate: DeviceCertificate = {
    id: attempt.certificateId,
    publicKeySha256: attempt.publicKeySha256,
    door: 'renewal',
    state: 'allowed',
    since: at,
  };
  return changed(
    device,
    {
      // At most two are open. Who asks again with the current one does not use what an earlier attempt was granted.
      certificates: [
        ...device.certificates.map((one) => (one.state === 'allowed' ? leave(one, at) : one)),
        certificate,
      ],
      ...(device.streamMode === 'certificate-id' && { streams: openStreams(device, attempt.certificateId, at) }),
    },
    { at, by: `certificate:${attempt.claimCertificateId}`, what: 'renewing', claim },
  );
};

/**
 * May this certificate follow the one that asks for it? Only that one counts, and never the serial number alone: whoever has a
 * certificate of this deployment can send any. Pure, as `decideClaim`. The manifest's pin names the factory key and is not asked.
 */
export const decideRenewal = (device: Device | undefined, attempt: RenewalAttempt, now: Date): ClaimDecision => {
  if (!device) return refuse('unknown-serial');
  if (device.status === 'suspended' || device.status === 'retired') return refuse(device.status);

  const asking = device.certificates.find(({ id }) => id === attempt.claimCertificateId);
  if (!asking) return refuse('certificate-unknown', true);
  if (asking.state === 'leaving') return refuse('certificate-superseded', true);
  if (asking.state === 'allowed' || device.status !== 'active') return refuse('certificate-unproven');
  if (attempt.clientId !== device.thingName) return refuse('wrong-place');

  const same = device.certificates.find(({ id }) => id === attempt.certificateId);
  if (same?.state === 'leaving') return refuse('certificate-superseded');
  if (same) return { allow: true, repeated: true, device };

  if (device.certificates.some((one) => isClaiming(one, now))) return refuse('too-many-certificates');
  if (device.certificates.length >= mostCertificates) return refuse('too-many-certificates');
  return { allow: true, repeated: false, device: granted(device, attempt, now) };
};

/** Takes back a grant whose answer was never a yes. A stream that AWS may have made all the same stays listed. */
export const withdrawRenewal = (before: Device, granted: Device, why: ClaimRefusal, now: Date): Device =>
  changed(
    { ...granted, history: before.history },
    { certificates: before.certificates, streams: why === 'stream-late' ? granted.streams : before.streams },
    { at: now.toISOString(), by: 'function:renewal-hook', what: 'renewal-withdrawn', why },
  );
