import type { Device, DeviceStatus, StreamMode } from './device.ts';

/** A device as lists show it: what every index of the table carries. */
export type DeviceSummary = {
  serialNumber: string;
  status: DeviceStatus;
  streamMode: StreamMode;
  model?: string;
  batch?: string;
  registeredAt: string;
  claimedAt?: string;
  activeAt?: string;
  contestedAt?: string;
};

/** Every member that is there must hold. Claimed from `claimedAfter` on and before `claimedBefore`. */
export type DeviceQuery = {
  status?: DeviceStatus;
  batch?: string;
  model?: string;
  serialPrefix?: string;
  claimedAfter?: string;
  claimedBefore?: string;
  certificateId?: string;
};

export type Index = 'serial' | 'status' | 'batch' | 'model' | 'claimed';

/** One partition of an index, and which part of it. */
export type Selection = {
  index: Index;
  key: string;
  /** By the index's sort key: with a prefix, from one value to another (both included), beyond one, or up to one (included). */
  range?: { prefix: string } | { from: string; to: string } | { beyond: string } | { upTo: string };
};

/**
 * How a query is answered. `holder`: the one device of a certificate. Else the `gather`s, in turn, are read whole if they
 * are small enough to be sorted; the `walk` is merged in its own order and read until a page is full.
 */
export type Plan = { holder: string } | { order: 'serial' | 'newest'; gathers: Selection[][]; walk: Selection[] };

export const shards = Array.from({ length: 10 }, (_, shard) => String(shard));

export const deviceStatuses: DeviceStatus[] = ['registered', 'claimed', 'active', 'suspended', 'retired'];

const ofStatus = (status: DeviceStatus): Selection[] =>
  shards.map((shard) => ({ index: 'status', key: `${status}#${shard}` }));

const byPrefix = (prefix: string): Selection[] =>
  shards.map((shard) => ({ index: 'serial', key: shard, range: { prefix } }));

/** '#' sorts before every instant, ':' after it. */
const byClaim = (from = '#', to = ':'): Selection[] =>
  shards.map((shard) => ({ index: 'claimed', key: shard, range: { from, to } }));

/** Which index answers which combination. A batch is smaller than a model, and both are smaller than a status. */
export const planOf = (query: DeviceQuery): Plan => {
  const { certificateId, batch, model, status, serialPrefix, claimedAfter, claimedBefore } = query;
  if (certificateId !== undefined) return { holder: certificateId };
  if (batch !== undefined) return { order: 'newest', gathers: [], walk: [{ index: 'batch', key: batch }] };
  if (model !== undefined) return { order: 'newest', gathers: [], walk: [{ index: 'model', key: model }] };
  const isClaimed = claimedAfter !== undefined || claimedBefore !== undefined;
  const gathers = [
    ...(serialPrefix === undefined ? [] : [byPrefix(serialPrefix)]),
    ...(isClaimed ? [byClaim(claimedAfter, claimedBefore)] : []),
  ];
  if (status !== undefined) return { order: 'newest', gathers, walk: ofStatus(status) };
  if (gathers.length > 0) return { order: 'newest', gathers, walk: deviceStatuses.flatMap(ofStatus) };
  return { order: 'serial', gathers, walk: shards.map((shard) => ({ index: 'serial', key: shard })) };
};

/** Whether the device is one of the query's, whichever index it was found by. */
export const matches = (query: DeviceQuery, device: DeviceSummary): boolean => {
  const { status, batch, model, serialPrefix = '', claimedAfter, claimedBefore } = query;
  const { claimedAt } = device;
  return (
    (status === undefined || device.status === status) &&
    (batch === undefined || device.batch === batch) &&
    (model === undefined || device.model === model) &&
    device.serialNumber.startsWith(serialPrefix) &&
    (claimedAfter === undefined || (claimedAt !== undefined && claimedAt >= claimedAfter)) &&
    (claimedBefore === undefined || (claimedAt !== undefined && claimedAt < claimedBefore))
  );
};

/** Where a page ended. `at` is absent in serial order. Neither member ever changes, so a list goes on from it whatever happened to the device. */
export type Position = { at?: string; serialNumber: string };

export const positionOf = (order: 'serial' | 'newest', { serialNumber, registeredAt }: DeviceSummary): Position =>
  order === 'serial' ? { serialNumber } : { at: registeredAt, serialNumber };

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The newest first, and those of one instant by their serial numbers. */
export const comparePositions = (a: Position, b: Position): number =>
  compareText(b.at ?? '', a.at ?? '') || compareText(a.serialNumber, b.serialNumber);

/** The rest of a partition, from a position on. Those of its very instant are read again: their order in the index is DynamoDB's own. */
export const from = (selection: Selection, position: Position | undefined): Selection =>
  position === undefined
    ? selection
    : {
        ...selection,
        range: position.at === undefined ? { beyond: position.serialNumber } : { upTo: position.at },
      };

export const summaryOf = (device: Device): DeviceSummary => {
  const { serialNumber, status, streamMode, model, batch, registeredAt, claimedAt, activeAt, contested } = device;
  return {
    serialNumber,
    status,
    streamMode,
    ...(model !== undefined && { model }),
    ...(batch !== undefined && { batch }),
    registeredAt,
    ...(claimedAt !== undefined && { claimedAt }),
    ...(activeAt !== undefined && { activeAt }),
    ...(contested !== undefined && { contestedAt: contested }),
  };
};
