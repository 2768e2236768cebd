import { describe, expect, it } from 'vitest';
import {
  type DeviceQuery,
  type DeviceSummary,
  deviceStatuses,
  matches,
  type Position,
  type Selection,
} from '../../shared/domain/query.ts';
import { type DeviceLists, listDevices } from '../../shared/flow/list-devices.ts';

/** A registry of so many devices, `sameInstant` of them announced at a time. */
function fleetOf(count: number, sameInstant = 7): DeviceSummary[] {
  return Array.from({ length: count }, (_, n) => ({
    serialNumber: `CAM-${String((n * 7919) % count).padStart(6, '0')}`,
    status: deviceStatuses[n % 4] ?? 'active',
    streamMode: 'thing-name' as const,
    batch: `b${n % 3}`,
    model: `m${n % 5}`,
    registeredAt: new Date(1_700_000_000_000 + Math.floor(n / sameInstant) * 1000).toISOString(),
    ...(n % 4 > 0 && { claimedAt: new Date(1_710_000_000_000 + n * 1000).toISOString() }),
  }));
}

const shardOf = ({ serialNumber }: DeviceSummary) => String(Number(serialNumber.slice(4)) % 10);

/** The indexes as DynamoDB keeps them: those of one instant in an order of its own. */
function indexesOf(fleet: DeviceSummary[]) {
  const pages = { count: 0, largest: 0 };
  const keyOf: Record<Selection['index'], (device: DeviceSummary) => string | undefined> = {
    serial: shardOf,
    status: (device) => `${device.status}#${shardOf(device)}`,
    batch: ({ batch }) => batch,
    model: ({ model }) => model,
    claimed: (device) => (device.claimedAt ? shardOf(device) : undefined),
  };
  const scramble = ({ serialNumber }: DeviceSummary) => (Number(serialNumber.slice(4)) * 31) % 97;
  const lists: DeviceLists = {
    async page({ index, key, range }, limit, next) {
      const sortOf = (device: DeviceSummary) =>
        (index === 'serial' ? device.serialNumber : index === 'claimed' ? device.claimedAt : device.registeredAt) ?? '';
      const isIn = (sort: string) =>
        range === undefined ||
        ('prefix' in range && sort.startsWith(range.prefix)) ||
        ('beyond' in range && sort > range.beyond) ||
        ('upTo' in range && sort <= range.upTo) ||
        ('from' in range && sort >= range.from && sort <= range.to);
      const partition = fleet
        .filter((device) => keyOf[index](device) === key && isIn(sortOf(device)))
        .sort((a, b) => (sortOf(a) < sortOf(b) ? -1 : sortOf(a) > sortOf(b) ? 1 : scramble(a) - scramble(b)));
      if (index !== 'serial') partition.reverse();
      const begin = next === undefined ? 0 : Number(next);
      const devices = partition.slice(begin, begin + limit);
      pages.count++;
      pages.largest = Math.max(pages.largest, limit);
      return { devices, ...(begin + limit < partition.length && { next: begin + limit }), readUnits: 0.5 };
    },
    holder: async () => ({ readUnits: 0.5 }),
  };
  return { lists, pages };
}

const truth = (fleet: DeviceSummary[], query: DeviceQuery): string[] =>
  fleet
    .filter((device) => matches(query, device))
    .sort((a, b) =>
      Object.keys(query).length === 0 || a.registeredAt === b.registeredAt
        ? a.serialNumber < b.serialNumber
          ? -1
          : 1
        : a.registeredAt < b.registeredAt
          ? 1
          : -1,
    )
    .map(({ serialNumber }) => serialNumber);

async function allPages(lists: DeviceLists, query: DeviceQuery, limit: number) {
  const serials: string[] = [];
  let after: Position | undefined;
  do {
    const page = await listDevices({ query, limit, after }, lists);
    expect(page.devices.length).toBeLessThanOrEqual(limit);
    serials.push(...page.devices.map(({ serialNumber }) => serialNumber));
    after = page.next;
  } while (after);
  return serials;
}

const queries: DeviceQuery[] = [
  {},
  { status: 'active' },
  { batch: 'b1' },
  { model: 'm2' },
  { batch: 'b1', status: 'claimed' },
  { batch: 'b1', model: 'm2', status: 'registered' },
  { serialPrefix: 'CAM-00012' },
  { serialPrefix: 'CAM-' },
  { serialPrefix: 'CAM-', status: 'suspended' },
  { claimedAfter: new Date(1_710_000_000_000 + 2_900_000).toISOString() },
  { claimedAfter: new Date(1_710_000_000_000).toISOString(), status: 'active' },
  { claimedBefore: new Date(1_710_000_000_000 + 100_000).toISOString(), serialPrefix: 'CAM-0' },
  { status: 'retired' },
];

describe('every page together is the whole list, in order', () => {
  const fleet = fleetOf(3000);
  const { lists } = indexesOf(fleet);
  it.each(queries)('%j', async (query) => {
    for (const limit of [60, 1000]) expect(await allPages(lists, query, limit)).toEqual(truth(fleet, query));
  });
});

it('many of one instant are still each listed once', async () => {
  const fleet = fleetOf(1200, 400);
  const { lists } = indexesOf(fleet);
  expect(await allPages(lists, { batch: 'b1' }, 30)).toEqual(truth(fleet, { batch: 'b1' }));
});

it('a page that finds little stops looking, and the next goes on', async () => {
  const fleet = fleetOf(20_000);
  const { lists } = indexesOf(fleet);
  const query: DeviceQuery = { status: 'active', model: 'm4', serialPrefix: 'CAM-0199' };
  const rare: DeviceQuery = { batch: 'b1', claimedBefore: '2024-03-09T16:10:00.000Z' };
  expect(await allPages(lists, query, 50)).toEqual(truth(fleet, query));
  const first = await listDevices({ query: rare, limit: 50 }, lists);
  expect(first.devices).toEqual([]);
  expect(await allPages(lists, rare, 50)).toEqual(truth(fleet, rare));
});

it('pages stay stable while devices change and come', async () => {
  const fleet = fleetOf(500);
  const { lists } = indexesOf(fleet);
  const before = truth(fleet, { serialPrefix: 'CAM-' });
  const serials: string[] = [];
  let after: Position | undefined;
  do {
    const page = await listDevices({ query: { serialPrefix: 'CAM-' }, limit: 20, after }, lists);
    serials.push(...page.devices.map(({ serialNumber }) => serialNumber));
    after = page.next;
    for (const device of fleet) device.status = device.status === 'active' ? 'suspended' : 'active';
    fleet.push({ ...(fleet[0] as DeviceSummary), serialNumber: `NEW-${fleet.length}`, registeredAt: '2030-01-01' });
    // The very one that the page ended with may go.
    const gone = fleet.findIndex(({ serialNumber }) => serialNumber === page.devices.at(-1)?.serialNumber);
    if (gone >= 0) fleet.splice(gone, 1);
  } while (after);
  expect(serials).toEqual(before);
});
