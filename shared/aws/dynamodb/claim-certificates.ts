import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import type { ClaimCertificate } from '../../domain/claim.ts';
import { dynamo, isConditionFailed } from './client.ts';
import { toItem } from './item.ts';

export const claimCertificatesIn = (table: string) => ({
  async record(certificate: ClaimCertificate): Promise<void> {
    try {
      await dynamo.send(
        new PutItemCommand({
          TableName: table,
          Item: toItem(certificate),
          ConditionExpression: 'attribute_not_exists(certificateId)',
        }),
      );
    } catch (error) {
      // Ids are never reused: it is there because the answer to our own first write was lost.
      if (!isConditionFailed(error)) throw error;
    }
  },
});
