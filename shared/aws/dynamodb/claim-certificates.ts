import { GetItemCommand, PutItemCommand, ScanCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { ClaimCertificate } from '../../domain/claim.ts';
import { dynamo, isConditionFailed } from './client.ts';
import { fromItem, type Item, toItem } from './item.ts';

const toClaimCertificate = (item: Item): ClaimCertificate => {
  const { expiresAt: _, ...certificate } = fromItem(item);
  return certificate as ClaimCertificate;
};

export const claimCertificatesIn = (table: string) => ({
  /** `keptUntil`: when its record may go, in seconds since the epoch. */
  async record(certificate: ClaimCertificate, keptUntil?: number): Promise<void> {
    try {
      await dynamo.send(
        new PutItemCommand({
          TableName: table,
          Item: toItem({ ...certificate, expiresAt: keptUntil }),
          ConditionExpression: 'attribute_not_exists(certificateId)',
        }),
      );
    } catch (error) {
      // Ids are never reused: it is there because the answer to our own first write was lost.
      if (!isConditionFailed(error)) throw error;
    }
  },

  /** Counts only on a record that is there: what a stranger shows must not make one. */
  async countRefusal(certificateId: string, at: string): Promise<void> {
    try {
      await dynamo.send(
        new UpdateItemCommand({
          TableName: table,
          Key: toItem({ certificateId }),
          ConditionExpression: 'attribute_exists(certificateId)',
          UpdateExpression: 'SET lastRefusedAt = :at ADD refused :one',
          ExpressionAttributeValues: toItem({ ':at': at, ':one': 1 }),
        }),
      );
    } catch (error) {
      if (!isConditionFailed(error)) throw error;
    }
  },
});

/** What only ops does with them. */
export const claimCertificateListIn = (table: string) => ({
  async read(certificateId: string): Promise<ClaimCertificate | undefined> {
    const { Item } = await dynamo.send(
      new GetItemCommand({ TableName: table, Key: toItem({ certificateId }), ConsistentRead: true }),
    );
    return Item && toClaimCertificate(Item);
  },

  /** In no order that means anything, but always in the same. There are some for each batch, not for each camera, so a scan is cheap. */
  async list(limit: number, after: string | undefined): Promise<{ certificates: ClaimCertificate[]; next?: string }> {
    const { Items, LastEvaluatedKey } = await dynamo.send(
      new ScanCommand({
        TableName: table,
        Limit: limit,
        ...(after && { ExclusiveStartKey: toItem({ certificateId: after }) }),
      }),
    );
    const next = LastEvaluatedKey?.certificateId?.S;
    return { certificates: (Items ?? []).map(toClaimCertificate), ...(next && { next }) };
  },

  /** The first who disables it stands; `undefined` if there is no such certificate. */
  async disable(certificateId: string, at: string, by: string): Promise<ClaimCertificate | undefined> {
    try {
      const { Attributes } = await dynamo.send(
        new UpdateItemCommand({
          TableName: table,
          Key: toItem({ certificateId }),
          ConditionExpression: 'attribute_exists(certificateId)',
          UpdateExpression:
            'SET disabledAt = if_not_exists(disabledAt, :at), disabledBy = if_not_exists(disabledBy, :by)',
          ExpressionAttributeValues: toItem({ ':at': at, ':by': by }),
          ReturnValues: 'ALL_NEW',
        }),
      );
      return Attributes && toClaimCertificate(Attributes);
    } catch (error) {
      if (isConditionFailed(error)) return undefined;
      throw error;
    }
  },
});
