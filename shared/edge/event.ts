import type * as z from 'zod/mini';
import { Failure } from '../domain/failure.ts';
import { log, logError } from './log.ts';

/**
 * Takes an asynchronous event. What is not worth a retry is logged and dropped: an event of another shape, a `Failure`.
 * Anything else is thrown again, so that Lambda retries it and dead-letters it in the end.
 */
export const event =
  <Schema extends z.ZodMiniType>(
    what: string,
    schema: Schema,
    take: (event: z.output<Schema>) => Promise<Record<string, unknown>>,
  ) =>
  async (received: unknown): Promise<void> => {
    const parsed = schema.safeParse(received);
    if (!parsed.success) {
      log(what, { outcome: 'dropped', reason: 'not-such-an-event' });
      return;
    }
    try {
      log(what, { outcome: 'taken', ...(await take(parsed.data)) });
    } catch (error) {
      if (!(error instanceof Failure)) {
        logError(what, error, { outcome: 'thrown' });
        throw error;
      }
      log(what, { outcome: 'dropped', reason: error.code, ...about(parsed.data) });
    }
  };

const about = (taken: unknown): Record<string, unknown> => {
  const { clientId, principalIdentifier } = taken as Record<string, unknown>;
  return { clientId, certificateId: principalIdentifier };
};
