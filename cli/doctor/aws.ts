import { setTimeout as sleep } from 'node:timers/promises';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { IAMClient } from '@aws-sdk/client-iam';
import { IoTClient } from '@aws-sdk/client-iot';
import { KinesisVideoClient } from '@aws-sdk/client-kinesis-video';
import { LambdaClient } from '@aws-sdk/client-lambda';
import type { Keys } from '../api.ts';
import { NotChecked } from './link.ts';

export interface AwsSettings {
  region: string;
  credentials: Keys | (() => Promise<Keys>);
  /** A stand-in's; AWS's own if left out. */
  endpoint?: string;
}

export type Aws = ReturnType<typeof openAws>;

/** Calls a second of one operation, and at once. The lowest quotas of those that are made here: DescribeEndpoint and others of AWS IoT 10, Lambda's GetPolicy 15. */
const RATES: Record<string, number> = { LambdaClient: 12 };
const RATE = 8;

/** The caller may not make this read. Its cause is AWS's own answer. */
export class NotAllowed extends NotChecked {}

/** The clients of all that a doctor asks. They read and nothing else, paced below AWS's quotas. */
export function openAws(settings: AwsSettings) {
  const config = { ...settings, maxAttempts: 5 };
  const clients = {
    cloudFormation: new CloudFormationClient(config),
    dynamoDb: new DynamoDBClient(config),
    eventBridge: new EventBridgeClient(config),
    iam: new IAMClient(config),
    iot: new IoTClient(config),
    kinesisVideo: new KinesisVideoClient(config),
    lambda: new LambdaClient(config),
  };
  const turn = createTurns();
  for (const client of Object.values(clients)) {
    // Each client has the same steps under types of its own.
    const steps: Steps = client.middlewareStack as unknown as Steps;
    steps.add((next, context) => (args) => reading(next, args, context, turn), { step: 'initialize', name: 'doctor' });
  }
  return {
    ...clients,
    close() {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}

type Next = (args: unknown) => Promise<unknown>;
type Context = { clientName?: string; commandName?: string };

interface Steps {
  add(middleware: (next: Next, context: Context) => Next, options: { step: 'initialize'; name: string }): void;
}

async function reading(next: Next, args: unknown, context: Context, turn: Turn): Promise<unknown> {
  const { clientName = '', commandName = '' } = context;
  const operation = commandName.replace(/Command$/, '');
  // A doctor changes nothing, whatever a link is written to ask.
  if (!/^(Get|Describe|List)[A-Z]/.test(operation)) throw new Error(`${operation} is not a read`);
  await turn(`${clientName} ${operation}`, RATES[clientName] ?? RATE);
  try {
    return await next(args);
  } catch (error) {
    throw inWords(error, `${prefixes[clientName]}:${operation}`);
  }
}

/** What the rights of each service begin with. */
const prefixes: Record<string, string> = {
  CloudFormationClient: 'cloudformation',
  DynamoDBClient: 'dynamodb',
  EventBridgeClient: 'events',
  IAMClient: 'iam',
  IoTClient: 'iot',
  KinesisVideoClient: 'kinesisvideo',
  LambdaClient: 'lambda',
};

/** AWS's names for "you may not". */
const DENIALS = ['AccessDenied', 'AccessDeniedException', 'NotAuthorizedException', 'UnauthorizedException'];

/** AWS's names for "there is no such thing". */
const ABSENCES = ['ResourceNotFoundException', 'NoSuchEntity', 'NoSuchEntityException'];

/** An answer that says no such thing stays what it is, for the link to judge; a refusal, a throttle or a silence is no finding. */
function inWords(error: unknown, right: string): unknown {
  if (!(error instanceof Error) || ABSENCES.includes(error.name)) return error;
  if (DENIALS.includes(error.name)) return new NotAllowed(`you lack ${right}`, { cause: error });
  const isOfAws = '$metadata' in error || 'code' in error || error.name === 'TimeoutError';
  return isOfAws
    ? new NotChecked(`${right} was not answered: ${error.message || error.name}`, { cause: error })
    : error;
}

/** What is not there is `undefined`. */
export async function unlessAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && ABSENCES.includes(error.name)) return undefined;
    throw error;
  }
}

type Turn = (operation: string, rate: number) => Promise<void>;

/** A token bucket for each operation, full at first: AWS's burst is its rate. */
function createTurns(): Turn {
  const waiting = new Map<string, number>();
  return async (operation, rate) => {
    const now = performance.now();
    const spacing = 1000 / rate;
    const at = Math.max(waiting.get(operation) ?? 0, now - (rate - 1) * spacing);
    waiting.set(operation, at + spacing);
    if (at > now) await sleep(at - now);
  };
}
