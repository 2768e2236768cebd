import { beginCutOff } from './cut-off.ts';
import { changed, type Device } from './device.ts';
import { Failure } from './failure.ts';
import { endLife, entryOf, type Order, retiredFailure } from './lifecycle.ts';

/** Cut off by other hardware. The same device comes back where that hardware has replaced it already. */
export const giveUpPlace = (old: Device, by: string, order: Order, now: Date): Device | Failure => {
  if (old.status === 'retired') {
    return old.replacedBy === by ? old : retiredFailure();
  }
  const at = now.toISOString();
  return endLife(old, beginCutOff('replace', at), entryOf('replaced', order, at, `by ${by}`), { replacedBy: by });
};

/** Whether the one may fill the other's place; a `Failure` says why not. */
const barrier = (old: Device, next: Device): Failure | undefined => {
  if (old.serialNumber === next.serialNumber) {
    const detail = 'must be another device';
    return new Failure('invalid-request', `/by: ${detail}`, [{ pointer: '/by', detail }]);
  }
  if (old.status === 'retired') return retiredFailure();
  if (old.status === 'registered') return new Failure('device-unclaimed', 'nobody has claimed the device yet');
  if (old.takeover) return new Failure('takeover-unfinished', `it is itself taking over from ${old.takeover.from}`);
  if (old.replacedBy !== undefined && old.replacedBy !== next.serialNumber) {
    return new Failure('device-replaced', `${old.replacedBy} is replacing it already`);
  }
  if (next.status !== 'registered' || next.certificates.length > 0 || next.making || next.takeover) {
    const state = next.takeover ? `taking over from ${next.takeover.from}` : next.status;
    return new Failure(
      'replacement-not-free',
      `${next.serialNumber} is ${state}: only an unclaimed device can replace`,
    );
  }
  return undefined;
};

/** The new hardware waits for the old one's place. The same device comes back where it does so already. */
export const beginTakeover = (
  old: Device,
  next: Device,
  order: Order & { keepUntilConnected: boolean },
  now: Date,
): Device | Failure => {
  const isRepeated = next.takeover?.from === old.serialNumber || next.replaces === old.serialNumber;
  if (isRepeated && old.serialNumber !== next.serialNumber) return next;
  const failure = barrier(old, next);
  if (failure) return failure;
  const at = now.toISOString();
  return changed(
    next,
    {
      takeover: {
        from: old.serialNumber,
        since: at,
        step: 'reserved',
        ...(order.keepUntilConnected && { keepUntilConnected: true }),
      },
    },
    entryOf('taking-over', order, at, `from ${old.serialNumber}`),
  );
};

/** The old unit learns who comes, and stays. */
export const announceReplacement = (old: Device, by: string, order: Order, now: Date): Device =>
  old.replacedBy === by
    ? old
    : changed(
        old,
        { replacedBy: by },
        entryOf('replaced', order, now.toISOString(), `by ${by}, once that has connected`),
      );

/** Place, streams and history go to the new hardware; the old unit is cut off, or `keeps` its power until life shows. */
export const takeOver = (old: Device, next: Device, by: string, now: Date): Device => {
  if (next.takeover?.from !== old.serialNumber || next.takeover.step !== 'reserved') return next;
  const at = now.toISOString();
  const { takeover, ...rest } = next;
  const streams = old.streams.map(({ until, ...one }) => ({
    ...one,
    // A stream that is called like a certificate ends with it; a place's goes on.
    ...(old.streamMode === 'certificate-id' && { until: until ?? at }),
  }));
  const taken = changed(
    rest,
    {
      thingName: old.thingName,
      streamMode: old.streamMode,
      channels: old.channels,
      streams,
      replaces: old.serialNumber,
      ...(takeover.keepUntilConnected && { takeover: { ...takeover, step: 'waiting' as const } }),
      ...(old.reprovisioning && { reprovisioning: old.reprovisioning }),
    },
    { at, by, what: 'taken-over', why: `place ${old.thingName} of ${old.serialNumber}` },
  );
  const inherited = old.history.map((entry) => ({ ...entry, of: entry.of ?? old.serialNumber }));
  return { ...taken, history: [...inherited, ...taken.history].sort((a, b) => (a.at < b.at ? -1 : 1)).slice(-40) };
};

/** The old unit has gone, after the new one had shown life. */
export const endTakeover = (next: Device, by: string, now: Date): Device => {
  if (next.takeover?.step !== 'cutting') return next;
  const { takeover, ...rest } = next;
  return changed(rest, {}, { at: now.toISOString(), by, what: 'taken-over', why: `${takeover.from} is cut off` });
};
