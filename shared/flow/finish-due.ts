import { beginReport, type Report } from '../domain/reconciliation.ts';
import { type FinishPorts, type FinishSettings, finish } from './finish.ts';

export interface DuePorts extends FinishPorts {
  registry: FinishPorts['registry'] & {
    /** Serial numbers of devices whose time has come, a page at a time, the longest waiting first. */
    due(now: string, after?: unknown): Promise<{ serialNumbers: string[]; next?: unknown }>;
  };
}

/** Finishes or undoes what is due. Each step is idempotent and each record conditional, so two at once do no harm. */
export const finishDue = async (
  ports: DuePorts,
  settings: FinishSettings,
  { hasTime }: { hasTime(): boolean },
  report: Report = beginReport(false),
): Promise<Report> => {
  const now = ports.now().toISOString();
  for (let page = await ports.registry.due(now); ; page = await ports.registry.due(now, page.next)) {
    for (const serialNumber of page.serialNumbers) {
      if (!hasTime()) return Object.assign(report, { complete: false });
      report.looked++;
      await finish(serialNumber, ports, settings, report);
    }
    if (page.next === undefined) return report;
  }
};
