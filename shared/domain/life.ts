import { changed, type Device, type DeviceCertificate, plusHours } from './device.ts';
import { Failure } from './failure.ts';
import { leave, liveStreams, withStream } from './stream.ts';

/** The first sign that a certificate is in its camera's hands, whichever way it came; `at` is when the sign was given. */
export type SignOfLife = { certificateId: string; at: string };

/** A renewed camera may be streaming with the certificate before: so long it has to change over, and nobody takes that one away. */
const changeOverHours = 1;

/** What becomes of the device's other certificates when this one has shown life. */
const stepAside = (other: DeviceCertificate, alive: DeviceCertificate, at: string): DeviceCertificate => {
  const { leavesAt, ...left } = leave(other, at);
  if (alive.door !== 'renewal') return left;
  if (other.state === 'current') return { ...left, leavesAt: plusHours(at, changeOverHours) };
  return leavesAt ? { ...left, leavesAt } : left;
};

/**
 * Takes the certificate as the device's current one. The same device comes back where there is nothing to change.
 * A `Failure` tells what the sign proves instead; `certificate-superseded` is a sign of a clone.
 */
export const showLife = (device: Device, sign: SignOfLife, now: Date): Device | Failure => {
  if (device.status === 'suspended') return new Failure('device-suspended', 'the device is suspended');
  if (device.status === 'retired') return new Failure('device-retired', 'the device is retired');
  const certificate = device.certificates.find(({ id }) => id === sign.certificateId);
  if (!certificate) return new Failure('certificate-unknown', 'the certificate is not one of the device');
  if (certificate.state === 'leaving') {
    // Events come late and in any order: what was said before the certificate was replaced says nothing.
    return Date.parse(sign.at) <= Date.parse(certificate.since)
      ? device
      : new Failure('certificate-superseded', 'the certificate was replaced, and is used still');
  }
  if (certificate.state === 'current' && device.status === 'active') return device;

  const at = now.toISOString();
  return changed(
    device,
    {
      status: 'active',
      activeAt: device.activeAt ?? at,
      certificates: device.certificates.map((one) => {
        if (one.id !== certificate.id) return stepAside(one, certificate, at);
        return one.state === 'current' ? one : { ...one, state: 'current', since: at };
      }),
      streams: liveStreams(device, certificate.id, at),
      // The token is spent here and not by the yes: replies get lost.
      ...(device.claimTokenSha256 && { claimTokenSpentAt: device.claimTokenSpentAt ?? at }),
      // The old unit was kept only until now.
      ...(device.takeover?.step === 'waiting' && {
        takeover: { ...device.takeover, step: 'cutting' as const, since: at },
      }),
    },
    { at, by: `certificate:${certificate.id}`, what: 'shown-life' },
  );
};

export const pendingStreams = (device: Device) => device.streams.filter(({ state }) => state === 'pending');

/** Notes a stream that could not be made in time; `reconcile` or the first connection makes it. */
export const noteLateStream = (device: Device, name: string, now: Date): Device => {
  const at = now.toISOString();
  const streams = withStream(device.streams, name, 'pending', at);
  const { history } = device;
  const last = history.at(-1);
  const next = changed(device, { streams }, last ?? { at, by: 'function:provisioning-hook', what: 'claimed' });
  // It is part of the claim that was just written, not an act of its own.
  return { ...next, history };
};

/** Notes what became of streams that were pending. */
export const finishStreams = (
  device: Device,
  outcomes: Map<string, 'made' | 'taken'>,
  by: string,
  now: Date,
): Device => {
  const at = now.toISOString();
  let { streams } = device;
  for (const [name, state] of outcomes) streams = withStream(streams, name, state, at);
  const taken = [...outcomes].filter(([, state]) => state === 'taken').map(([name]) => name);
  const why = taken.length > 0 ? `taken by somebody else: ${taken.join(', ')}` : undefined;
  return changed(device, { streams }, { at, by, what: 'streams-finished', ...(why && { why }) });
};
