import { randomUUID } from 'node:crypto';
import type { Identity } from './iam/identities.ts';
import type { HttpRequest } from './service.ts';

/** What API Gateway puts between HTTP and a function: payload format 2.0 (Developer Guide, "Working with AWS Lambda proxy integrations for HTTP APIs"). */

export interface EventFacts {
  request: HttpRequest & { rawHeaders: string[]; httpVersion: string; sourceIp: string };
  routeKey: string;
  pathParameters: Record<string, string>;
  accountId: string;
  apiId: string;
  region: string;
  now: number;
  /** Absent on a route without authorisation. */
  caller?: Identity;
}

export function eventOf({
  request,
  routeKey,
  pathParameters,
  accountId,
  apiId,
  region,
  now,
  caller,
}: EventFacts): object {
  const { cookie, ...headers } = headersOf(request);
  const path = decodeURIComponent(request.path);
  const query = queryOf(request.query);
  const domainName = `${apiId}.execute-api.${region}.amazonaws.com`;
  return {
    version: '2.0',
    routeKey,
    // HTTP APIs hand the path over decoded, unlike REST APIs and function URLs (seen on AWS: hotsock/voker pull request 8).
    rawPath: path,
    rawQueryString: request.query,
    ...(cookie && { cookies: cookie.split(/; ?/) }),
    headers,
    ...(query && { queryStringParameters: query }),
    requestContext: {
      accountId,
      apiId,
      ...(caller && { authorizer: { iam: authorizerOf(caller) } }),
      domainName,
      domainPrefix: apiId,
      http: {
        method: request.method,
        path,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.sourceIp,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: randomUUID(),
      routeKey,
      stage: '$default',
      time: commonLogTime(now),
      timeEpoch: now,
    },
    ...(Object.keys(pathParameters).length > 0 && { pathParameters }),
    ...bodyOf(request.body, headers['content-type']),
  };
}

/** Developer Guide, "Control access to HTTP APIs with IAM authorization". */
const authorizerOf = ({ accessKeyId, accountId, userId, arn }: Identity) => ({
  accessKey: accessKeyId,
  accountId,
  callerId: userId,
  cognitoIdentity: null,
  principalOrgId: null,
  userArn: arn,
  userId,
});

/** Names in lower case, repeated headers joined with commas; the hop's own are API Gateway's business. */
function headersOf({ rawHeaders, sourceIp }: EventFacts['request']): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    if (['connection', 'transfer-encoding', 'keep-alive', 'expect'].includes(name)) continue;
    headers[name] = headers[name] === undefined ? value : `${headers[name]}${name === 'cookie' ? '; ' : ','}${value}`;
  }
  return { ...headers, 'x-forwarded-for': sourceIp, 'x-forwarded-proto': 'http' };
}

/** Decoded, repeated parameters joined with commas; undefined when there is none. */
function queryOf(query: string): Record<string, string> | undefined {
  const parameters: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    parameters[name] = parameters[name] === undefined ? value : `${parameters[name]},${value}`;
  }
  return Object.keys(parameters).length > 0 ? parameters : undefined;
}

/** Text stays text; what may be binary is Base64. */
function bodyOf(body: Buffer, contentType = ''): { body?: string; isBase64Encoded: boolean } {
  if (body.length === 0) return { isBase64Encoded: false };
  const isText = /^\s*(text\/|application\/(json|javascript|xml)\b|[\w.-]+\/[\w.-]+\+(json|xml)\b)/i.test(contentType);
  return { body: body.toString(isText ? 'utf8' : 'base64'), isBase64Encoded: !isText };
}

/** `12/Mar/2020:19:03:58 +0000` */
function commonLogTime(now: number): string {
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(now).toUTCString()) ?? [];
  return `${day}/${month}/${year}:${time} +0000`;
}

export interface FunctionAnswer {
  status: number;
  headers: Record<string, string | string[]>;
  body: Buffer;
}

/** What a function's result means in HTTP; undefined when it means nothing. */
export function answerOf(result: unknown): FunctionAnswer | undefined {
  if (typeof result !== 'object' || result === null || !('statusCode' in result)) {
    // "API Gateway makes the following assumptions": 200, JSON, the whole result as the body.
    const body = typeof result === 'string' ? result : JSON.stringify(result);
    return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(body) };
  }
  const { statusCode, headers = {}, cookies, body = '', isBase64Encoded } = result as Record<string, unknown>;
  const status = Number(statusCode);
  if (!Number.isInteger(status) || status < 200 || status > 599 || typeof body !== 'string') return undefined;
  const given = Object.entries(headers as object).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return {
    status,
    headers: {
      'content-type': 'text/plain;charset=UTF-8',
      ...Object.fromEntries(given),
      ...(Array.isArray(cookies) && { 'set-cookie': cookies.map(String) }),
    },
    body: Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'),
  };
}
