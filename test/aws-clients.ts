import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { IAMClient } from '@aws-sdk/client-iam';
import { IoTClient } from '@aws-sdk/client-iot';
import { KinesisVideoClient } from '@aws-sdk/client-kinesis-video';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { STSClient } from '@aws-sdk/client-sts';
import type { Keys } from './http-api.ts';

/** AWS's own clients for one caller. One attempt each: a refusal is what the tests are after. `systemClockOffset`: how wrong the caller's clock is, in ms. */
export function awsClients({ aws, region }: { aws: string; region: string }, credentials: Keys, systemClockOffset = 0) {
  // A copy: the SDK writes notes of its own into the credentials it is given.
  const settings = { endpoint: aws, region, credentials: { ...credentials }, systemClockOffset, maxAttempts: 1 };
  return {
    iot: new IoTClient(settings),
    kinesisVideo: new KinesisVideoClient(settings),
    lambda: new LambdaClient(settings),
    iam: new IAMClient(settings),
    sts: new STSClient(settings),
    dynamoDb: new DynamoDBClient(settings),
    eventBridge: new EventBridgeClient(settings),
  };
}
