/**
 * Two long lists compared without either being kept: each entry of the one and of the other flips the bits of its mark in its place, so
 * what both hold leaves nothing, and a place that is not zero in the end holds a difference. Many entries share a place, and which of
 * them differs is for a closer look to find out. An entry is in each list at most once.
 */
export type Sketch = Uint32Array;

const places = 32_768;

/** FNV-1a, then MurmurHash3's finalizer: alike entries land far apart. */
const hash = (text: string, seed: number): number => {
  let value = seed;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
};

const placeOf = (entry: string): number => hash(entry, 0x811c9dc5) % places;

/** Never zero: an entry that is on one list only must be seen. */
const markOf = (entry: string): number => hash(entry, 0x9747b28c) || 1;

export const emptySketch = (): Sketch => new Uint32Array(places);

export const flip = (sketch: Sketch, entry: string): void => {
  const place = placeOf(entry);
  sketch[place] = (sketch[place] ?? 0) ^ markOf(entry);
};

/** Whether the entry may be on one list and not on the other. */
export const mayDiffer = (sketch: Sketch, entry: string): boolean => sketch[placeOf(entry)] !== 0;

export const writeSketch = (sketch: Sketch): string => Buffer.from(sketch.buffer).toString('base64');

/** `undefined` if it is none. */
export const readSketch = (text: string): Sketch | undefined => {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
  return bytes.length === places * Uint32Array.BYTES_PER_ELEMENT ? new Uint32Array(bytes.buffer) : undefined;
};

/** In which of so many turns a device has its own. */
export const turnOf = (serialNumber: string, turns: number): number => hash(serialNumber, 0x1b873593) % turns;
