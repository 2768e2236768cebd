import { exitCodes } from './failure.ts';

/** The first Ctrl-C lets a command come to a clean end, which begins with `said`; the second ends it at once. */
export function stopOnSignal(said: () => void = () => {}): { signal: AbortSignal; forget(): void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    said();
    controller.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return { signal: controller.signal, forget: () => process.off('SIGINT', stop).off('SIGTERM', stop) };
}
