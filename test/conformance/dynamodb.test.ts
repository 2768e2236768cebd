import * as db from '@aws-sdk/client-dynamodb';
import { beforeAll, describe, expect, test } from 'vitest';
import { cloud, eventually, refusal, undo, unique } from '../cloud.ts';

/** DynamoDB, as far as the backend leans on it: conditional writes, sparse indexes, what a failed condition tells. */

const TableName = unique('table');
const send = cloud.dynamoDb.send.bind(cloud.dynamoDb) as typeof cloud.dynamoDb.send;

beforeAll(async () => {
  const { TableDescription } = await send(
    new db.CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['id', 'part', 'status', 'at'].map((AttributeName) => ({
        AttributeName,
        AttributeType: 'S',
      })),
      KeySchema: [
        { AttributeName: 'id', KeyType: 'HASH' },
        { AttributeName: 'part', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'status',
          KeySchema: [
            { AttributeName: 'status', KeyType: 'HASH' },
            { AttributeName: 'at', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
    }),
  );
  undo(`table ${TableName}`, () => eventually(() => send(new db.DeleteTableCommand({ TableName }))));
  expect(TableDescription?.TableArn).toMatch(new RegExp(`^arn:aws:dynamodb:[a-z0-9-]+:\\d{12}:table/${TableName}$`));
  await eventually(async () => {
    const { Table } = await send(new db.DescribeTableCommand({ TableName }));
    expect(Table?.TableStatus).toBe('ACTIVE');
    expect(Table?.GlobalSecondaryIndexes?.[0]?.IndexStatus).toBe('ACTIVE');
  });
});

let count = 0;
const key = (part = 'main') => ({ id: { S: `id-${++count}` }, part: { S: part } });
const put = (Item: Record<string, db.AttributeValue>, more: Partial<db.PutItemCommandInput> = {}) =>
  send(new db.PutItemCommand({ TableName, Item, ...more }));
const get = async (Key: Record<string, db.AttributeValue>) =>
  (await send(new db.GetItemCommand({ TableName, Key, ConsistentRead: true }))).Item;
const failed = { code: 'ConditionalCheckFailedException', status: 400 };

describe('conditional writes', () => {
  test('a put of what must not be there', async () => {
    const item = key();
    const onlyOnce = { ConditionExpression: 'attribute_not_exists(id)' };
    await put(item, onlyOnce);
    expect(await refusal(put(item, onlyOnce))).toMatchObject(failed);
  });

  test('of twenty at once exactly one wins', async () => {
    const item = key();
    const writes = Array.from({ length: 20 }, (_, writer) =>
      put({ ...item, writer: { N: `${writer}` } }, { ConditionExpression: 'attribute_not_exists(id)' }),
    );
    const outcomes = await Promise.allSettled(writes);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('an update on the version, and what stands there if it fails', async () => {
    const Key = key();
    await put({ ...Key, version: { N: '1' } });
    const update = (expected: string, more: Partial<db.UpdateItemCommandInput> = {}) =>
      send(
        new db.UpdateItemCommand({
          TableName,
          Key,
          UpdateExpression: 'SET #v = #v + :one',
          ConditionExpression: '#v = :expected',
          ExpressionAttributeNames: { '#v': 'version' },
          ExpressionAttributeValues: { ':one': { N: '1' }, ':expected': { N: expected } },
          ReturnValues: 'ALL_NEW',
          ...more,
        }),
      );
    expect((await update('1')).Attributes).toEqual({ ...Key, version: { N: '2' } });
    const told = await update('1', { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }).catch((error) => error);
    expect(told).toMatchObject({ name: failed.code, Item: { ...Key, version: { N: '2' } } });
    const silent = await update('1').catch((error) => error);
    expect(silent).toMatchObject({ name: failed.code });
    expect(silent.Item).toBeUndefined();
  });

  test('a delete tells what it took', async () => {
    const Key = key();
    await put({ ...Key, note: { S: 'here' } });
    const remove = (more: Partial<db.DeleteItemCommandInput>) =>
      send(new db.DeleteItemCommand({ TableName, Key, ...more }));
    const wrong = { ConditionExpression: 'note = :n', ExpressionAttributeValues: { ':n': { S: 'there' } } };
    expect(await refusal(remove(wrong))).toMatchObject(failed);
    expect((await remove({ ReturnValues: 'ALL_OLD' })).Attributes).toEqual({ ...Key, note: { S: 'here' } });
    expect(await get(Key)).toBeUndefined();
  });
});

describe('indexes', () => {
  test('hold only what has their keys, in order', async () => {
    const status = `claimed-${++count}`;
    const items = ['2026-01-02', '2026-01-01'].map((at) => ({ ...key(), status: { S: status }, at: { S: at } }));
    for (const item of items) await put({ ...item, note: { S: 'not projected' } });
    await put({ ...key(), status: { S: status } }); // without `at`: not in the index
    await eventually(async () => {
      const { Items } = await send(
        new db.QueryCommand({
          TableName,
          IndexName: 'status',
          KeyConditionExpression: '#s = :s',
          ExpressionAttributeNames: { '#s': 'status' },
          ExpressionAttributeValues: { ':s': { S: status } },
        }),
      );
      expect(Items).toEqual([...items].reverse());
    });
  });

  test('pages go on where they stopped', async () => {
    const { id } = key();
    for (const part of ['a', 'b', 'c']) await put({ id, part: { S: part } });
    const page = (ExclusiveStartKey?: Record<string, db.AttributeValue>) =>
      send(
        new db.QueryCommand({
          TableName,
          KeyConditionExpression: 'id = :id',
          ExpressionAttributeValues: { ':id': id },
          Limit: 2,
          ScanIndexForward: false,
          ...(ExclusiveStartKey && { ExclusiveStartKey }),
        }),
      );
    const first = await page();
    expect(first.Items?.map(({ part }) => part?.S)).toEqual(['c', 'b']);
    expect(first.LastEvaluatedKey).toEqual({ id, part: { S: 'b' } });
    const second = await page(first.LastEvaluatedKey);
    expect(second.Items?.map(({ part }) => part?.S)).toEqual(['a']);
    expect(second.LastEvaluatedKey).toBeUndefined();
  });
});

test('BatchGetItem reads consistently, and leaves out what is not there', async () => {
  const there = key();
  await put(there);
  const { Responses, UnprocessedKeys } = await send(
    new db.BatchGetItemCommand({ RequestItems: { [TableName]: { Keys: [there, key()], ConsistentRead: true } } }),
  );
  expect(Responses?.[TableName]).toEqual([there]);
  expect(UnprocessedKeys).toEqual({});
});

describe('errors', () => {
  test('an unknown table', async () => {
    const nothing = new db.GetItemCommand({ TableName: unique('nothing'), Key: key() });
    expect(await refusal(send(nothing))).toMatchObject({ code: 'ResourceNotFoundException', status: 400 });
  });

  test('a key without its range', async () => {
    expect(await refusal(get({ id: { S: 'x' } }))).toMatchObject({ code: 'ValidationException', status: 400 });
  });

  test('a table twice', async () => {
    const again = new db.CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    });
    expect(await refusal(send(again))).toMatchObject({ code: 'ResourceInUseException', status: 400 });
  });
});

test('time to live and point-in-time recovery can be switched on and seen', async () => {
  const TimeToLiveSpecification = { AttributeName: 'expiresAt', Enabled: true };
  await send(new db.UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
  const { TimeToLiveDescription } = await send(new db.DescribeTimeToLiveCommand({ TableName }));
  expect(TimeToLiveDescription).toMatchObject({ AttributeName: 'expiresAt' });
  expect(TimeToLiveDescription?.TimeToLiveStatus).toMatch(/^ENABL(ED|ING)$/);
  const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: true };
  await eventually(() => send(new db.UpdateContinuousBackupsCommand({ TableName, PointInTimeRecoverySpecification })));
  const { ContinuousBackupsDescription } = await send(new db.DescribeContinuousBackupsCommand({ TableName }));
  expect(ContinuousBackupsDescription?.PointInTimeRecoveryDescription).toMatchObject({
    PointInTimeRecoveryStatus: 'ENABLED',
  });
});
