import type { Device } from '../domain/device.ts';
import {
  type AnnouncedDevice,
  type Announcement,
  announceRow,
  type RowProblem,
  type RowVerdict,
} from '../domain/manifest.ts';
import { claimTokenSha256 } from '../keys.ts';

export interface AnnouncePorts {
  registry: {
    readMany(serialNumbers: string[]): Promise<Map<string, Device>>;
    save(before: Device | undefined, after: Device): Promise<boolean>;
  };
  now(): Date;
}

/** A row as it was read at the edge: an announcement, or what is wrong with it. */
export type ReadRow = { row: Announcement } | { serialNumber: string; problem: RowProblem };

export type RowResult = {
  serialNumber: string;
  outcome: RowVerdict['outcome'];
  problem?: RowProblem;
};

/** So many writes at once: enough to hide the way to the table, too few to be throttled by our own doing. */
const sideBySide = 20;

/** Announces devices, a verdict a row in the order of the rows; one that is bad or raced never stops the others. */
export const announce = async (
  rows: ReadRow[],
  by: string,
  ports: AnnouncePorts,
  settings: { fixedStream?: string | undefined; dryRun?: boolean },
): Promise<RowResult[]> => {
  const serials = new Set(rows.flatMap((read) => ('row' in read ? [read.row.serialNumber] : [])));
  const known = await ports.registry.readMany([...serials]);

  const announceOne = async (row: Announcement): Promise<RowResult> => {
    const { serialNumber } = row;
    for (let attempt = 0; attempt < 2; attempt++) {
      if (attempt > 0) {
        const fresh = (await ports.registry.readMany([serialNumber])).get(serialNumber);
        if (fresh) known.set(serialNumber, fresh);
      }
      const device = known.get(serialNumber);
      const verdict = announceRow(device, hashed(row), by, ports.now(), settings.fixedStream);
      if (verdict.outcome === 'unchanged') return { serialNumber, outcome: 'unchanged' };
      if (verdict.outcome === 'rejected') return { serialNumber, ...verdict };
      if (settings.dryRun || (await ports.registry.save(device, verdict.device))) {
        known.set(serialNumber, verdict.device);
        return { serialNumber, outcome: verdict.outcome };
      }
    }
    const problem = { code: 'version-conflict', detail: 'somebody else was changing this device; try again' };
    return { serialNumber, outcome: 'rejected', problem };
  };

  // Rows of one serial number follow each other, others go side by side.
  const results: RowResult[] = [];
  const queues = new Map<string, { index: number; row: Announcement }[]>();
  rows.forEach((read, index) => {
    if ('row' in read) {
      const queue = queues.get(read.row.serialNumber) ?? [];
      queues.set(read.row.serialNumber, [...queue, { index, row: read.row }]);
    } else {
      results[index] = { serialNumber: read.serialNumber, outcome: 'rejected', problem: read.problem };
    }
  });
  const waiting = [...queues.values()];
  const work = async () => {
    for (let queue = waiting.shift(); queue; queue = waiting.shift()) {
      for (const { index, row } of queue) results[index] = await announceOne(row);
    }
  };
  await Promise.all(Array.from({ length: sideBySide }, work));
  return results;
};

const hashed = ({ claimToken, ...row }: Announcement): AnnouncedDevice => ({
  ...row,
  ...(claimToken !== undefined && { claimTokenSha256: claimTokenSha256(claimToken) }),
});
