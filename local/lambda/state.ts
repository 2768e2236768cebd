import type { Statement } from '../policy.ts';

/** What Lambda remembers of one function. */
export interface LambdaFunction {
  functionName: string;
  functionArn: string;
  description: string;
  runtime: string;
  handler: string;
  role: string;
  /** Seconds. */
  timeout: number;
  memorySize: number;
  architectures: string[];
  environment: Record<string, string>;
  /** Where the unpacked bundle lies. */
  codeDirectory: string;
  codeSha256: string;
  codeSize: number;
  lastModified: number;
  /** Changes with code and configuration: environments of an earlier one are not used again. */
  revisionId: string;
  reservedConcurrency?: number;
  policy: Statement[];
  eventInvokeConfig: EventInvokeConfig;
}

export interface EventInvokeConfig {
  maximumEventAgeInSeconds: number;
  maximumRetryAttempts: number;
  /** SQS queue ARN. */
  onFailure?: string;
}

/** Lambda guide, "Configuring error handling settings for Lambda asynchronous invocations": six hours and two retries. */
export const DEFAULT_EVENT_INVOKE: EventInvokeConfig = { maximumEventAgeInSeconds: 21_600, maximumRetryAttempts: 2 };
