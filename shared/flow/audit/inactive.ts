import { inactiveEntry } from '../../domain/drift.ts';
import { flip } from '../../domain/sketch.ts';
import type { Phase } from './phase.ts';

const atOnce = 10;

/** Certificates that are not active: those that stand for a device are noted, so that the device gets a closer look. */
export const auditInactive: Phase = async (position, audit, { ports, hasTime }) => {
  const { certificateIds, next } = await ports.lists.inactive(position as string | undefined);
  const held: string[] = [];
  for (let first = 0; first < certificateIds.length; first += atOnce) {
    if (!hasTime()) return 'stopped';
    const some = certificateIds.slice(first, first + atOnce);
    const holders = await Promise.all(some.map((id) => ports.registry.holderOf(id)));
    held.push(...some.filter((_, index) => holders[index] !== undefined));
  }
  for (const id of held) flip(audit.sketch, inactiveEntry(id));
  return { next };
};
