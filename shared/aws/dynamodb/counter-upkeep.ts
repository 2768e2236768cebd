import { BatchGetItemCommand, QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { type Counted, countKinds } from '../../domain/counts.ts';
import type { Counter, CountNote } from '../../domain/tally.ts';
import { dynamo, isConditionFailed } from './client.ts';
import { noteKey } from './counters.ts';
import { fromItem, type Item, toItem } from './item.ts';

/** BatchGetItem takes no more. */
const mostAtOnce = 100;
const mostTries = 5;

const toCounter = (kind: Counter['kind'], item: Item): Counter => {
  const { name, count, steps } = fromItem(item) as { name: string; count?: number; steps?: number };
  return { kind, name, count: count ?? 0, ...(steps !== undefined && { steps }) };
};

/** The counters beside what they were counted from: for `reconcile` alone, which asks seldom and about all. */
export const counterUpkeepIn = (table: string) => ({
  async all(): Promise<Counter[]> {
    const counters: Counter[] = [];
    for (const kind of countKinds) {
      let from: Item | undefined;
      do {
        const page = await dynamo.send(
          new QueryCommand({
            TableName: table,
            ConsistentRead: true,
            KeyConditionExpression: 'kind = :kind',
            // Beside them a counter holds marks of devices, while they are being counted.
            ProjectionExpression: '#name, #count, steps',
            ExpressionAttributeNames: { '#name': 'name', '#count': 'count' },
            ExpressionAttributeValues: toItem({ ':kind': kind }),
            ...(from && { ExclusiveStartKey: from }),
          }),
        );
        counters.push(...(page.Items ?? []).map((item) => toCounter(kind, item)));
        from = page.LastEvaluatedKey;
      } while (from);
    }
    return counters;
  },

  async notesOf(serialNumbers: string[]): Promise<Map<string, CountNote>> {
    const notes = new Map<string, CountNote>();
    for (let first = 0; first < serialNumbers.length; first += mostAtOnce) {
      let keys = serialNumbers.slice(first, first + mostAtOnce).map(noteKey);
      for (let attempt = 0; keys.length > 0; attempt++) {
        if (attempt === mostTries) throw new Error('DynamoDB left keys unprocessed');
        const answer = await dynamo.send(
          new BatchGetItemCommand({ RequestItems: { [table]: { Keys: keys, ConsistentRead: true } } }),
        );
        for (const item of answer.Responses?.[table] ?? []) {
          const { kind, counted, owing } = fromItem(item) as { kind: string; counted: Counted; owing?: boolean };
          notes.set(kind.slice('device#'.length), { counted, owing: owing === true });
        }
        keys = answer.UnprocessedKeys?.[table]?.Keys ?? [];
      }
    }
    return notes;
  },

  async correct({ kind, name, count, steps }: Counter, expected: number): Promise<boolean> {
    try {
      await dynamo.send(
        new UpdateItemCommand({
          TableName: table,
          Key: toItem({ kind, name }),
          ConditionExpression:
            steps === undefined
              ? 'attribute_not_exists(steps) AND (attribute_not_exists(#count) OR #count = :count)'
              : 'steps = :steps AND #count = :count',
          UpdateExpression: 'SET #count = :expected ADD steps :one',
          ExpressionAttributeNames: { '#count': 'count' },
          ExpressionAttributeValues: toItem({ ':expected': expected, ':one': 1, ':steps': steps, ':count': count }),
        }),
      );
      return true;
    } catch (error) {
      if (isConditionFailed(error)) return false;
      throw error;
    }
  },
});
