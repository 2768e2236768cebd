import { createHmac } from 'node:crypto';

const KEPT_KEYS = 1000;
const keys = new Map<string, Buffer>();

/** SigV4's key for one day, region and service ("Create a signed AWS API request", step 4). Kept: making it is half of what a check costs. */
export function signingKey(scope: string[], secretAccessKey: string): Buffer {
  const name = [secretAccessKey, ...scope].join('\n');
  const known = keys.get(name);
  if (known) return known;
  const key = scope.reduce<Buffer>((secret, part) => hmac(secret, part), Buffer.from(`AWS4${secretAccessKey}`));
  if (keys.size >= KEPT_KEYS) keys.clear();
  keys.set(name, key);
  return key;
}

export const hmac = (key: Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
