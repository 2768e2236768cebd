import { type AttributeValue, QueryCommand } from '@aws-sdk/client-dynamodb';
import { dynamo } from './client.ts';
import { toItem } from './item.ts';

export type Opening = { serialNumber: string; openedAt: string };

/** Which devices a claim certificate has opened: the sparse index `opened` (openedBy, openedAt) of the devices. */
export const openingsIn = (table: string) => ({
  async count(claimCertificateId: string): Promise<number> {
    let count = 0;
    let from: Record<string, AttributeValue> | undefined;
    do {
      const page = await dynamo.send(
        new QueryCommand({
          TableName: table,
          IndexName: 'opened',
          Select: 'COUNT',
          KeyConditionExpression: 'openedBy = :certificate',
          ExpressionAttributeValues: toItem({ ':certificate': claimCertificateId }),
          ...(from && { ExclusiveStartKey: from }),
        }),
      );
      count += page.Count ?? 0;
      from = page.LastEvaluatedKey;
    } while (from);
    return count;
  },

  /** The newest first, of `since` or later, after the one that a page ended with. */
  async list(
    claimCertificateId: string,
    { since, limit, after }: { since: string | undefined; limit: number; after?: Opening | undefined },
  ): Promise<Opening[]> {
    const { Items } = await dynamo.send(
      new QueryCommand({
        TableName: table,
        IndexName: 'opened',
        KeyConditionExpression: 'openedBy = :certificate AND openedAt >= :since',
        // '#' sorts before every instant.
        ExpressionAttributeValues: toItem({ ':certificate': claimCertificateId, ':since': since ?? '#' }),
        ScanIndexForward: false,
        Limit: limit,
        ...(after && { ExclusiveStartKey: toItem({ openedBy: claimCertificateId, ...after }) }),
      }),
    );
    return (Items ?? []).map(({ serialNumber, openedAt }) => ({
      serialNumber: serialNumber?.S ?? '',
      openedAt: openedAt?.S ?? '',
    }));
  },
});
