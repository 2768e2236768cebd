import { BatchGetItemCommand, QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { Counted, CountKind, Recount } from '../../domain/counts.ts';
import { Failure } from '../../domain/failure.ts';
import { dynamo, isConditionFailed } from './client.ts';
import { fromItem, type Item, toItem } from './item.ts';

type Note = { serialNumber: string; stamp: string; was: Counted; counted: Counted };
type Tally = { kind: CountKind; name: string; by: number; of: { serialNumber: string; stamp: string }[] };

/** BatchGetItem takes no more. */
const mostRead = 100;

/** An update names each device twice, and an expression holds 4 KB. */
const mostAtOnce = 20;

/** Notes of devices lie beside the counters, each in a partition of its own. */
export const noteKey = (serialNumber: string): Item => toItem({ kind: `device#${serialNumber}`, name: '-' });

const noteOf = (serialNumber: string, item: Item): Note => {
  const { stamp, was, counted } = fromItem(item) as Omit<Note, 'serialNumber'>;
  return { serialNumber, stamp, was, counted };
};

const chunksOf = (tally: Tally): Tally[] =>
  Array.from({ length: Math.ceil(tally.of.length / mostAtOnce) }, (_, chunk) => ({
    ...tally,
    of: tally.of.slice(chunk * mostAtOnce, (chunk + 1) * mostAtOnce),
  }));

/** What a counter remembers of a device: the stamp of the step that it has. */
const names = ({ of }: Tally) =>
  Object.fromEntries(of.map(({ serialNumber }, place) => [`#d${place}`, `of:${serialNumber}`]));

export const ledgerIn = (table: string) => ({
  async begin({ serialNumber, stamp, counted }: Recount) {
    try {
      const { Attributes } = await dynamo.send(
        new UpdateItemCommand({
          TableName: table,
          Key: noteKey(serialNumber),
          ConditionExpression: 'attribute_not_exists(owing) AND (attribute_not_exists(stamp) OR stamp < :stamp)',
          UpdateExpression:
            'SET was = if_not_exists(counted, :nothing), counted = :counted, stamp = :stamp, owing = :true',
          ExpressionAttributeValues: toItem({
            ':nothing': {},
            ':counted': counted,
            ':stamp': stamp,
            ':true': true,
          }),
          ReturnValues: 'ALL_NEW',
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      );
      return { state: 'begun' as const, note: noteOf(serialNumber, Attributes ?? {}) };
    } catch (error) {
      if (!isConditionFailed(error)) throw error;
      const { Item = {} } = error as { Item?: Item };
      return Item.owing ? { state: 'owing' as const, note: noteOf(serialNumber, Item) } : undefined;
    }
  },

  async add(tally: Tally): Promise<void> {
    await Promise.all(chunksOf(tally).map((chunk) => addTo(table, chunk)));
  },

  async settle({ serialNumber, stamp }: Note): Promise<void> {
    try {
      await dynamo.send(
        new UpdateItemCommand({
          TableName: table,
          Key: noteKey(serialNumber),
          ConditionExpression: 'stamp = :stamp',
          UpdateExpression: 'REMOVE owing',
          ExpressionAttributeValues: toItem({ ':stamp': stamp }),
        }),
      );
    } catch (error) {
      if (!isConditionFailed(error)) throw error;
    }
  },

  async forget(tally: Tally): Promise<void> {
    await Promise.all(
      chunksOf(tally).map((chunk) =>
        dynamo.send(
          new UpdateItemCommand({
            TableName: table,
            Key: toItem({ kind: chunk.kind, name: chunk.name }),
            UpdateExpression: `REMOVE ${Object.keys(names(chunk)).join(', ')}`,
            ExpressionAttributeNames: names(chunk),
          }),
        ),
      ),
    );
  },
});

const addTo = async (table: string, tally: Tally): Promise<void> => {
  const places = [...tally.of.keys()];
  try {
    await dynamo.send(
      new UpdateItemCommand({
        TableName: table,
        Key: toItem({ kind: tally.kind, name: tally.name }),
        ConditionExpression: places.map((n) => `(attribute_not_exists(#d${n}) OR #d${n} < :v${n})`).join(' AND '),
        UpdateExpression: `SET ${places.map((n) => `#d${n} = :v${n}`).join(', ')} ADD #count :by, steps :one`,
        ExpressionAttributeNames: { ...names(tally), '#count': 'count' },
        ExpressionAttributeValues: toItem({
          ...Object.fromEntries(tally.of.map(({ stamp }, n) => [`:v${n}`, stamp])),
          ':by': tally.by * tally.of.length,
          ':one': 1,
        }),
      }),
    );
  } catch (error) {
    if (!isConditionFailed(error)) throw error;
    // An earlier try got as far as here with some of them, which one by one are told from the others.
    if (tally.of.length > 1) await Promise.all(tally.of.map((one) => addTo(table, { ...tally, of: [one] })));
  }
};

export const countersIn = (table: string) => ({
  /** By name; as many reads as it takes for the names, however many devices there are. */
  async read(kind: CountKind): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    let from: Item | undefined;
    do {
      const page = await dynamo.send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: 'kind = :kind',
          ProjectionExpression: '#name, #count',
          ExpressionAttributeNames: { '#name': 'name', '#count': 'count' },
          ExpressionAttributeValues: toItem({ ':kind': kind }),
          ...(from && { ExclusiveStartKey: from }),
        }),
      );
      for (const { name, count } of page.Items ?? []) if (name?.S) counts[name.S] = Number(count?.N ?? 0);
      from = page.LastEvaluatedKey;
    } while (from);
    return counts;
  },

  /** Some of a kind by their names; one that never counted anything is 0. */
  async readSome(kind: CountKind, names: string[]): Promise<Record<string, number>> {
    const counts = Object.fromEntries(names.map((name) => [name, 0]));
    for (let first = 0; first < names.length; first += mostRead) {
      const Keys = names.slice(first, first + mostRead).map((name) => toItem({ kind, name }));
      const asked = {
        Keys,
        ProjectionExpression: '#name, #count',
        ExpressionAttributeNames: { '#name': 'name', '#count': 'count' },
      };
      const answer = await dynamo.send(new BatchGetItemCommand({ RequestItems: { [table]: asked } }));
      if (Object.keys(answer.UnprocessedKeys ?? {}).length > 0)
        throw new Failure('busy', 'AWS is throttling; try again');
      for (const { name, count } of answer.Responses?.[table] ?? []) counts[name?.S ?? ''] = Number(count?.N ?? 0);
    }
    return counts;
  },
});
