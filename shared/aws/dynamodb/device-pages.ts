import { QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { dynamo } from './client.ts';
import { toDevice } from './devices.ts';
import { toItem } from './item.ts';

/** The whole registry, a page at a time. What decides reads the item again. */
export const devicePagesOf = (table: string) => ({
  async page(limit: number, after?: string) {
    const { Items = [], LastEvaluatedKey } = await dynamo.send(
      new ScanCommand({
        TableName: table,
        Limit: limit,
        ...(after && { ExclusiveStartKey: toItem({ serialNumber: after }) }),
      }),
    );
    const next = LastEvaluatedKey?.serialNumber?.S;
    return { devices: Items.map(toDevice), ...(next && { next }) };
  },

  async holderOf(certificateId: string): Promise<string | undefined> {
    const { Items } = await dynamo.send(
      new QueryCommand({
        TableName: table,
        IndexName: 'certificate',
        KeyConditionExpression: 'newestCertificateId = :certificate',
        ExpressionAttributeValues: toItem({ ':certificate': certificateId }),
      }),
    );
    return Items?.[0]?.serialNumber?.S;
  },
});
