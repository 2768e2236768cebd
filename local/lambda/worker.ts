/** One execution environment, inside its thread: loads a shipped bundle and runs its handler, one invocation at a time. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';

export interface WorkerData {
  /** The stand-in's clock: its offset to real time, in ms. */
  clock: SharedArrayBuffer;
  codeDirectory: string;
  /** `functions/on-presence.handler` */
  handler: string;
  functionName: string;
  memorySize: number;
  logStreamName: string;
}

export interface Invocation {
  requestId: string;
  /** JSON */
  payload: string;
  functionArn: string;
  /** Real epoch ms. */
  deadline: number;
}

/** JSON of what the handler returned, or of its error. */
export type Outcome = { requestId?: string; payload: string } | { requestId?: string; error: string } | 'ready';

type Handler = (event: unknown, context: object) => unknown;

const data = workerData as WorkerData;
const port = parentPort as NonNullable<typeof parentPort>;
const realNow = Date.now;

shiftDate();
const loading = load();
loading.then(
  () => port.postMessage('ready' satisfies Outcome),
  () => {}, // told with the first invocation, as Lambda does
);

port.on('message', async (invocation: Invocation) => {
  const { requestId } = invocation;
  let outcome: Outcome;
  try {
    const handler = await loading;
    const result = await handler(JSON.parse(invocation.payload), contextOf(invocation));
    outcome = { requestId, payload: JSON.stringify(result) ?? 'null' };
  } catch (error) {
    outcome = { requestId, error: JSON.stringify(errorOf(error)) };
  }
  port.postMessage(outcome);
});

/** Bundle and SDK follow the stand-in's clock: signatures, expiries, instants. */
function shiftDate(): void {
  const offset = new Float64Array(data.clock);
  Date.now = () => realNow() + (offset[0] ?? 0);
  globalThis.Date = new Proxy(Date, {
    construct: (target, given) => Reflect.construct(target, given.length === 0 ? [target.now()] : given),
    apply: (target) => new Date(target.now()).toString(),
  });
}

/** Lambda guide, "Lambda function handler in Node.js": `<path>.<export>`. */
async function load(): Promise<Handler> {
  const [, path = '', name = ''] = /^(.*?)\.([^/]+)$/.exec(data.handler) ?? [];
  const file = ['.js', '.mjs', '.cjs'].map((end) => join(data.codeDirectory, path + end)).find(existsSync);
  if (!file) throw runtimeError('Runtime.ImportModuleError', `Error: Cannot find module '${path}'`);
  const module: Record<string, unknown> = await import(pathToFileURL(file).href);
  const handler = module[name];
  if (typeof handler !== 'function') {
    throw runtimeError('Runtime.HandlerNotFound', `${data.handler} is undefined or not exported`);
  }
  return handler as Handler;
}

function runtimeError(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

/** Lambda guide, "Using the Lambda context object"; Node.js 24 has no callbacks any more. */
function contextOf({ requestId, functionArn, deadline }: Invocation): object {
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: data.functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: functionArn,
    memoryLimitInMB: String(data.memorySize),
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${data.functionName}`,
    logStreamName: data.logStreamName,
    getRemainingTimeInMillis: () => Math.max(deadline - realNow(), 0),
  };
}

/** Lambda guide, "Node.js function errors": what a caller sees of a thrown value. */
function errorOf(thrown: unknown): object {
  if (!types.isNativeError(thrown)) return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] };
  return { errorType: thrown.name, errorMessage: thrown.message, trace: thrown.stack?.split('\n') ?? [] };
}
