import { GetFunctionConfigurationCommand, UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { awsClients } from './aws-clients.ts';
import type { Outputs } from './local-run.ts';

/** What a deployment with high quotas has: a test with many devices does not wait for a share of the default ones. */
export async function liftReconcilesPace(outputs: Outputs): Promise<void> {
  const { lambda } = awsClients(outputs, outputs.personas.admin);
  const FunctionName = 'firstlight-local-reconcile';
  const { Environment } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  const Variables = { ...Environment?.Variables, QUOTA_PERCENT: '10000' };
  await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables } }));
}
