import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from './clock.ts';
import { AwsError } from './error.ts';
import { type Buckets, takesToken } from './quotas.ts';

/** One thing that goes wrong on request. */
export interface Fault {
  /** SigV4 signing name or SDK id, `*` for any. */
  service: string;
  /** `*` for any. */
  operation: string;
  /** `kill` is for functions: calls of anybody else pass it by, uncounted. `limit`: the account may hold no more of them. */
  kind: 'throttle' | 'limit' | 'error' | 'delay' | 'lost-answer' | 'kill';
  /** Matching calls that pass unharmed before it begins; 0 by default. */
  after?: number;
  /** How often it strikes; without it, until it is taken away. */
  times?: number;
  /** Of a delay, in real time. */
  ms?: number;
}

export interface Faults {
  set(faults: readonly Fault[], quotas: boolean): void;
  /** What is set, and how often each fault has struck so far. */
  describe(): { faults: (Fault & { struck: number })[]; quotas: boolean };
  /** Of all that was set nothing is left; calls that are being delayed fail. */
  clear(): void;
  /**
   * Asked once a call: waits, throws AwsError, or says what shall become of it. `kill`: its caller ends before the work is done, which
   * only a function can; `loseAnswer`: the work is done and nobody hears of it.
   */
  meet(service: string, operation: string, about?: About): Promise<{ loseAnswer: boolean; kill: boolean }>;
}

export interface About {
  /** What a quota counts separately: a stream's name, or `mqtt`. */
  resource?: string | undefined;
  byFunction?: boolean;
}

export const FAULT_KINDS = ['throttle', 'limit', 'error', 'delay', 'lost-answer', 'kill'] as const;

export function createFaults({ clock }: { clock: Clock }): Faults {
  let active: { fault: Fault; seen: number; struck: number }[] = [];
  let quotas = false;
  let buckets = new Map() as Buckets;
  /** What is held up when all faults are taken away fails: it must not wake up in another world. */
  let held = new AbortController();

  const strikes = (service: string, operation: string, byFunction: boolean) =>
    active.flatMap((entry) => {
      const { fault } = entry;
      const isMine = fault.service === '*' || signingName(fault.service) === signingName(service);
      if (!isMine || (fault.operation !== '*' && fault.operation !== operation)) return [];
      if (fault.kind === 'kill' && !byFunction) return [];
      const nth = entry.seen++ - (fault.after ?? 0);
      if (nth < 0 || nth >= (fault.times ?? Number.POSITIVE_INFINITY)) return [];
      entry.struck++;
      return [fault];
    });

  return {
    set(faults, withQuotas) {
      active = faults.map((fault) => ({ fault, seen: 0, struck: 0 }));
      quotas = withQuotas;
      buckets = new Map();
    },
    describe: () => ({ faults: active.map(({ fault, struck }) => ({ ...fault, struck })), quotas }),
    clear() {
      this.set([], false);
      held.abort();
      held = new AbortController();
    },
    async meet(service, operation, { resource, byFunction = false } = {}) {
      const struck = strikes(service, operation, byFunction);
      const { signal } = held;
      for (const { kind, ms } of struck) {
        if (kind !== 'delay') continue;
        await sleep(ms ?? 0, undefined, { signal }).catch(() => {
          throw outage(service);
        });
      }
      if (struck.some(({ kind }) => kind === 'kill')) return { kill: true, loseAnswer: false };
      for (const { kind } of struck) {
        if (kind === 'throttle') throw throttle(service);
        if (kind === 'limit') throw fullAccount(service);
        if (kind === 'error') throw outage(service);
      }
      if (quotas && !takesToken(buckets, clock.now(), signingName(service), operation, resource))
        throw throttle(service);
      return { kill: false, loseAnswer: struck.some(({ kind }) => kind === 'lost-answer') };
    },
  };
}

const SIGNING_NAMES: Record<string, string> = {
  'iot-data': 'iotdata',
  'iot-data-plane': 'iotdata',
  iotdataplane: 'iotdata',
  'kinesis-video': 'kinesisvideo',
  'kinesis-video-media': 'kinesisvideo',
};

const signingName = (name: string) => {
  const lower = name.toLowerCase().replaceAll(' ', '-');
  return SIGNING_NAMES[lower] ?? lower;
};

/** What each service calls "too fast" (the services' API references, errors of their operations). */
function throttle(service: string): AwsError {
  switch (signingName(service)) {
    case 'kinesisvideo':
      return new AwsError(
        'ClientLimitExceededException',
        400,
        'Kinesis Video Streams has throttled the request because you have exceeded the limit of allowed client calls. Try making the call later.',
      );
    case 'dynamodb':
      return new AwsError(
        'ProvisionedThroughputExceededException',
        400,
        'The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.',
      );
    case 'iotdata':
      return new AwsError('ThrottlingException', 429, 'Rate exceeded');
    case 'lambda':
      return new AwsError('TooManyRequestsException', 429, 'Rate Exceeded.', { Reason: 'CallerRateLimitExceeded' });
    default:
      return new AwsError('ThrottlingException', 400, 'Rate exceeded');
  }
}

/** What each service says where an account holds as many as it may; no patience helps (the services' API references). */
function fullAccount(service: string): AwsError {
  switch (signingName(service)) {
    case 'kinesisvideo':
      return new AwsError(
        'AccountStreamLimitExceededException',
        400,
        'The number of streams created for the account is too high.',
      );
    case 'iot':
      return new AwsError('LimitExceededException', 410, 'A limit has been exceeded.');
    default:
      return new AwsError('LimitExceededException', 400, 'A limit has been exceeded.');
  }
}

function outage(service: string): AwsError {
  const message = 'The request processing has failed because of an unknown error.';
  switch (signingName(service)) {
    case 'iot':
    case 'iotdata':
      return new AwsError('InternalFailureException', 500, message);
    case 'dynamodb':
      return new AwsError('InternalServerError', 500, message);
    case 'lambda':
      return new AwsError('ServiceException', 500, message);
    default:
      return new AwsError('InternalFailure', 500, message);
  }
}
