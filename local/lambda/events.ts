import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Answer } from './environments.ts';
import type { LambdaFunction } from './state.ts';

/** Asynchronous invocations: queued, retried and, when nothing helps, sent to the function's failure destination, all on the stand-in's clock. */
export interface Events {
  accept(functionName: string, payload: string): void;
  /** Nothing runs and nothing is due. Retries that wait for the clock are not counted. */
  idle(): Promise<void>;
  /** Forgets every event. */
  clear(): void;
}

interface Event {
  requestId: string;
  functionName: string;
  payload: string;
  receivedAt: number;
  attempts: number;
  /** How often Lambda had no room for it. */
  throttles: number;
}

/** Lambda guide, "How Lambda handles errors and retries with asynchronous invocation": one minute, then two. */
const retryDelayMs = (attempts: number) => attempts * 60_000;
/** The same page: throttles are retried from one second up to five minutes apart, until the event is too old. */
const throttleDelayMs = (throttles: number) => Math.min(1000 * 2 ** (throttles - 1), 300_000);

export function createEvents({
  clock,
  find,
  run,
  deliver,
  log,
}: {
  clock: Clock;
  find: (functionName: string) => LambdaFunction | undefined;
  run: (fn: LambdaFunction, payload: string) => Promise<Answer>;
  /** Throws AwsError when the function's role may not send there. */
  deliver: (fn: LambdaFunction, queueArn: string, body: string) => void;
  log: (functionName: string, text: string) => void;
}): Events {
  const running = new Set<Promise<void>>();
  /** Events of an earlier generation are of a world before a reset. */
  let generation = 0;

  function begin(event: Event): void {
    const born = generation;
    const attempt = handle(event, () => born === generation)
      .catch((error) => log(event.functionName, `${event.requestId} event lost: ${error}\n`))
      .finally(() => running.delete(attempt));
    running.add(attempt);
  }

  async function handle(event: Event, isCurrent: () => boolean): Promise<void> {
    const fn = find(event.functionName);
    if (!fn) return;
    const { maximumEventAgeInSeconds, maximumRetryAttempts } = fn.eventInvokeConfig;
    if (clock.now() - event.receivedAt > maximumEventAgeInSeconds * 1000) return giveUp(fn, event, 'EventAgeExceeded');

    let answer: Answer;
    try {
      answer = await run(fn, event.payload);
    } catch (error) {
      if (!(error instanceof AwsError) || error.code !== 'TooManyRequestsException' || !isCurrent()) throw error;
      event.throttles += 1;
      clock.after(throttleDelayMs(event.throttles), () => begin(event));
      return;
    }
    if (!isCurrent() || !answer.functionError) return;
    event.attempts += 1;
    if (event.attempts > maximumRetryAttempts) return giveUp(fn, event, 'RetriesExhausted', answer);
    clock.after(retryDelayMs(event.attempts), () => begin(event));
  }

  /** Lambda guide, "Capturing records of Lambda asynchronous invocations". */
  function giveUp(fn: LambdaFunction, event: Event, condition: string, answer?: Answer): void {
    const queueArn = fn.eventInvokeConfig.onFailure;
    if (queueArn === undefined) {
      log(fn.functionName, `${event.requestId} event dropped: ${condition}\n`);
      return;
    }
    const record = {
      version: '1.0',
      timestamp: new Date(clock.now()).toISOString(),
      requestContext: {
        requestId: event.requestId,
        functionArn: `${fn.functionArn}:$LATEST`,
        condition,
        approximateInvokeCount: event.attempts,
      },
      requestPayload: JSON.parse(event.payload),
      ...(answer && {
        responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: answer.functionError },
        responsePayload: JSON.parse(answer.payload),
      }),
    };
    deliver(fn, queueArn, JSON.stringify(record));
  }

  return {
    accept(functionName, payload) {
      begin({ requestId: randomUUID(), functionName, payload, receivedAt: clock.now(), attempts: 0, throttles: 0 });
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
    clear() {
      generation += 1;
      running.clear();
    },
  };
}
