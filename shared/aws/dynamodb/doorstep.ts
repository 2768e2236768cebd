import { BatchGetItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { Failure } from '../../domain/failure.ts';
import { claimKey, type RefusedClaim } from '../../domain/refusal.ts';
import { dynamo } from './client.ts';
import { toDevice } from './devices.ts';
import { toItem } from './item.ts';

/** So many refusals an hour are kept whole for one serial number; of later ones only the last. */
export const keptAnHour = 20;
/** The same for all serial numbers together that nobody announced: a stranger can think of any number of them. */
const unknownKeptAnHour = 200;

const unannounced = '#unannounced';

/** '#' sorts before every instant, so no claim has such a key. */
const hourOf = (at: string): string => `#${at.slice(0, 13)}`;

/** What strangers may read and leave behind at the door that nobody signs for: two writes, whatever they did. */
export const doorstepOf = (deviceTable: string, claimTable: string, historyDays: number) => ({
  async look(serialNumber: string, at: string) {
    const keysOf = (key: object) => ({ Keys: [toItem(key)], ConsistentRead: true });
    const answer = await dynamo.send(
      new BatchGetItemCommand({
        RequestItems: {
          [deviceTable]: keysOf({ serialNumber }),
          [claimTable]: keysOf({ serialNumber, claimKey: hourOf(at) }),
        },
      }),
    );
    // An unprocessed key is not an absent item: deciding on it would deny, or admit, for a throttle.
    if (Object.keys(answer.UnprocessedKeys ?? {}).length > 0) throw new Failure('busy', 'AWS is throttling; try again');
    const device = answer.Responses?.[deviceTable]?.[0];
    const counter = answer.Responses?.[claimTable]?.[0];
    return { ...(device && { device: toDevice(device) }), wrongTokens: Number(counter?.wrongTokens?.N ?? 0) };
  },

  async keep(
    claim: RefusedClaim,
    { announced, wrongToken }: { announced: boolean; wrongToken: boolean },
  ): Promise<void> {
    const expiresAt = Math.floor(Date.parse(claim.at) / 1000) + historyDays * 86_400;
    const counted = announced ? claim.serialNumber : unannounced;
    const { Attributes } = await dynamo.send(
      new UpdateItemCommand({
        TableName: claimTable,
        Key: toItem({ serialNumber: counted, claimKey: hourOf(claim.at) }),
        UpdateExpression: 'SET expiresAt = :expiresAt ADD refused :one, wrongTokens :wrong',
        ExpressionAttributeValues: toItem({ ':expiresAt': expiresAt, ':one': 1, ':wrong': wrongToken ? 1 : 0 }),
        ReturnValues: 'UPDATED_NEW',
      }),
    );
    const isKept = Number(Attributes?.refused?.N) <= (announced ? keptAnHour : unknownKeptAnHour);
    const key = isKept
      ? { serialNumber: claim.serialNumber, claimKey: claimKey(claim) }
      : { serialNumber: counted, claimKey: '#last', lastSerialNumber: claim.serialNumber };
    await dynamo.send(new PutItemCommand({ TableName: claimTable, Item: toItem({ ...claim, ...key, expiresAt }) }));
  },
});
