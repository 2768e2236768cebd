import * as z from 'zod/mini';
import { type Audit, phaseNames, readAudit, writeAudit } from '../domain/audit.ts';
import { Failure } from '../domain/failure.ts';
import type { Report } from '../domain/reconciliation.ts';
import { readCursor, writeCursor } from './page.ts';
import { parse } from './parse.ts';

/** Amazon EventBridge User Guide, "Events from AWS services": the scheduled event. */
const scheduled = z.object({ source: z.literal('aws.events'), 'detail-type': z.literal('Scheduled Event') });

/** What an operator sends with lambda:InvokeFunction. */
const ordered = z.strictObject({
  /** Say what would be done, and write nothing anywhere. */
  dryRun: z._default(z.boolean(), false),
  /** Compare all that AWS and the registry hold; without it only what is known to be unfinished is looked at. */
  audit: z._default(z.boolean(), false),
  /** In an audit: give every device a closer look, not only a share of a large fleet. */
  thorough: z._default(z.boolean(), false),
  /** An audit of one part of it all; `devices` then knows nothing of what the lists would have told. */
  only: z.optional(z.enum(phaseNames)),
  /** Go on with the audit where an earlier answer had no time for more. */
  cursor: z.optional(z.string()),
});

/** A rehearsal and the real thing do not go on with each other. */
const listOf = (dryRun: boolean): string => `reconcile/${dryRun ? 'dry' : 'apply'}`;

const auditAt = (dryRun: boolean, cursor: string): Audit => {
  const audit = readAudit(readCursor(listOf(dryRun), cursor));
  if (!audit) throw new Failure('invalid-cursor', 'the cursor is of another version; begin anew');
  return audit;
};

export const readReconcileOrder = (event: unknown) => {
  if (scheduled.safeParse(event).success) return { by: 'schedule' as const, dryRun: false as const };
  const { dryRun, audit, thorough, only, cursor } = parse(ordered, event);
  const order = { by: 'operator' as const, dryRun };
  if (cursor !== undefined) return { ...order, audit: auditAt(dryRun, cursor) };
  if (!audit && !thorough && only === undefined) return order;
  const begins = only === undefined ? { phase: phaseNames[0] } : { phase: only, isOnly: true as const };
  return { ...order, audit: { ...begins, isThorough: thorough } };
};

/** The report; and of what is left the cursor, and the part that comes next. */
export const reconcileAnswer = ({ report, audit }: { report: Report; audit?: Audit }) => ({
  ...report,
  ...(audit && { next: writeCursor(listOf(report.dryRun), writeAudit(audit)), phase: audit.phase }),
});
