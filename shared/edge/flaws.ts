import * as z from 'zod/mini';
import en from 'zod/v4/locales/en.js';
import type { Flaw } from '../domain/failure.ts';

// zod/mini says "Invalid input" to everything until it is given words.
z.config(en());

/** RFC 6901 */
const pointerOf = (path: PropertyKey[]): string =>
  path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** A caller learns from the first few; a body full of nonsense must not make a larger answer. */
const mostFlaws = 20;

/** The members that are wrong, by name: an unknown one as well. */
export const flawsOf = (error: z.core.$ZodError): Flaw[] => {
  const flaws = error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ pointer: pointerOf([...issue.path, key]), detail: 'is not a known field' }))
      : [{ pointer: pointerOf(issue.path), detail: issue.message }],
  );
  const more = flaws.length - mostFlaws;
  return more > 0 ? [...flaws.slice(0, mostFlaws), { pointer: '', detail: `and ${more} more` }] : flaws;
};
