import {
  comparePositions,
  type DeviceQuery,
  type DeviceSummary,
  from,
  matches,
  type Position,
  planOf,
  positionOf,
  type Selection,
} from '../domain/query.ts';
import { laneOf, nextOf } from './lane.ts';

export interface DeviceLists {
  /** One page of one partition, in the order of its index; `next` is where it goes on. */
  page(
    selection: Selection,
    limit: number,
    next: unknown,
  ): Promise<{ devices: DeviceSummary[]; next?: unknown; readUnits: number }>;
  /** The device whose newest certificate this is. */
  holder(certificateId: string): Promise<{ device?: DeviceSummary; readUnits: number }>;
}

export type DeviceList = {
  devices: DeviceSummary[];
  /** There may be more. */
  next?: Position;
  /** What DynamoDB counted for this answer. */
  readUnits: number;
};

type Request = { query: DeviceQuery; limit: number; after?: Position | undefined };
type Order = 'serial' | 'newest';

/** More of one partition than this, and a list is not gathered and sorted, but walked in the order of an index. */
const mostGathered = 200;
/** Devices that one answer looks at; a page may then be short, or empty, and still have a next one. */
const mostLooked = 5000;

/** One page of the registry, without a scan. */
export const listDevices = async ({ query, limit, after }: Request, lists: DeviceLists): Promise<DeviceList> => {
  const plan = planOf(query);
  if ('holder' in plan) {
    const { device, readUnits } = await lists.holder(plan.holder);
    return { devices: device && matches(query, device) ? [device] : [], readUnits };
  }
  const spent = { readUnits: 0 };
  const metered: DeviceLists['page'] = async (...asked) => {
    const page = await lists.page(...asked);
    spent.readUnits += page.readUnits;
    return page;
  };
  for (const selections of plan.gathers) {
    const devices = await gather(selections, metered);
    if (!devices) continue;
    const rest = devices
      .filter((device) => matches(query, device) && isBeyond(after, device, plan.order))
      .sort((a, b) => comparePositions(positionOf(plan.order, a), positionOf(plan.order, b)));
    return { ...cut(rest, limit, plan.order), ...spent };
  }
  return { ...(await walk({ query, limit, after }, plan.order, plan.walk, metered)), ...spent };
};

const isBeyond = (after: Position | undefined, device: DeviceSummary, order: Order): boolean =>
  after === undefined || comparePositions(positionOf(order, device), after) > 0;

const cut = (devices: DeviceSummary[], limit: number, order: Order): Omit<DeviceList, 'readUnits'> => {
  const page = devices.slice(0, limit);
  const last = page.at(-1);
  return { devices: page, ...(last && devices.length > limit && { next: positionOf(order, last) }) };
};

/** All of them, unless there are many. */
const gather = async (selections: Selection[], read: DeviceLists['page']): Promise<DeviceSummary[] | undefined> => {
  const pages = await Promise.all(selections.map((selection) => read(selection, mostGathered, undefined)));
  return pages.some(({ next }) => next !== undefined) ? undefined : pages.flatMap(({ devices }) => devices);
};

const walk = async (
  { query, limit, after }: Request,
  order: Order,
  selections: Selection[],
  read: DeviceLists['page'],
): Promise<Omit<DeviceList, 'readUnits'>> => {
  const first = Math.ceil((limit + 1) / selections.length) + 5;
  const lanes = selections.map((selection) => laneOf(from(selection, after), { order, after, first, read }));
  const found = new Map<string, DeviceSummary>();
  let last: Position | undefined;
  for (let looked = 0; ; looked++) {
    await Promise.all(lanes.filter((lane) => lane.isDry()).map((lane) => lane.fill()));
    const lane = nextOf(lanes, order);
    const device = lane?.head();
    if (!lane || !device) return { devices: [...found.values()] };
    if (found.size === limit || looked === mostLooked) {
      return { devices: [...found.values()], ...(last && { next: last }) };
    }
    lane.drop();
    last = positionOf(order, device);
    // A device that changes while we read can be met twice, under its old status and under its new one.
    if (matches(query, device) && !found.has(device.serialNumber)) found.set(device.serialNumber, device);
  }
};
