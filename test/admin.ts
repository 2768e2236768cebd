import { until } from './until.ts';

/** What only the stand-in has: a clock that moves, faults, and the way back to the just-booted state. */
export async function tellStandIn(aws: string, verb: 'reset' | 'clock' | 'faults', body: unknown = {}): Promise<void> {
  const answer = await fetch(`${aws}/_firstlight/${verb}`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${verb}: ${answer.status} ${await answer.text()}`);
}

/** Resolves once a fault that was set has struck: the call it waited for has come. */
export async function untilStruck(aws: string): Promise<void> {
  await until('the fault to strike', async () => {
    const answer = await fetch(`${aws}/_firstlight/faults`);
    const { faults } = (await answer.json()) as { faults: { struck: number }[] };
    return faults.some(({ struck }) => struck > 0);
  });
}
