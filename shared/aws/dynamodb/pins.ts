import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import type { Pin } from '../../domain/pin.ts';
import { dynamo, isConditionFailed } from './client.ts';
import { fromItem, type Item, toItem } from './item.ts';

/** Which device each pinned key was announced for last, by key: what an index could only tell a moment later. */
export const pinsIn = (table: string) => ({
  async find(publicKeySha256: string): Promise<Pin | undefined> {
    const Key = toItem({ publicKeySha256 });
    const { Item } = await dynamo.send(new GetItemCommand({ TableName: table, Key, ConsistentRead: true }));
    return Item && (fromItem(Item) as Pin);
  },

  /** Notes the pin, unless the key is noted for somebody else than `from` and its own device: then that pin comes back. */
  async take(pin: Pin, from: string | undefined): Promise<Pin | undefined> {
    try {
      await dynamo.send(
        new PutItemCommand({
          TableName: table,
          Item: toItem(pin),
          ConditionExpression: 'attribute_not_exists(publicKeySha256) OR serialNumber = :own OR serialNumber = :from',
          ExpressionAttributeValues: toItem({ ':own': pin.serialNumber, ':from': from ?? pin.serialNumber }),
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      );
      return undefined;
    } catch (error) {
      if (!isConditionFailed(error)) throw error;
      const { Item = {} } = error as { Item?: Item };
      return fromItem(Item) as Pin;
    }
  },
});
