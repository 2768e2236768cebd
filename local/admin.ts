import type { Clock } from './clock.ts';
import type { EventBridge } from './eventbridge.ts';
import { FAULT_KINDS, type Fault, type Faults } from './faults.ts';
import type { HttpAnswer, HttpRequest } from './service.ts';

/**
 * `POST /_firstlight/reset | faults | clock` and `GET /_firstlight/faults | events`: how a test rules the stand-in and waits for what
 * it has set off. Not AWS; for this machine only.
 */
export function createAdmin({
  faults,
  clock,
  eventBridge,
  reset,
}: {
  faults: Faults;
  clock: Clock;
  eventBridge?: Pick<EventBridge, 'arrived' | 'position'>;
  reset: () => void | Promise<void>;
}): (request: HttpRequest & { remoteAddress?: string }) => Promise<HttpAnswer | undefined> {
  const tells: Record<string, (query: string) => unknown> = {
    faults: () => faults.describe(),
    ...(eventBridge && { events: (query: string) => arrivals(eventBridge, query) }),
  };
  const does: Record<string, (body: Record<string, unknown>) => unknown> = {
    async reset() {
      await reset();
      return {};
    },
    faults(body) {
      onlyKeys(body, ['faults', 'quotas']);
      const { faults: list = [], quotas = false } = body;
      if (!Array.isArray(list)) throw new Refusal('`faults` must be a list');
      if (typeof quotas !== 'boolean') throw new Refusal('`quotas` must be true or false');
      faults.set(list.map(readFault), quotas);
      return faults.describe();
    },
    clock(body) {
      onlyKeys(body, ['advanceSeconds']);
      clock.advance(number(body, 'advanceSeconds', 0));
      return { now: new Date(clock.now()).toISOString() };
    },
  };

  return async (request) => {
    const { method, path, query, body } = request;
    const [, name = ''] = /^\/_firstlight\/(\w+)$/.exec(path) ?? [];
    const tell = Object.hasOwn(tells, name) ? tells[name] : undefined;
    const act = Object.hasOwn(does, name) ? does[name] : undefined;
    if (!tell && !act) return undefined;
    if (!isLocal(request)) return answer(403, { message: 'Only for this machine.' });
    try {
      if (tell && method === 'GET') return answer(200, await tell(query));
      if (act && method === 'POST') return answer(200, await act(parse(body)));
      const methods = [...(tell ? ['GET'] : []), ...(act ? ['POST'] : [])];
      return answer(405, { message: `Use ${methods.join(' or ')} for ${path}.` });
    } catch (error) {
      if (error instanceof Refusal) return answer(400, { message: error.message });
      throw error;
    }
  };
}

const LONGEST_WAIT_SECONDS = 60;

/** Every event after `since`: the `next` of an earlier answer, or an instant; left out, every one. Waits until there is one. */
async function arrivals(eventBridge: Pick<EventBridge, 'arrived' | 'position'>, query: string): Promise<unknown> {
  const asked = new URLSearchParams(query);
  const since = asked.get('since') || '0';
  const wait = asked.get('waitSeconds') ?? '20';
  const from = /^\d+$/.test(since) ? { position: Number(since) } : { at: Date.parse(since) };
  if ('at' in from && Number.isNaN(from.at)) {
    throw new Refusal('`since` must be the `next` of an earlier answer, or an instant');
  }
  if (!/^\d+$/.test(wait) || Number(wait) > LONGEST_WAIT_SECONDS) {
    throw new Refusal(`\`waitSeconds\` must be a number from 0 to ${LONGEST_WAIT_SECONDS}`);
  }
  const arrived = await eventBridge.arrived(from, Number(wait) * 1000);
  const next = arrived.at(-1)?.position ?? ('position' in from ? from.position : eventBridge.position());
  return { events: arrived.map(({ bus, event }) => ({ ...event, bus })), next };
}

/** What the caller got wrong, in words. */
class Refusal extends Error {}

/** From this machine, asked for by a name of this machine, and not by a page that some browser shows. */
function isLocal({ headers, remoteAddress }: HttpRequest & { remoteAddress?: string }): boolean {
  const fromHere = remoteAddress === undefined || /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(remoteAddress);
  const byLocalName = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(headers.host ?? '');
  return fromHere && byLocalName && headers.origin === undefined;
}

const answer = (status: number, body: unknown): HttpAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

function parse(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body.length === 0 ? '{}' : body.toString('utf8'));
  } catch {
    throw new Refusal('The body is not JSON');
  }
  return record(value, 'The body');
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Refusal(`${what} must be a JSON object`);
}

function onlyKeys(body: Record<string, unknown>, known: readonly string[]): void {
  const unknown = Object.keys(body).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new Refusal(`Unknown \`${unknown}\`; known: ${known.join(', ')}`);
}

function number(body: Record<string, unknown>, key: string, least: number): number {
  const value = body[key];
  if (typeof value === 'number' && Number.isFinite(value) && value >= least) return value;
  throw new Refusal(`\`${key}\` must be a number of at least ${least}`);
}

function readFault(entry: unknown): Fault {
  const body = record(entry, 'A fault');
  onlyKeys(body, ['service', 'operation', 'kind', 'after', 'times', 'ms']);
  const { service, operation, kind } = body;
  if (typeof service !== 'string' || service === '') throw new Refusal('A fault needs a `service`');
  if (typeof operation !== 'string' || operation === '') throw new Refusal('A fault needs an `operation`');
  const known = FAULT_KINDS.find((name) => name === kind);
  if (!known) throw new Refusal(`\`kind\` must be one of ${FAULT_KINDS.join(', ')}`);
  if (known === 'delay' && body.ms === undefined) throw new Refusal('A delay needs `ms`');
  return {
    service,
    operation,
    kind: known,
    ...(body.after !== undefined && { after: number(body, 'after', 0) }),
    ...(body.times !== undefined && { times: number(body, 'times', 1) }),
    ...(body.ms !== undefined && { ms: number(body, 'ms', 0) }),
  };
}
