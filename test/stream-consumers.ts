import { ListEventSourceMappingsCommand, UpdateEventSourceMappingCommand } from '@aws-sdk/client-lambda';
import { awsClients } from './aws-clients.ts';
import type { Outputs } from './local-run.ts';

/**
 * Switches off the functions that the tables' streams feed. They call the same operations a moment later, and would meet a fault that a test
 * means for another function.
 */
export async function switchOffStreamConsumers(outputs: Outputs): Promise<void> {
  const { lambda } = awsClients(outputs, outputs.personas.admin);
  const { EventSourceMappings = [] } = await lambda.send(new ListEventSourceMappingsCommand({}));
  for (const { UUID } of EventSourceMappings) {
    await lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: false }));
  }
}
