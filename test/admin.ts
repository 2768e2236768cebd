/** What only the stand-in has: a clock that moves, faults, and the way back to the just-booted state. */
export async function tellStandIn(aws: string, verb: 'reset' | 'clock' | 'faults', body: unknown = {}): Promise<void> {
  const answer = await fetch(`${aws}/_firstlight/${verb}`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${verb}: ${answer.status} ${await answer.text()}`);
}
