import { finish } from '../finish.ts';
import type { Phase } from './phase.ts';

/** The work list first: what is known to be unfinished is no drift. */
export const auditDue: Phase = async (position, _, { ports, settings, report, hasTime }) => {
  const { serialNumbers, next } = await ports.registry.due(ports.now().toISOString(), position);
  for (const serialNumber of serialNumbers) {
    if (!hasTime()) return 'stopped';
    report.looked++;
    await finish(serialNumber, ports, settings, report);
  }
  return { next };
};
