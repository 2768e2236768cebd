import { Failure } from '../domain/failure.ts';
import { log } from './log.ts';

/** Whoever is denied at a camera's door learns that, and nothing of why: the details go to the log alone. */
export const denied = (what: string, details: Record<string, unknown>): never => {
  log(what, { outcome: 'denied', ...details });
  throw new Failure('denied', 'not allowed');
};
