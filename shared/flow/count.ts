import { type Counted, newestOf, type Recount, type Step, stepsBetween } from '../domain/counts.ts';

/** How a device was counted and how it is to be, once its note says so; the counters owe the difference until `settle`. */
export type Note = { serialNumber: string; stamp: string; was: Counted; counted: Counted };

/** What one counter owes for several devices. */
export type Tally = Pick<Step, 'kind' | 'name' | 'by'> & { of: { serialNumber: string; stamp: string }[] };

export interface Ledger {
  /** `begun`: noted now. `owing`: an earlier note, of this stamp or an older one, is not settled yet. `undefined`: this one or a later one was counted. */
  begin(recount: Recount): Promise<{ state: 'begun' | 'owing'; note: Note } | undefined>;
  /** Each device's step once, however often it is asked for. */
  add(tally: Tally): Promise<void>;
  settle(note: Note): Promise<void>;
  /** The counter need not remember any more that it has these devices' steps. */
  forget(tally: Tally): Promise<void>;
}

/** A note that was owing is paid first, so a second round is for the version that found it. */
const mostRounds = 3;

/**
 * Counts each device's newest version exactly once without a transaction, whatever dies in between: the note says what is
 * owed before a counter moves, each counter remembers whose step it has until the note is settled, and the same changes
 * come again until all is done. Changes of one device must not be counted by two at once; a table's stream sees to that.
 */
export const countDevices = async (recounts: Recount[], ledger: Ledger): Promise<number> => {
  let open = newestOf(recounts);
  let counted = 0;
  for (let round = 0; round < mostRounds && open.length > 0; round++) {
    const begun = await Promise.all(open.map(async (recount) => ({ recount, noted: await ledger.begin(recount) })));
    const notes = begun.flatMap(({ noted }) => noted?.note ?? []);
    const tallies = talliesOf(notes);
    await Promise.all(tallies.map((tally) => ledger.add(tally)));
    await Promise.all(notes.map((note) => ledger.settle(note)));
    await Promise.all(tallies.map((tally) => ledger.forget(tally)));
    counted += notes.length;
    open = begun.filter(({ noted }) => noted?.state === 'owing').map(({ recount }) => recount);
  }
  return counted;
};

const talliesOf = (notes: Note[]): Tally[] => {
  const tallies = new Map<string, Tally>();
  for (const { serialNumber, stamp, was, counted } of notes) {
    for (const { kind, name, by } of stepsBetween(was, counted)) {
      const key = JSON.stringify([kind, name, by]);
      const tally = tallies.get(key) ?? { kind, name, by, of: [] };
      tally.of.push({ serialNumber, stamp });
      tallies.set(key, tally);
    }
  }
  return [...tallies.values()];
};
