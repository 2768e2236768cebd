import { DeleteItemCommand, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import type { Denial } from '../../domain/device.ts';
import { dynamo } from './client.ts';
import { fromItem, type Item, toItem } from './item.ts';

/** The certificates that are denied right now: a handful, read whole, and consistently. */
export const denialsIn = (table: string) => ({
  async put(denials: Denial[]): Promise<void> {
    for (const denial of denials) {
      await dynamo.send(new PutItemCommand({ TableName: table, Item: toItem(denial) }));
    }
  },

  async remove(certificateIds: string[]): Promise<void> {
    for (const certificateId of certificateIds) {
      await dynamo.send(new DeleteItemCommand({ TableName: table, Key: toItem({ certificateId }) }));
    }
  },

  async list(): Promise<Denial[]> {
    const found: Denial[] = [];
    let from: Item | undefined;
    do {
      const page = await dynamo.send(
        new ScanCommand({ TableName: table, ConsistentRead: true, ...(from && { ExclusiveStartKey: from }) }),
      );
      found.push(...(page.Items ?? []).map((item) => fromItem(item) as Denial));
      from = page.LastEvaluatedKey;
    } while (from);
    return found;
  },
});
