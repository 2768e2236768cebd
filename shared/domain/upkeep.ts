import { changed, type Device } from './device.ts';

/** Takes certificates off the list, once AWS has let them go. A device that was only claimed with them is free again. */
export const forgetCertificates = (device: Device, ids: string[], by: string, now: Date, why?: string): Device => {
  const at = now.toISOString();
  const certificates = device.certificates.filter(({ id }) => !ids.includes(id));
  const isFree = device.status === 'claimed' && !certificates.some(({ state }) => state !== 'leaving');
  const { claimedAt, openedBy, openedAt, ...rest } = device;
  const entry = {
    at,
    by,
    what: 'certificates-removed' as const,
    why: why ? `${why}: ${ids.join(', ')}` : ids.join(', '),
  };
  if (!isFree) {
    // A stream that is called like a certificate ends with it.
    const streams = device.streams.map((one) => (ids.includes(one.name) && !one.until ? { ...one, until: at } : one));
    return changed(device, { certificates, streams }, entry);
  }
  // What was only asked for may or may not be there: a claim that comes will find out.
  const streams = device.streams.filter(({ state }) => state !== 'making');
  return changed(rest, { status: 'registered', certificates, streams }, entry);
};

/** Notes that AWS still has the certificates of a claim that no camera has shown; not an act, so not in the history. */
export const seeCertificates = (device: Device, now: Date): Device => {
  const at = now.toISOString();
  const certificates = device.certificates.map((one) => (one.state === 'allowed' ? { ...one, seenAt: at } : one));
  const last = device.history.at(-1) ?? { at, by: 'function:reconcile', what: 'updated' as const };
  return { ...changed(device, { certificates }, last), history: device.history };
};
