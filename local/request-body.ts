import type { IncomingMessage } from 'node:http';
import { AwsError } from './error.ts';

/** Read on past the limit, so that the caller is ready for an answer, but not for ever. */
const PATIENCE = 64 << 20;

/** The whole body; throws AwsError 413 for one of more than `limit` bytes, which is never held. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  let chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) chunks = [];
    else chunks.push(chunk);
    if (length > limit + PATIENCE) break;
  }
  if (length > limit) {
    throw new AwsError('RequestEntityTooLargeException', 413, `Request size exceeded ${limit} bytes`);
  }
  return Buffer.concat(chunks, length);
}
