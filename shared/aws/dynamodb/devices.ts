import { BatchGetItemCommand, GetItemCommand, QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { ClaimCertificate } from '../../domain/claim.ts';
import { type Device, newestCertificate } from '../../domain/device.ts';
import { Failure } from '../../domain/failure.ts';
import type { Pin } from '../../domain/pin.ts';
import { dynamo, isConditionFailed } from './client.ts';
import { fromItem, type Item, toAttribute } from './item.ts';

/** BatchGetItem takes no more. */
const mostAtOnce = 100;
const mostTries = 5;

/** Ten partitions for what would else be one: 0 to 9 by FNV-1a of the serial number. */
const shardOf = (serialNumber: string): string => {
  let hash = 0x811c9dc5;
  for (const character of serialNumber) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  return String(hash % 10);
};

/** A device as the table keeps it: with the keys of the indexes; the sparse ones are absent where nothing is to be found. */
const withKeys = (device: Device): Record<string, unknown> => {
  const { thingName, ...rest } = device;
  const shard = shardOf(device.serialNumber);
  return {
    ...rest,
    shard,
    statusShard: `${device.status}#${shard}`,
    ...(thingName !== device.serialNumber && { thingName }),
    ...(device.claimedAt && { claimedShard: shard }),
    ...(device.dueAt && { dueShard: shard }),
    newestCertificateId: newestCertificate(device)?.id,
  };
};

export const toDevice = (item: Item): Device => {
  const { shard, statusShard, claimedShard, dueShard, newestCertificateId, ...device } = fromItem(item);
  return { thingName: device.serialNumber, ...device } as Device;
};

/** Only what differs is written: what another version of this code, or a contested mark, has added meanwhile stays. */
const difference = (before: Device | undefined, after: Device) => {
  const old = before ? withKeys(before) : {};
  const next = withKeys(after);
  const names = [...new Set([...Object.keys(old), ...Object.keys(next)])].filter(
    (name) => name !== 'serialNumber' && JSON.stringify(old[name]) !== JSON.stringify(next[name]),
  );
  return {
    set: names.filter((name) => next[name] !== undefined).map((name) => ({ name, value: next[name] })),
    remove: names.filter((name) => next[name] === undefined),
  };
};

export const devicesIn = (table: string) => ({
  async read(serialNumber: string): Promise<Device | undefined> {
    const key = { serialNumber: { S: serialNumber } };
    const { Item } = await dynamo.send(new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true }));
    return Item && toDevice(Item);
  },

  async readMany(serialNumbers: string[]): Promise<Map<string, Device>> {
    const found = new Map<string, Device>();
    let keys: Item[] = serialNumbers.map((serialNumber) => ({ serialNumber: { S: serialNumber } }));
    for (let inVain = 0; keys.length > 0; ) {
      const Keys = keys.slice(0, mostAtOnce);
      const answer = await dynamo.send(
        new BatchGetItemCommand({ RequestItems: { [table]: { Keys, ConsistentRead: true } } }),
      );
      for (const item of answer.Responses?.[table] ?? []) found.set(item.serialNumber?.S ?? '', toDevice(item));
      // What does not fit into one answer of 16 MB, or is throttled, comes back unprocessed.
      const unprocessed = answer.UnprocessedKeys?.[table]?.Keys ?? [];
      if (unprocessed.length > 0 && ++inVain === mostTries) throw new Failure('busy', 'AWS is throttling; try again');
      keys = [...unprocessed, ...keys.slice(mostAtOnce)];
    }
    return found;
  },

  /** The device that fills a place, if it is not the one of that serial number. */
  async readPlace(thingName: string): Promise<Device | undefined> {
    const { Items } = await dynamo.send(
      new QueryCommand({
        TableName: table,
        IndexName: 'place',
        KeyConditionExpression: 'thingName = :thingName',
        ExpressionAttributeValues: { ':thingName': { S: thingName } },
      }),
    );
    // An index lags and shows only part: what decides reads the item. Hardware that was replaced itself is listed too.
    let former: Device | undefined;
    for (const { serialNumber } of Items ?? []) {
      const device = await this.read(serialNumber?.S ?? '');
      if (device?.thingName !== thingName) continue;
      if (device.replacedBy === undefined) return device;
      former ??= device;
    }
    return former;
  },

  /** False if the device is no longer the one that was read. */
  async save(before: Device | undefined, after: Device): Promise<boolean> {
    const { set, remove } = difference(before, after);
    const names = Object.fromEntries([...set.map(({ name }) => name), ...remove].map((name) => [`#${name}`, name]));
    const assignments = `SET ${set.map(({ name }) => `#${name} = :${name}`).join(', ')}`;
    const removals = remove.length > 0 ? ` REMOVE ${remove.map((name) => `#${name}`).join(', ')}` : '';
    try {
      await dynamo.send(
        new UpdateItemCommand({
          TableName: table,
          Key: { serialNumber: { S: after.serialNumber } },
          ConditionExpression: before ? '#version = :was' : 'attribute_not_exists(serialNumber)',
          UpdateExpression: assignments + removals,
          ExpressionAttributeNames: names,
          ExpressionAttributeValues: {
            ...Object.fromEntries(set.map(({ name, value }) => [`:${name}`, toAttribute(value)])),
            ...(before && { ':was': toAttribute(before.version) }),
          },
        }),
      );
      return true;
    } catch (error) {
      if (isConditionFailed(error)) return false;
      throw error;
    }
  },

  /** Notes a sign of a clone, outside the version: a stranger must not be able to make an honest write fail. */
  async contest(serialNumber: string, reason: string, at: string): Promise<void> {
    await dynamo.send(
      new UpdateItemCommand({
        TableName: table,
        Key: { serialNumber: { S: serialNumber } },
        ConditionExpression: 'attribute_exists(serialNumber)',
        UpdateExpression: 'SET contested = :at, contestedReason = :reason ADD contestedCount :one',
        ExpressionAttributeValues: { ':at': { S: at }, ':reason': { S: reason }, ':one': { N: '1' } },
      }),
    );
  },
});

/** What a claim needs, in one call. */
export const claimReads = (deviceTable: string, claimCertificateTable: string, pinTable: string) => ({
  async find(serialNumber: string, claimCertificateId?: string | undefined, publicKeySha256?: string) {
    const keysOf = (name: string, value: string) => ({ Keys: [{ [name]: { S: value } }], ConsistentRead: true });
    const answer = await dynamo.send(
      new BatchGetItemCommand({
        RequestItems: {
          [deviceTable]: keysOf('serialNumber', serialNumber),
          ...(claimCertificateId && { [claimCertificateTable]: keysOf('certificateId', claimCertificateId) }),
          ...(publicKeySha256 && { [pinTable]: keysOf('publicKeySha256', publicKeySha256) }),
        },
      }),
    );
    // An unprocessed key is not an absent item: deciding on it would deny, or admit, for a throttle.
    if (Object.keys(answer.UnprocessedKeys ?? {}).length > 0) throw new Error('DynamoDB left keys unprocessed');
    const device = answer.Responses?.[deviceTable]?.[0];
    const certificate = answer.Responses?.[claimCertificateTable]?.[0];
    const pin = answer.Responses?.[pinTable]?.[0];
    return {
      ...(device && { device: toDevice(device) }),
      ...(certificate && { claimCertificate: fromItem(certificate) as ClaimCertificate }),
      ...(pin && { pin: fromItem(pin) as Pin }),
    };
  },
});
