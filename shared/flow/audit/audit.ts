import { type Audit, type PhaseName, toNextPhase } from '../../domain/audit.ts';
import { reportFailure } from '../../domain/reconciliation.ts';
import { auditDenials } from './denials.ts';
import { auditDevices } from './devices.ts';
import { auditDue } from './due.ts';
import { auditInactive } from './inactive.ts';
import type { AuditContext, Phase } from './phase.ts';
import { auditPower } from './power.ts';
import { auditRecords } from './records.ts';
import { auditThings } from './things.ts';

const phases: Record<PhaseName, Phase> = {
  due: auditDue,
  denials: auditDenials,
  records: auditRecords,
  power: auditPower,
  inactive: auditInactive,
  things: auditThings,
  devices: auditDevices,
};

/**
 * Compares all that AWS and the registry hold for the fleet, page by page, and mends what differs. The audit itself notes how far it
 * came; true at its end. `wantsMore` is asked between pages.
 */
export const goOn = async (audit: Audit, context: AuditContext, wantsMore: () => boolean): Promise<boolean> => {
  do {
    try {
      const page = await phases[audit.phase](audit.position, audit, context);
      if (page === 'stopped') return false;
      if (page.next !== undefined) audit.position = page.next;
      else if (!toNextPhase(audit)) return true;
    } catch (error) {
      reportFailure(context.report, 'audit', audit.phase, error);
      return false;
    }
  } while (wantsMore());
  return false;
};
