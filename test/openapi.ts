import { Ajv2020, type AnySchema } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

// biome-ignore lint/suspicious/noExplicitAny: JSON of a document that validators have looked at
type Json = any;

const BASE = 'https://api.test/openapi.json';

interface Example {
  name: string;
  value: unknown;
  schema: Json;
}

/** One operation of an OpenAPI document, read as a client reads it. */
export interface Operation {
  operationId: string;
  method: string;
  path: string;
  isSigned: boolean;
  parameters: { name: string; in: 'path' | 'query'; example?: string | number; schema: Json }[];
  requests: Example[];
  /** The one success. */
  status: string;
  answers: Example[];
  /** Documented problems, one a code. */
  refusals: { status: string; code: string; value: unknown; schema: Json }[];
  links: Record<string, { operationId: string; parameters: Record<string, string> }>;
  /** What is wrong with a value; nothing if it is right. */
  check(schema: Json, value: unknown): string[];
  /** What is wrong with an answer that really came: also a member that is not documented. */
  checkAnswer(status: number, contentType: string | null, body: unknown): string[];
}

export interface Description {
  document: Json;
  operations: Operation[];
  check(schema: Json, value: unknown): string[];
}

export function readDescription(document: Json): Description {
  const check = checkerOf(document);
  const checkClosed = checkerOf({ components: closed(document.components) });
  const resolve = (value: Json): Json =>
    value?.$ref === undefined
      ? value
      : value.$ref
          .slice(2)
          .split('/')
          .reduce((at: Json, name: string) => at[name], document);
  const examplesOf = (content: Json): Example[] =>
    Object.entries<Json>(content?.examples ?? {}).map(([name, { value }]) => ({ name, value, schema: content.schema }));

  const operations = Object.entries<Json>(document.paths).flatMap(([path, item]) =>
    Object.entries<Json>(item).map(([method, operation]): Operation => {
      const [status = '', success] = Object.entries<Json>(operation.responses).find(([one]) => one < '300') ?? [];
      const responses = Object.fromEntries(
        Object.entries<Json>(operation.responses).map(([one, response]) => [one, resolve(response)]),
      );
      return {
        operationId: operation.operationId,
        method: method.toUpperCase(),
        path,
        isSigned: operation.security.length > 0,
        parameters: operation.parameters ?? [],
        requests: examplesOf(operation.requestBody?.content['application/json']),
        status,
        answers: examplesOf(success.content?.['application/json']),
        refusals: Object.entries<Json>(responses).flatMap(([one, response]) =>
          examplesOf(response.content?.['application/problem+json']).map(({ name, value, schema }) => ({
            status: one,
            code: name,
            value,
            schema,
          })),
        ),
        links: success.links ?? {},
        check,
        checkAnswer(one, contentType, body) {
          const response = responses[one];
          if (!response) return [`${operation.operationId} documents no ${one}`];
          if (!response.content) return body === '' ? [] : [`${one} has a body`];
          const content = response.content[contentType ?? ''];
          return content ? checkClosed(closed(content.schema), body) : [`${one} documents no ${contentType}`];
        },
      };
    }),
  );
  return { document, operations, check };
}

/** References reach into the document that the schemas are from. */
function checkerOf(document: Json): (schema: Json, value: unknown) => string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema({ $id: BASE, components: document.components } as AnySchema);
  return (schema, value) => {
    const text = JSON.stringify(schema).replaceAll('"#/', `"${BASE}#/`);
    const validate = ajv.compile(JSON.parse(text));
    return validate(value)
      ? []
      : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };
}

/** Answers are open to clients, which must bear new members; a test must not. */
function closed(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== 'object') return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  const isObject = schema.type === 'object' && schema.properties && schema.additionalProperties === undefined;
  // The parts of an allOf see only their own members.
  return isObject && schema.required !== undefined ? { ...inner, additionalProperties: false } : inner;
}
