import { BatchGetItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { Failure } from '../../domain/failure.ts';
import type { Pin } from '../../domain/pin.ts';
import { claimKey, type RefusedClaim } from '../../domain/refusal.ts';
import { dynamo } from './client.ts';
import { toDevice } from './devices.ts';
import { fromItem, toItem } from './item.ts';
import { httpsCounterKey, kept, lastKey, ofHour, unannounced, unknownKept } from './refusal-bounds.ts';

/** What strangers may read and leave behind at the door that nobody signs for: two writes, whatever they did. */
export const doorstepOf = (deviceTable: string, claimTable: string, pinTable: string, historyDays: number) => ({
  async look(serialNumber: string, publicKeySha256: string, at: string) {
    const keysOf = (key: object) => ({ Keys: [toItem(key)], ConsistentRead: true });
    const answer = await dynamo.send(
      new BatchGetItemCommand({
        RequestItems: {
          [deviceTable]: keysOf({ serialNumber }),
          [claimTable]: keysOf({ serialNumber, claimKey: httpsCounterKey(at) }),
          [pinTable]: keysOf({ publicKeySha256 }),
        },
      }),
    );
    // An unprocessed key is not an absent item: deciding on it would deny, or admit, for a throttle.
    if (Object.keys(answer.UnprocessedKeys ?? {}).length > 0) throw new Failure('busy', 'AWS is throttling; try again');
    const device = answer.Responses?.[deviceTable]?.[0];
    const counter = answer.Responses?.[claimTable]?.[0];
    const pin = answer.Responses?.[pinTable]?.[0];
    const wrongTokens = Number(counter?.[ofHour('wrongTokens', at)]?.N ?? 0);
    return { ...(device && { device: toDevice(device) }), ...(pin && { pin: fromItem(pin) as Pin }), wrongTokens };
  },

  async keep(
    claim: RefusedClaim,
    { announced, wrongToken }: { announced: boolean; wrongToken: boolean },
  ): Promise<void> {
    const { at } = claim;
    const expiresAt = Math.floor(Date.parse(at) / 1000) + historyDays * 86_400;
    const counted = announced ? claim.serialNumber : unannounced;
    const hourly = ofHour('refused', at);
    const { Attributes } = await dynamo.send(
      new UpdateItemCommand({
        TableName: claimTable,
        Key: toItem({ serialNumber: counted, claimKey: httpsCounterKey(at) }),
        UpdateExpression: 'SET expiresAt = :expiresAt ADD refused :one, #hourly :one, #wrongTokens :wrong',
        ExpressionAttributeNames: { '#hourly': hourly, '#wrongTokens': ofHour('wrongTokens', at) },
        ExpressionAttributeValues: toItem({ ':expiresAt': expiresAt, ':one': 1, ':wrong': wrongToken ? 1 : 0 }),
        ReturnValues: 'UPDATED_NEW',
      }),
    );
    const most = announced ? kept : unknownKept;
    const isKept =
      Number(Attributes?.refused?.N) <= most.aDay && Number(Attributes?.[hourly]?.N) <= most.anHourOverHttps;
    const item = isKept
      ? { ...claim, claimKey: claimKey(claim) }
      : { ...claim, ...(!announced && { sent: claim.serialNumber }), serialNumber: counted, claimKey: lastKey };
    await dynamo.send(new PutItemCommand({ TableName: claimTable, Item: toItem({ ...item, expiresAt }) }));
  },
});
