import {
  type Assurance,
  changed,
  type Device,
  type DeviceCertificate,
  type Door,
  type GrantedClaim,
  type ReprovisioningPolicy,
} from './device.ts';
import { leave, openStreams } from './stream.ts';

/** The shared bootstrap certificate of a batch. Without a batch it admits devices of any batch. */
export type ClaimCertificate = {
  certificateId: string;
  /** Absent: `batch`. An `installer`'s is one of CreateProvisioningClaim, which AWS ends after five minutes. */
  kind?: 'batch' | 'installer';
  batch?: string;
  disabledAt?: string;
  disabledBy?: string;
  /** Claims refused through it. */
  refused?: number;
  lastRefusedAt?: string;
  claimWindow?: { from?: string | undefined; until?: string | undefined };
  createdAt: string;
  createdBy: string;
};

export type ClaimRefusal =
  | 'invalid-serial'
  | 'parameter-not-allowed'
  | 'unknown-serial'
  | 'suspended'
  | 'retired'
  | 'key-mismatch'
  | 'wrong-claim-certificate'
  | 'outside-claim-window'
  | 'token-missing'
  | 'token-invalid'
  | 'token-spent'
  | 'claim-certificate-unknown'
  | 'claim-certificate-disabled'
  | 'already-claimed'
  | 'approval-needed'
  | 'certificate-superseded'
  | 'too-many-certificates'
  | 'certificate-unknown'
  | 'certificate-unproven'
  | 'wrong-place'
  | 'raced'
  | 'stream-taken'
  | 'stream-limit'
  | 'stream-late'
  | 'thing-taken'
  | 'too-many-tokens';

/** One attempt of a device to take its identity. `token` says what the token it sent proved. */
export type ClaimAttempt = {
  serialNumber: string;
  door: Door;
  certificateId: string;
  publicKeySha256: string;
  token: 'none' | 'right' | 'wrong';
  claimCertificateId?: string;
  clientId?: string;
  /** The other device that the manifest pins this very key to. */
  pinnedTo?: string | undefined;
  /** Who vouches for it, at the line's door. */
  by?: string;
};

export type ClaimSettings = {
  openClaims: boolean;
  /** `undefined`: same-key where a key is pinned, else approve. */
  reprovisioning?: ReprovisioningPolicy | undefined;
};

export type ClaimDecision =
  /** `repeated`: this very certificate has its yes already, nothing is to be written. */
  | { allow: true; repeated: boolean; device: Device }
  /** `contested`: a sign that the serial number is used twice. It is noted and changes nothing else. */
  | { allow: false; reason: ClaimRefusal; contested: boolean };

/** A camera that dies between yes and its disk adds one each time, and none may be dropped before AWS was asked. */
export const mostCertificates = 25;

const refuse = (reason: ClaimRefusal, contested = false): ClaimDecision => ({ allow: false, reason, contested });

const isOutside = (window: ClaimCertificate['claimWindow'], now: Date): boolean =>
  (window?.from !== undefined && now.getTime() < Date.parse(window.from)) ||
  (window?.until !== undefined && now.getTime() >= Date.parse(window.until));

const holdsKey = (device: Device, publicKeySha256: string): boolean =>
  device.certificates.some((one) => one.state !== 'leaving' && one.publicKeySha256 === publicKeySha256);

/** Whether an operator has approved this very key, and not too long ago. */
const isApproved = ({ approval }: Device, { publicKeySha256 }: ClaimAttempt, now: Date): boolean =>
  approval?.publicKeySha256 === publicKeySha256 && now.getTime() < Date.parse(approval.until);

/** What admits the claim, the strongest first, or why nothing does. */
const admit = (
  device: Device,
  claimCertificate: ClaimCertificate | undefined,
  attempt: ClaimAttempt,
  now: Date,
): Assurance | { reason: ClaimRefusal; contested: boolean } => {
  if (device.publicKeySha256 !== undefined) return 'pinned-key';
  if (attempt.door === 'line') return 'line';
  // The open door admits by pin or token only: an approval speaks for a device that has one of them.
  const isBarred = attempt.door === 'https' && device.claimTokenSha256 === undefined;
  if (!isBarred && isApproved(device, attempt, now)) return 'approval';
  const sameKey = holdsKey(device, attempt.publicKeySha256);
  if (device.claimTokenSha256 !== undefined && !sameKey) {
    if (attempt.token === 'none') return { reason: 'token-missing', contested: false };
    if (attempt.token === 'wrong') return { reason: 'token-invalid', contested: false };
    return device.claimTokenSpentAt === undefined ? 'claim-token' : { reason: 'token-spent', contested: true };
  }
  if (device.claimTokenSha256 !== undefined) return 'same-key';
  if (!claimCertificate) return { reason: 'claim-certificate-unknown', contested: false };
  if (claimCertificate.disabledAt) return { reason: 'claim-certificate-disabled', contested: false };
  return sameKey ? 'same-key' : 'allow-list';
};

/** Whether a device that has an identity already may take a new one; the reason if not. */
const yields = (
  device: Device,
  assurance: Assurance,
  attempt: ClaimAttempt,
  now: Date,
  settings: ClaimSettings,
): ClaimRefusal | undefined => {
  const sameKey = holdsKey(device, attempt.publicKeySha256) || assurance === 'pinned-key';
  const policy =
    device.reprovisioning ?? settings.reprovisioning ?? (device.publicKeySha256 === undefined ? 'approve' : 'same-key');
  if (isApproved(device, attempt, now) && (device.status === 'claimed' || policy !== 'refuse')) return undefined;
  // Until a camera has shown life the line may make it anew; after that only a camera's own key says that it is the one.
  if (attempt.door === 'line') return device.status === 'claimed' || sameKey ? undefined : 'already-claimed';
  if (device.status === 'claimed') return sameKey || assurance === 'claim-token' ? undefined : 'already-claimed';
  switch (policy) {
    case 'replace-certificate':
      return undefined;
    case 'same-key':
      return sameKey ? undefined : 'already-claimed';
    case 'approve':
      return 'approval-needed';
    case 'refuse':
      return 'already-claimed';
  }
};

const openedBy = ({ openings }: Device, id: string, at: string): Partial<Device> => ({
  openedBy: id,
  openedAt: at,
  openings: { ...openings, [id]: (openings?.[id] ?? 0) + 1 },
});

const granted = (device: Device, assurance: Assurance, attempt: ClaimAttempt, now: Date): Device => {
  const at = now.toISOString();
  const { serialNumber: _, token: __, pinnedTo: ___, by, ...rest } = attempt;
  const claim: GrantedClaim = { assurance, ...rest };
  // The same key tried again: its earlier certificates may be the one it holds. Another key: they are nobody's now.
  // What an active camera holds stays until the new one has shown life (make before break).
  const stays = (one: DeviceCertificate) => one.publicKeySha256 === attempt.publicKeySha256 || one.state === 'current';
  const certificate: DeviceCertificate = {
    id: attempt.certificateId,
    publicKeySha256: attempt.publicKeySha256,
    door: attempt.door,
    state: 'allowed',
    since: at,
  };
  // An approval is for one claim: the same key tried again needs none.
  const { approval, ...unapproved } = device;
  return changed(
    approval?.publicKeySha256 === attempt.publicKeySha256 ? unapproved : device,
    {
      status: device.status === 'registered' ? 'claimed' : device.status,
      claimedAt: device.claimedAt ?? at,
      certificates: [...device.certificates.map((one) => (stays(one) ? one : leave(one, at))), certificate],
      streams: openStreams(device, attempt.certificateId, at),
      ...(attempt.claimCertificateId && openedBy(device, attempt.claimCertificateId, at)),
    },
    { at, by: by ?? `certificate:${attempt.claimCertificateId ?? attempt.certificateId}`, what: 'claimed', claim },
  );
};

const unannounced = (attempt: ClaimAttempt, now: Date): Device => ({
  serialNumber: attempt.serialNumber,
  version: 0,
  status: 'registered',
  thingName: attempt.serialNumber,
  streamMode: 'thing-name',
  channels: [],
  registeredAt: now.toISOString(),
  certificates: [],
  streams: [],
  history: [],
});

/** May this certificate become this device's? Pure: the caller reads, and writes what comes out under the version it read. */
export const decideClaim = (
  known: Device | undefined,
  claimCertificate: ClaimCertificate | undefined,
  attempt: ClaimAttempt,
  now: Date,
  settings: ClaimSettings,
): ClaimDecision => {
  // Open claims are a matter of the claim certificate; the other doors have none.
  if (!known && !(settings.openClaims && attempt.door === 'mqtt')) return refuse('unknown-serial');
  const device = known ?? unannounced(attempt, now);
  if (device.status === 'suspended' || device.status === 'retired') return refuse(device.status);

  // Until the old unit is cut off, nobody takes its place; the camera tries again.
  if (device.takeover?.step === 'reserved') return refuse('raced');

  const same = device.certificates.find(({ id }) => id === attempt.certificateId);
  if (same?.state === 'leaving') return refuse('certificate-superseded', true);
  if (same) return { allow: true, repeated: true, device };

  const isClaimed = device.status !== 'registered';
  if (device.publicKeySha256 !== undefined && device.publicKeySha256 !== attempt.publicKeySha256) {
    return refuse('key-mismatch', isClaimed);
  }
  // What is pinned to one device opens no other, whatever else would admit it.
  if (device.publicKeySha256 === undefined && attempt.pinnedTo !== undefined) return refuse('key-mismatch', isClaimed);
  // A batch bound to its claim certificate and its window are rules of the batch: the best proof does not lift them.
  if (claimCertificate?.batch !== undefined && claimCertificate.batch !== device.batch) {
    return refuse('wrong-claim-certificate', true);
  }
  if (isOutside(claimCertificate?.claimWindow, now)) return refuse('outside-claim-window');

  const admitted = admit(device, claimCertificate, attempt, now);
  if (typeof admitted === 'object') return refuse(admitted.reason, admitted.contested);
  if (isClaimed) {
    const reason = yields(device, admitted, attempt, now, settings);
    if (reason) return refuse(reason, !holdsKey(device, attempt.publicKeySha256));
  }
  if (device.certificates.length >= mostCertificates) return refuse('too-many-certificates');
  const assurance = known ? admitted : 'open';
  return { allow: true, repeated: false, device: granted(device, assurance, attempt, now) };
};

/** Takes back a grant whose answer was never a yes: the certificate has no power, so the device is as it was. */
export const withdrawClaim = (before: Device, granted: Device, why: ClaimRefusal, now: Date): Device => {
  const { status, certificates, streams, claimedAt, openedBy, openedAt, openings, approval } = before;
  const { claimedAt: _, openedBy: __, openedAt: ___, openings: ____, ...rest } = granted;
  const entry = { at: now.toISOString(), by: 'function:provisioning-hook', what: 'claim-withdrawn' as const, why };
  return changed(
    { ...rest, history: before.history },
    {
      status,
      certificates,
      streams,
      ...(claimedAt && { claimedAt }),
      ...(openedBy && { openedBy }),
      ...(openedAt && { openedAt }),
      ...(openings && { openings }),
      ...(approval && { approval }),
    },
    entry,
  );
};
