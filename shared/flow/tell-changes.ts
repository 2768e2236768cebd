import { recountOf } from '../domain/counts.ts';
import type { Device } from '../domain/device.ts';
import type { RefusedClaim } from '../domain/refusal.ts';
import { cloneSign, denialOf, type Happening, transitionsOf } from '../domain/transition.ts';
import { countDevices, type Ledger } from './count.ts';

/** One item before and after one write, as its table's stream tells it. */
export type Change = { before: Device | undefined; after: Device | undefined };

export interface Bus {
  put(happenings: Happening[]): Promise<void>;
}

/** `contested`: the new signs of a clone, each as its event has it. Counts what has changed, and tells it. Both are tried, and either that fails brings the same changes again: told at least once, counted once. */
export const tellChanges = async (changes: Change[], { bus, ledger }: { bus: Bus; ledger: Ledger }) => {
  const happenings = changes.flatMap(({ before, after }) => transitionsOf(before, after));
  const recounts = changes.flatMap(({ before, after }) => recountOf(before, after) ?? []);
  const [told, counted] = await Promise.allSettled([bus.put(happenings), countDevices(recounts, ledger)]);
  for (const one of [told, counted]) if (one.status === 'rejected') throw one.reason;
  const contested = happenings.filter(({ type }) => type === cloneSign).map(({ detail }) => detail);
  return { changes: changes.length, told: happenings.length, counted: recounts.length, contested };
};

export const tellDenials = async (claims: RefusedClaim[], bus: Bus) => {
  await bus.put(claims.map(denialOf));
  return { told: claims.length };
};
