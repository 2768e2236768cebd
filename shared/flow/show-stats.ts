import type { CountKind } from '../domain/counts.ts';
import { deviceStatuses } from '../domain/query.ts';

export interface Counters {
  read(kind: CountKind): Promise<Record<string, number>>;
}

/** Every status, and the batches and models that have a device. */
export const showStats = async (counters: Counters) => {
  const [status, batch, model] = await Promise.all([
    counters.read('status'),
    counters.read('batch'),
    counters.read('model'),
  ]);
  return {
    status: Object.fromEntries(deviceStatuses.map((name) => [name, status[name] ?? 0])),
    batch: filled(batch),
    model: filled(model),
  };
};

const filled = (counts: Record<string, number>) =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
