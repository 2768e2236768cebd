import middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import * as z from 'zod/mini';
import { Failure } from '../domain/failure.ts';
import { limits } from '../domain/limits.ts';
import { serialNumber } from '../domain/manifest.ts';
import { logError } from './log.ts';
import { parse } from './parse.ts';
import { allPatient } from './patience.ts';
import { problemOf } from './problem.ts';

export type HttpRequest = {
  /** The IAM principal that signed the request. */
  caller: string;
  query: Record<string, string | undefined>;
  path: Record<string, string | undefined>;
  /** The body, parsed as JSON; a `Failure` if it is none, or longer than so many bytes. */
  json(mostBytes?: number): unknown;
  /** The same, where a body may be left out: an empty object then. */
  jsonIfAny(): unknown;
};

/** Without a body: 204. */
export type HttpAnswer = { status: number; body?: unknown };

/**
 * One route: typed request in, JSON out; whatever is thrown becomes problem+json (RFC 9457). `ports` is all through which it asks AWS:
 * each comes back patient, so that no route forgets to wait out a throttle for as long as the invocation has time.
 */
export const http = <Ports extends object>(
  ports: Ports,
  answer: (request: HttpRequest, ports: Ports) => Promise<HttpAnswer>,
) =>
  middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>()
    .onError((request) => {
      const problem = problemOf(request.error);
      if (problem.status >= 500) logError('http', request.error, { route: request.event.routeKey });
      request.response = {
        ...respond(problem.status, problem, 'application/problem+json'),
        ...(problem.status === 503 && { headers: { 'content-type': 'application/problem+json', 'retry-after': '2' } }),
      };
    })
    .handler(async (event, context) => {
      const { status, body } = await answer(
        readRequest(event),
        allPatient(ports, () => context.getRemainingTimeInMillis()),
      );
      return body === undefined
        ? { statusCode: status, headers: { 'cache-control': 'no-store' } }
        : respond(status, body, 'application/json');
    });

const respond = (statusCode: number, body: unknown, contentType: string): APIGatewayProxyStructuredResultV2 => ({
  statusCode,
  headers: { 'content-type': contentType, 'cache-control': 'no-store' },
  body: JSON.stringify(body),
});

const readRequest = (event: APIGatewayProxyEventV2): HttpRequest => ({
  caller: callerOf(event.requestContext),
  query: event.queryStringParameters ?? {},
  path: event.pathParameters ?? {},
  json: (mostBytes) => readJson(event, mostBytes),
  jsonIfAny: () => (event.body ? readJson(event) : {}),
});

const callerOf = (context: unknown): string => {
  const { authorizer } = context as { authorizer?: { iam?: { userArn?: string } } };
  return authorizer?.iam?.userArn ?? 'anonymous';
};

const readJson = (event: APIGatewayProxyEventV2, mostBytes: number = limits.bodyBytes): unknown => {
  const contentType = event.headers['content-type'] ?? '';
  if (!/^application\/json\s*(;|$)/i.test(contentType)) {
    throw new Failure('unsupported-media-type', 'the content type must be application/json');
  }
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (body.length > mostBytes) throw new Failure('body-too-large', `the body is over ${mostBytes} bytes`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    // Not the parser's own words: they quote the body.
    throw new Failure('invalid-json', 'the body is not JSON in UTF-8');
  }
};

export const readSerialNumber = ({ path }: HttpRequest): string =>
  parse(z.object({ serialNumber }), { serialNumber: path.serialNumber }).serialNumber;
