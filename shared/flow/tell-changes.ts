import { recountOf } from '../domain/counts.ts';
import type { Device } from '../domain/device.ts';
import { type Opening, openingsBetween } from '../domain/opening.ts';
import type { RefusedClaim } from '../domain/refusal.ts';
import { cloneSign, denialOf, type Happening, transitionsOf } from '../domain/transition.ts';
import { countDevices, type Ledger } from './count.ts';

/** One item before and after one write, as its table's stream tells it. */
export type Change = { before: Device | undefined; after: Device | undefined };

export interface Bus {
  put(happenings: Happening[]): Promise<void>;
}

/** What claim certificates have opened; the same again changes nothing. */
export interface OpeningBook {
  write(openings: { opened: Opening[]; withdrawn: Opening[] }): Promise<void>;
}

/**
 * Tells what has changed; lists what was opened, and counts. Both are tried, and either that fails brings the same changes again:
 * told at least once, listed and counted once. `contested`: the new signs of a clone, each as its event has it.
 */
export const tellChanges = async (
  changes: Change[],
  { bus, ledger, openings }: { bus: Bus; ledger: Ledger; openings: OpeningBook },
) => {
  const happenings = changes.flatMap(({ before, after }) => transitionsOf(before, after));
  const recounts = changes.flatMap(({ before, after }) => recountOf(before, after) ?? []);
  const found = changes.map(({ before, after }) => openingsBetween(before, after));
  const opened = found.flatMap((one) => one.opened);
  const withdrawn = found.flatMap((one) => one.withdrawn);
  const count = async () => {
    // First, so that what is counted can be listed.
    await openings.write({ opened, withdrawn });
    await countDevices(recounts, ledger);
  };
  const [told, counted] = await Promise.allSettled([bus.put(happenings), count()]);
  for (const one of [told, counted]) if (one.status === 'rejected') throw one.reason;
  const contested = happenings.filter(({ type }) => type === cloneSign).map(({ detail }) => detail);
  return {
    changes: changes.length,
    told: happenings.length,
    counted: recounts.length,
    opened: opened.length,
    contested,
  };
};

export const tellDenials = async (claims: RefusedClaim[], bus: Bus) => {
  await bus.put(claims.map(denialOf));
  return { told: claims.length };
};
