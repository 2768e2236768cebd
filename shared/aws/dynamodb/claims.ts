import { GetItemCommand, PutItemCommand, QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { claimKey, type RefusedClaim } from '../../domain/refusal.ts';
import { dynamo } from './client.ts';
import { keptAnHour } from './doorstep.ts';
import { fromItem, type Item, toItem } from './item.ts';

/** So many refusals a day are kept whole for one serial number; later ones are only counted. */
const keptADay = 100;
/** The same for all serial numbers together that nobody announced: a stranger can think of any number of them. */
const unknownKeptADay = 1000;

const secondsAfter = (instant: string, days: number): number => Math.floor(Date.parse(instant) / 1000) + days * 86_400;

/** `undefined` for what only counts. */
export const toRefusedClaim = (item: Item): RefusedClaim | undefined => {
  const { claimKey: key, expiresAt, ...claim } = fromItem(item);
  return String(key).startsWith('#') ? undefined : (claim as RefusedClaim);
};

/** Refusals of one registry; those are kept for so many days. */
export const claimsIn = (table: string, historyDays = 0) => ({
  /** Keeps a refusal, or only counts it once there are too many. `announced`: somebody wrote this serial number before. */
  async record(claim: RefusedClaim, announced: boolean): Promise<void> {
    const expiresAt = secondsAfter(claim.at, historyDays);
    if (!announced && (await count(table, '#unannounced', claim, expiresAt)) > unknownKeptADay) return;
    if ((await count(table, claim.serialNumber, claim, expiresAt)) > keptADay) return;
    const item = toItem({ ...claim, claimKey: claimKey(claim), expiresAt });
    await dynamo.send(new PutItemCommand({ TableName: table, Item: item }));
  },

  async read(serialNumber: string, claimId: string): Promise<RefusedClaim | undefined> {
    // The counters are no claims.
    if (claimId.startsWith('#')) return undefined;
    const Key = toItem({ serialNumber, claimKey: claimId });
    const { Item } = await dynamo.send(new GetItemCommand({ TableName: table, Key, ConsistentRead: true }));
    return Item && (fromItem(Item) as RefusedClaim);
  },

  /** The newest first, older than `before` if it is given. */
  async list(serialNumber: string, limit: number, before: string | undefined): Promise<RefusedClaim[]> {
    const { Items } = await dynamo.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'serialNumber = :serialNumber AND claimKey < :before',
        // ':' sorts after every instant.
        ExpressionAttributeValues: toItem({ ':serialNumber': serialNumber, ':before': before ?? ':' }),
        ScanIndexForward: false,
        Limit: limit,
      }),
    );
    // The counters come last, so leaving them out makes no gap.
    return (Items ?? []).flatMap((item) => toRefusedClaim(item) ?? []);
  },

  /** What was only counted of this serial number, by day (2026-11-24) or hour (2026-11-24T06), the newest first. */
  async notKept(serialNumber: string): Promise<{ during: string; refused: number }[]> {
    const { Items } = await dynamo.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'serialNumber = :serialNumber AND begins_with(claimKey, :counter)',
        ExpressionAttributeValues: toItem({ ':serialNumber': serialNumber, ':counter': '#' }),
        ScanIndexForward: false,
      }),
    );
    return (Items ?? []).flatMap(({ claimKey: key, refused }) => {
      const during = key?.S?.slice(1) ?? '';
      const kept = during.includes('T') ? keptAnHour : keptADay;
      const rest = Number(refused?.N ?? 0) - kept;
      return rest > 0 ? [{ during, refused: rest }] : [];
    });
  },
});

/** Counts one more of a day under a key that no claim has ('#' sorts before every instant), and says how many it makes. */
const count = async (table: string, serialNumber: string, claim: RefusedClaim, expiresAt: number): Promise<number> => {
  const { Attributes } = await dynamo.send(
    new UpdateItemCommand({
      TableName: table,
      Key: toItem({ serialNumber, claimKey: `#${claim.at.slice(0, 10)}` }),
      UpdateExpression: 'SET expiresAt = :expiresAt, lastAt = :lastAt, lastReason = :lastReason ADD refused :one',
      ExpressionAttributeValues: toItem({
        ':expiresAt': expiresAt,
        ':lastAt': claim.at,
        ':lastReason': claim.reason,
        ':one': 1,
      }),
      ReturnValues: 'UPDATED_NEW',
    }),
  );
  return Number(Attributes?.refused?.N);
};
