/**
 * The one clock of the stand-in and of every worker. Tests move it; nobody waits.
 * `shared` holds the offset to real time in ms; a worker reads it to shift its own `Date`.
 */
export interface Clock {
  readonly shared: SharedArrayBuffer;
  /** Epoch ms. */
  now(): number;
  advance(seconds: number): void;
  /** Runs `task` once the clock has passed `ms` from now; returns how to call it off. */
  after(ms: number, task: () => void): () => void;
  /** Back to real time, with every pending task called off. */
  reset(): void;
}

interface Pending {
  due: number;
  task: () => void;
  timer?: NodeJS.Timeout;
}

/** setTimeout fires at once for a delay past 2^31-1 ms. */
const LONGEST_DELAY = 2 ** 31 - 1;

export function createClock(): Clock {
  const shared = new SharedArrayBuffer(8);
  const offset = new Float64Array(shared);
  const pending = new Set<Pending>();

  const now = () => Date.now() + (offset[0] ?? 0);

  const callOff = (entry: Pending) => {
    clearTimeout(entry.timer);
    pending.delete(entry);
  };

  const arm = (entry: Pending) => {
    clearTimeout(entry.timer);
    entry.timer = setTimeout(
      () => {
        if (now() < entry.due) return arm(entry);
        callOff(entry);
        entry.task();
      },
      Math.min(Math.max(entry.due - now(), 0), LONGEST_DELAY),
    ).unref();
  };

  return {
    shared,
    now,
    advance(seconds) {
      offset[0] = (offset[0] ?? 0) + seconds * 1000;
      for (const entry of pending) arm(entry);
    },
    after(ms, task) {
      const entry: Pending = { due: now() + ms, task };
      pending.add(entry);
      arm(entry);
      return () => callOff(entry);
    },
    reset() {
      for (const entry of pending) callOff(entry);
      offset[0] = 0;
    },
  };
}
