import { createHash } from 'node:crypto';
import { Failure } from '../domain/failure.ts';
import type { HttpRequest } from './http.ts';

/** Not a secret, since a cursor opens nothing: it tells one that was given from one that was changed. */
const seal = (list: string, key: string): string =>
  createHash('sha256')
    .update(JSON.stringify([list, key]))
    .digest('base64url')
    .slice(0, 12);

/** An opaque cursor is bound to what it goes on with: of another list it is refused. */
export const writeCursor = (list: string, key: string): string =>
  Buffer.from(JSON.stringify([key, seal(list, key)])).toString('base64url');

export const readCursor = (list: string, cursor: string): string => {
  const invalid = new Failure('invalid-cursor', 'the cursor is not one that this list has given');
  let key: unknown;
  try {
    [key] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw invalid;
  }
  // Only the very text that was given, though base64 can write the same bytes in other ways.
  if (typeof key !== 'string' || writeCursor(list, key) !== cursor) throw invalid;
  return key;
};

export const readPage = ({ query }: HttpRequest, list: string): { limit: number; before?: string } => {
  const text = query.limit ?? '50';
  const limit = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > 1000) {
    const detail = 'must be a number from 1 to 1000';
    throw new Failure('invalid-request', `limit ${detail}`, [{ pointer: '/limit', detail }]);
  }
  const cursor = query.cursor;
  return { limit, ...(cursor !== undefined && { before: readCursor(list, cursor) }) };
};
