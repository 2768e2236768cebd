import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from './api.ts';

export interface PaceOptions {
  /** Calls at once, at most. */
  parallel: number;
  /** How long nobody may get an answer before all give up. */
  patienceMs: number;
  /** Each call makes another thing: only one that was turned away at the door (429) is made again. */
  makesAnother?: boolean;
  /** Told of each wait. */
  waits?(reason: string, ms: number): void;
  signal?: AbortSignal;
}

export interface Pace {
  run<T>(call: () => Promise<T>): Promise<T>;
  /** Calls made, the ones tried again included. */
  calls(): number;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 20_000;
/** So many answers in a row and one more call may run beside the others. */
const STEADY = 20;

/**
 * Runs calls side by side as fast as the API takes them: whoever is turned away (429, 5xx, no answer) makes all wait, as long as Retry-After
 * says and with jitter, and halves how many run at once; answers bring it back. A lost answer is asked for again, unless `makesAnother`.
 */
export function createPace({ parallel, patienceMs, makesAnother = false, waits, signal }: PaceOptions): Pace {
  let allowed = parallel;
  let running = 0;
  let calls = 0;
  let steady = 0;
  let lastAnswer = performance.now();
  let notBefore = 0;
  let everAnswered = false;
  const queue: (() => void)[] = [];

  async function enter(): Promise<void> {
    while (running >= allowed) await new Promise<void>((go) => queue.push(go));
    running++;
  }

  function leave(): void {
    running--;
    for (let free = allowed - running; free > 0; free--) queue.shift()?.();
  }

  function answered(): void {
    everAnswered = true;
    lastAnswer = performance.now();
    if (++steady < STEADY || allowed >= parallel) return;
    steady = 0;
    allowed++;
  }

  function turnedAway(error: unknown, attempt: number): void {
    allowed = Math.max(1, Math.floor(allowed / 2));
    steady = 0;
    const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    // Never earlier than asked for, and not all at once.
    const ms = asked + Math.random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
    waits?.(reasonOf(error), ms);
    notBefore = Math.max(notBefore, performance.now() + ms);
  }

  return {
    calls: () => calls,
    async run(call) {
      await enter();
      try {
        for (let attempt = 0; ; attempt++) {
          for (let ms = notBefore - performance.now(); ms > 0; ms = notBefore - performance.now()) {
            await sleep(ms, undefined, signal && { signal });
          }
          signal?.throwIfAborted();
          try {
            calls++;
            const answer = await call();
            answered();
            return answer;
          } catch (error) {
            const noDoor = !everAnswered && ['ECONNREFUSED', 'ENOTFOUND'].includes(causeOf(error) ?? '');
            const patient = performance.now() - lastAnswer < patienceMs;
            if (!mayPass(error, makesAnother) || noDoor || !patient) throw error;
            turnedAway(error, attempt);
          }
        }
      } finally {
        leave();
      }
    },
  };
}

/** Whether asking again may help: an answer that was lost, or one that says "later". */
function mayPass(error: unknown, makesAnother: boolean): boolean {
  if (error instanceof ApiError) return error.status === 429 || (error.status >= 500 && !makesAnother);
  return isLost(error) && !makesAnother;
}

/** No answer came: the connection could not be made or broke, or it took too long. */
export const isLost = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === 'TimeoutError' || (error instanceof TypeError && error.cause !== undefined));

export function causeOf(error: unknown): string | undefined {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  return cause?.code ?? cause?.message;
}

const reasonOf = (error: unknown): string =>
  isLost(error) ? `no answer (${causeOf(error) ?? 'too slow'})` : (error as Error).message;
