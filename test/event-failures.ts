import { ListEventSourceMappingsCommand, UpdateEventSourceMappingCommand } from '@aws-sdk/client-lambda';
import { DeleteMessageCommand, GetQueueUrlCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { awsClients } from './aws-clients.ts';
import type { Outputs } from './local-run.ts';

/** What Lambda says of stream records that a function would not take. */
export interface Letter {
  requestContext: { condition: string };
  DDBStreamBatchInfo: { streamArn: string; batchSize: number };
}

/** The queue of what the streams' functions gave up, and how soon they do. */
export async function openEventFailures({ aws, region, personas, ...outputs }: Outputs) {
  const sqs = new SQSClient({ endpoint: aws, region, credentials: personas.admin });
  const { lambda } = awsClients({ aws, region }, personas.admin);
  const prefix = outputs.claim.templateName.replace(/claim$/, '');
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: `${prefix}event-failures` }));

  return {
    /** The next one about this table's stream, if there is any; others are thrown away. */
    async take(table: string): Promise<Letter | undefined> {
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
      let found: Letter | undefined;
      for (const { Body = '', ReceiptHandle } of Messages) {
        const letter: Letter = JSON.parse(Body);
        if (letter.DDBStreamBatchInfo?.streamArn.includes(`table/${prefix}${table}/`)) found = letter;
        await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
      }
      return found;
    },
    /** -1: until records are too old. */
    async setRetries(functionKey: string, MaximumRetryAttempts: number): Promise<void> {
      const FunctionName = `${prefix}${functionKey}`;
      const { EventSourceMappings = [] } = await lambda.send(new ListEventSourceMappingsCommand({ FunctionName }));
      for (const { UUID } of EventSourceMappings) {
        await lambda.send(new UpdateEventSourceMappingCommand({ UUID, MaximumRetryAttempts }));
      }
    },
  };
}
