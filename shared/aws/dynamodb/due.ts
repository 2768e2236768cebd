import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { dynamo } from './client.ts';
import { type Item, toItem } from './item.ts';

const shards = Array.from({ length: 10 }, (_, shard) => String(shard));

/** So many of each shard in one page. */
const mostOfShard = 10;

/** By shard: where its list goes on. A shard that is at its end is not in it. */
export type DuePosition = Record<string, Item>;

/** The work list of `reconcile`: the sparse index `due`, so its cost follows the work and not the fleet. */
export const dueIn = (table: string) => ({
  /** One page, the longest waiting first. */
  async due(now: string, after?: DuePosition): Promise<{ serialNumbers: string[]; next?: DuePosition }> {
    const pages = await Promise.all(
      (after ? Object.keys(after) : shards).map(async (shard) => {
        const { Items = [], LastEvaluatedKey } = await dynamo.send(
          new QueryCommand({
            TableName: table,
            IndexName: 'due',
            KeyConditionExpression: 'dueShard = :shard AND dueAt <= :now',
            ExpressionAttributeValues: toItem({ ':shard': shard, ':now': now }),
            Limit: mostOfShard,
            ...(after && { ExclusiveStartKey: after[shard] }),
          }),
        );
        return { shard, Items, LastEvaluatedKey };
      }),
    );
    const next: DuePosition = Object.fromEntries(
      pages.flatMap(({ shard, LastEvaluatedKey }) => (LastEvaluatedKey ? [[shard, LastEvaluatedKey]] : [])),
    );
    const serialNumbers = pages
      .flatMap(({ Items }) => Items)
      .map(({ serialNumber, dueAt }) => ({ serialNumber: serialNumber?.S ?? '', dueAt: dueAt?.S ?? '' }))
      .sort((a, b) => (a.dueAt < b.dueAt ? -1 : 1))
      .map(({ serialNumber }) => serialNumber);
    return { serialNumbers, ...(Object.keys(next).length > 0 && { next }) };
  },
});
