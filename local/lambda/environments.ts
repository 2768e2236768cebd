import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Identities, Identity } from '../iam/identities.ts';
import { roleCredentials } from './role.ts';
import type { LambdaFunction } from './state.ts';
import type { Invocation, Outcome, WorkerData } from './worker.ts';

export interface Answer {
  /** JSON: what the handler returned, or its error. */
  payload: string;
  functionError?: 'Unhandled';
}

/** Lambda's execution environments: each a worker thread with the function's own variables and its own role's credentials. */
export interface Environments {
  /** Throws AwsError: TooManyRequestsException over a reserved concurrency, InvalidParameterValueException without a usable role. */
  run(fn: LambdaFunction, payload: string): Promise<Answer>;
  /** Whether an environment signs with this key. */
  runs(accessKeyId: string): boolean;
  /** Ends the environment that signs with this key, as if its process had been killed. */
  kill(accessKeyId: string): void;
  /** Every environment ends; what runs in them fails. */
  closeAll(): Promise<void>;
}

interface Environment {
  fn: LambdaFunction;
  worker: Worker;
  credentials: Required<Identity>;
  ready: Promise<void>;
  /** Of the function when this was started: the function itself changes. */
  revisionId: string;
  busy: boolean;
  /** Its bundle has been loaded. */
  loaded: boolean;
  finish?: (answer: Answer) => void;
}

/** Lambda retires an environment well before its credentials end. */
const CREDENTIALS_MARGIN_MS = 5 * 60_000;
/** Lambda guide, "Lambda runtime lifecycle": the init phase has ten seconds. */
const INIT_MS = 10_000;

export interface EnvironmentsOptions {
  clock: Clock;
  identities: Identities;
  region: string;
  awsEndpoint: () => string;
  /** What a function writes, and what Lambda says about it. */
  log: (functionName: string, text: string) => void;
  /** A desk has less room than AWS: beyond this many at once, an invocation waits for an environment. */
  environmentsPerFunction: number;
}

export function createEnvironments(options: EnvironmentsOptions): Environments {
  const { clock, identities, log, environmentsPerFunction } = options;
  const living = new Set<Environment>();
  const waiting = new Map<string, PromiseWithResolvers<void>[]>();

  const of = (fn: LambdaFunction) => [...living].filter((one) => one.fn.functionName === fn.functionName);
  const wakeOne = (fn: LambdaFunction) => waiting.get(fn.functionName)?.shift()?.resolve();
  const isFresh = (one: Environment, fn: LambdaFunction) =>
    one.revisionId === fn.revisionId && one.credentials.expiration - clock.now() > CREDENTIALS_MARGIN_MS;

  /** A free environment of this function, taken; a new one, or the next that becomes free. */
  async function take(fn: LambdaFunction): Promise<Environment> {
    for (;;) {
      for (const idle of of(fn).filter(({ busy }) => !busy)) {
        if (isFresh(idle, fn)) return occupy(idle);
        discard(idle);
      }
      const count = of(fn).length;
      if (fn.reservedConcurrency !== undefined && count >= fn.reservedConcurrency) {
        throw new AwsError('TooManyRequestsException', 429, 'Rate Exceeded.', {
          Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
          Type: 'User',
        });
      }
      if (count < environmentsPerFunction) return occupy(start(fn));
      const turn = Promise.withResolvers<void>();
      waiting.set(fn.functionName, [...(waiting.get(fn.functionName) ?? []), turn]);
      await turn.promise;
    }
  }

  function occupy(environment: Environment): Environment {
    environment.busy = true;
    environment.worker.ref();
    return environment;
  }

  function start(fn: LambdaFunction): Environment {
    const credentials = roleCredentials(fn, identities);
    const logStreamName = `${new Date(clock.now()).toISOString().slice(0, 10).replaceAll('-', '/')}/[$LATEST]${randomUUID().replaceAll('-', '')}`;
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: {
        clock: clock.shared,
        codeDirectory: fn.codeDirectory,
        handler: fn.handler,
        functionName: fn.functionName,
        memorySize: fn.memorySize,
        logStreamName,
      } satisfies WorkerData,
      env: variablesOf(fn, credentials, logStreamName, options),
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: fn.memorySize },
      stdout: true,
      stderr: true,
    });
    const { promise: ready, resolve: nowReady } = Promise.withResolvers<void>();
    const { revisionId } = fn;
    const environment: Environment = { fn, revisionId, worker, credentials, ready, busy: false, loaded: false };
    living.add(environment);
    worker.stdout.on('data', (chunk) => log(fn.functionName, String(chunk)));
    worker.stderr.on('data', (chunk) => log(fn.functionName, String(chunk)));

    let fatal: unknown;
    worker.on('message', (outcome: Outcome) => {
      if (outcome === 'ready') {
        environment.loaded = true;
        return nowReady();
      }
      environment.finish?.(
        'error' in outcome ? { payload: outcome.error, functionError: 'Unhandled' } : { payload: outcome.payload },
      );
    });
    worker.on('error', (error) => {
      fatal = error;
    });
    worker.on('exit', (code) => {
      nowReady();
      discard(environment);
      environment.finish?.(crash(fatal ?? `exit status ${code}`));
      wakeOne(fn);
    });
    return environment;
  }

  function discard(environment: Environment): void {
    living.delete(environment);
    void environment.worker.terminate();
  }

  return {
    async run(fn, payload) {
      const environment = await take(fn);
      const requestId = randomUUID();
      const timeoutMs = fn.timeout * 1000;
      const { promise, resolve: finish } = Promise.withResolvers<Answer>();
      environment.finish = finish;

      const giveUp = () => {
        const text = `RequestId: ${requestId} Error: Task timed out after ${fn.timeout.toFixed(2)} seconds`;
        finish(unhandled('Sandbox.Timedout', text));
        discard(environment);
      };
      // Loading the bundle is not counted against the function's timeout.
      let timer = setTimeout(giveUp, INIT_MS + timeoutMs);
      const invocation = (): Invocation => {
        return { requestId, payload, functionArn: fn.functionArn, deadline: Date.now() + timeoutMs };
      };
      // A bundle that cannot be loaded never gets ready: its error is the answer to the invocation.
      environment.worker.postMessage(invocation());
      void environment.ready.then(() => {
        clearTimeout(timer);
        timer = setTimeout(giveUp, timeoutMs);
      });

      const answer = await promise;
      void environment.ready.then(() => clearTimeout(timer));
      clearTimeout(timer);
      delete environment.finish;
      if (answer.functionError) log(fn.functionName, `${requestId} ERROR Invoke Error ${answer.payload}\n`);
      environment.busy = false;
      environment.worker.unref();
      // What could not be loaded is tried afresh by the next invocation.
      if (!environment.loaded) discard(environment);
      wakeOne(fn);
      return answer;
    },

    runs: (accessKeyId) => [...living].some(({ credentials }) => credentials.accessKeyId === accessKeyId),

    kill(accessKeyId) {
      for (const one of living) {
        if (one.credentials.accessKeyId !== accessKeyId) continue;
        one.finish?.(crash('signal: killed'));
        discard(one);
      }
    },

    async closeAll() {
      const all = [...living];
      const ended = new AwsError('ServiceException', 500, 'The stand-in was reset or has ended.', { Type: 'Service' });
      for (const turn of [...waiting.values()].flat()) turn.reject(ended);
      waiting.clear();
      for (const one of all) one.finish?.(crash('signal: killed'));
      living.clear();
      await Promise.all(all.map(({ worker }) => worker.terminate()));
    },
  };
}

/** Lambda guide, "Defined runtime environment variables"; the function's own cannot replace them. */
function variablesOf(
  fn: LambdaFunction,
  credentials: Required<Identity>,
  logStreamName: string,
  { region, awsEndpoint }: EnvironmentsOptions,
): Record<string, string> {
  return {
    ...fn.environment,
    PATH: process.env.PATH ?? '',
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    _HANDLER: fn.handler,
    LAMBDA_TASK_ROOT: fn.codeDirectory,
    AWS_EXECUTION_ENV: `AWS_Lambda_${fn.runtime}`,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_LAMBDA_FUNCTION_NAME: fn.functionName,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(fn.memorySize),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${fn.functionName}`,
    AWS_LAMBDA_LOG_STREAM_NAME: logStreamName,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken,
    AWS_ENDPOINT_URL: awsEndpoint(),
  };
}

const unhandled = (errorType: string, errorMessage: string): Answer => ({
  payload: JSON.stringify({ errorType, errorMessage }),
  functionError: 'Unhandled',
});

/** An error that nothing caught ends the process, and so does `process.exit`. */
function crash(reason: unknown): Answer {
  if (reason instanceof Error) return unhandled(reason.name, reason.message);
  return unhandled('Runtime.ExitError', `RequestId: ${randomUUID()} Error: Runtime exited with error: ${reason}`);
}
