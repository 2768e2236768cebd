import { checkInteger, invalid } from './refusals.ts';

/** Lists come in pages: in the order of a key, from after the last one shown. */

/** What AWS gives when the caller names no size. */
const DEFAULT_SIZE = 25;
const LARGEST_SIZE = 250;

interface Asked {
  size?: number | undefined;
  token?: string | undefined;
  descending?: boolean | undefined;
}

export function pageOf<T>(items: Iterable<T>, keyOf: (item: T) => string, { size, token, descending }: Asked) {
  const limit = size === undefined ? DEFAULT_SIZE : checkInteger(size, 'maxResults', 1, LARGEST_SIZE);
  const after = token === undefined ? undefined : keyIn(token);
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0) * (descending ? -1 : 1);
  // The first of the rest, and one more: a page is short where a fleet is long, so the fleet is not sorted for it.
  let first: { key: string; item: T }[] = [];
  const shorten = () => {
    first = first.sort((one, other) => compare(one.key, other.key)).slice(0, limit + 1);
  };
  for (const item of items) {
    const key = keyOf(item);
    if (after === undefined || compare(key, after) > 0) first.push({ key, item });
    if (first.length > 4 * LARGEST_SIZE) shorten();
  }
  shorten();
  const shown = first.slice(0, limit);
  const last = first.length > limit ? shown.at(-1) : undefined;
  return { items: shown.map(({ item }) => item), next: last && Buffer.from(`page:${last.key}`).toString('base64url') };
}

function keyIn(token: string): string {
  const text = Buffer.from(token, 'base64url').toString();
  if (!text.startsWith('page:')) throw invalid('Invalid token');
  return text.slice('page:'.length);
}

/** `maxResults`, `nextToken`: most lists of things, templates and rules. */
export const byToken = (input: { maxResults?: number; nextToken?: string }) => ({
  size: input.maxResults,
  token: input.nextToken,
});

/** `pageSize`, `marker`, `ascendingOrder`: certificates, policies and role aliases. */
export const byMarker = (input: { pageSize?: number; marker?: string; ascendingOrder?: boolean }) => ({
  size: input.pageSize,
  token: input.marker,
  descending: input.ascendingOrder === false,
});
