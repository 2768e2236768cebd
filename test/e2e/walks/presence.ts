import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import {
  AttachThingPrincipalCommand,
  CreateThingCommand,
  DescribeCertificateCommand,
  DetachThingPrincipalCommand,
} from '@aws-sdk/client-iot';
import { GetFunctionEventInvokeConfigCommand, PutFunctionEventInvokeConfigCommand } from '@aws-sdk/client-lambda';
import { DeleteMessageCommand, GetQueueUrlCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { tellStandIn } from '../../admin.ts';
import { awsClients } from '../../aws-clients.ts';
import type { Camera } from '../../camera-claim.ts';
import { createHttpApi } from '../../http-api.ts';
import type { Outputs } from '../../local-run.ts';
import { connectDevice } from '../../mqtt-device.ts';
import { until } from '../../until.ts';
import type { ClaimDoor, Walk } from './claim.ts';

/** What follows a camera's first connection: proof of life, late streams, and the dead-letter queue where it fails. */
export async function presenceWalks(outputs: Outputs, prefix: string, { claims, expectedSerial }: ClaimDoor) {
  const { aws, region, personas } = outputs;
  const { iot, dynamoDb, lambda } = awsClients(outputs, personas.admin);
  const operator = createHttpApi(outputs, personas.operator);
  const sqs = new SQSClient({ endpoint: aws, region, credentials: personas.admin });
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: `${prefix}presence-failures` }));

  // What fails is dead-lettered at once: no retry, so no clock to move.
  const FunctionName = `${prefix}onPresence`;
  const { DestinationConfig } = await lambda.send(new GetFunctionEventInvokeConfigCommand({ FunctionName }));
  await lambda.send(
    new PutFunctionEventInvokeConfigCommand({ FunctionName, DestinationConfig, MaximumRetryAttempts: 0 }),
  );

  /** Why the presence event of this camera could not be handled, if it is among the dead letters. */
  async function deadLetter(clientId: string): Promise<string | undefined> {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
    let found: string | undefined;
    for (const { Body = '', ReceiptHandle } of Messages) {
      const { requestPayload, responsePayload } = JSON.parse(Body);
      if (requestPayload.clientId === clientId) found = `dead letter: ${responsePayload.errorMessage}`;
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
    return found;
  }

  /** Connects as a camera does after its claim; resolves once the registry has taken it as a sign of life. */
  async function showsLife(camera: Camera, patienceMs: number, clientId = camera.thingName): Promise<void> {
    const device = await connectDevice(outputs, { clientId, held: camera });
    try {
      const isAlive = async () => {
        const failure = await deadLetter(clientId);
        if (failure) throw new Error(failure);
        const { body } = await operator.get(`/devices/${camera.serialNumber}`);
        const isFinished = body.streams.every(({ state }: { state: string }) => state === 'made');
        return body.status === 'active' && isFinished;
      };
      await until('the device to become active', isAlive, patienceMs);
    } finally {
      await device.close();
    }
  }

  /** The hook's one attempt to make the stream goes wrong; the claim is granted all the same. */
  async function claimsWithLateStream(kind: 'error' | 'lost-answer'): Promise<Camera> {
    const serialNumber = await expectedSerial({ streamMode: 'thing-name' });
    await tellStandIn(aws, 'faults', {
      faults: [{ service: 'kinesisvideo', operation: 'CreateStream', kind, times: 1 }],
    });
    const camera = await claims(serialNumber);
    await tellStandIn(aws, 'faults');
    const { body } = await operator.get(`/devices/${serialNumber}`);
    if (body.streams[0]?.state !== 'pending') throw new Error(`the stream is ${body.streams[0]?.state}, not late`);
    return camera;
  }

  /** Other hardware in a place of another name, as `replace` and `reopen` make it. */
  async function movesTo(place: string, { serialNumber, certificateId, thingName }: Camera): Promise<void> {
    const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
    const principal = certificateDescription?.certificateArn;
    await iot.send(new DetachThingPrincipalCommand({ thingName, principal }));
    await iot.send(new CreateThingCommand({ thingName: place }));
    await iot.send(new AttachThingPrincipalCommand({ thingName: place, principal }));
    await dynamoDb.send(
      new UpdateItemCommand({
        TableName: `${prefix}devices`,
        Key: { serialNumber: { S: serialNumber } },
        UpdateExpression: 'SET thingName = :place',
        ExpressionAttributeValues: { ':place': { S: place } },
      }),
    );
  }

  const walks: Record<string, Walk> = {
    async 'shows life'(patienceMs) {
      await showsLife(await claims(await expectedSerial({ streamMode: 'thing-name' })), patienceMs);
    },
    async 'shows life, and its late stream is made'(patienceMs) {
      await showsLife(await claimsWithLateStream('error'), patienceMs);
    },
    async 'shows life, and its late stream is there already'(patienceMs) {
      await showsLife(await claimsWithLateStream('lost-answer'), patienceMs);
    },
    async 'shows life in a place of another name'(patienceMs) {
      const camera = await claims(await expectedSerial({ streamMode: 'fixed' }));
      const place = `${camera.serialNumber}-r2`;
      await movesTo(place, camera);
      await showsLife(camera, patienceMs, place);
    },
    async 'shows life in vain, and a letter tells'(patienceMs) {
      const camera = await claims(await expectedSerial({ streamMode: 'thing-name' }));
      const clientId = camera.thingName;
      // The function is killed as it reads the device.
      const faults = [{ service: 'dynamodb', operation: 'GetItem', kind: 'kill', times: 1 }];
      await tellStandIn(aws, 'faults', { faults });
      const device = await connectDevice(outputs, { clientId, held: camera });
      try {
        await until('a dead letter', () => deadLetter(clientId), patienceMs);
      } finally {
        await device.close();
        await tellStandIn(aws, 'faults');
      }
    },
  };
  return { walks, showsLife, claimsWithLateStream };
}
