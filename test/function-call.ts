import { InvokeCommand } from '@aws-sdk/client-lambda';
import { awsClients } from './aws-clients.ts';
import type { Outputs } from './local-run.ts';

export interface FunctionAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  payload: any;
  /** Lambda's own word for a handler that threw. */
  functionError: string | undefined;
}

/** Lambda's Invoke, as an administrator: the shipped bundle runs with its own role and environment. */
export async function callFunction(
  outputs: Outputs,
  key: string,
  event: object,
  clockOffsetMs = 0,
): Promise<FunctionAnswer> {
  const { lambda } = awsClients(outputs, outputs.personas.admin, clockOffsetMs);
  const Payload = JSON.stringify(event);
  const answer = await lambda.send(new InvokeCommand({ FunctionName: `firstlight-local-${key}`, Payload }));
  const text = Buffer.from(answer.Payload ?? []).toString('utf8');
  return { payload: JSON.parse(text), functionError: answer.FunctionError };
}
