/** Slots set aside before the first row: room for one and a half million rows in 24 MB. */
const SLOTS = 1 << 21;
const FULLEST = 0.75;

export interface Seen {
  /** The line where this text was first; undefined, and remembered, if it is new. */
  before(text: string, line: number): number | undefined;
}

/**
 * Remembers 64 bits of each text's hash and its line, twelve bytes a slot, so that looking for duplicates takes the same memory for a
 * thousand rows as for a million, and grows slowly after that. Two of a million texts share 64 bits in one of 37 million files.
 */
export function createSeen(slots: number = SLOTS): Seen {
  let table = new Uint32Array(slots * 3);
  let mask = slots - 1;
  let size = 0;

  /** Where it is, or where it would be. */
  function find(high: number, low: number): number {
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const at = slot * 3;
      if (table[at + 2] === 0 || (table[at] === high && table[at + 1] === low)) return at;
    }
  }

  function put(at: number, high: number, low: number, line: number): void {
    table[at] = high;
    table[at + 1] = low;
    table[at + 2] = line;
  }

  function grow(): void {
    const old = table;
    table = new Uint32Array(old.length * 2);
    mask = mask * 2 + 1;
    for (let at = 0; at < old.length; at += 3) {
      const [high = 0, low = 0, line = 0] = old.subarray(at, at + 3);
      if (line !== 0) put(find(high, low), high, low, line);
    }
  }

  return {
    before(text, line) {
      // cyrb53 by bryc (public domain) with both of its 32-bit lanes kept: fast, and even for numbers that follow each other.
      let high = 0xdeadbeef;
      let low = 0x41c6ce57;
      for (let index = 0; index < text.length; index++) {
        const code = text.charCodeAt(index);
        high = Math.imul(high ^ code, 2654435761);
        low = Math.imul(low ^ code, 1597334677);
      }
      const one = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
      const two = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(one ^ (one >>> 13), 3266489909);
      const [first, second] = [one >>> 0, two >>> 0];

      const at = find(first, second);
      const known = table[at + 2];
      if (known) return known;
      put(at, first, second, line);
      if (++size > (mask + 1) * FULLEST) grow();
      return undefined;
    },
  };
}
