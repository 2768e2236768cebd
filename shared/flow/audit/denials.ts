import { reportMended } from '../../domain/reconciliation.ts';
import { chosen, lift, writeDenials } from '../deny.ts';
import type { Phase } from './phase.ts';

/** The work list lifts a device's denials when they have lapsed; what is left so much later is nobody's. */
const marginMs = 3_600_000;

/** What the camera roles deny against the table of denials, and what has lapsed in it. */
export const auditDenials: Phase = async (_, __, { ports, report }) => {
  const { denials, roles, now } = ports;
  const listed = await denials.list();
  const lapsed = listed.filter(({ until }) => now().getTime() >= Date.parse(until) + marginMs);
  if (lapsed.length > 0) {
    const ids = lapsed.map(({ certificateId }) => certificateId);
    await lift(ids, ports.endings);
    for (const id of ids) reportMended(report, 'denial-lapsed', id);
    return {};
  }
  if (!(await roles.areDenying(chosen(listed)))) {
    await writeDenials(ports.endings);
    reportMended(report, 'role-differs', 'camera roles', 'they did not deny what the table of denials says');
  }
  return {};
};
