import { type ClaimAttempt, type ClaimDecision, type ClaimRefusal, type ClaimSettings, decideClaim } from './claim.ts';
import { changed, type Device, type DeviceCertificate, type Making, makingDueAt } from './device.ts';
import { leave, openStreams, withStream } from './stream.ts';

/** A claim at one of the HTTP doors: no certificate is made before it is decided. */
export type HttpClaim = {
  serialNumber: string;
  door: 'https' | 'line';
  /** Absent where AWS is to make the key. */
  publicKeySha256?: string;
  /** `unread`: there were too many wrong ones, so this one was not looked at. */
  token: 'none' | 'right' | 'wrong' | 'unread';
  /** The other device that the manifest pins this very key to. */
  pinnedTo?: string | undefined;
  by?: string;
};

/** What no certificate is called. */
const notYet = '';

const attemptOf = ({ token, ...claim }: HttpClaim, certificate?: Pick<DeviceCertificate, 'id'>): ClaimAttempt => ({
  ...claim,
  publicKeySha256: claim.publicKeySha256 ?? notYet,
  token: token === 'unread' ? 'wrong' : token,
  certificateId: certificate?.id ?? notYet,
});

/** May a certificate be made for this claim? */
export const decideMaking = (
  known: Device | undefined,
  claim: HttpClaim,
  now: Date,
  settings: ClaimSettings,
): ClaimDecision => {
  const decision = decideClaim(known, undefined, attemptOf(claim), now, settings);
  // There is no claim certificate at these doors: what only one could open stays shut, whatever it is called.
  return decision.allow || claim.token !== 'unread' || decision.reason !== 'token-invalid'
    ? decision
    : { ...decision, reason: 'too-many-tokens' };
};

/** The newest certificate of this key that a repeat of the claim may be answered with. */
export const certificateFor = (device: Device, { publicKeySha256 }: HttpClaim): DeviceCertificate | undefined =>
  publicKeySha256 === undefined
    ? undefined
    : device.certificates.filter((one) => one.state !== 'leaving' && one.publicKeySha256 === publicKeySha256).at(-1);

/** Whether this very claim is under way already: a repeat goes on where it was. */
const isUnderWay = ({ making }: Device, { door, publicKeySha256 }: HttpClaim): boolean =>
  making?.door === door && making.publicKeySha256 === publicKeySha256 && making.certificateId === undefined;

/** Notes what is about to be made, before it is. The same device comes back where that is noted already. */
export const beginMaking = (device: Device, claim: HttpClaim, now: Date): Device => {
  const at = now.toISOString();
  if (isUnderWay(device, claim) && device.making && at < makingDueAt(device.making)) return device;
  const { door, publicKeySha256 } = claim;
  // What an earlier call recorded and did not end has no policy yet, and this note is all that said so: it must not pass for made.
  const unended = device.making?.certificateId;
  const certificates = device.certificates.map((one) =>
    one.id === unended && one.state === 'allowed' ? leave(one, at) : one,
  );
  return changed(
    device,
    {
      certificates,
      making: { door, since: at, ...(publicKeySha256 && { publicKeySha256 }) },
      // A stream that is called like its certificate has no name yet.
      ...(device.streamMode === 'thing-name' && { streams: openStreams(device, notYet, at) }),
    },
    { at, by: claim.by ?? `door:${door}`, what: 'making' },
  );
};

/** The certificate is there and has no power yet: the claim is decided on it, as if the camera had brought it. */
export const recordCertificate = (
  device: Device,
  claim: HttpClaim,
  certificate: { id: string; publicKeySha256: string },
  stream: 'making' | 'made' | 'pending',
  now: Date,
  settings: ClaimSettings,
): ClaimDecision => {
  const attempt = attemptOf({ ...claim, publicKeySha256: certificate.publicKeySha256 }, certificate);
  const decision = decideClaim(device, undefined, attempt, now, settings);
  if (!decision.allow || decision.repeated) return decision;
  const at = now.toISOString();
  const making: Making = {
    door: claim.door,
    since: at,
    ...(claim.publicKeySha256 && { publicKeySha256: claim.publicKeySha256 }),
    certificateId: certificate.id,
  };
  const streams =
    device.streamMode === 'thing-name'
      ? withStream(decision.device.streams, device.thingName, stream, at)
      : decision.device.streams;
  return { ...decision, device: redated(decision.device, { making, streams }) };
};

/** Part of the change that was just made, not an act of its own. */
const redated = (device: Device, change: Partial<Device>): Device => {
  const last = device.history.at(-1);
  if (!last) return device;
  return { ...changed(device, change, last), history: device.history };
};

/** What became of the stream of a certificate that is recorded already. */
export const settleStream = (device: Device, name: string, state: 'made' | 'pending', now: Date): Device =>
  redated(device, { streams: withStream(device.streams, name, state, now.toISOString()) });

/** The last thing is made: the certificate has its policy, and its power. */
export const endMaking = (device: Device, by: string, now: Date): Device => {
  const { making: _, ...rest } = device;
  return changed(rest, {}, { at: now.toISOString(), by, what: 'made' });
};

/** Nothing is being made any more. A certificate that was, leaves; the stream stays, since nothing of a camera is ever deleted. */
export const undoMaking = (device: Device, by: string, now: Date, why?: ClaimRefusal | 'abandoned'): Device => {
  const { making, ...rest } = device;
  const at = now.toISOString();
  const certificates = device.certificates.map((one) =>
    one.id === making?.certificateId && one.state === 'allowed' ? leave(one, at) : one,
  );
  // What was only asked for may or may not be there: a claim that comes will find out.
  const streams =
    device.status === 'registered' ? device.streams.filter(({ state }) => state !== 'making') : device.streams;
  return changed(rest, { certificates, streams }, { at, by, what: 'making-undone', ...(why && { why }) });
};
