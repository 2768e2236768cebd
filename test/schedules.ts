import { DisableRuleCommand, ListRulesCommand } from '@aws-sdk/client-eventbridge';
import { awsClients } from './aws-clients.ts';
import type { Outputs } from './local-run.ts';

/**
 * Nothing runs by itself any more when the clock moves: for a test that looks at what is unfinished, or means a fault for another
 * function. An operator may do the same for a while.
 */
export async function switchOffSchedules(outputs: Outputs): Promise<void> {
  const { eventBridge } = awsClients(outputs, outputs.personas.admin);
  const { Rules = [] } = await eventBridge.send(new ListRulesCommand({}));
  for (const { Name } of Rules) await eventBridge.send(new DisableRuleCommand({ Name }));
}
