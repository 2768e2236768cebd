import { log, logError } from './log.ts';

/**
 * Work that a schedule or an operator orders: what it did is its answer and one line of the log. An order that makes no sense is
 * thrown back in words, with nothing done.
 */
export const job =
  <Order>(
    what: string,
    read: (event: unknown) => Order,
    work: (order: Order, remainingMs: () => number) => Promise<Record<string, unknown>>,
  ) =>
  async (event: unknown, context: { getRemainingTimeInMillis(): number }): Promise<Record<string, unknown>> => {
    try {
      const report = await work(read(event), () => context.getRemainingTimeInMillis());
      const { next: _, ...told } = report;
      log(what, told);
      return report;
    } catch (error) {
      logError(what, error, { outcome: 'thrown' });
      throw error;
    }
  };
