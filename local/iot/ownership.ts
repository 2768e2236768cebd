import { createHash, randomBytes } from 'node:crypto';
import type { Connection } from './connection.ts';

/**
 * Certificate ownership tokens. One names its certificate and is bound to the client that asked (its claim certificate and client id): AWS
 * does not say whether a token works on another connection, so nobody may count on it. 192 characters; AWS's own C demos hold 512.
 */
export function newOwnershipToken(certificateId: string, connection: Connection): string {
  const opening = Buffer.concat([Buffer.from(certificateId, 'hex'), randomBytes(80)]);
  return Buffer.concat([opening, binding(opening, connection)]).toString('base64url');
}

export const certificateIdIn = (token: string): string =>
  Buffer.from(token, 'base64url').subarray(0, 32).toString('hex');

export function isBoundTo(token: string, connection: Connection): boolean {
  const bytes = Buffer.from(token, 'base64url');
  return bytes.subarray(-32).equals(binding(bytes.subarray(0, -32), connection));
}

const binding = (opening: Buffer, { principal, clientId }: Connection) =>
  createHash('sha256').update(opening).update(`${principal.certificateId}/${clientId}`).digest();
