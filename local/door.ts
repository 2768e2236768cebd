import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Clock } from './clock.ts';
import { AwsError } from './error.ts';
import type { Faults } from './faults.ts';
import type { Identities } from './iam/identities.ts';
import { restJsonFailure } from './protocol/rest-json.ts';
import { readBody } from './request-body.ts';
import type { Call, HttpAnswer, HttpHead, HttpRequest, Service } from './service.ts';
import { claimedService, verifySignature } from './sigv4.ts';

/** What is served without a signature, before all else: the stand-in's own paths. Undefined: not mine. */
export type Extra = (request: HttpRequest & { remoteAddress?: string }) => Promise<HttpAnswer | undefined>;

export interface DoorOptions {
  services: readonly Service[];
  identities: Identities;
  clock: Clock;
  region: string;
  faults: Faults;
  extra?: readonly Extra[];
  /** Whether a function signs with this key; and its end, where a `kill` fault has met it. */
  functions?: { runs(accessKeyId: string): boolean; kill(accessKeyId: string): void };
}

/** Bytes of a request that a service takes (Lambda, DynamoDB, SQS quotas pages); 1 MB where AWS states none. */
const BODY_LIMITS: Record<string, number> = { dynamodb: 16 << 20, lambda: 6 << 20, sqs: 1 << 20 };
const BODY_LIMIT = 1 << 20;

/** The one HTTP door of every AWS API: who is it, may they, then do it. The credential scope says which service is meant. */
export function createDoor({
  services,
  identities,
  clock,
  region,
  faults,
  extra = [],
  functions,
}: DoorOptions): RequestListener {
  const byName = new Map(services.map((service) => [service.name, service]));

  const check = (head: HttpHead & { body?: Buffer }, payload: 'body' | 'empty') => {
    const find = (accessKeyId: string) => identities.find(accessKeyId);
    return verifySignature({ request: head, payload, region, now: clock.now(), find });
  };

  async function answer(
    head: Head,
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
  ): Promise<Outcome> {
    for (const { name, streaming } of services) {
      const stream = streaming?.recognise(head);
      if (!streaming || !stream) continue;
      const { operation, input } = stream;
      const { identity, service } = check(head, 'empty');
      if (service !== name) throw wrongService(name);
      identities.authorize(identity, byName.get(name)?.needs(operation, input) ?? []);
      const call = { service: name, operation, requestId, caller: identity };
      await streaming.serve(input, call, request, response);
      return 'streamed';
    }

    const body = await readBody(request, BODY_LIMITS[claimedService(head) ?? ''] ?? BODY_LIMIT);
    for (const handler of extra) {
      const own = await handler({ ...head, body });
      if (own) return own;
    }

    const { identity, service: name } = check({ ...head, body }, 'body');
    const service = byName.get(name);
    if (!service) throw unknownOperation(`The service ${name} is not available here.`);
    const { operation, input } = service.protocol.read({ ...head, body });
    const run = Object.hasOwn(service.operations, operation) ? service.operations[operation] : undefined;
    if (!run) throw unknownOperation(`The operation ${operation} of ${name} is not available here.`);

    const call: Call = { service: name, operation, requestId, caller: identity };
    identities.authorize(identity, service.needs(operation, input));
    const byFunction = functions?.runs(identity.accessKeyId) ?? false;
    const { loseAnswer, kill } = await faults.meet(name, operation, { resource: streamOf(input), byFunction });
    if (kill) functions?.kill(identity.accessKeyId);
    if (kill) return 'lost';
    const output = await run(input, call);
    return loseAnswer ? 'lost' : service.protocol.write(operation, output, requestId);
  }

  /** How the caller expects to hear no, known or not: a form is of the Query protocol, a target of the JSON one. */
  const fail = (error: AwsError, head: HttpHead, requestId: string): HttpAnswer => {
    const isForm = head.headers['content-type']?.startsWith('application/x-www-form-urlencoded');
    const service = byName.get(claimedService(head) ?? '') ?? (isForm ? byName.get('sts') : undefined);
    if (service) return service.protocol.fail(error, requestId);
    const code = head.headers['x-amz-target'] === undefined ? {} : { __type: error.code };
    return restJsonFailure(error, requestId, 'message', code);
  };

  return async (request, response) => {
    const requestId = randomUUID();
    const head = headOf(request);
    // Clients set their own clock by it, so it is the stand-in's time and not the machine's.
    response.sendDate = false;
    response.setHeader('date', new Date(clock.now()).toUTCString());
    response.on('error', () => {});
    try {
      const answered = await answer(head, request, response, requestId);
      if (answered === 'streamed') return;
      if (answered === 'lost') request.socket.destroy();
      else send(response, answered);
    } catch (error) {
      const callerIsGone = request.destroyed && !request.complete;
      if (callerIsGone) return void response.destroy();
      const failure = asAwsError(error, head);
      if (response.headersSent) return void response.destroy();
      send(response, fail(failure, head, requestId));
    }
    discardRest(request, response);
  };
}

/** `streamed`: the service answers by itself. `lost`: the connection breaks in place of an answer. */
type Outcome = HttpAnswer | 'streamed' | 'lost';

type Head = HttpHead & { remoteAddress?: string };

function headOf({ method = 'GET', url = '/', headers, socket }: IncomingMessage): Head {
  const at = url.indexOf('?');
  return {
    method,
    path: at === -1 ? url : url.slice(0, at),
    query: at === -1 ? '' : url.slice(at + 1),
    headers,
    ...(socket.remoteAddress !== undefined && { remoteAddress: socket.remoteAddress }),
  };
}

const unknownOperation = (message: string) => new AwsError('UnknownOperationException', 404, message);
const wrongService = (name: string) =>
  new AwsError('InvalidSignatureException', 403, `Credential should be scoped to correct service: '${name}'.`);

/** KVS counts some quotas per stream. */
function streamOf(input: unknown): string | undefined {
  const { StreamName, StreamARN } = (input ?? {}) as { StreamName?: string; StreamARN?: string };
  return StreamName ?? StreamARN?.split('/')[1];
}

/** A bug in an operation is AWS's own answer for such a case, and one line for whoever reads the log. */
function asAwsError(error: unknown, { method, path }: HttpHead): AwsError {
  if (error instanceof AwsError) return error;
  console.error(`${method} ${path}: ${error instanceof Error ? error.stack : String(error)}`);
  return new AwsError('InternalFailure', 500, 'The request processing has failed because of an unknown error.');
}

function send(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}

/** A refused upload may still be coming in: the caller gets to read the answer, then the connection goes. */
function discardRest(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete || request.destroyed || !response.headersSent) return;
  request.resume();
  response.once('finish', () => setTimeout(() => request.socket.destroy(), 1000).unref());
}
