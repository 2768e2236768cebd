import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Credentials } from './credentials.ts';

/**
 * AWS Signature Version 4, for Kinesis Video Streams if nothing else is said. Without `body` the payload counts as empty, which is how PutMedia
 * is signed: its body is still being filmed.
 */
export async function signedHeaders(
  url: URL,
  headers: Record<string, string>,
  {
    region,
    credentials,
    body,
    service = 'kinesisvideo',
  }: { region: string; credentials: Credentials; body?: string; service?: string },
): Promise<Record<string, string>> {
  const signer = new SignatureV4({
    service,
    region,
    credentials: {
      accessKeyId: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey,
      sessionToken: credentials.sessionToken,
    },
    sha256: Sha256,
    applyChecksum: false,
  });
  const request = {
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    query: {},
    headers: { host: url.host, ...headers },
    ...(body !== undefined && { body }),
  };
  const signed = await signer.sign(request, { signingDate: new Date(Date.now() + credentials.clockOffsetMs) });
  return signed.headers;
}
