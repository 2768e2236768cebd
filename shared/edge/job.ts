import { log, logError } from './log.ts';

/** Work that a schedule or an operator starts, with nothing to say: what it did is its answer and one line of the log. */
export const job =
  (what: string, work: (remainingMs: () => number) => Promise<Record<string, unknown>>) =>
  async (_event: unknown, context: { getRemainingTimeInMillis(): number }): Promise<Record<string, unknown>> => {
    try {
      const report = await work(() => context.getRemainingTimeInMillis());
      log(what, report);
      return report;
    } catch (error) {
      logError(what, error, { outcome: 'thrown' });
      throw error;
    }
  };
