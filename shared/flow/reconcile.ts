import { type Audit, beginAudit } from '../domain/audit.ts';
import { beginReport, type Report } from '../domain/reconciliation.ts';
import { goOn } from './audit/audit.ts';
import type { AuditPorts, AuditSettings } from './audit/ports.ts';
import { finishDue } from './finish-due.ts';

export interface ReconcilePorts extends AuditPorts {
  /** How far the schedule's own audit has come: when it began, and what is left of it. */
  progress: {
    read(): Promise<{ since: string; audit?: Audit } | undefined>;
    save(progress: { since: string; audit?: Audit }): Promise<void>;
  };
}

/** Without an audit only what is known to be unfinished is looked at. `audit`: one that goes on, or how it begins. */
export type ReconcileOrder =
  | { by: 'schedule'; dryRun: false }
  | { by: 'operator'; dryRun: boolean; audit?: Audit | Parameters<typeof beginAudit>[0] };

/** How long the function may go on, and how long whoever waits for an answer wants to wait. */
export type ReconcileTime = { hasTime(): boolean; wantsMore(): boolean };

/** A day after one audit began the next one begins. */
const auditEveryMs = 24 * 3_600_000;

/** What is known to be unfinished, and what has drifted. `audit`: where the operator's goes on, if there was no time for all of it. */
export const reconcile = async (
  ports: ReconcilePorts,
  settings: AuditSettings,
  order: ReconcileOrder,
  time: ReconcileTime,
): Promise<{ report: Report; audit?: Audit }> => {
  const report = beginReport(order.dryRun);
  const context = { ports, settings, report, hasTime: time.hasTime };
  if (order.by === 'schedule') {
    await finishDue(ports, settings, time, report);
    if (time.hasTime()) await auditBySchedule(context, time);
    return { report };
  }
  if (!order.audit) return { report: await finishDue(ports, settings, time, report) };
  const audit = 'since' in order.audit ? order.audit : beginAudit(order.audit, ports.now());
  report.complete = await goOn(audit, { ...context, settings: { ...settings, mostCutOff: Infinity } }, time.wantsMore);
  return { report, ...(!report.complete && { audit }) };
};

const auditBySchedule = async (
  context: { ports: ReconcilePorts; settings: AuditSettings; report: Report; hasTime(): boolean },
  { hasTime }: ReconcileTime,
): Promise<void> => {
  const { progress, now } = context.ports;
  const known = await progress.read();
  if (known && !known.audit && now().getTime() < Date.parse(known.since) + auditEveryMs) return;
  const audit = known?.audit ?? beginAudit({ phase: 'denials' }, now());
  const { since } = audit;
  const isDone = await goOn(audit, context, hasTime);
  if (!isDone) context.report.complete = false;
  await progress.save({ since, ...(!isDone && { audit }) });
};
