import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { type Audit, readAudit, writeAudit } from '../../domain/audit.ts';
import { dynamo } from './client.ts';
import { fromItem, toItem } from './item.ts';

const key = { kind: 'audit', name: '-' };

/** How far the schedule's own audit has come: one item beside the counters, since it may go with them. */
export const auditProgressIn = (table: string) => ({
  async read(): Promise<{ since: string; audit?: Audit } | undefined> {
    const { Item } = await dynamo.send(
      new GetItemCommand({ TableName: table, Key: toItem(key), ConsistentRead: true }),
    );
    if (!Item) return undefined;
    const { since, audit: written } = fromItem(Item) as { since: string; audit?: string };
    if (written === undefined) return { since };
    const audit = readAudit(written);
    // Another version of this code has begun it: it begins anew.
    return audit && { since, audit };
  },

  async save({ since, audit }: { since: string; audit?: Audit }): Promise<void> {
    const Item = toItem({ ...key, since, ...(audit && { audit: writeAudit(audit) }) });
    await dynamo.send(new PutItemCommand({ TableName: table, Item }));
  },
});
