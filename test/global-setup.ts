import type { TestProject } from 'vitest/node';
import { type Outputs, startLocalRun } from './local-run.ts';

declare module 'vitest' {
  interface ProvidedContext {
    outputs: Outputs;
  }
}

/** Packages the service once and keeps one local run for all tests that leave its clock, faults and state as they are. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { outputs, stop } = await startLocalRun('--package');
  project.provide('outputs', outputs);
  return async () => {
    await stop();
  };
}
