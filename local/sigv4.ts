import { createHash, timingSafeEqual } from 'node:crypto';
import { AwsError } from './error.ts';
import type { Identity } from './iam/identities.ts';
import type { HttpHead } from './service.ts';
import { hmac, signingKey } from './signing-key.ts';

/** Signature Version 4 in the Authorization header (IAM User Guide, "AWS Signature Version 4 for API requests"). */

interface Authorization {
  accessKeyId: string;
  /** `20261124` */
  date: string;
  region: string;
  service: string;
  terminator: string;
  signedHeaders: string[];
  signature: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const SKEW_MS = 5 * 60_000;

/** Global services: their signatures are for us-east-1, whatever the caller's region. */
const GLOBAL_SERVICES = ['iam', 'sts'];

/** The service a caller means, before anything is proved; undefined without a readable header. */
export function claimedService(head: HttpHead): string | undefined {
  return /Credential=[^/,\s]+\/\d+\/[^/,\s]+\/([^/,\s]+)/.exec(head.headers.authorization ?? '')?.[1];
}

/**
 * Who signed it, and for which service. Throws AwsError, in the words that AWS's JSON services use.
 * `payload: 'empty'` is for a body that is streamed (PutMedia): it is signed as if there were none.
 */
export function verifySignature({
  request,
  payload,
  region,
  now,
  find,
}: {
  request: HttpHead & { body?: Buffer };
  payload: 'body' | 'empty';
  region: string;
  now: number;
  find: (accessKeyId: string) => Identity | undefined;
}): { identity: Identity; service: string } {
  const authorization = readAuthorization(request);
  const identity = find(authorization.accessKeyId);
  if (!identity) throw invalidToken();
  checkScope(authorization, region);
  const time = checkTime(request, authorization, now);

  const expected = signatureOf({
    request,
    time,
    authorization,
    secretAccessKey: identity.secretAccessKey,
    payloadHash: payloadHash(request, payload),
  });
  const sent = Buffer.from(authorization.signature);
  if (sent.length !== expected.length || !timingSafeEqual(sent, Buffer.from(expected))) {
    throw invalidSignature(
      'The request signature we calculated does not match the signature you provided. ' +
        'Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
  checkToken(request, identity, now);
  return { identity, service: authorization.service };
}

const invalidToken = () =>
  new AwsError('UnrecognizedClientException', 403, 'The security token included in the request is invalid.');
const invalidSignature = (message: string) => new AwsError('InvalidSignatureException', 403, message);
const incomplete = (message: string) => new AwsError('IncompleteSignatureException', 400, message);

function readAuthorization({ headers, query }: HttpHead): Authorization {
  const header = headers.authorization;
  if (header === undefined) {
    if (/(^|&)X-Amz-Signature=/i.test(query)) {
      throw incomplete('Signatures in the query string are not supported here: sign in the Authorization header.');
    }
    throw new AwsError('MissingAuthenticationTokenException', 403, 'Missing Authentication Token');
  }
  const [algorithm, ...rest] = header.split(' ');
  if (algorithm !== ALGORITHM) {
    throw incomplete(`Unsupported AWS 'algorithm': the Authorization header must begin with ${ALGORITHM}.`);
  }
  const parts = new Map(
    rest
      .join(' ')
      .split(',')
      .map((part) => part.trim().split('=', 2) as [string, string]),
  );
  const need = (name: string) => {
    const value = parts.get(name);
    if (!value) throw incomplete(`Authorization header requires '${name}' parameter.`);
    return value;
  };
  const credential = need('Credential').split('/');
  const signedHeaders = need('SignedHeaders').split(';');
  const signature = need('Signature');
  if (credential.length < 5) {
    throw incomplete('Credential must have exactly 5 slash-delimited elements: keyid/date/region/service/term.');
  }
  // An access key id may not hold a slash, but the last four elements are what counts.
  const [date = '', region = '', service = '', terminator = ''] = credential.slice(-4);
  if (!signedHeaders.includes('host')) {
    throw invalidSignature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  const accessKeyId = credential.slice(0, -4).join('/');
  return { accessKeyId, date, region, service, terminator, signedHeaders, signature };
}

function checkScope({ region: signedRegion, service, terminator }: Authorization, region: string): void {
  if (terminator !== 'aws4_request') {
    throw invalidSignature(`Credential should be scoped with a valid terminator: 'aws4_request', not '${terminator}'.`);
  }
  if (signedRegion === region || (GLOBAL_SERVICES.includes(service) && signedRegion === 'us-east-1')) return;
  throw invalidSignature(`Credential should be scoped to a valid region, not '${signedRegion}'.`);
}

/** The request's own time as `20261124T071921Z`, within five minutes of ours and of the day it is scoped to. */
function checkTime({ headers }: HttpHead, { date }: Authorization, now: number): string {
  const given = headers['x-amz-date'] ?? headers.date;
  if (typeof given !== 'string') {
    throw incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(given) ?? [];
  const at = year ? Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) : Date.parse(given);
  if (Number.isNaN(at)) throw incomplete("Date must be in ISO-8601 'basic format'.");

  const time = basic(at);
  if (!time.startsWith(date)) {
    throw invalidSignature(
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: ' +
        `'${date}' != '${time.slice(0, 8)}', from '${time}'.`,
    );
  }
  if (at < now - SKEW_MS) {
    throw invalidSignature(
      `Signature expired: ${time} is now earlier than ${basic(now - SKEW_MS)} (${basic(now)} - 5 min.)`,
    );
  }
  if (at > now + SKEW_MS) {
    throw invalidSignature(
      `Signature not yet current: ${time} is still later than ${basic(now + SKEW_MS)} (${basic(now)} + 5 min.)`,
    );
  }
  return time;
}

const basic = (ms: number) => new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');

/** Temporary keys need their token, and lasting ones must not come with any. */
function checkToken({ headers }: HttpHead, identity: Identity, now: number): void {
  // The KVS producer SDK sends the token without signing it.
  if (headers['x-amz-security-token'] !== identity.sessionToken) throw invalidToken();
  if (identity.expiration !== undefined && identity.expiration <= now) {
    throw new AwsError('ExpiredTokenException', 403, 'The security token included in the request is expired');
  }
}

function payloadHash({ headers, body }: HttpHead & { body?: Buffer }, payload: 'body' | 'empty'): string {
  const named = headers['x-amz-content-sha256'];
  // Only a streamed body may go unsigned (and over plain HTTP nothing else may): AWS hashes every other one itself.
  if (payload === 'empty') return named === 'UNSIGNED-PAYLOAD' ? named : sha256('');
  const actual = sha256(body ?? '');
  if (named !== undefined && named !== actual) {
    throw invalidSignature("The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  return actual;
}

function signatureOf({
  request,
  time,
  authorization: { date, region, service, terminator, signedHeaders },
  secretAccessKey,
  payloadHash,
}: {
  request: HttpHead;
  time: string;
  authorization: Authorization;
  secretAccessKey: string;
  payloadHash: string;
}): string {
  const canonicalRequest = [
    request.method,
    canonicalPath(request.path),
    canonicalQuery(request.query),
    // As they were sent: the KVS producer SDK signs `connection`, `transfer-encoding`, and a `Host` without its port.
    ...signedHeaders.map((name) => `${name}:${canonicalValue(request.headers[name])}`),
    '',
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
  const scope = [date, region, service, terminator];
  const toSign = [ALGORITHM, time, scope.join('/'), sha256(canonicalRequest)].join('\n');
  return hmac(signingKey(scope, secretAccessKey), toSign).toString('hex');
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');

const canonicalValue = (value: string | string[] | undefined) =>
  [value ?? ''].flat().join(',').trim().replace(/\s+/g, ' ');

/** RFC 3986: all but letters, digits and `-._~`. */
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`);

/** Dot segments and doubled slashes go; what was sent encoded is encoded once more (every service but S3). */
function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(encode(segment));
  }
  const trailing = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.join('/')}${trailing}`;
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').map((pair) => {
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
    return [encode(decoded(name)), encode(decoded(value))] as const;
  });
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return pairs
    .sort(([aName, aValue], [bName, bValue]) => order(aName, bName) || order(aValue, bValue))
    .map((pair) => pair.join('='))
    .join('&');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
