import { setTimeout as sleep } from 'node:timers/promises';
import { isBusy } from './problem.ts';

/** What is left for the answer and for writing down how far it came. */
const reserveMs = 3000;
const longestWaitMs = 4000;

/**
 * The same port, which asks AWS again after a throttle for as long as the invocation has time: full jitter, so that those who
 * were turned away together do not come back together. What is still throttled then is thrown, and answered 503.
 */
export const patient = <Port extends object>(port: Port, remainingMs: () => number): Port =>
  Object.fromEntries(
    Object.entries(port).map(([name, value]) => [
      name,
      typeof value === 'function' ? (...sent: unknown[]) => again(() => value.apply(port, sent), remainingMs) : value,
    ]),
  ) as Port;

/** All ports of a function, each patient. What is a function itself, as the time is, asks nobody. */
export const allPatient = <Ports extends object>(ports: Ports, remainingMs: () => number): Ports =>
  Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [name, typeof port === 'object' ? patient(port, remainingMs) : port]),
  ) as Ports;

const again = async (call: () => Promise<unknown>, remainingMs: () => number): Promise<unknown> => {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const waitMs = Math.random() * Math.min(longestWaitMs, 250 * 2 ** attempt);
      if (!isBusy(error) || remainingMs() - waitMs < reserveMs) throw error;
      await sleep(waitMs);
    }
  }
};
