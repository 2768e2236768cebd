import { type AwsCall, startCountingDoor } from './counting-door.ts';
import { startFunction } from './function-process.ts';
import type { Outputs } from './local-run.ts';

export interface HookProcess {
  /** What the hook said, and what it asked AWS for that. */
  // biome-ignore lint/suspicious/noExplicitAny: what a hook answered; the test says what it must be
  ask(event: object): Promise<{ answer: any; calls: AwsCall[] }>;
  stop(): Promise<void>;
}

/** A shipped hook in one warm process, each of its AWS calls counted on the way. */
export async function startHook(
  outputs: Outputs,
  key: 'provisioningHook' | 'renewalHook' = 'provisioningHook',
): Promise<HookProcess> {
  const door = await startCountingDoor(outputs.aws);
  const hook = await startFunction(outputs, key, door.url);
  return {
    async ask(event) {
      const from = door.calls.length;
      const answer = await hook.invoke(event);
      return { answer, calls: door.calls.slice(from) };
    },
    async stop() {
      await hook.stop();
      door.close();
    },
  };
}
