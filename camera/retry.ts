import { setTimeout as sleep } from 'node:timers/promises';
import { StepFailed } from './failure.ts';

export interface Pace {
  firstMs: number;
  capMs: number;
}

/** After a throttle, a lost answer, a broken connection. */
export const quick: Pace = { firstMs: 500, capMs: 30_000 };
/** After a denial: somebody has to announce or approve the camera first. */
export const slow: Pace = { firstMs: 60_000, capMs: 3_600_000 };

/**
 * Exponential back-off with full jitter: anywhere between nothing and the doubled step. A street of cameras that
 * powers up together after an outage must not ask together again.
 */
export function backOff(attempt: number, pace: Pace, random: () => number = Math.random): number {
  return Math.round(random() * Math.min(pace.capMs, pace.firstMs * 2 ** attempt));
}

export interface Patience {
  /** How long a step may go on failing before the camera says so. */
  patienceMs: number;
  /** Ask again after a denial too, slowly. */
  persistWhenDenied: boolean;
}

export interface Wait {
  reason: string;
  waitMs: number;
}

/** A wait worth a line of its own, even if its reason is the same as before. */
const longWaitMs = 5000;

/** Does `step` until it works, its failure is final, or patience has run out. */
export async function retrying<T>(
  step: () => Promise<T>,
  { patienceMs, persistWhenDenied }: Patience,
  onWait: (wait: Wait) => void,
): Promise<T> {
  const start = performance.now();
  const failures = { again: 0, denied: 0 };
  let told: string | undefined;
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof StepFailed) || error.remedy === 'never') throw error;
      const denied = error.remedy === 'denied';
      if (denied && !persistWhenDenied) throw error;
      const waitMs = denied ? backOff(failures.denied++, slow) : backOff(failures.again++, quick);
      if (!denied && performance.now() - start + waitMs > patienceMs) throw error;
      if (error.message !== told || waitMs >= longWaitMs) onWait({ reason: error.message, waitMs });
      told = error.message;
      await sleep(waitMs);
    }
  }
}

/** So long after its registration a denial may only be too early: what was granted is not known everywhere in the cloud at once. */
const settlingMs = 5000;

/** Does `step`; where a denial may be too early, it fails with the remedy `again`. */
export async function settling<T>({ registeredAt }: { registeredAt: string }, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const fresh = Math.abs(Date.now() - Date.parse(registeredAt)) < settlingMs;
    if (!fresh || !(error instanceof StepFailed) || error.remedy !== 'denied') throw error;
    throw new StepFailed('again', error.message, { cause: error });
  }
}
