/** What reached the event bus of a local run, as a target would get it. */
export interface BusEvent {
  'detail-type': string;
  source: string;
  bus: string;
  time: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  detail: any;
}

/** Reads what arrives from now on; `next` waits for the first event that is wanted, and skips what comes before it. */
export async function listenToBus({ aws }: { aws: string }) {
  const ask = async (since: number | string, waitSeconds: number) => {
    const answer = await fetch(`${aws}/_firstlight/events?since=${since}&waitSeconds=${waitSeconds}`);
    if (!answer.ok) throw new Error(`events: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { events: BusEvent[]; next: number };
  };
  let { next } = await ask(0, 0);
  const heard: BusEvent[] = [];

  return {
    /** Every event that has arrived since, oldest first. */
    heard,
    async until(what: string, isWanted: (event: BusEvent) => boolean, deadlineMs = 20_000): Promise<BusEvent> {
      const deadline = performance.now() + deadlineMs;
      for (let looked = 0; ; ) {
        const found = heard.slice(looked).find(isWanted);
        if (found) return found;
        looked = heard.length;
        const left = deadline - performance.now();
        if (left <= 0) throw new Error(`waited ${deadlineMs} ms in vain for ${what}`);
        const { events, next: later } = await ask(next, Math.min(10, Math.ceil(left / 1000)));
        next = later;
        heard.push(...events);
      }
    },
  };
}
