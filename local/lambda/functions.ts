import { availableParallelism } from 'node:os';
import * as sdk from '@aws-sdk/client-lambda';
import type { Clock } from '../clock.ts';
import type { ChangeListener } from '../dynamodb/writes.ts';
import { AwsError } from '../error.ts';
import type { Identities } from '../iam/identities.ts';
import { evaluate } from '../policy.ts';
import { restJson } from '../protocol/rest-json.ts';
import type { Service } from '../service.ts';
import { createCodeStore } from './code.ts';
import { type Answer, createEnvironments } from './environments.ts';
import { createEventSources } from './event-sources.ts';
import { createEvents } from './events.ts';
import { functionNameOf, needsOf, operationsOn } from './operations.ts';
import { roleCredentials } from './role.ts';
import type { LambdaFunction } from './state.ts';

/** An AWS service that calls a function, as the function's resource policy sees it. */
export interface Source {
  /** `iot.amazonaws.com` */
  service: string;
  sourceArn: string;
  sourceAccount: string;
}

export interface Invocation {
  functionArn: string;
  /** Whatever JSON can say. */
  payload: unknown;
  /** Left out only by CloudFormation, which calls with its deployer's rights. */
  source?: Source;
}

export interface Functions {
  service: Service;
  /** Throws AwsError: ResourceNotFoundException, AccessDeniedException (resource policy), TooManyRequestsException. */
  invoke(invocation: Invocation): Promise<{ payload: unknown; functionError?: 'Unhandled' }>;
  /** The same errors at once; what the function itself does is retried and dead-lettered. */
  invokeAsync(invocation: Invocation): void;
  /** Whether a worker signs with this key. */
  runs(accessKeyId: string): boolean;
  /** Ends the worker that signs with this key, in the middle of whatever it does. */
  kill(accessKeyId: string): void;
  /** Resolves when no asynchronous invocation runs or is due. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export interface FunctionsOptions {
  clock: Clock;
  identities: Identities;
  region: string;
  accountId: string;
  /** Takes what a failure destination gets. */
  sqs: { send(queueArn: string, body: string): unknown };
  /** Tells of every change to a table that has a stream. */
  onWrite?: (listener: ChangeListener) => () => void;
  /** Where the functions' AWS clients go: `AWS_ENDPOINT_URL`. */
  awsEndpoint: () => string;
  /** What the functions write, and what Lambda says about them. */
  log?: (functionName: string, text: string) => void;
  /** Where bundles are unpacked; gone after `close`. A temporary folder by default. */
  codeRoot?: string;
  /** So many workers for one function; beyond that an invocation waits for one (a desk is no region). */
  environmentsPerFunction?: number;
}

export function createFunctions(options: FunctionsOptions): Functions {
  const { clock, identities, region, accountId, sqs, awsEndpoint } = options;
  const { log = () => {}, environmentsPerFunction = Math.max(4, 2 * availableParallelism()) } = options;
  let functions = new Map<string, LambdaFunction>();
  const code = createCodeStore(options.codeRoot);
  const environments = createEnvironments({ clock, identities, region, awsEndpoint, log, environmentsPerFunction });
  const deliver = (fn: LambdaFunction, queueArn: string, body: string) => {
    // Lambda sends with the function's own role (Lambda guide, "Adding a destination").
    identities.authorize(roleCredentials(fn, identities), [{ action: 'sqs:SendMessage', resource: queueArn }]);
    sqs.send(queueArn, body);
  };
  const events = createEvents({
    clock,
    log,
    find: (functionName) => functions.get(functionName),
    run: (fn, payload) => environments.run(fn, payload),
    deliver,
  });

  function find(name: string): LambdaFunction {
    const functionName = functionNameOf(name);
    const fn = functions.get(functionName);
    if (fn) return fn;
    const arn = functionArn(functionName);
    throw new AwsError('ResourceNotFoundException', 404, `Function not found: ${arn}`, { Type: 'User' });
  }

  const functionArn = (functionName: string) => `arn:aws:lambda:${region}:${accountId}:function:${functionName}`;

  /** Lambda guide, "Working with resource-based IAM policies": a service is let in by the function's own policy, or not at all. */
  function admit(fn: LambdaFunction, source: Source | undefined): void {
    if (!source) return;
    const decision = evaluate([{ Statement: fn.policy }], {
      action: 'lambda:InvokeFunction',
      resource: fn.functionArn,
      principal: { Service: source.service },
      context: { 'aws:SourceArn': source.sourceArn, 'aws:SourceAccount': source.sourceAccount },
    });
    if (decision === 'allowed') return;
    const text = `${source.service} is not authorized to perform: lambda:InvokeFunction on resource: ${fn.functionArn} because no resource-based policy allows the lambda:InvokeFunction action`;
    throw new AwsError('AccessDeniedException', 403, text);
  }

  const eventSources = createEventSources({
    clock,
    identities,
    region,
    find,
    run: (fn, payload) => environments.run(fn, payload),
    deliver,
    log,
    onWrite: options.onWrite ?? (() => () => {}),
  });

  const ofFunctions = operationsOn({
    clock,
    identities,
    code,
    find,
    functionArn,
    all: () => functions,
    run: (fn, payload) => environments.run(fn, payload),
    accept: (fn, payload) => events.accept(fn.functionName, payload),
  });

  return {
    service: {
      name: 'lambda',
      protocol: restJson({ schemas: sdk, errorMessageKey: 'message' }),
      operations: { ...ofFunctions, ...eventSources.operations },
      needs: (operation, input) => needsOf(operation, input as Record<string, unknown>, functionArn),
      snapshot: () => ({ functions: structuredClone(functions), eventSources: eventSources.snapshot() }),
      async restore(snapshot) {
        const saved = snapshot as { functions: Map<string, LambdaFunction>; eventSources: unknown };
        events.clear();
        eventSources.clear();
        await environments.closeAll();
        functions = structuredClone(saved.functions);
        eventSources.restore(saved.eventSources);
      },
    },

    async invoke({ functionArn, payload, source }) {
      const fn = find(functionArn);
      admit(fn, source);
      const { payload: answer, ...rest }: Answer = await environments.run(fn, JSON.stringify(payload));
      return { payload: JSON.parse(answer), ...rest };
    },

    invokeAsync({ functionArn, payload, source }) {
      const fn = find(functionArn);
      admit(fn, source);
      events.accept(fn.functionName, JSON.stringify(payload));
    },

    runs: (accessKeyId) => environments.runs(accessKeyId),
    kill: (accessKeyId) => environments.kill(accessKeyId),
    async idle() {
      await Promise.all([events.idle(), eventSources.idle()]);
    },

    async close() {
      events.clear();
      eventSources.clear();
      await environments.closeAll();
      await code.clear();
    },
  };
}
