/** A table's stream that Lambda reads for a function, as it is told by the API. */
export interface Mapping {
  uuid: string;
  functionArn: string;
  streamArn: string;
  batchSize: number;
  bisects: boolean;
  /** -1: until the stream has forgotten. */
  mostRetries: number;
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
  StartingPosition: mapping.startingPosition,
  State: mapping.enabled ? 'Enabled' : 'Disabled',
  StateTransitionReason: 'User action',
  LastModified: new Date(mapping.lastModified),
});
