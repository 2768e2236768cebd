import { afterAll, afterEach } from 'vitest';
import { tellStandIn } from './admin.ts';
import { expectNoUnknownPower } from './device-records.ts';
import { type LocalRun, type Outputs, startLocalRun } from './local-run.ts';
import { switchOffSchedules } from './schedules.ts';
import { switchOffStreamConsumers } from './stream-consumers.ts';

export interface Fault {
  service: string;
  operation: string;
  kind: 'throttle' | 'limit' | 'error' | 'delay' | 'lost-answer' | 'kill';
  after?: number;
  times?: number;
  ms?: number;
}

export interface FaultyRun {
  run: LocalRun;
  outputs: Outputs;
  /** From now on these and no others. */
  faults(...list: Fault[]): Promise<void>;
  /** Notes a device whose certificates may have power. */
  known(serialNumber: string): string;
  expectNoUnknownPower(): Promise<void>;
}

/**
 * A local run of this file's own, for faults that only its test's calls shall meet. After each test they are off, and no certificate has
 * power that no record knows of.
 */
export async function startFaultyRun(): Promise<FaultyRun> {
  const run = await startLocalRun();
  afterAll(() => run.stop());
  const { outputs } = run;
  const serials: string[] = [];
  const faults = (...list: Fault[]) => tellStandIn(outputs.aws, 'faults', { faults: list });
  const noUnknownPower = () => expectNoUnknownPower(outputs, serials);
  afterEach(async () => {
    await faults();
    await noUnknownPower();
  });
  await switchOffStreamConsumers(outputs);
  await switchOffSchedules(outputs);
  return {
    run,
    outputs,
    faults,
    known(serialNumber) {
      serials.push(serialNumber);
      return serialNumber;
    },
    expectNoUnknownPower: noUnknownPower,
  };
}
