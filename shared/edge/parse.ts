import * as z from 'zod/mini';
import en from 'zod/v4/locales/en.js';
import { Failure, type Flaw } from '../domain/failure.ts';

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

/** What a schema makes of a value, or a `Failure` that names every member that is wrong. */
export const parse = <Schema extends z.ZodMiniType>(schema: Schema, value: unknown): z.output<Schema> => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const flaws = flawsOf(parsed.error);
  const words = flaws.map(({ pointer, detail }) => (pointer ? `${pointer}: ${detail}` : detail)).join('; ');
  throw new Failure('invalid-request', words, flaws);
};
