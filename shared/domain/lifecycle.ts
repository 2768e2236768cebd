import { beginCutOff, later } from './cut-off.ts';
import {
  type Approval,
  type CutOff,
  changed,
  type Device,
  type HistoryEntry,
  type ReprovisioningPolicy,
} from './device.ts';
import { Failure } from './failure.ts';
import type { RefusedClaim } from './refusal.ts';
import { leave } from './stream.ts';

/** Who orders it, and why. */
export type Order = { by: string; why?: string };

export const entryOf = (what: HistoryEntry['what'], { by, why }: Order, at: string, about?: string): HistoryEntry => {
  const words = [about, why].filter((part) => part !== undefined).join(': ');
  return { at, by, what, ...(words && { why: words }) };
};

const approvalMs = 24 * 3_600_000;

export const retiredFailure = () => new Failure('device-retired', 'the device is retired');

/** The same device comes back where it is suspended already. */
export const suspend = (device: Device, order: Order, now: Date): Device | Failure => {
  if (device.status === 'retired') return retiredFailure();
  if (device.status === 'suspended') return device;
  const at = now.toISOString();
  return changed(
    device,
    { status: 'suspended', suspendedFrom: device.status, cutOff: beginCutOff('suspend', at) },
    entryOf('suspended', order, at),
  );
};

/** Back to where it was. The same device comes back where it is active, or where a resumption has still to give back what it had. */
export const resume = (device: Device, order: Order, now: Date): Device | Failure => {
  if (device.status === 'retired') return retiredFailure();
  if (device.status === 'active' || (device.status !== 'suspended' && device.cutOff?.act === 'resume')) return device;
  if (device.status !== 'suspended') return new Failure('device-not-suspended', `the device is ${device.status}`);
  const at = now.toISOString();
  const { suspendedFrom, ...rest } = device;
  return changed(
    rest,
    { status: suspendedFrom ?? 'registered', cutOff: beginCutOff('resume', at) },
    entryOf('resumed', order, at),
  );
};

export const endLife = (device: Device, cutOff: CutOff, entry: HistoryEntry, change: Partial<Device> = {}): Device => {
  const { suspendedFrom: _, approval: __, takeover: ___, ...rest } = device;
  return changed(
    rest,
    {
      ...change,
      status: 'retired',
      cutOff,
      certificates: device.certificates.map((one) => leave(one, entry.at)),
      streams: device.streams.map((one) => ({ ...one, until: one.until ?? entry.at })),
    },
    entry,
  );
};

/** The serial number is barred until `reopen`. The same device comes back where it is retired already. */
export const retire = (device: Device, order: Order & { streams: 'keep' | 'delete' }, now: Date): Device | Failure => {
  if (device.status === 'retired') {
    // What an earlier call has decided about the footage stands: it may be gone, or somebody may rely on it.
    return device;
  }
  if (device.takeover && order.streams === 'delete') {
    return new Failure('takeover-unfinished', `the streams are still those of ${device.takeover.from}`);
  }
  const at = now.toISOString();
  const cutOff: CutOff = { ...beginCutOff('retire', at), ...(order.streams === 'delete' && { streams: 'delete' }) };
  return endLife(
    device,
    cutOff,
    entryOf('retired', order, at, `streams ${order.streams === 'keep' ? 'kept' : 'deleted'}`),
  );
};

/** A new life in a new place: what the device had stays behind, its streams above all. */
export const reopen = (device: Device, order: Order, now: Date): Device | Failure => {
  if (device.status !== 'retired') return new Failure('device-not-retired', `the device is ${device.status}`);
  if (device.cutOff || device.certificates.length > 0) {
    return new Failure('cut-off-unfinished', 'its certificates are still being taken away; try again');
  }
  const lives = (device.lives ?? 0) + 1;
  const thingName = `${device.serialNumber}-r${lives}`;
  if (thingName.length > 128) return new Failure('invalid-request', 'no place can be named after this serial number');
  const at = now.toISOString();
  const { claimedAt, activeAt, openedBy, openedAt, replacedBy, replaces, making, ...rest } = device;
  return changed(
    rest,
    {
      status: 'registered',
      thingName,
      lives,
      streams: [],
      formerStreams: [...(device.formerStreams ?? []), ...device.streams],
    },
    entryOf('reopened', order, at, `in place ${thingName}`),
  );
};

/** Lets one key in, for a day, where the re-provisioning policy would not. */
export const approveClaim = (
  device: Device,
  order: Order & { publicKeySha256: string; claimId?: string },
  now: Date,
): Device | Failure => {
  if (device.status === 'retired') return retiredFailure();
  if (device.status === 'suspended') return new Failure('device-suspended', 'the device is suspended; resume it first');
  if (device.status === 'registered') return new Failure('device-unclaimed', 'nobody has claimed the device yet');
  if (device.publicKeySha256 !== undefined && device.publicKeySha256 !== order.publicKeySha256) {
    return new Failure('key-mismatch', 'the manifest pins another key, which no approval lifts');
  }
  const at = now.toISOString();
  const approval: Approval = {
    publicKeySha256: order.publicKeySha256,
    by: order.by,
    until: later(at, approvalMs),
    ...(order.claimId && { claimId: order.claimId }),
  };
  return changed(device, { approval }, entryOf('claim-approved', order, at, `key ${order.publicKeySha256}`));
};

/** What a claim of this device needs once it is active; `default` leaves that to the deployment. The same device comes back where it is so. */
export const setReprovisioning = (
  device: Device,
  order: Order & { policy: ReprovisioningPolicy | 'default' },
  now: Date,
): Device | Failure => {
  if (device.status === 'retired') return retiredFailure();
  const { reprovisioning, ...rest } = device;
  const { policy } = order;
  if ((reprovisioning ?? 'default') === policy) return device;
  const entry = entryOf('reprovisioning-set', order, now.toISOString(), policy);
  return changed(rest, policy === 'default' ? {} : { reprovisioning: policy }, entry);
};

/** The key of the attempt that ops saw. */
export const keyOfClaim = (claim: RefusedClaim | undefined, claimId: string): string | Failure =>
  claim?.publicKeySha256 ?? new Failure('claim-not-found', `no refused claim ${claimId} with a key is on record`);
