import { DeleteItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  AttachPolicyCommand,
  CreateKeysAndCertificateCommand,
  CreateThingCommand,
  DeleteCertificateCommand,
  DeleteThingCommand,
  DetachPolicyCommand,
  UpdateCertificateCommand,
} from '@aws-sdk/client-iot';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { awsClients } from '../../aws-clients.ts';
import { newSerial } from '../../camera-claim.ts';
import type { Outputs } from '../../local-run.ts';
import { orderReconcile } from '../../reconcile-function.ts';
import type { Walk } from './claim.ts';

/** What compares all that AWS and the registry hold. Nothing is mended, save where mending needs a right of its own. */
export function auditWalks(outputs: Outputs, prefix: string): Record<string, Walk> {
  const { iot, dynamoDb } = awsClients(outputs, outputs.personas.admin);
  const TableName = `${prefix}counters`;
  const policyName = `${prefix}device`;

  async function look(order: object): Promise<void> {
    const { failed } = await orderReconcile(outputs, order);
    if (Object.keys(failed).length > 0) throw new Error(`could not look: ${JSON.stringify(failed)}`);
  }
  const only = (part: string) => look({ only: part, dryRun: true });

  return {
    ...Object.fromEntries(
      ['denials', 'records', 'power', 'inactive', 'things', 'devices'].map((part) => [
        `audit: ${part}`,
        () => only(part),
      ]),
    ),

    async 'audit: a stray thing'() {
      const thingName = newSerial();
      const attributePayload = { attributes: { serialNumber: thingName } };
      await iot.send(new CreateThingCommand({ thingName, thingTypeName: `${prefix}fixed`, attributePayload }));
      try {
        await only('things');
      } finally {
        await iot.send(new DeleteThingCommand({ thingName }));
      }
    },

    async 'audit: power that no record knows'() {
      const { certificateId, certificateArn: target } = await iot.send(
        new CreateKeysAndCertificateCommand({ setAsActive: true }),
      );
      await iot.send(new AttachPolicyCommand({ policyName, target }));
      try {
        await only('power');
      } finally {
        await iot.send(new DetachPolicyCommand({ policyName, target }));
        await iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
        await iot.send(new DeleteCertificateCommand({ certificateId }));
      }
    },

    async 'audit: a wrong counter is set right'() {
      const Item = { kind: { S: 'batch' }, name: { S: newSerial() }, count: { N: '7' } };
      await dynamoDb.send(new PutItemCommand({ TableName, Item }));
      await look({ only: 'records' });
    },

    async 'operator runs reconcile'() {
      const lambda = awsClients(outputs, outputs.personas.operator).lambda;
      const Payload = JSON.stringify({ only: 'inactive', dryRun: true });
      await lambda.send(new InvokeCommand({ FunctionName: `${prefix}reconcile`, Payload }));
    },

    async 'audit: the schedule begins one'() {
      await dynamoDb.send(new DeleteItemCommand({ TableName, Key: { kind: { S: 'audit' }, name: { S: '-' } } }));
      await look({ source: 'aws.events', 'detail-type': 'Scheduled Event' });
    },
  };
}
