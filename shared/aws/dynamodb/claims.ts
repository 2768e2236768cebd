import { GetItemCommand, PutItemCommand, QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { claimKey, type RefusedClaim } from '../../domain/refusal.ts';
import { dynamo } from './client.ts';
import { fromItem, type Item, toItem } from './item.ts';
import { counterKey, kept, lastKey, notKeptOf, unannounced, unknownKept } from './refusal-bounds.ts';

const secondsAfter = (instant: string, days: number): number => Math.floor(Date.parse(instant) / 1000) + days * 86_400;

/** `undefined` for what only counts. */
const toRefusedClaim = (item: Item): RefusedClaim | undefined => {
  const { claimKey: key, expiresAt, ...claim } = fromItem(item);
  return String(key).startsWith('#') ? undefined : (claim as RefusedClaim);
};

/** The same, and `undefined` also for the last of many, which is written over and over. */
export const toKeptClaim = (item: Item): RefusedClaim | undefined =>
  item.claimKey?.S === lastKey ? undefined : toRefusedClaim(item);

/** Refusals of one registry; those are kept for so many days. */
export const claimsIn = (table: string, historyDays = 0) => {
  const get = async (serialNumber: string, key: string): Promise<RefusedClaim | undefined> => {
    const Key = toItem({ serialNumber, claimKey: key });
    const { Item } = await dynamo.send(new GetItemCommand({ TableName: table, Key, ConsistentRead: true }));
    return Item && toRefusedClaim(Item);
  };

  return {
    /** Keeps a refusal, or only the newest once there are too many. `announced`: somebody wrote this serial number before. */
    async record(claim: RefusedClaim, announced: boolean): Promise<void> {
      const expiresAt = secondsAfter(claim.at, historyDays);
      if (!announced && (await count(table, unannounced, claim, expiresAt)) > unknownKept.aDay) return;
      const isKept = (await count(table, claim.serialNumber, claim, expiresAt)) <= kept.aDay;
      const item = toItem({ ...claim, claimKey: isKept ? claimKey(claim) : lastKey, expiresAt });
      await dynamo.send(new PutItemCommand({ TableName: table, Item: item }));
    },

    /** By the id that a list has shown. */
    async read(serialNumber: string, claimId: string): Promise<RefusedClaim | undefined> {
      // Neither a counter nor whatever happens to be the last.
      if (!/^[0-9]/.test(claimId)) return undefined;
      const whole = await get(serialNumber, claimId);
      if (whole) return whole;
      const last = await get(serialNumber, lastKey);
      return last && claimKey(last) === claimId ? last : undefined;
    },

    /** The newest first, older than `before` if it is given. */
    async list(serialNumber: string, limit: number, before: string | undefined): Promise<RefusedClaim[]> {
      const [{ Items = [] }, last] = await Promise.all([
        dynamo.send(
          new QueryCommand({
            TableName: table,
            KeyConditionExpression: 'serialNumber = :serialNumber AND claimKey < :before',
            // ':' sorts after every instant.
            ExpressionAttributeValues: toItem({ ':serialNumber': serialNumber, ':before': before ?? ':' }),
            ScanIndexForward: false,
            Limit: limit,
          }),
        ),
        get(serialNumber, lastKey),
      ]);
      const isNext = last && (before === undefined || claimKey(last) < before);
      // The counters come last, so leaving them out makes no gap.
      return [...(isNext ? [last] : []), ...Items.flatMap((item) => toRefusedClaim(item) ?? [])];
    },

    /** How many of this serial number were only counted, by day (2026-11-24), the newest first. */
    async notKept(serialNumber: string): Promise<{ during: string; refused: number }[]> {
      const [{ Items = [] }, last] = await Promise.all([
        dynamo.send(
          new QueryCommand({
            TableName: table,
            KeyConditionExpression: 'serialNumber = :serialNumber AND begins_with(claimKey, :counter)',
            ExpressionAttributeValues: toItem({ ':serialNumber': serialNumber, ':counter': '#' }),
          }),
        ),
        get(serialNumber, lastKey),
      ]);
      // The last one is listed.
      const days = new Map<string, number>(last ? [[last.at.slice(0, 10), -1]] : []);
      for (const { day, refused } of Items.map(notKeptOf)) days.set(day, (days.get(day) ?? 0) + refused);
      return [...days]
        .filter(([, refused]) => refused > 0)
        .map(([during, refused]) => ({ during, refused }))
        .sort((a, b) => (a.during < b.during ? 1 : -1));
    },
  };
};

/** Counts one more of a day under a key that no claim has ('#' sorts before every instant), and says how many it makes. */
const count = async (table: string, serialNumber: string, claim: RefusedClaim, expiresAt: number): Promise<number> => {
  const { Attributes } = await dynamo.send(
    new UpdateItemCommand({
      TableName: table,
      Key: toItem({ serialNumber, claimKey: counterKey(claim.at) }),
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
