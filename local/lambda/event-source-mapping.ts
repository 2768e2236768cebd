import { randomUUID } from 'node:crypto';
import type { StreamRecord } from './stream-record.ts';

/** A table's stream that Lambda reads for a function, as it is told by the API. */
export interface Mapping {
  uuid: string;
  functionArn: string;
  streamArn: string;
  batchSize: number;
  bisects: boolean;
  /** -1: until the stream has forgotten. */
  mostRetries: number;
  /** -1: no end of its own. */
  longestAgeSeconds: number;
  /** ARN of the queue that is told of what was given up. */
  onFailure?: string;
  startingPosition: string;
  enabled: boolean;
  lastModified: number;
}

export const shown = (mapping: Mapping) => ({
  UUID: mapping.uuid,
  FunctionArn: mapping.functionArn,
  EventSourceArn: mapping.streamArn,
  BatchSize: mapping.batchSize,
  BisectBatchOnFunctionError: mapping.bisects,
  MaximumRetryAttempts: mapping.mostRetries,
  MaximumRecordAgeInSeconds: mapping.longestAgeSeconds,
  ...(mapping.onFailure !== undefined && { DestinationConfig: { OnFailure: { Destination: mapping.onFailure } } }),
  StartingPosition: mapping.startingPosition,
  State: mapping.enabled ? 'Enabled' : 'Disabled',
  StateTransitionReason: 'User action',
  LastModified: new Date(mapping.lastModified),
});

/**
 * What the destination is told of records that were given up: where they are in the stream, and not what they hold (Lambda guide,
 * "Retain discarded records for a DynamoDB event source in Lambda"). *Guess*: what it calls records that are too old.
 */
export function lostBatch(
  { functionArn, streamArn }: Mapping,
  records: StreamRecord[],
  {
    condition,
    attempts,
    now,
  }: { condition: 'RetryAttemptsExhausted' | 'RecordAgeExceeded'; attempts: number; now: number },
): string {
  const [first, last] = [records[0]?.dynamodb, records.at(-1)?.dynamodb];
  const arrival = (of: StreamRecord['dynamodb'] | undefined) =>
    new Date((of?.ApproximateCreationDateTime ?? 0) * 1000).toISOString().replace('.000', '');
  return JSON.stringify({
    requestContext: {
      requestId: randomUUID(),
      functionArn: `${functionArn}:$LATEST`,
      condition,
      approximateInvokeCount: attempts,
    },
    ...(attempts > 0 && {
      responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
    }),
    version: '1.0',
    timestamp: new Date(now).toISOString(),
    DDBStreamBatchInfo: {
      // A table of this size has one.
      shardId: 'shardId-00000000000000000000-00000000',
      startSequenceNumber: first?.SequenceNumber,
      endSequenceNumber: last?.SequenceNumber,
      approximateArrivalOfFirstRecord: arrival(first),
      approximateArrivalOfLastRecord: arrival(last),
      batchSize: records.length,
      streamArn,
    },
  });
}
