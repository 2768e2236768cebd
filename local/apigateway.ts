import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { answerOf, eventOf, type FunctionAnswer } from './apigateway-event.ts';
import { type Bucket, bucketsOf, isWithin } from './apigateway-throttle.ts';
import type { Clock } from './clock.ts';
import { AwsError } from './error.ts';
import type { Identities, Identity } from './iam/identities.ts';
import type { Functions } from './lambda/functions.ts';
import { readBody } from './request-body.ts';
import type { HttpRequest, Operation } from './service.ts';
import { verifySignature } from './sigv4.ts';

/** API Gateway's HTTP API: the routes of the template, IAM authorisation, payload format 2.0. */
export interface HttpApi {
  /** Whatever comes in at the API's own address. */
  listener: RequestListener;
  /** `apigateway`: how a stack makes API, stage, integrations and routes. */
  operations: Record<string, Operation>;
  snapshot(): unknown;
  restore(snapshot: unknown): void;
}

interface Integration {
  functionArn: string;
  timeoutMs: number;
}

interface Route {
  routeKey: string;
  method: string;
  segments: string[];
  integrationId: string;
  authorizationType: 'NONE' | 'AWS_IAM';
}

interface State {
  apiId?: string;
  isDeployed: boolean;
  /** By route key; routes that the stage sets no throttle for have none here. */
  throttles: Map<string, Bucket>;
  integrations: Map<string, Integration>;
  routes: Map<string, Route>;
}

/** Developer Guide, "Quotas for configuring and running an HTTP API": 10 MB; what a function takes is less (Lambda quotas: 6 MB). */
const LARGEST_BODY = 6_000_000;

export function createHttpApi({
  identities,
  functions,
  clock,
  region,
  accountId,
  endpoint,
}: {
  identities: Identities;
  functions: Pick<Functions, 'invoke'>;
  clock: Clock;
  region: string;
  accountId: string;
  /** Where the listener answers: the API's `ApiEndpoint`. */
  endpoint: () => string;
}): HttpApi {
  let state: State = { isDeployed: false, throttles: new Map(), integrations: new Map(), routes: new Map() };

  async function answer(request: IncomingMessage): Promise<FunctionAnswer> {
    const { method = 'GET', url = '/', headers } = request;
    const [path = '/', query = ''] = splitUrl(url);
    const found = state.isDeployed ? routeFor(state.routes.values(), method, path) : undefined;
    if (!found) return message(404, 'Not Found');

    // Developer Guide, "Throttle requests to your HTTP APIs": 429, before anybody is asked who they are.
    if (!isWithin(state.throttles.get(found.route.routeKey), clock.now())) return message(429, 'Too Many Requests');

    const body = await readBody(request, LARGEST_BODY);
    const head: HttpRequest = { method, path, query, headers, body };
    const isOpen = found.route.authorizationType === 'NONE';
    const caller = isOpen ? undefined : callerOf(head);
    if (!isOpen && !caller) return message(403, 'Forbidden');

    const event = eventOf({
      request: {
        ...head,
        rawHeaders: request.rawHeaders,
        httpVersion: request.httpVersion,
        sourceIp: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
      },
      routeKey: found.route.routeKey,
      pathParameters: found.parameters,
      accountId,
      apiId: state.apiId ?? '',
      region,
      now: clock.now(),
      ...(caller && { caller }),
    });
    return invoke(found.route, event);
  }

  /** Who signed it, if they may call this very path. Every refusal looks the same from outside (as HTTP APIs do). */
  function callerOf(head: HttpRequest): Identity | undefined {
    try {
      const find = (accessKeyId: string) => identities.find(accessKeyId);
      const signed = verifySignature({ request: head, payload: 'body', region, now: clock.now(), find });
      if (signed.service !== 'execute-api') return undefined;
      // Developer Guide, "Control access to HTTP APIs with IAM authorization": api-id/stage/METHOD/path.
      const resource = executeApiArn(`$default/${head.method}${head.path}`);
      identities.authorize(signed.identity, [{ action: 'execute-api:Invoke', resource }]);
      return signed.identity;
    } catch (error) {
      if (error instanceof AwsError) return undefined;
      throw error;
    }
  }

  const executeApiArn = (path: string) => `arn:aws:execute-api:${region}:${accountId}:${state.apiId}/${path}`;

  async function invoke(route: Route, event: object): Promise<FunctionAnswer> {
    const integration = state.integrations.get(route.integrationId) as Integration;
    const source = {
      service: 'apigateway.amazonaws.com',
      // The route as it is written, not the path that was asked for.
      sourceArn: executeApiArn(`*/${route.routeKey.replace(' ', '')}`),
      sourceAccount: accountId,
    };
    const late = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => late.resolve('late'), integration.timeoutMs);
    try {
      const called = functions.invoke({ functionArn: integration.functionArn, payload: event, source });
      const result = await Promise.race([called, late.promise]);
      if (result === 'late') return message(503, 'Service Unavailable');
      return (result.functionError ? undefined : answerOf(result.payload)) ?? message(500, 'Internal Server Error');
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      return error.status === 429 ? message(503, 'Service Unavailable') : message(500, 'Internal Server Error');
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async listener(request, response) {
      try {
        send(response, await answer(request));
      } catch (error) {
        if (error instanceof AwsError) return send(response, message(error.status, 'Request Entity Too Large'));
        if (request.destroyed && !request.complete) return; // the caller is gone
        if (!(error instanceof URIError)) console.error(`apigateway: ${error}`);
        send(response, error instanceof URIError ? message(400, 'Bad Request') : message(500, 'Internal Server Error'));
      }
    },

    operations: {
      CreateApi({ Name, ProtocolType }) {
        if (ProtocolType !== 'HTTP') throw new Error(`the stand-in serves HTTP APIs, not ${ProtocolType}`);
        if (state.apiId) throw new Error('the stand-in serves one HTTP API');
        state.apiId = shortId(Name);
        return { ApiId: state.apiId, ApiEndpoint: endpoint() };
      },
      CreateStage({ StageName, RouteSettings = {} }) {
        if (StageName !== '$default') throw new Error('the stand-in serves the stage $default');
        const routeKeys = [...state.routes.values()].map(({ routeKey }) => routeKey);
        state.throttles = bucketsOf(RouteSettings, routeKeys, clock.now());
        state.isDeployed = true;
      },
      CreateIntegration({ IntegrationType, IntegrationUri, PayloadFormatVersion, TimeoutInMillis = 30_000 }) {
        if (IntegrationType !== 'AWS_PROXY' || PayloadFormatVersion !== '2.0') {
          throw new Error('the stand-in knows AWS_PROXY integrations of payload format 2.0');
        }
        const IntegrationId = shortId(IntegrationUri);
        state.integrations.set(IntegrationId, { functionArn: IntegrationUri, timeoutMs: Number(TimeoutInMillis) });
        return { IntegrationId };
      },
      CreateRoute({ RouteKey, Target, AuthorizationType = 'NONE' }) {
        if (!['NONE', 'AWS_IAM'].includes(AuthorizationType)) {
          throw new Error(`the stand-in knows the authorization types NONE and AWS_IAM, not ${AuthorizationType}`);
        }
        const [method = '', path = ''] = RouteKey.split(' ');
        if (!path.startsWith('/') || path.includes('+}')) {
          throw new Error(`the stand-in knows routes like GET /a/{b}, not ${RouteKey}`);
        }
        const RouteId = shortId(RouteKey);
        state.routes.set(RouteId, {
          routeKey: RouteKey,
          method,
          segments: path.split('/'),
          integrationId: String(Target).replace(/^integrations\//, ''),
          authorizationType: AuthorizationType,
        });
        return { RouteId };
      },
    },

    snapshot: () => structuredClone(state),
    restore(snapshot) {
      state = structuredClone(snapshot as State);
    },
  };
}

/** Ten lower-case letters and digits, the same at each boot. */
const shortId = (text: string) =>
  createHash('sha256')
    .update(text)
    .digest('base64url')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .slice(0, 10);

const splitUrl = (url: string) => {
  const at = url.indexOf('?');
  return at === -1 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
};

/** The most specific route: a method before ANY, plain text before a variable (Developer Guide, "Routing API requests"). */
function routeFor(routes: Iterable<Route>, method: string, path: string) {
  const sent = path.split('/');
  const fitting = [...routes].filter(
    (route) =>
      (route.method === method || route.method === 'ANY') &&
      route.segments.length === sent.length &&
      route.segments.every((segment, i) => (segment.startsWith('{') ? sent[i] !== '' : segment === sent[i])),
  );
  const variables = (route: Route) => route.segments.filter((segment) => segment.startsWith('{')).length;
  const [route] = fitting.sort(
    (a, b) => variables(a) - variables(b) || Number(a.method === 'ANY') - Number(b.method === 'ANY'),
  );
  if (!route) return undefined;
  const named = route.segments.flatMap((segment, i) =>
    segment.startsWith('{') ? [[segment.slice(1, -1), decodeURIComponent(sent[i] as string)]] : [],
  );
  return { route, parameters: Object.fromEntries(named) as Record<string, string> };
}

const message = (status: number, text: string): FunctionAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify({ message: text })),
});

function send(response: ServerResponse, { status, headers, body }: FunctionAnswer): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { ...headers, 'content-length': body.length, 'apigw-requestid': randomUUID() });
  response.end(body);
}
