import type * as z from 'zod/mini';
import { log, logError } from './log.ts';
import { parse } from './parse.ts';

/**
 * Work that a schedule or an operator orders: what it did is its answer and one line of the log. An order that makes no sense is
 * thrown back in words, with nothing done.
 */
export const job =
  <Schema extends z.ZodMiniType>(
    what: string,
    schema: Schema,
    work: (order: z.output<Schema>, remainingMs: () => number) => Promise<Record<string, unknown>>,
  ) =>
  async (event: unknown, context: { getRemainingTimeInMillis(): number }): Promise<Record<string, unknown>> => {
    try {
      const report = await work(parse(schema, event), () => context.getRemainingTimeInMillis());
      log(what, report);
      return report;
    } catch (error) {
      logError(what, error, { outcome: 'thrown' });
      throw error;
    }
  };
