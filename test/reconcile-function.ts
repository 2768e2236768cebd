import { GetFunctionConfigurationCommand, UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { awsClients } from './aws-clients.ts';
import { callFunction } from './function-call.ts';
import type { Outputs } from './local-run.ts';

export interface Finding {
  what: string;
  of: string;
  outcome: 'mended' | 'left' | 'failed';
  why?: string;
}

export interface ReconcileReport {
  dryRun: boolean;
  looked: number;
  done: Record<string, number>;
  left: Record<string, number>;
  raced: number;
  failed: Record<string, number>;
  findings: Finding[];
  unlisted: number;
  complete: boolean;
  next?: string;
}

const FUNCTION = 'reconcile';

/** What a deployment with high quotas has: a test with many devices does not wait for a share of the default ones. */
export async function liftReconcilesPace(outputs: Outputs): Promise<void> {
  const { lambda } = awsClients(outputs, outputs.personas.admin);
  const FunctionName = `firstlight-local-${FUNCTION}`;
  const { Environment } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  const Variables = { ...Environment?.Variables, QUOTA_PERCENT: '10000' };
  await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables } }));
}

/** One run of reconcile, as an operator orders it. Throws where the function itself has failed. */
export async function orderReconcile(outputs: Outputs, order: object, clockOffsetMs = 0): Promise<ReconcileReport> {
  const { payload, functionError } = await callFunction(outputs, FUNCTION, order, clockOffsetMs);
  if (functionError) throw new Error(`reconcile failed: ${payload.errorMessage}`);
  return payload;
}

/** A whole audit: run after run until there is nothing left, with all that they found. */
export async function auditFleet(outputs: Outputs, order: object = {}, clockOffsetMs = 0): Promise<ReconcileReport[]> {
  const whole = 'only' in order ? order : { ...order, audit: true };
  const reports = [await orderReconcile(outputs, whole, clockOffsetMs)];
  for (let { next } = reports[0] as ReconcileReport; next !== undefined; ) {
    const report = await orderReconcile(outputs, { ...order, cursor: next }, clockOffsetMs);
    if (report.next === next) throw new Error(`the audit does not get on: ${JSON.stringify(report.failed)}`);
    reports.push(report);
    ({ next } = report);
  }
  return reports;
}

/** `<what> <of>: <outcome>` of all that was found, sorted. */
export const findingsOf = (reports: ReconcileReport[]): string[] =>
  [
    ...new Set(reports.flatMap(({ findings }) => findings.map(({ what, of, outcome }) => `${what} ${of}: ${outcome}`))),
  ].sort();
