import { isDeepStrictEqual } from 'node:util';
import type { Device } from '../domain/device.ts';
import {
  type AnnouncedDevice,
  type Announcement,
  announceRow,
  type RowProblem,
  type RowVerdict,
} from '../domain/manifest.ts';
import { claimTokenSha256 } from '../keys.ts';
import { type PinPorts, takePin } from './pin.ts';

export interface AnnouncePorts extends PinPorts {
  registry: PinPorts['registry'] & { save(before: Device | undefined, after: Device): Promise<boolean> };
}

/** A row as it was read at the edge: an announcement, or what is wrong with it. */
export type ReadRow = { row: Announcement } | { serialNumber: string; problem: RowProblem };

export type RowResult = {
  serialNumber: string;
  outcome: RowVerdict['outcome'];
  problem?: RowProblem;
};

/** Of two rows that differ nobody knows which is right; the same row twice is only `unchanged`. */
const duplicateSerial: RowProblem = {
  code: 'duplicate-serial',
  detail: 'an earlier row of this request says something else of this serial number',
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

  const announceOne = async (row: Announcement, isLater: boolean): Promise<RowResult> => {
    const { serialNumber } = row;
    let attempted: Exclude<RowVerdict, { outcome: 'unchanged' | 'rejected' }> | undefined;
    for (let attempt = 0; attempt < 2; attempt++) {
      if (attempt > 0) {
        const fresh = (await ports.registry.readMany([serialNumber])).get(serialNumber);
        if (fresh) known.set(serialNumber, fresh);
        // The write was done and its answer lost: the client's own retry met it and lost to it.
        if (fresh && attempted && isOneWrite(fresh, attempted.device))
          return { serialNumber, outcome: attempted.outcome };
      }
      const device = known.get(serialNumber);
      const verdict = announceRow(device, hashed(row), by, ports.now(), settings.fixedStream);
      if (verdict.outcome === 'updated' && isLater)
        return { serialNumber, outcome: 'rejected', problem: duplicateSerial };
      if (verdict.outcome === 'unchanged') return { serialNumber, outcome: 'unchanged' };
      if (verdict.outcome === 'rejected') return { serialNumber, ...verdict };
      const { publicKeySha256 } = row;
      // Before the record says so: two who announce one key at once must meet somewhere.
      const problem =
        publicKeySha256 !== undefined && publicKeySha256 !== device?.publicKeySha256
          ? await takePin({ publicKeySha256, serialNumber }, ports, settings)
          : undefined;
      if (problem) return { serialNumber, outcome: 'rejected', problem };
      if (settings.dryRun || (await ports.registry.save(device, verdict.device))) {
        known.set(serialNumber, verdict.device);
        return { serialNumber, outcome: verdict.outcome };
      }
      attempted = verdict;
    }
    const problem = { code: 'version-conflict', detail: 'somebody else was changing this device; try again' };
    return { serialNumber, outcome: 'rejected', problem };
  };

  // Rows of one serial number follow each other, others go side by side.
  const results: RowResult[] = [];
  const queues = new Map<string, { index: number; row: Announcement }[]>();
  const owners = new Map<string, string>();
  rows.forEach((read, index) => {
    if ('row' in read) {
      const { serialNumber, publicKeySha256 } = read.row;
      if (
        publicKeySha256 &&
        owners.get(publicKeySha256) !== undefined &&
        owners.get(publicKeySha256) !== serialNumber
      ) {
        const detail = `the key is pinned to ${owners.get(publicKeySha256)} in this very request`;
        results[index] = { serialNumber, outcome: 'rejected', problem: { code: 'duplicate-key', detail } };
        return;
      }
      if (publicKeySha256) owners.set(publicKeySha256, serialNumber);
      const queue = queues.get(read.row.serialNumber) ?? [];
      queues.set(read.row.serialNumber, [...queue, { index, row: read.row }]);
    } else {
      results[index] = { serialNumber: read.serialNumber, outcome: 'rejected', problem: read.problem };
    }
  });
  const waiting = [...queues.values()];
  const work = async () => {
    for (let queue = waiting.shift(); queue; queue = waiting.shift()) {
      for (const { index, row } of queue) results[index] = await announceOne(row, row !== queue[0]?.row);
    }
  };
  await Promise.all(Array.from({ length: sideBySide }, work));
  return results;
};

/** All of it: two may announce different rows in one millisecond. Signs of a clone are written beside the record, by anybody. */
const isOneWrite = (fresh: Device, attempted: Device): boolean => {
  const { contested, contestedReason, contestedCount, ...written } = fresh;
  const { contested: _, contestedReason: __, contestedCount: ___, ...wanted } = attempted;
  return isDeepStrictEqual(written, wanted);
};

const hashed = ({ claimToken, ...row }: Announcement): AnnouncedDevice => ({
  ...row,
  ...(claimToken !== undefined && { claimTokenSha256: claimTokenSha256(claimToken) }),
});
