import { type CutOff, changed, type Device } from './device.ts';

/** Longer than the function may live that begins it: after that `reconcile` goes on. */
const headStartMs = 60_000;

/** How long RegisterThing may still be under way after its hook has said yes; it makes the certificate active. */
const registrationMs = 600_000;

export const later = (instant: string, ms: number): string => new Date(Date.parse(instant) + ms).toISOString();

export const beginCutOff = (act: CutOff['act'], at: string): CutOff => ({
  act,
  since: at,
  dueAt: later(at, headStartMs),
});

/**
 * What was to be done at AWS has been done: `removed` are the certificates that are gone, `deniedUntil` when the credentials
 * issued with the others, or with them, have run out.
 */
export const endCutOff = (
  device: Device,
  done: { removed: string[]; complete: boolean; deniedUntil?: string },
  by: string,
  now: Date,
): Device => {
  if (!device.cutOff) return device;
  const at = now.toISOString();
  const { cutOff, denied: earlier = [], ...rest } = device;
  const ids = device.certificates.map(({ id }) => id);
  const { deniedUntil: until } = done;
  const denied =
    cutOff.act === 'resume'
      ? earlier.filter(({ certificateId }) => !powerful(device).includes(certificateId))
      : [
          ...earlier.filter(({ certificateId }) => !until || !ids.includes(certificateId)),
          ...(until ? ids.map((certificateId) => ({ certificateId, until })) : []),
        ];
  const again = againAt(device, at);
  const unfinished: CutOff | undefined = !done.complete
    ? { ...cutOff, dueAt: later(at, headStartMs) }
    : cutOff.act === 'suspend' && again
      ? { ...cutOff, dueAt: again }
      : undefined;
  return changed(
    rest,
    {
      certificates: device.certificates.filter(({ id }) => !done.removed.includes(id)),
      ...(done.complete && cutOff.streams === 'delete' && { streams: [] }),
      ...(denied.length > 0 && { denied }),
      ...(unfinished && { cutOff: unfinished }),
    },
    { at, by, what: cutOff.act === 'resume' ? 'power-restored' : 'cut-off' },
  );
};

/** A hook that had said yes just before may yet see its certificate made active: then it is cut off once more. */
const againAt = ({ certificates }: Device, at: string): string | undefined =>
  certificates
    .filter(({ state, door }) => state === 'allowed' && (door === 'mqtt' || door === 'renewal'))
    .map(({ since }) => later(since, registrationMs))
    .filter((instant) => instant > at)
    .sort()
    .at(-1);

/** The certificates that may have power while the device lives. */
export const powerful = ({ certificates }: Device): string[] =>
  certificates.filter(({ state }) => state !== 'leaving').map(({ id }) => id);

/** Somebody else's order came in between, and nobody knows whose call reached AWS last: done again by `reconcile`. */
export const reassert = (device: Device, now: Date): Device => {
  const at = now.toISOString();
  const act = device.cutOff?.act ?? (device.status === 'suspended' ? 'suspend' : 'resume');
  const last = device.history.at(-1);
  if (device.status === 'retired' || device.status === 'registered' || !last) return device;
  return { ...changed(device, { cutOff: { act, since: at, dueAt: at } }, last), history: device.history };
};

/** Denials whose time is over. */
export const lapsedDenials = ({ denied = [] }: Device, now: Date): string[] =>
  denied.filter(({ until }) => now.getTime() >= Date.parse(until)).map(({ certificateId }) => certificateId);

export const liftDenials = (device: Device, ids: string[], by: string, now: Date): Device => {
  const { denied: earlier = [], ...rest } = device;
  const denied = earlier.filter(({ certificateId }) => !ids.includes(certificateId));
  const entry = { at: now.toISOString(), by, what: 'denials-lifted' as const, why: ids.join(', ') };
  return changed(rest, denied.length > 0 ? { denied } : {}, entry);
};
