import { Failure, type FailureCode } from '../../domain/failure.ts';
import { problemAnswer } from '../contract/problem.ts';
import { ofBodies, type Route, routes, throughout } from '../contract/routes.ts';
import { type Problem, problemOf, statusOf } from '../problem.ts';
import { failures } from './failures.ts';
import { type Examples, type Operation, operations } from './operations.ts';
import { answerSchema, type JsonSchema, membersOf, requestSchema } from './schemas.ts';
import { tags, title, whole } from './words.ts';

/** The OpenAPI 3.1 description of the API, made of the schemas that parse at the edge. */
export const describeApi = () => {
  const schemas: Record<string, JsonSchema> = {
    Problem: answerSchema('Problem', problemAnswer),
    GatewayMessage: {
      type: 'object',
      description: "API Gateway's own words, where no function was asked",
      properties: { message: { type: 'string' } },
      required: ['message'],
    },
  };
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const operation = operationOf(route);
    if (route.request && operation.request) {
      schemas[operation.request] ??= requestSchema(operation.request, route.request);
    }
    if (route.answer && operation.answer) schemas[operation.answer] ??= answerSchema(operation.answer, route.answer);
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: describe(route, operation) };
  }
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: { title, version: '1.0.0', description: whole, license: { name: 'MIT', identifier: 'MIT' } },
    // Relative to where this document comes from, so that it is true of every deployment.
    servers: [{ url: '/', description: 'The deployment that answers this document' }],
    tags,
    paths,
    components: { schemas, responses: ofGateway, securitySchemes },
  };
};

const operationOf = ({ method, path }: Route): Operation => {
  const operation = operations[`${method} ${path}`];
  if (!operation) throw new Error(`operations.ts says nothing of ${method} ${path}`);
  return operation;
};

const describe = (route: Route, operation: Operation) => ({
  operationId: operation.operationId,
  tags: [operation.tag],
  summary: route.summary,
  description: [operation.description, callersOf(route)].join('\n\n'),
  security: securityOf(route),
  ...parametersOf(route, operation),
  ...(route.request && {
    requestBody: {
      required: !route.requestOptional,
      ...(route.mostBytes && { description: `At most ${route.mostBytes.toLocaleString('en')} bytes` }),
      content: { 'application/json': { schema: refTo(operation.request), examples: operation.requests ?? {} } },
    },
  }),
  responses: { [route.status]: successOf(route, operation), ...refusalsOf(route) },
});

const refTo = (name: string | undefined) => ({ $ref: `#/components/schemas/${name}` });

const callersOf = ({ callers }: Route): string => {
  if (callers === 'anybody') return 'Nobody signs it.';
  if (callers === 'camera') return "Signed by a camera with its own role's credentials; nobody else is let in.";
  return `Open to: ${callers.join(', ')}.`;
};

const securityOf = ({ callers }: Route) => {
  if (callers === 'anybody') return [];
  return callers === 'camera' ? [{ cameraRole: [] }] : [{ iam: [] }];
};

const parametersOf = ({ pathParameters, query }: Route, { examples = {} }: Operation) => {
  const asParameters = (schema: Route['query'], where: 'path' | 'query') =>
    membersOf(schema).map(({ name, schema, required }) => ({
      name,
      in: where,
      required,
      ...(schema.description && { description: schema.description }),
      schema,
      ...(examples[name] !== undefined && { example: examples[name] }),
    }));
  const parameters = [...asParameters(pathParameters, 'path'), ...asParameters(query, 'query')];
  return parameters.length > 0 ? { parameters } : {};
};

const successOf = ({ status, answer }: Route, { answerMeans, answer: name, answers, links }: Operation) => ({
  description: answerMeans,
  headers: { 'cache-control': { description: 'Always `no-store`', schema: { type: 'string' } } },
  ...(status !== 204 &&
    answer && { content: { 'application/json': { schema: refTo(name), ...(answers && { examples: answers }) } } }),
  ...(links && { links }),
});

/** Each refusal by its status; API Gateway's own answers stand beside the problems of the functions. */
const refusalsOf = ({ callers, request, pathParameters, query, failures: own }: Route) => {
  const isAsked = request || pathParameters || query;
  const codes: FailureCode[] = [...(isAsked ? throughout : []), ...(request ? ofBodies : []), ...own];
  const byStatus = Object.groupBy(codes, (code) => String(statusOf[code]));
  const problems = Object.entries(byStatus).map(([status, of = []]) => [
    status,
    problemResponse(of, (status === '403' && callers !== 'anybody') || status === '503'),
  ]);
  return {
    ...(callers !== 'anybody' && { 403: { $ref: '#/components/responses/Forbidden' } }),
    429: { $ref: '#/components/responses/TooManyRequests' },
    500: { $ref: '#/components/responses/Internal' },
    503: { $ref: '#/components/responses/Unavailable' },
    ...Object.fromEntries(problems),
  };
};

const problemResponse = (codes: Problem['code'][], isGatewaysToo: boolean) => ({
  description: codes.map((code) => `\`${code}\`: ${failures[code].means}`).join('\n\n'),
  ...(codes.includes('busy') && {
    headers: { 'retry-after': { description: 'Seconds to wait', schema: { type: 'integer' } } },
  }),
  content: {
    'application/problem+json': {
      schema: { allOf: [refTo('Problem'), { type: 'object', properties: { code: { type: 'string', enum: codes } } }] },
      examples: problemExamples(codes),
    },
    ...(isGatewaysToo && { 'application/json': { schema: refTo('GatewayMessage') } }),
  },
});

const problemExamples = (codes: Problem['code'][]): Examples =>
  Object.fromEntries(
    codes.map((code) => {
      const { means, remedy } = failures[code];
      return [code, { summary: remedy, value: problemOf(code === 'internal' ? undefined : new Failure(code, means)) }];
    }),
  );

const byGateway = (description: string) => ({
  description,
  content: { 'application/json': { schema: refTo('GatewayMessage') } },
});

const ofGateway = {
  Forbidden: byGateway('Not signed, signed wrongly, or signed by somebody who may not call this route'),
  TooManyRequests: byGateway("API Gateway's throttle; nothing was done. Try again with growing pauses"),
  Unavailable: byGateway('The function took too long or none was free. Send the same request again'),
  Internal: problemResponse(['internal'], true),
};

const signed = (description: string) => ({
  type: 'apiKey',
  in: 'header',
  name: 'Authorization',
  description,
  // Amazon API Gateway Developer Guide, "x-amazon-apigateway-authtype object"
  'x-amazon-apigateway-authtype': 'awsSigv4',
});

const securitySchemes = {
  iam: signed(
    'AWS Signature Version 4, service `execute-api`, by an IAM principal with one of the managed policies of the stack',
  ),
  cameraRole: signed(
    "AWS Signature Version 4, service `execute-api`, with the credentials that a camera's certificate gets from AWS IoT",
  ),
};
