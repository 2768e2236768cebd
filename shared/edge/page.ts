import { Failure } from '../domain/failure.ts';
import type { HttpRequest } from './http.ts';

/** An opaque cursor is bound to what it goes on with: of another list it is refused. */
export const writeCursor = (list: string, key: string): string =>
  Buffer.from(JSON.stringify([list, key])).toString('base64url');

const readCursor = (list: string, cursor: string): string => {
  const invalid = new Failure('invalid-cursor', 'the cursor is not one that this list has given');
  try {
    const [of, key, ...rest] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (of === list && typeof key === 'string' && rest.length === 0) return key;
  } catch {
    throw invalid;
  }
  throw invalid;
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
