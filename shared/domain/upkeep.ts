import { changed, type Device, dueAtOf } from './device.ts';
import { withStream } from './stream.ts';

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

/** Not an act, so not in the history. */
const unsaid = (device: Device, change: Partial<Device>, now: Date): Device => {
  const last = device.history.at(-1) ?? { at: now.toISOString(), by: 'function:reconcile', what: 'updated' as const };
  return { ...changed(device, change, last), history: device.history };
};

/** Notes that AWS still has the certificates of a claim that no camera has shown. */
export const seeCertificates = (device: Device, now: Date): Device => {
  const seenAt = now.toISOString();
  const certificates = device.certificates.map((one) => (one.state === 'allowed' ? { ...one, seenAt } : one));
  return unsaid(device, { certificates }, now);
};

/** Whether the work list has the device when it must; a record that was put back, or written by older code, may say otherwise. */
export const isListedRight = (device: Device): boolean => device.dueAt === dueAtOf(device);

/** Put on the work list as what is unfinished says. */
export const relist = (device: Device, now: Date): Device => unsaid(device, {}, now);

/** Asks whoever counts to count the device anew. */
export const askRecount = (device: Device, now: Date): Device =>
  unsaid(device, { recountedAt: now.toISOString() }, now);

/** What AWS had lost or changed is as the record says again. `streams`: those that are to be made. */
export const noteMended = (device: Device, why: string, streams: string[], by: string, now: Date): Device => {
  const at = now.toISOString();
  let next = device.streams;
  for (const name of streams) next = withStream(next, name, 'pending', at);
  return changed(device, { streams: next }, { at, by, what: 'mended', why });
};
