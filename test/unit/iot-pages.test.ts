import { expect, it } from 'vitest';
import { pageOf } from '../../local/iot/pages.ts';

/** Longer than what is held while a page is made, in no order. */
const names = Array.from({ length: 2_501 }, (_, n) => `n${String((n * 1_013) % 2_501).padStart(4, '0')}`);

function everyPage(size: number | undefined, descending = false): string[] {
  const all: string[] = [];
  let token: string | undefined;
  do {
    const { items, next } = pageOf(names, (name) => name, { size, token, descending });
    expect(items.length).toBeLessThanOrEqual(size ?? 25);
    all.push(...items);
    token = next;
  } while (token !== undefined);
  return all;
}

it.each([250, 7, undefined])('every item is on one page, in order (%s a page)', (size) => {
  expect(everyPage(size)).toEqual(names.toSorted());
  expect(everyPage(size, true)).toEqual(names.toSorted().reverse());
});

it('the last page has no next, though it is full', () => {
  expect(pageOf(['b', 'a'], (name) => name, { size: 2 })).toEqual({ items: ['a', 'b'], next: undefined });
  expect(pageOf([], String, {})).toEqual({ items: [], next: undefined });
});
