/** A function as Lambda's answers show it. */
import type { LambdaFunction } from './state.ts';

export const concurrencyOf = ({ reservedConcurrency }: LambdaFunction) =>
  reservedConcurrency === undefined ? {} : { Concurrency: { ReservedConcurrentExecutions: reservedConcurrency } };

export const eventInvokeConfigOf = ({ functionArn, eventInvokeConfig, lastModified }: LambdaFunction) => ({
  FunctionArn: `${functionArn}:$LATEST`,
  LastModified: new Date(lastModified),
  MaximumEventAgeInSeconds: eventInvokeConfig.maximumEventAgeInSeconds,
  MaximumRetryAttempts: eventInvokeConfig.maximumRetryAttempts,
  DestinationConfig: eventInvokeConfig.onFailure ? { OnFailure: { Destination: eventInvokeConfig.onFailure } } : {},
});

export const configurationOf = (fn: LambdaFunction) => ({
  FunctionName: fn.functionName,
  FunctionArn: fn.functionArn,
  Description: fn.description,
  Runtime: fn.runtime,
  Handler: fn.handler,
  Role: fn.role,
  Timeout: fn.timeout,
  MemorySize: fn.memorySize,
  Architectures: fn.architectures,
  Environment: { Variables: fn.environment },
  CodeSha256: fn.codeSha256,
  CodeSize: fn.codeSize,
  // ISO 8601 text, unlike every other instant of this API (API Reference, FunctionConfiguration).
  LastModified: new Date(fn.lastModified).toISOString().replace('Z', '+0000'),
  PackageType: 'Zip',
  Version: '$LATEST',
  State: 'Active',
  LastUpdateStatus: 'Successful',
  RevisionId: fn.revisionId,
});
