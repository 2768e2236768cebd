import type { TestProject } from 'vitest/node';
import { type Outputs, startLocalRun } from './local-run.ts';
import { switchOffSchedules } from './schedules.ts';

declare module 'vitest' {
  interface ProvidedContext {
    outputs: Outputs;
  }
}

/**
 * Packages the service once and keeps one local run for all tests that leave its clock, faults and state as they are. With CLOUD=aws there is
 * none: only the conformance tests run on an account.
 */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (process.env.CLOUD === 'aws') return undefined;
  const { outputs, stop } = await startLocalRun('--package');
  // Tests look at what is unfinished, however long all of them take.
  await switchOffSchedules(outputs);
  project.provide('outputs', outputs);
  return async () => {
    await stop();
  };
}
