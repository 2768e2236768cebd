import { type Counted, type CountKind, countKinds, stepsBetween } from './counts.ts';

/** A counter as it stands. `steps`: how often it has moved; absent where it has not since that is counted. */
export type Counter = { kind: CountKind; name: string; count: number; steps?: number };

/** How a device was counted. `owing`: the counters do not have it yet. */
export type CountNote = { counted: Counted; owing: boolean };

/** What the counters must say, found out by counting every device while the counters may move. */
export type Tally = Record<string, { expected: number; steps?: number; isMoving?: true }>;

/** A tally goes from page to page, and a name is up to a hundred bytes of it. */
const mostNames = 2000;

const keyOf = (kind: CountKind, name: string): string => `${kind}#${name}`;

const entryOf = (tally: Tally, key: string) => {
  tally[key] ??= { expected: 0 };
  return tally[key];
};

/** `undefined`: there are too many names to count them all beside each other. */
export const beginTally = (counters: Counter[]): Tally | undefined =>
  counters.length > mostNames
    ? undefined
    : Object.fromEntries(
        counters.map(({ kind, name, steps }) => [
          keyOf(kind, name),
          { expected: 0, ...(steps !== undefined && { steps }) },
        ]),
      );

/** Whether the counters have this device as it is now. */
export const isCounted = (counted: Counted, note: CountNote | undefined): boolean =>
  note !== undefined && !note.owing && stepsBetween(note.counted, counted).length === 0;

export const tallyDevice = (tally: Tally, counted: Counted, note: CountNote | undefined): void => {
  if (isCounted(counted, note)) {
    for (const kind of countKinds) {
      const name = counted[kind];
      if (name !== undefined) entryOf(tally, keyOf(kind, name)).expected += 1;
    }
    return;
  }
  // It is on its way from one to the other: nobody can say what either holds.
  for (const kind of countKinds) {
    for (const name of [note?.counted[kind], counted[kind]]) {
      if (name !== undefined) entryOf(tally, keyOf(kind, name)).isMoving = true;
    }
  }
};

/** The counters that have stood still all the time and are wrong, with what they must say. */
export const wrongCounters = (tally: Tally, counters: Counter[]): (Counter & { expected: number })[] => {
  const missing = Object.keys(tally)
    .filter((key) => !counters.some(({ kind, name }) => keyOf(kind, name) === key))
    .map((key): Counter => {
      const [kind = '', ...name] = key.split('#');
      return { kind: kind as CountKind, name: name.join('#'), count: 0 };
    });
  return [...counters, ...missing].flatMap((counter) => {
    const counted = tally[keyOf(counter.kind, counter.name)];
    if (!counted || counted.isMoving || counted.steps !== counter.steps) return [];
    return counted.expected === counter.count ? [] : [{ ...counter, expected: counted.expected }];
  });
};
