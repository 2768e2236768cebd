import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto';

const sha256 = (data: Buffer | string): Buffer => createHash('sha256').update(data).digest();

/** SHA-256 of the SPKI DER of a certificate's key: what a manifest pins. */
export const certificateKeySha256 = (certificatePem: string): string =>
  sha256(new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' })).toString('hex');

/** The only form in which a claim token is kept. */
export const claimTokenSha256 = (token: string): string => sha256(token).toString('hex');

/** What a token proves of a device that keeps this hash; compared in constant time. */
export const proveClaimToken = (
  token: string | undefined,
  expectedSha256: string | undefined,
): 'none' | 'right' | 'wrong' => {
  if (!token) return 'none';
  const given = sha256(token);
  const expected = expectedSha256 === undefined ? undefined : Buffer.from(expectedSha256, 'hex');
  const isKept = expected?.length === given.length;
  // Compared also where there is nothing to compare with, so that it takes as long.
  return timingSafeEqual(given, isKept ? expected : Buffer.alloc(given.length)) && isKept ? 'right' : 'wrong';
};
