import { type AttributeValue, GetItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { newestCertificate } from '../../domain/device.ts';
import { type DeviceSummary, type Index, type Selection, summaryOf } from '../../domain/query.ts';
import { dynamo } from './client.ts';
import { toDevice } from './devices.ts';
import { type Item, toItem } from './item.ts';

/** Partition key, sort key and direction of each index. */
const indexes: Record<Index, { key: string; sort: string; forward: boolean }> = {
  serial: { key: 'shard', sort: 'serialNumber', forward: true },
  status: { key: 'statusShard', sort: 'registeredAt', forward: false },
  batch: { key: 'batch', sort: 'registeredAt', forward: false },
  model: { key: 'model', sort: 'registeredAt', forward: false },
  claimed: { key: 'claimedShard', sort: 'claimedAt', forward: false },
};

const conditionOf = (range: Selection['range']): { words: string; values: Record<string, string> } => {
  if (range === undefined) return { words: '', values: {} };
  if ('prefix' in range) return { words: ' AND begins_with(#sort, :prefix)', values: { ':prefix': range.prefix } };
  if ('beyond' in range) return { words: ' AND #sort > :beyond', values: { ':beyond': range.beyond } };
  if ('upTo' in range) return { words: ' AND #sort <= :upTo', values: { ':upTo': range.upTo } };
  return { words: ' AND #sort BETWEEN :from AND :to', values: { ':from': range.from, ':to': range.to } };
};

const toSummary = (item: Item): DeviceSummary => summaryOf(toDevice(item));

/** The registry by its indexes, which lag a little and say so nowhere. */
export const deviceListsIn = (table: string) => ({
  async page({ index, key, range }: Selection, limit: number, next: unknown) {
    const { key: keyName, sort, forward } = indexes[index];
    const { words, values } = conditionOf(range);
    const { Items, LastEvaluatedKey, ConsumedCapacity } = await dynamo.send(
      new QueryCommand({
        TableName: table,
        IndexName: index,
        KeyConditionExpression: `#key = :key${words}`,
        ExpressionAttributeNames: { '#key': keyName, ...(range && { '#sort': sort }) },
        ExpressionAttributeValues: toItem({ ':key': key, ...values }),
        ScanIndexForward: forward,
        Limit: limit,
        ReturnConsumedCapacity: 'TOTAL',
        ...(next !== undefined && { ExclusiveStartKey: next as Record<string, AttributeValue> }),
      }),
    );
    return {
      devices: (Items ?? []).map(toSummary),
      ...(LastEvaluatedKey && { next: LastEvaluatedKey }),
      readUnits: ConsumedCapacity?.CapacityUnits ?? 0,
    };
  },

  async holder(certificateId: string) {
    const found = await dynamo.send(
      new QueryCommand({
        TableName: table,
        IndexName: 'certificate',
        KeyConditionExpression: 'newestCertificateId = :certificate',
        ExpressionAttributeValues: toItem({ ':certificate': certificateId }),
        ReturnConsumedCapacity: 'TOTAL',
      }),
    );
    const asked = found.ConsumedCapacity?.CapacityUnits ?? 0;
    const serialNumber = found.Items?.[0]?.serialNumber?.S;
    if (serialNumber === undefined) return { readUnits: asked };
    const { Item, ConsumedCapacity } = await dynamo.send(
      new GetItemCommand({ TableName: table, Key: toItem({ serialNumber }), ReturnConsumedCapacity: 'TOTAL' }),
    );
    const readUnits = asked + (ConsumedCapacity?.CapacityUnits ?? 0);
    const device = Item && toDevice(Item);
    // An index lags and holds keys only: what is shown is the item's.
    const isHolder = device && newestCertificate(device)?.id === certificateId;
    return { ...(isHolder && { device: summaryOf(device) }), readUnits };
  },
});
