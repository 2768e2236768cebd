/** The seeds a random test runs with: its own, or the one in the environment (`SEED=7 npm test`). Name the test by it, so that a failure tells it. */
export function seeds(...own: number[]): number[] {
  const { SEED } = process.env;
  if (SEED === undefined) return own;
  if (!/^\d{1,9}$/.test(SEED)) throw new Error(`SEED must be a number of up to nine digits, not ${SEED}`);
  return [Number(SEED)];
}

/** mulberry32: numbers from 0 to 1, the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
