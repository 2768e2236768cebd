import type { Audit } from '../../domain/audit.ts';
import type { Report } from '../../domain/reconciliation.ts';
import type { AuditPorts, AuditSettings } from './ports.ts';

export type AuditContext = {
  ports: AuditPorts;
  settings: AuditSettings;
  report: Report;
  /** Whether one more thing can be done before the end of the function. */
  hasTime(): boolean;
};

/**
 * One page of one list. `stopped`: there was no time for all of it, and it is to be done again; so what a page notes in the audit it
 * notes last, when nothing can go wrong any more.
 */
export type Phase = (position: unknown, audit: Audit, context: AuditContext) => Promise<{ next?: unknown } | 'stopped'>;
