import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { dynamo } from './client.ts';
import { toItem } from './item.ts';

const shards = Array.from({ length: 10 }, (_, shard) => String(shard));

/** The work list of `reconcile`: the sparse index `due`, so its cost follows the work and not the fleet. */
export const dueIn = (table: string) => ({
  async due(now: string, limit: number): Promise<string[]> {
    const pages = await Promise.all(
      shards.map((shard) =>
        dynamo.send(
          new QueryCommand({
            TableName: table,
            IndexName: 'due',
            KeyConditionExpression: 'dueShard = :shard AND dueAt <= :now',
            ExpressionAttributeValues: toItem({ ':shard': shard, ':now': now }),
            Limit: limit,
          }),
        ),
      ),
    );
    return pages
      .flatMap(({ Items }) => Items ?? [])
      .map(({ serialNumber, dueAt }) => ({ serialNumber: serialNumber?.S ?? '', dueAt: dueAt?.S ?? '' }))
      .sort((a, b) => (a.dueAt < b.dueAt ? -1 : 1))
      .slice(0, limit)
      .map(({ serialNumber }) => serialNumber);
  },
});
