import { comparePositions, type DeviceSummary, type Position, positionOf, type Selection } from '../domain/query.ts';

type Order = 'serial' | 'newest';

type Read = (
  selection: Selection,
  limit: number,
  next: unknown,
) => Promise<{ devices: DeviceSummary[]; next?: unknown }>;

/** One partition of an index, read page by page; its devices come out in the order of the list. */
export type Lane = {
  /** It may have more, and must be filled before its head can be told. */
  isDry(): boolean;
  fill(): Promise<void>;
  /** The next device; `undefined` at the end. */
  head(): DeviceSummary | undefined;
  drop(): void;
};

const largestPage = 500;

export const laneOf = (
  selection: Selection,
  { order, after, first, read }: { order: Order; after?: Position | undefined; first: number; read: Read },
): Lane => {
  let buffer: DeviceSummary[] = [];
  /** How many at the head of the buffer are sure to be in order. */
  let sure = 0;
  let limit = Math.min(first, largestPage);
  let next: unknown;
  let isEnded = false;

  const compare = (a: DeviceSummary, b: DeviceSummary) => comparePositions(positionOf(order, a), positionOf(order, b));

  const isDry = () => sure === 0 && !isEnded;
  return {
    isDry,
    async fill() {
      while (isDry()) {
        const page = await read(selection, limit, next);
        const fresh = page.devices.filter(
          (device) => after === undefined || comparePositions(positionOf(order, device), after) > 0,
        );
        buffer = [...buffer, ...fresh].sort(compare);
        next = page.next;
        isEnded = next === undefined;
        limit = Math.min(limit * 2, largestPage);
        // Devices of one instant come in any order, and more of the newest instant read may follow.
        const last = order === 'newest' ? buffer.at(-1)?.registeredAt : undefined;
        sure = isEnded ? buffer.length : buffer.filter(({ registeredAt }) => registeredAt !== last).length;
      }
    },
    head: () => buffer[0],
    drop() {
      buffer.shift();
      sure--;
    },
  };
};

/** The lane whose head comes first. */
export const nextOf = (lanes: Lane[], order: Order): Lane | undefined => {
  let first: Lane | undefined;
  let best: Position | undefined;
  for (const lane of lanes) {
    const head = lane.head();
    if (!head) continue;
    const position = positionOf(order, head);
    if (best !== undefined && comparePositions(position, best) >= 0) continue;
    first = lane;
    best = position;
  }
  return first;
};
