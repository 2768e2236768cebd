import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Identity } from '../../local/iam/identities.ts';
import type { HttpHead } from '../../local/service.ts';
import { verifySignature } from '../../local/sigv4.ts';

export const NOW = Date.parse('2026-11-24T07:00:00Z');
export const LASTING: Identity = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  arn: 'arn:aws:iam::000000000000:user/u',
  accountId: '000000000000',
  userId: 'AIDA',
  context: {},
};
export const SESSION: Identity = {
  ...LASTING,
  accessKeyId: 'ASIDEXAMPLE',
  sessionToken: 'to/ken+=',
  expiration: NOW + 60_000,
};
export const KNOWN = [LASTING, SESSION];

export type Sent = HttpHead & { body: Buffer };

export interface Ask {
  method?: string;
  path?: string;
  query?: Record<string, string | string[]>;
  headers?: Record<string, string>;
  body?: string;
}

export interface Signing {
  as?: Identity;
  at?: number;
  service?: string;
  region?: string;
  secret?: string;
}

/** Signed by AWS's own signer, which shares no line with the verifier. */
export async function sign(
  { method = 'POST', path = '/', query = {}, headers = {}, body = '' }: Ask,
  { as = LASTING, at = NOW, service = 'iot', region = 'us-east-1', secret }: Signing = {},
): Promise<Sent> {
  const signer = new SignatureV4({
    service,
    region,
    sha256: Sha256,
    credentials: {
      accessKeyId: as.accessKeyId,
      secretAccessKey: secret ?? as.secretAccessKey,
      ...(as.sessionToken && { sessionToken: as.sessionToken }),
    },
  });
  const host = { host: '127.0.0.1:4566' };
  const request = { method, protocol: 'http:', hostname: '127.0.0.1', path, query, body };
  const signed = await signer.sign({ ...request, headers: { ...host, ...headers } }, { signingDate: new Date(at) });
  const rawQuery = Object.entries(query)
    .flatMap(([key, values]) =>
      [values].flat().map((value) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`),
    )
    .join('&');
  return {
    method,
    path,
    query: rawQuery,
    headers: Object.fromEntries(Object.entries(signed.headers).map(([name, value]) => [name.toLowerCase(), value])),
    body: Buffer.from(body),
  };
}

export const verify = (request: Sent, { payload = 'body' as 'body' | 'empty', now = NOW } = {}) =>
  verifySignature({
    request,
    payload,
    region: 'us-east-1',
    now,
    find: (id) => KNOWN.find(({ accessKeyId }) => accessKeyId === id),
  });

export const refusal = async (request: Sent | Promise<Sent>, options = {}) => {
  const sent = await request;
  try {
    verify(sent, options);
  } catch (error) {
    return error as { code: string; status: number; message: string };
  }
  throw new Error('It was accepted.');
};

export const changed = async (request: Promise<Sent>, headers: Record<string, string>): Promise<Sent> => {
  const sent = await request;
  return { ...sent, headers: { ...sent.headers, ...headers } };
};
