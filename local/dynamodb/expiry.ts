import type { Clock } from '../clock.ts';
import type { Attributes, Engine } from './engine.ts';
import type { Tables } from './tables.ts';
import type { Writes } from './writes.ts';

/** AWS promises "within a few days"; the stand-in looks again once its clock has moved this far. */
const SWEEP_EVERY_MS = 60_000;
/** "Items with ... a timestamp older than five years are not deleted" (DynamoDB guide, "Time to Live"). */
const TOO_OLD_SECONDS = 5 * 365 * 86_400;

/** Time to live: what has run out is deleted before the next call that could see it. */
export function createExpiry({
  engine,
  tables,
  writes,
  clock,
}: {
  engine: Engine;
  tables: Tables;
  writes: Writes;
  clock: Clock;
}): { sweep(): Promise<void>; reset(): void } {
  let sweptAt = clock.now();
  let sweeping: Promise<void> = Promise.resolve();

  async function sweepTable(TableName: string, attribute: string): Promise<void> {
    const now = Math.floor(clock.now() / 1000);
    const condition = {
      ExpressionAttributeNames: { '#expires': attribute },
      ExpressionAttributeValues: { ':now': { N: String(now) }, ':then': { N: String(now - TOO_OLD_SECONDS) } },
    };
    let from: unknown;
    do {
      const page = await engine.call('Scan', {
        TableName,
        FilterExpression: '#expires <= :now AND #expires > :then',
        ...condition,
        ...(from !== undefined && { ExclusiveStartKey: from }),
      });
      for (const item of (page.Items ?? []) as Attributes[]) {
        const keyNames = tables.get(TableName)?.keyNames ?? [];
        const Key = Object.fromEntries(keyNames.map((name) => [name, item[name]]));
        // Somebody may have given it more time since.
        await writes.expire({
          TableName,
          Key,
          ConditionExpression: '#expires <= :now AND #expires > :then',
          ...condition,
        });
      }
      from = page.LastEvaluatedKey;
    } while (from !== undefined);
  }

  return {
    sweep() {
      if (Math.abs(clock.now() - sweptAt) < SWEEP_EVERY_MS) return sweeping;
      sweptAt = clock.now();
      sweeping = (async () => {
        for (const name of tables.withTimeToLive()) {
          const attribute = tables.get(name)?.timeToLive;
          if (attribute !== undefined) await sweepTable(name, attribute);
        }
      })();
      return sweeping;
    },
    reset() {
      sweptAt = clock.now();
      sweeping = Promise.resolve();
    },
  };
}
