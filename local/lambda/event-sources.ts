import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { ChangeListener, ItemChange } from '../dynamodb/writes.ts';
import { AwsError } from '../error.ts';
import type { Identities } from '../iam/identities.ts';
import type { Operation } from '../service.ts';
import type { Answer } from './environments.ts';
import { lostBatch, type Mapping, shown } from './event-source-mapping.ts';
import { roleCredentials } from './role.ts';
import type { LambdaFunction } from './state.ts';
import { recordOf, type StreamRecord } from './stream-record.ts';

/** Event source mappings of DynamoDB streams: records in their order, a batch at a time, again until the function has taken it. */
export interface EventSources {
  operations: Record<string, Operation>;
  idle(): Promise<void>;
  snapshot(): unknown;
  /** Records that were not taken yet are of a world before the reset. */
  restore(snapshot: unknown): void;
  clear(): void;
}

/** DynamoDB guide, "Change data capture for DynamoDB Streams": records are kept for 24 hours. */
const KEPT_MS = 24 * 3_600_000;
/** Lambda guide, "Process DynamoDB records with Lambda": it polls each shard four times a second. */
const POLL_MS = 250;
const LONGEST_PAUSE_MS = 60_000;
const READS = ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'];

const invalid = (message: string) => new AwsError('InvalidParameterValueException', 400, message, { Type: 'User' });

const destinationOf = ({
  DestinationConfig,
}: {
  DestinationConfig?: { OnFailure?: { Destination?: string } };
}): string | undefined => {
  const queueArn = DestinationConfig?.OnFailure?.Destination;
  if (queueArn !== undefined && !queueArn.startsWith('arn:aws:sqs:')) {
    throw invalid('The stand-in knows one destination: an SQS queue for failures.');
  }
  return queueArn;
};

export function createEventSources({
  clock,
  identities,
  region,
  find,
  run,
  deliver,
  log,
  onWrite,
}: {
  clock: Clock;
  identities: Identities;
  region: string;
  /** Throws AwsError. */
  find(name: string): LambdaFunction;
  run(fn: LambdaFunction, payload: string): Promise<Answer>;
  /** To a queue, with the function's role; throws AwsError when that may not. */
  deliver(fn: LambdaFunction, queueArn: string, body: string): void;
  log(functionName: string, text: string): void;
  onWrite(listener: ChangeListener): () => void;
}): EventSources {
  let mappings = new Map<string, Mapping>();
  /** By mapping; what its function has not taken yet. */
  const queues = new Map<string, StreamRecord[]>();
  const running = new Map<string, Promise<void>>();
  let sequence = 0;
  /** Of an earlier generation: of a world before a reset. */
  let generation = 0;

  onWrite((change: ItemChange) => {
    for (const mapping of mappings.values()) {
      if (mapping.streamArn !== change.stream.arn) continue;
      sequence += 1;
      queues.get(mapping.uuid)?.push(recordOf(change, sequence, region));
      wake(mapping);
    }
  });

  function wake(mapping: Mapping): void {
    if (running.has(mapping.uuid) || !mapping.enabled) return;
    const born = generation;
    const isCurrent = () => born === generation && mapping.enabled && mappings.has(mapping.uuid);
    const reading = read(mapping, isCurrent)
      .catch((error) => {
        if (isCurrent()) log(mapping.functionArn, `event source ${mapping.uuid}: ${error}\n`);
      })
      .finally(() => {
        if (running.get(mapping.uuid) === reading) running.delete(mapping.uuid);
        if (isCurrent() && (queues.get(mapping.uuid)?.length ?? 0) > 0) wake(mapping);
      });
    running.set(mapping.uuid, reading);
  }

  async function read(mapping: Mapping, isCurrent: () => boolean): Promise<void> {
    const queue = queues.get(mapping.uuid) ?? [];
    // What one write has begun may have more to come: a batch is what a poll finds.
    await new Promise((done) => setImmediate(done));
    for (let denials = 0; isCurrent() && queue.length > 0; ) {
      const fn = find(mapping.functionArn);
      try {
        authorize(fn, mapping.streamArn);
        denials = 0;
      } catch (error) {
        if (denials === 0) log(fn.functionName, `event source ${mapping.uuid}: ${(error as Error).message}\n`);
        denials += 1;
        await pause(POLL_MS, isCurrent);
        continue;
      }
      discardOld(mapping, fn, queue, 0);
      const batch = queue.slice(0, mapping.batchSize);
      await bring(mapping, batch, isCurrent);
      if (isCurrent()) queue.splice(0, batch.length);
    }
  }

  /** Takes off what is too old for the mapping, of which its destination is told, and what the stream has forgotten, of which nobody is. */
  function discardOld(mapping: Mapping, fn: LambdaFunction, records: StreamRecord[], attempts: number): void {
    const olderThan = (ms: number) => {
      const oldest = (clock.now() - ms) / 1000;
      const young = records.findIndex(({ dynamodb }) => dynamodb.ApproximateCreationDateTime >= oldest);
      return records.splice(0, young === -1 ? records.length : young);
    };
    olderThan(KEPT_MS);
    const { longestAgeSeconds: seconds } = mapping;
    if (seconds >= 0) giveUp(mapping, fn, olderThan(seconds * 1000), { condition: 'RecordAgeExceeded', attempts });
  }

  function giveUp(
    mapping: Mapping,
    fn: LambdaFunction,
    records: StreamRecord[],
    why: Omit<Parameters<typeof lostBatch>[2], 'now'>,
  ): void {
    if (records.length === 0) return;
    log(fn.functionName, `event source ${mapping.uuid}: ${records.length} records dropped: ${why.condition}\n`);
    if (mapping.onFailure === undefined) return;
    try {
      deliver(fn, mapping.onFailure, lostBatch(mapping, records, { ...why, now: clock.now() }));
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      log(fn.functionName, `event source ${mapping.uuid}: ${error.message}\n`);
    }
  }

  /** Lambda guide, "Retrying discarded batches" and "BisectBatchOnFunctionError": the same batch again, or its halves, and nothing behind it before. */
  async function bring(mapping: Mapping, records: StreamRecord[], isCurrent: () => boolean): Promise<void> {
    const batch = [...records];
    for (let failures = 0; isCurrent() && batch.length > 0; ) {
      const fn = find(mapping.functionArn);
      const isTaken = await attempt(fn, batch);
      if (isTaken || !isCurrent()) return;
      failures += 1;
      if (mapping.bisects && batch.length > 1) {
        const half = Math.ceil(batch.length / 2);
        await bring(mapping, batch.slice(0, half), isCurrent);
        return bring(mapping, batch.slice(half), isCurrent);
      }
      if (mapping.mostRetries >= 0 && failures > mapping.mostRetries) {
        return giveUp(mapping, fn, batch, { condition: 'RetryAttemptsExhausted', attempts: failures });
      }
      await pause(Math.min(POLL_MS * 2 ** failures, LONGEST_PAUSE_MS), isCurrent);
      if (isCurrent()) discardOld(mapping, fn, batch, failures);
    }
  }

  async function attempt(fn: LambdaFunction, batch: StreamRecord[]): Promise<boolean> {
    try {
      const { functionError } = await run(fn, JSON.stringify({ Records: batch }));
      return functionError === undefined;
    } catch (error) {
      // No room for it, or a role that Lambda cannot assume: the stream waits.
      if (error instanceof AwsError) return false;
      throw error;
    }
  }

  async function pause(ms: number, isCurrent: () => boolean): Promise<void> {
    const until = clock.now() + ms;
    // In short steps of real time: a reset calls the clock's own tasks off.
    while (isCurrent() && clock.now() < until) await new Promise((done) => setTimeout(done, 50).unref());
  }

  /** Lambda reads the stream with the function's own role (Lambda guide, "AWSLambdaDynamoDBExecutionRole"). */
  function authorize(fn: LambdaFunction, streamArn: string): void {
    const credentials = roleCredentials(fn, identities);
    const needs = READS.map((name) => ({ action: `dynamodb:${name}`, resource: streamArn }));
    identities.authorize(credentials, needs);
  }

  function known(uuid: string): Mapping {
    const mapping = mappings.get(uuid);
    if (mapping) return mapping;
    throw new AwsError('ResourceNotFoundException', 404, 'The resource you requested does not exist.', {
      Type: 'User',
    });
  }

  const operations: Record<string, Operation> = {
    CreateEventSourceMapping(input) {
      const fn = find(input.FunctionName);
      const { EventSourceArn, StartingPosition, BatchSize = 100, MaximumRetryAttempts = -1 } = input;
      const { MaximumRecordAgeInSeconds = -1 } = input;
      const onFailure = destinationOf(input);
      if (!/^arn:aws:dynamodb:[^:]+:\d{12}:table\/[^/]+\/stream\/.+$/.test(EventSourceArn ?? '')) {
        throw invalid('The stand-in knows one event source: the stream of a DynamoDB table.');
      }
      if (!['TRIM_HORIZON', 'LATEST'].includes(StartingPosition)) throw invalid('StartingPosition is not valid.');
      try {
        authorize(fn, EventSourceArn);
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        throw invalid(
          `Cannot access stream ${EventSourceArn}. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM.`,
        );
      }
      const mapping: Mapping = {
        uuid: randomUUID(),
        functionArn: fn.functionArn,
        streamArn: EventSourceArn,
        batchSize: Number(BatchSize),
        bisects: input.BisectBatchOnFunctionError === true,
        mostRetries: Number(MaximumRetryAttempts),
        longestAgeSeconds: Number(MaximumRecordAgeInSeconds),
        ...(onFailure !== undefined && { onFailure }),
        startingPosition: StartingPosition,
        enabled: input.Enabled !== false,
        lastModified: clock.now(),
      };
      mappings.set(mapping.uuid, mapping);
      queues.set(mapping.uuid, []);
      return shown(mapping);
    },
    GetEventSourceMapping: ({ UUID }) => shown(known(UUID)),
    ListEventSourceMappings({ FunctionName, EventSourceArn }) {
      const functionArn = FunctionName === undefined ? undefined : find(FunctionName).functionArn;
      const listed = [...mappings.values()].filter(
        (one) =>
          (functionArn === undefined || one.functionArn === functionArn) &&
          (EventSourceArn === undefined || one.streamArn === EventSourceArn),
      );
      return { EventSourceMappings: listed.map(shown) };
    },
    UpdateEventSourceMapping({ UUID, Enabled, BatchSize, MaximumRetryAttempts }) {
      const mapping = known(UUID);
      if (Enabled !== undefined) mapping.enabled = Enabled;
      if (BatchSize !== undefined) mapping.batchSize = BatchSize;
      if (MaximumRetryAttempts !== undefined) mapping.mostRetries = MaximumRetryAttempts;
      mapping.lastModified = clock.now();
      wake(mapping);
      return shown(mapping);
    },
    DeleteEventSourceMapping({ UUID }) {
      const mapping = known(UUID);
      mappings.delete(UUID);
      queues.delete(UUID);
      return { ...shown(mapping), State: 'Deleting' };
    },
  };

  return {
    operations,
    async idle() {
      while (running.size > 0) await Promise.all(running.values());
    },
    snapshot: () => structuredClone(mappings),
    restore(snapshot) {
      mappings = structuredClone(snapshot as Map<string, Mapping>);
      for (const uuid of mappings.keys()) queues.set(uuid, []);
    },
    clear() {
      generation += 1;
      running.clear();
      queues.clear();
    },
  };
}
