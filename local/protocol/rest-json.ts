import { AwsError } from '../error.ts';
import type { HttpAnswer, HttpRequest, Protocol } from '../service.ts';
import {
  checkRequired,
  fromJson,
  fromText,
  itemOf,
  kindOf,
  type Member,
  membersOf,
  type OperationSchema,
  operationsOf,
  structureFromJson,
  structureToJson,
  toJson,
} from './schema.ts';

/** AWS restJson1 (iot, iot-data, kinesisvideo, lambda): routes and shapes are the SDK's own (smithy.io, "AWS restJson1 protocol"). */

interface Route extends OperationSchema {
  method: string;
  segments: string[];
}

export function restJson({
  schemas,
  errorMessageKey,
  validationCode = 'ValidationException',
}: {
  /** `import * as sdk from '@aws-sdk/client-…'` */
  schemas: Record<string, unknown>;
  errorMessageKey: 'message' | 'Message';
  /** The error of this service for a required member that is not there. */
  validationCode?: string;
}): Protocol {
  const routes = operationsOf(schemas)
    .flatMap((operation): Route[] => {
      const [method, path] = operation.traits.http ?? [];
      return method && path ? [{ ...operation, method, segments: segmentsOf(path.split('?')[0] ?? '') }] : [];
    })
    .sort((a, b) => labels(a) - labels(b));
  const byName = new Map(routes.map((route) => [route.name, route]));

  return {
    read(request) {
      const found = route(routes, request);
      const input = readInput(found.operation, found.labels, request);
      checkRequired(found.operation.input, input, validationCode);
      return { operation: found.operation.name, input };
    },
    write(operation, output, requestId) {
      return writeOutput(byName.get(operation) as Route, (output ?? {}) as Record<string, unknown>, requestId);
    },
    fail: (error, requestId) => restJsonFailure(error, requestId, errorMessageKey),
  };
}

/** The error's name is in a header, where both SDK families look first. */
export function restJsonFailure(
  error: AwsError,
  requestId: string,
  errorMessageKey: 'message' | 'Message',
  more: Record<string, string> = {},
): HttpAnswer {
  return {
    status: error.status,
    headers: {
      'content-type': 'application/json',
      'x-amzn-requestid': requestId,
      'x-amzn-errortype': error.code,
    },
    body: JSON.stringify({ [errorMessageKey]: error.message, ...error.members, ...more }),
  };
}

/** A closing slash means nothing: the AWS CLI sends Lambda's with it, the JS SDK without. */
const segmentsOf = (path: string) => path.replace(/\/$/, '').split('/');

/** Those with fewer labels first: `/things/search` before `/things/{thingName}`. */
const labels = ({ segments }: Route) => segments.filter((segment) => segment.startsWith('{')).length;

function route(routes: readonly Route[], { method, path }: HttpRequest) {
  const sent = segmentsOf(path);
  for (const operation of routes) {
    const labels = operation.method === method ? match(operation.segments, sent) : undefined;
    if (labels) return { operation, labels };
  }
  throw new AwsError('UnknownOperationException', 404, `No operation answers ${method} ${path}`);
}

function match(segments: readonly string[], sent: readonly string[]): Map<string, string> | undefined {
  const greedy = segments.at(-1)?.endsWith('+}') ?? false;
  if (greedy ? sent.length < segments.length : sent.length !== segments.length) return undefined;
  const labels = new Map<string, string>();
  for (const [index, segment] of segments.entries()) {
    const isLabel = segment.startsWith('{');
    const value = segment.endsWith('+}') ? sent.slice(index).join('/') : (sent[index] ?? '');
    if (isLabel && value !== '') labels.set(segment.replace(/^\{|\+?\}$/g, ''), decode(value));
    else if (value !== segment) return undefined;
  }
  return labels;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AwsError('SerializationException', 400, 'The request path or query is not properly encoded.');
  }
}

function readInput(operation: OperationSchema, labels: Map<string, string>, request: HttpRequest) {
  const query = readQuery(request.query);
  const input: Record<string, unknown> = {};
  const inBody: Member[] = [];
  for (const member of membersOf(operation.input)) {
    const { name, schema, traits } = member;
    let value: unknown;
    if (traits.httpLabel) {
      const label = labels.get(name);
      value = label === undefined ? undefined : fromText(schema, label);
    } else if (traits.httpQuery !== undefined) {
      value = fromQuery(schema, query.get(traits.httpQuery));
    } else if (traits.httpHeader !== undefined) {
      const header = request.headers[traits.httpHeader.toLowerCase()];
      value = header === undefined ? undefined : fromText(schema, String(header));
    } else if (traits.httpPayload) {
      value = kindOf(schema) === 'blob' ? request.body : fromJson(schema, parseBody(request.body));
    } else {
      inBody.push(member);
    }
    if (value !== undefined) input[name] = value;
  }
  return inBody.length === 0 ? input : { ...structureFromJson(inBody, parseBody(request.body)), ...input };
}

function readQuery(query: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const pair of query === '' ? [] : query.split('&')) {
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair.replaceAll('+', '%20')) ?? [];
    values.set(decode(name), [...(values.get(decode(name)) ?? []), decode(value)]);
  }
  return values;
}

function fromQuery(schema: unknown, values: string[] | undefined): unknown {
  if (values === undefined) return undefined;
  if (kindOf(schema) === 'list') return values.map((value) => fromText(itemOf(schema), value));
  return fromText(schema, values[0] ?? '');
}

/** An empty body is an empty object. */
function parseBody(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw new AwsError('SerializationException', 400, 'The request body is not valid JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AwsError('SerializationException', 400, 'The request body must be a JSON object.');
  }
  return value as Record<string, unknown>;
}

function writeOutput(
  { output: schema, traits }: Route,
  output: Record<string, unknown>,
  requestId: string,
): HttpAnswer {
  const answer: HttpAnswer = {
    status: traits.http?.[2] ?? 200,
    headers: { 'content-type': 'application/json', 'x-amzn-requestid': requestId },
    body: '',
  };
  const inBody: Member[] = [];
  let payload: string | undefined;
  for (const member of membersOf(schema)) {
    const value = output[member.name];
    if (member.traits.httpHeader !== undefined) {
      if (value !== undefined && value !== null) answer.headers[member.traits.httpHeader.toLowerCase()] = String(value);
    } else if (member.traits.httpResponseCode) {
      if (value !== undefined) answer.status = Number(value);
    } else if (member.traits.httpPayload) {
      payload = writePayload(member, value);
    } else {
      inBody.push(member);
    }
  }
  if (answer.status !== 204) answer.body = payload ?? JSON.stringify(structureToJson(inBody, output));
  return answer;
}

function writePayload({ schema }: Member, value: unknown): string {
  if (value === undefined || value === null) return '';
  if (kindOf(schema) !== 'blob') return JSON.stringify(toJson(schema, value));
  return typeof value === 'string' ? value : Buffer.from(value as Uint8Array).toString('utf8');
}
