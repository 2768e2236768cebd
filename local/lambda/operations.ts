import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Identities } from '../iam/identities.ts';
import type { Need, Statement } from '../policy.ts';
import type { Operation } from '../service.ts';
import type { CodeStore } from './code.ts';
import { concurrencyOf, configurationOf, eventInvokeConfigOf } from './configuration.ts';
import type { Answer } from './environments.ts';
import { roleCredentials } from './role.ts';
import { DEFAULT_EVENT_INVOKE, type LambdaFunction } from './state.ts';

interface Lambda {
  clock: Clock;
  identities: Identities;
  code: CodeStore;
  find(name: string): LambdaFunction;
  functionArn(functionName: string): string;
  all(): Map<string, LambdaFunction>;
  run(fn: LambdaFunction, payload: string): Promise<Answer>;
  accept(fn: LambdaFunction, payload: string): void;
}

/** Lambda guide, "Lambda quotas": six megabytes each way. */
const LARGEST_PAYLOAD = 6_291_456;

const invalid = (message: string) => new AwsError('InvalidParameterValueException', 400, message, { Type: 'User' });
const notFound = (message: string) => new AwsError('ResourceNotFoundException', 404, message, { Type: 'User' });

/** A name, an ARN or part of one, with or without a qualifier (API Reference, "FunctionName"). */
export function functionNameOf(name: string): string {
  const [, functionName] = /^(?:(?:arn:aws:lambda:[^:]+:)?\d{12}:function:)?([\w-]+)(?::[$\w-]+)?$/.exec(name) ?? [];
  if (!functionName)
    throw new AwsError(
      'ValidationException',
      400,
      `1 validation error detected: Value '${name}' at 'functionName' failed to satisfy constraint`,
    );
  return functionName;
}

/** Service Authorization Reference, AWS Lambda. */
export function needsOf(
  operation: string,
  input: Record<string, unknown>,
  functionArn: (functionName: string) => string,
): Need[] {
  if (operation === 'ListFunctions') return [{ action: 'lambda:ListFunctions', resource: '*' }];
  if (operation === 'CreateEventSourceMapping' || operation === 'ListEventSourceMappings') {
    return [{ action: `lambda:${operation}`, resource: '*' }];
  }
  if (operation.endsWith('EventSourceMapping')) {
    const resource = functionArn('').replace(/function:$/, `event-source-mapping:${input.UUID}`);
    return [{ action: `lambda:${operation}`, resource }];
  }
  const resource = functionArn(functionNameOf(String(input.FunctionName)));
  if (operation === 'Invoke') return [{ action: 'lambda:InvokeFunction', resource }];
  const need = { action: `lambda:${operation}`, resource };
  if (operation !== 'CreateFunction') return [need];
  const pass = {
    action: 'iam:PassRole',
    resource: String(input.Role),
    context: { 'iam:PassedToService': 'lambda.amazonaws.com' },
  };
  return [need, pass];
}

export function operationsOn({
  clock,
  identities,
  code,
  find,
  functionArn,
  all,
  run,
  accept,
}: Lambda): Record<string, Operation> {
  const touch = (fn: LambdaFunction) => {
    fn.lastModified = clock.now();
    fn.revisionId = randomUUID();
  };

  return {
    async CreateFunction(input) {
      const functionName = functionNameOf(input.FunctionName);
      if (all().has(functionName)) {
        const text = `Function already exist: ${functionName}`;
        throw new AwsError('ResourceConflictException', 409, text, { Type: 'User' });
      }
      if (!/^nodejs2[24]\.x$/.test(input.Runtime ?? '')) {
        throw invalid(`The stand-in runs nodejs22.x and nodejs24.x, not ${input.Runtime}.`);
      }
      if (!input.Code?.ZipFile) throw invalid('Please provide a source for function code.');
      const fn: LambdaFunction = {
        functionName,
        functionArn: functionArn(functionName),
        description: input.Description ?? '',
        runtime: input.Runtime,
        handler: input.Handler,
        role: input.Role,
        timeout: Number(input.Timeout ?? 3),
        memorySize: Number(input.MemorySize ?? 128),
        architectures: input.Architectures ?? ['x86_64'],
        environment: input.Environment?.Variables ?? {},
        ...(await code.unpack(input.Code.ZipFile)),
        lastModified: clock.now(),
        revisionId: randomUUID(),
        policy: [],
        eventInvokeConfig: { ...DEFAULT_EVENT_INVOKE },
      };
      roleCredentials(fn, identities);
      all().set(functionName, fn);
      return configurationOf(fn);
    },

    GetFunction: ({ FunctionName }) => ({
      Configuration: configurationOf(find(FunctionName)),
      ...concurrencyOf(find(FunctionName)),
    }),
    GetFunctionConfiguration: ({ FunctionName }) => configurationOf(find(FunctionName)),
    ListFunctions: () => ({ Functions: [...all().values()].map(configurationOf) }),
    DeleteFunction({ FunctionName }) {
      all().delete(find(FunctionName).functionName);
    },
    async UpdateFunctionCode({ FunctionName, ZipFile }) {
      const fn = find(FunctionName);
      if (!ZipFile) throw invalid('Please provide a source for function code.');
      Object.assign(fn, await code.unpack(ZipFile));
      touch(fn);
      return configurationOf(fn);
    },
    UpdateFunctionConfiguration(input) {
      const fn = find(input.FunctionName);
      if (input.Environment?.Variables) fn.environment = input.Environment.Variables;
      if (input.Timeout !== undefined) fn.timeout = input.Timeout;
      if (input.MemorySize !== undefined) fn.memorySize = input.MemorySize;
      if (input.Role !== undefined) fn.role = input.Role;
      touch(fn);
      return configurationOf(fn);
    },

    async Invoke({ FunctionName, InvocationType = 'RequestResponse', Payload = Buffer.alloc(0) }) {
      const fn = find(FunctionName);
      const payload = Payload.length === 0 ? '{}' : Buffer.from(Payload).toString('utf8');
      checkPayload(payload);
      if (InvocationType === 'DryRun') return { StatusCode: 204 };
      if (InvocationType === 'Event') {
        accept(fn, payload);
        return { StatusCode: 202 };
      }
      const answer = await run(fn, payload);
      return {
        StatusCode: 200,
        ExecutedVersion: '$LATEST',
        Payload: Buffer.from(answer.payload),
        ...(answer.functionError && { FunctionError: answer.functionError }),
      };
    },

    AddPermission({ FunctionName, StatementId, Action, Principal, SourceArn, SourceAccount }) {
      const fn = find(FunctionName);
      if (fn.policy.some(({ Sid }) => Sid === StatementId)) {
        const text = `The statement id (${StatementId}) provided already exists. Please provide a new statement id, or remove the existing statement.`;
        throw new AwsError('ResourceConflictException', 409, text, { Type: 'User' });
      }
      const statement: Statement = {
        Sid: StatementId,
        Effect: 'Allow',
        Principal: Principal.endsWith('.amazonaws.com') ? { Service: Principal } : { AWS: Principal },
        Action,
        Resource: fn.functionArn,
        ...conditionOf(SourceArn, SourceAccount),
      };
      fn.policy.push(statement);
      return { Statement: JSON.stringify(statement) };
    },
    GetPolicy({ FunctionName }) {
      const { policy, revisionId } = find(FunctionName);
      if (policy.length === 0) throw notFound('The resource you requested does not exist.');
      return {
        Policy: JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement: policy }),
        RevisionId: revisionId,
      };
    },
    RemovePermission({ FunctionName, StatementId }) {
      const fn = find(FunctionName);
      const kept = fn.policy.filter(({ Sid }) => Sid !== StatementId);
      if (kept.length === fn.policy.length) {
        throw notFound(`Statement ${StatementId} is not found in resource policy.`);
      }
      fn.policy = kept;
    },

    PutFunctionConcurrency({ FunctionName, ReservedConcurrentExecutions }) {
      find(FunctionName).reservedConcurrency = ReservedConcurrentExecutions;
      return { ReservedConcurrentExecutions };
    },
    GetFunctionConcurrency: ({ FunctionName }) => concurrencyOf(find(FunctionName)).Concurrency ?? {},
    DeleteFunctionConcurrency({ FunctionName }) {
      delete find(FunctionName).reservedConcurrency;
    },

    PutFunctionEventInvokeConfig(input) {
      const fn = find(input.FunctionName);
      const onFailure = input.DestinationConfig?.OnFailure?.Destination;
      if (input.DestinationConfig?.OnSuccess?.Destination || (onFailure && !onFailure.startsWith('arn:aws:sqs:'))) {
        throw invalid('The stand-in knows one destination: an SQS queue for failures.');
      }
      fn.eventInvokeConfig = {
        maximumEventAgeInSeconds: Number(
          input.MaximumEventAgeInSeconds ?? DEFAULT_EVENT_INVOKE.maximumEventAgeInSeconds,
        ),
        maximumRetryAttempts: Number(input.MaximumRetryAttempts ?? DEFAULT_EVENT_INVOKE.maximumRetryAttempts),
        ...(onFailure && { onFailure }),
      };
      return eventInvokeConfigOf(fn);
    },
    GetFunctionEventInvokeConfig: ({ FunctionName }) => eventInvokeConfigOf(find(FunctionName)),
  };
}

function checkPayload(payload: string): void {
  if (payload.length > LARGEST_PAYLOAD) {
    const text = `Request must be smaller than ${LARGEST_PAYLOAD} bytes for the InvokeFunction operation`;
    throw new AwsError('RequestTooLargeException', 413, text, { Type: 'User' });
  }
  try {
    JSON.parse(payload);
  } catch {
    const text = 'Could not parse request body into json: Could not parse payload into json';
    throw new AwsError('InvalidRequestContentException', 400, text, { Type: 'User' });
  }
}

const conditionOf = (sourceArn: string | undefined, sourceAccount: string | undefined): Pick<Statement, 'Condition'> =>
  sourceArn || sourceAccount
    ? {
        Condition: {
          ...(sourceAccount && { StringEquals: { 'aws:SourceAccount': sourceAccount } }),
          ...(sourceArn && { ArnLike: { 'aws:SourceArn': sourceArn } }),
        },
      }
    : {};
