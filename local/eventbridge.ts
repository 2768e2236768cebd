import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import * as sdk from '@aws-sdk/client-eventbridge';
import { AwsError } from './error.ts';
import { createRules, type RulesOptions } from './eventbridge-rules.ts';
import { awsJson } from './protocol/aws-json.ts';
import type { Service } from './service.ts';

/** Event buses that take what is put, and rules that run on a schedule (EventBridge API reference). No rule matches events: who waits for one asks the stand-in itself. */

/** As a target would get it (EventBridge guide, "AWS events metadata"). */
export interface ArrivedEvent {
  version: '0';
  id: string;
  'detail-type': string;
  source: string;
  account: string;
  time: string;
  region: string;
  resources: string[];
  detail: unknown;
}

export interface Arrival {
  /** Grows by one with each event, whatever is reset. */
  position: number;
  /** Epoch ms. */
  at: number;
  bus: string;
  event: ArrivedEvent;
}

export interface EventBridge extends Service {
  /** What arrived after a position, or from an instant on; waits for the first so long. */
  arrived(since: { position: number } | { at: number }, waitMs: number): Promise<Arrival[]>;
  position(): number;
}

interface Entry {
  EventBusName?: string;
  Source?: string;
  DetailType?: string;
  Detail?: string;
  Time?: Date;
  Resources?: string[];
}

interface State {
  buses: Map<string, { description?: string; createdAt: number }>;
  arrivals: Arrival[];
}

/** Whoever waits for older ones has forgotten to ask. */
const MOST_KEPT = 10_000;

export function createEventBridge({ clock, region, accountId, invokeLambda }: RulesOptions): EventBridge {
  const rules = createRules({ clock, region, accountId, invokeLambda });
  // Every account has this one (EventBridge guide, "Event buses").
  let state: State = { buses: new Map([['default', { createdAt: clock.now() }]]), arrivals: [] };
  let position = 0;
  const news = new EventEmitter().setMaxListeners(0);

  const nameOf = (nameOrArn = 'default') => nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);
  const arnOf = (nameOrArn?: string) => `arn:aws:events:${region}:${accountId}:event-bus/${nameOf(nameOrArn)}`;

  function find(nameOrArn?: string) {
    const name = nameOf(nameOrArn);
    const bus = state.buses.get(name);
    if (!bus) throw new AwsError('ResourceNotFoundException', 400, `Event bus ${name} does not exist.`);
    return { name, ...bus };
  }

  const described = (name: string) => {
    const { description, createdAt } = find(name);
    return {
      Name: name,
      Arn: arnOf(name),
      ...(description !== undefined && { Description: description }),
      CreationTime: new Date(createdAt),
      LastModifiedTime: new Date(createdAt),
    };
  };

  /** API_PutEventsResultEntry: one bad entry does not stop the others. */
  function flaw({ Source, DetailType, Detail, EventBusName }: Entry): [code: string, message: string] | undefined {
    if (!Source) return ['InvalidArgument', 'Parameter Source is not valid. Reason: Source is a required argument.'];
    if (Source.startsWith('aws.')) return ['NotAuthorizedForSource', `Not authorized for the source ${Source}.`];
    if (!DetailType) {
      return ['InvalidArgument', 'Parameter DetailType is not valid. Reason: DetailType is a required argument.'];
    }
    if (!Detail) return ['InvalidArgument', 'Parameter Detail is not valid. Reason: Detail is a required argument.'];
    if (!isObject(Detail)) return ['MalformedDetail', 'Detail is malformed.'];
    if (!state.buses.has(nameOf(EventBusName))) return ['InternalFailure', 'The event bus does not exist.'];
    return undefined;
  }

  function arrive({ EventBusName, Source = '', DetailType = '', Detail = '{}', Time, Resources = [] }: Entry): string {
    const id = randomUUID();
    position += 1;
    const at = clock.now();
    const event: ArrivedEvent = {
      version: '0',
      id,
      'detail-type': DetailType,
      source: Source,
      account: accountId,
      // Whole seconds, as a target sees them.
      time: (Time ?? new Date(at)).toISOString().replace(/\.\d+Z$/, 'Z'),
      region,
      resources: Resources,
      detail: JSON.parse(Detail),
    };
    state.arrivals.push({ position, at, bus: nameOf(EventBusName), event });
    if (state.arrivals.length > MOST_KEPT) state.arrivals.shift();
    return id;
  }

  return {
    name: 'events',
    protocol: awsJson({ version: '1.1', targetPrefix: 'AWSEvents', schemas: sdk }),

    operations: {
      ...rules.operations,

      CreateEventBus({ Name, Description }: { Name: string; Description?: string }) {
        if (!/^[/.\-_A-Za-z0-9]{1,256}$/.test(Name) || Name.includes('/')) {
          throw new AwsError('ValidationException', 400, `Event bus name ${Name} is not valid.`);
        }
        if (state.buses.has(Name)) {
          throw new AwsError('ResourceAlreadyExistsException', 400, `Event bus ${Name} already exists.`);
        }
        state.buses.set(Name, {
          createdAt: clock.now(),
          ...(Description !== undefined && { description: Description }),
        });
        return { EventBusArn: arnOf(Name), ...(Description !== undefined && { Description }) };
      },
      DescribeEventBus: ({ Name }: { Name?: string }) => described(find(Name).name),
      ListEventBuses: ({ NamePrefix = '' }: { NamePrefix?: string }) => ({
        EventBuses: [...state.buses.keys()].filter((name) => name.startsWith(NamePrefix)).map(described),
      }),
      DeleteEventBus({ Name }: { Name: string }) {
        if (nameOf(Name) === 'default')
          throw new AwsError('ValidationException', 400, 'Cannot delete event bus default.');
        state.buses.delete(nameOf(Name));
      },

      PutEvents({ Entries }: { Entries: Entry[] }) {
        // API_PutEvents: "Array Members: Minimum number of 1 item. Maximum number of 10 items."
        if (Entries.length < 1 || Entries.length > 10) {
          throw new AwsError(
            'ValidationException',
            400,
            `1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length ${Entries.length < 1 ? 'greater than or equal to 1' : 'less than or equal to 10'}`,
          );
        }
        const answers = Entries.map((entry) => {
          const [ErrorCode, ErrorMessage] = flaw(entry) ?? [];
          return ErrorCode === undefined ? { EventId: arrive(entry) } : { ErrorCode, ErrorMessage };
        });
        news.emit('event');
        return { FailedEntryCount: answers.filter((answer) => 'ErrorCode' in answer).length, Entries: answers };
      },
    },

    /** Service Authorization Reference, "Amazon EventBridge". */
    needs(operation, input) {
      const { Entries, Name, Rule } = input as { Entries?: Entry[]; Name?: string; Rule?: string };
      const action = `events:${operation}`;
      if (operation === 'PutEvents') {
        const buses = new Set((Entries ?? []).map(({ EventBusName }) => arnOf(EventBusName)));
        return [...buses].map((resource) => ({ action, resource }));
      }
      if (operation === 'ListEventBuses' || operation === 'ListRules') return [{ action, resource: '*' }];
      if (Object.hasOwn(rules.operations, operation)) return [{ action, resource: rules.arn(Rule ?? Name ?? '') }];
      return [{ action, resource: arnOf(Name) }];
    },

    position: () => position,

    async arrived(since, waitMs) {
      const isNew = (one: Arrival) => ('position' in since ? one.position > since.position : one.at >= since.at);
      const deadline = AbortSignal.timeout(waitMs);
      for (;;) {
        const found = state.arrivals.filter(isNew);
        if (found.length > 0 || deadline.aborted) return found;
        await once(news, 'event', { signal: deadline }).catch(() => {});
      }
    },

    snapshot: () => ({ state: structuredClone(state), rules: rules.snapshot() }),
    restore(snapshot) {
      const saved = snapshot as { state: State; rules: unknown };
      state = structuredClone(saved.state);
      rules.restore(saved.rules);
    },
  };
}

function isObject(text: string): boolean {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
