import { connect } from 'node:net';
import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  CreateTableCommand,
  type CreateTableCommandInput,
  DeleteItemCommand,
  DeleteTableCommand,
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  ListTagsOfResourceCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  UpdateContinuousBackupsCommand,
  UpdateItemCommand,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ItemChange } from '../../local/dynamodb/writes.ts';
import { createDynamoDb, type DynamoDb } from '../../local/dynamodb.ts';
import { ACCOUNT, type AwsDoor, openDoor, REGION } from './aws-door.ts';

let door: AwsDoor;
let service: DynamoDb;
let db: DynamoDBClient;

const TABLE_ARN = 'arn:aws:dynamodb:us-east-1:000000000000:table';

beforeEach(async () => {
  door = await openDoor(async ({ clock }) => {
    service = await createDynamoDb({ clock, region: REGION, accountId: ACCOUNT });
    return service;
  });
  db = new DynamoDBClient(door.client);
});
afterEach(() => door.close());

const devices: CreateTableCommandInput = {
  TableName: 'devices',
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: ['serialNumber', 'shard', 'batch', 'registeredAt'].map((AttributeName) => ({
    AttributeName,
    AttributeType: 'S' as const,
  })),
  KeySchema: [{ AttributeName: 'serialNumber', KeyType: 'HASH' }],
  GlobalSecondaryIndexes: [
    {
      IndexName: 'serial',
      KeySchema: [
        { AttributeName: 'shard', KeyType: 'HASH' },
        { AttributeName: 'serialNumber', KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'KEYS_ONLY' },
    },
    {
      IndexName: 'batch',
      KeySchema: [
        { AttributeName: 'batch', KeyType: 'HASH' },
        { AttributeName: 'registeredAt', KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['model'] },
    },
  ],
};
const claims: CreateTableCommandInput = {
  TableName: 'claims',
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: ['serialNumber', 'claimKey'].map((AttributeName) => ({
    AttributeName,
    AttributeType: 'S' as const,
  })),
  KeySchema: [
    { AttributeName: 'serialNumber', KeyType: 'HASH' },
    { AttributeName: 'claimKey', KeyType: 'RANGE' },
  ],
};

const device = (serialNumber: string, more = {}) => ({
  serialNumber: { S: serialNumber },
  shard: { S: '0' },
  batch: { S: 'b1' },
  registeredAt: { S: `2026-11-24T07:00:0${serialNumber.at(-1)}Z` },
  model: { S: 'm' },
  version: { N: '1' },
  ...more,
});
const put = (serialNumber: string, more = {}) =>
  db.send(new PutItemCommand({ TableName: 'devices', Item: device(serialNumber, more) }));

test('a table with its indexes is described under our region and account', async () => {
  const { TableDescription } = await db.send(new CreateTableCommand(devices));
  expect(TableDescription).toMatchObject({ TableStatus: 'CREATING', TableArn: `${TABLE_ARN}/devices` });
  const { Table } = await db.send(new DescribeTableCommand({ TableName: 'devices' }));
  expect(Table).toMatchObject({
    TableStatus: 'ACTIVE',
    BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
    DeletionProtectionEnabled: false,
  });
  expect(Table?.GlobalSecondaryIndexes?.map((index) => index.IndexArn).sort()).toEqual([
    `${TABLE_ARN}/devices/index/batch`,
    `${TABLE_ARN}/devices/index/serial`,
  ]);
  expect(Math.abs((Table?.CreationDateTime?.getTime() ?? 0) - door.clock.now())).toBeLessThan(5_000);
  await expect(db.send(new CreateTableCommand(devices))).rejects.toMatchObject({ name: 'ResourceInUseException' });
});

test('of twenty conditional writes at once one wins, and each loser is shown the winner', async () => {
  await db.send(new CreateTableCommand(devices));
  await put('cam-1');
  const all = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) =>
      db.send(
        new UpdateItemCommand({
          TableName: 'devices',
          Key: { serialNumber: { S: 'cam-1' } },
          UpdateExpression: 'SET #v = :next, winner = :me',
          ConditionExpression: '#v = :expected',
          ExpressionAttributeNames: { '#v': 'version' },
          ExpressionAttributeValues: { ':next': { N: '2' }, ':expected': { N: '1' }, ':me': { N: String(n) } },
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      ),
    ),
  );
  expect(all.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
  const winner = String(all.findIndex((one) => one.status === 'fulfilled'));
  for (const one of all) {
    if (one.status === 'fulfilled') continue;
    expect(one.reason).toMatchObject({
      name: 'ConditionalCheckFailedException',
      message: 'The conditional request failed',
      Item: { winner: { N: winner }, version: { N: '2' } },
    });
  }
});

test('a failed condition shows no item unless it is asked for, and none where there is none', async () => {
  await db.send(new CreateTableCommand(devices));
  await put('cam-1');
  const again = {
    TableName: 'devices',
    Item: device('cam-1'),
    ConditionExpression: 'attribute_not_exists(serialNumber)',
  };
  const failure = await db.send(new PutItemCommand(again)).catch((error) => error);
  expect(failure).toMatchObject({ name: 'ConditionalCheckFailedException' });
  expect(failure.Item).toBeUndefined();
  const absent = await db
    .send(
      new DeleteItemCommand({
        TableName: 'devices',
        Key: { serialNumber: { S: 'nobody' } },
        ConditionExpression: 'attribute_exists(serialNumber)',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    )
    .catch((error) => error);
  expect(absent).toMatchObject({ name: 'ConditionalCheckFailedException' });
  expect(absent.Item).toBeUndefined();
});

test('BatchGetItem reads several tables consistently, by the projection asked for', async () => {
  await db.send(new CreateTableCommand(devices));
  await db.send(new CreateTableCommand(claims));
  await put('cam-1');
  const { Responses } = await db.send(
    new BatchGetItemCommand({
      RequestItems: {
        devices: { Keys: [{ serialNumber: { S: 'cam-1' } }, { serialNumber: { S: 'nobody' } }], ConsistentRead: true },
        claims: { Keys: [{ serialNumber: { S: 'cam-1' }, claimKey: { S: '1' } }], ConsistentRead: true },
      },
    }),
  );
  expect(Responses).toEqual({ devices: [device('cam-1')], claims: [] });
});

test('a query on an index gives what the index projects, in order, newest first, in pages', async () => {
  await db.send(new CreateTableCommand(devices));
  for (const n of [3, 1, 2]) await put(`cam-${n}`);
  const query = (ExclusiveStartKey?: QueryCommand['input']['ExclusiveStartKey']) =>
    db.send(
      new QueryCommand({
        TableName: 'devices',
        IndexName: 'batch',
        KeyConditionExpression: '#b = :b',
        ExpressionAttributeNames: { '#b': 'batch' },
        ExpressionAttributeValues: { ':b': { S: 'b1' } },
        ScanIndexForward: false,
        Limit: 2,
        ExclusiveStartKey,
      }),
    );
  const first = await query();
  expect(first.Items?.map((item) => item.serialNumber?.S)).toEqual(['cam-3', 'cam-2']);
  expect(Object.keys(first.Items?.[0] ?? {}).sort()).toEqual(['batch', 'model', 'registeredAt', 'serialNumber']);
  const second = await query(first.LastEvaluatedKey);
  expect(second.Items?.map((item) => item.serialNumber?.S)).toEqual(['cam-1']);
});

test('an item whose time to live has run out is gone once the clock has passed it', async () => {
  await db.send(new CreateTableCommand(claims));
  const enable = { TableName: 'claims', TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true } };
  await db.send(new UpdateTimeToLiveCommand(enable));
  expect((await db.send(new DescribeTimeToLiveCommand({ TableName: 'claims' }))).TimeToLiveDescription).toEqual({
    TimeToLiveStatus: 'ENABLED',
    AttributeName: 'expiresAt',
  });
  await expect(db.send(new UpdateTimeToLiveCommand(enable))).rejects.toMatchObject({
    name: 'ValidationException',
    message: 'TimeToLive is already enabled',
  });

  const now = Math.floor(door.clock.now() / 1000);
  const claim = (claimKey: string, expiresAt?: { N: string } | { S: string }) =>
    db.send(
      new PutItemCommand({
        TableName: 'claims',
        Item: { serialNumber: { S: 'cam-1' }, claimKey: { S: claimKey }, ...(expiresAt && { expiresAt }) },
      }),
    );
  await claim('soon', { N: String(now + 100) });
  await claim('later', { N: String(now + 1_000_000) });
  await claim('never');
  await claim('text', { S: String(now) });
  await claim('six years ago', { N: String(now - 6 * 365 * 86_400) });
  const left = async () =>
    (
      await db.send(
        new QueryCommand({
          TableName: 'claims',
          KeyConditionExpression: 'serialNumber = :s',
          ExpressionAttributeValues: { ':s': { S: 'cam-1' } },
        }),
      )
    ).Items?.map((item) => item.claimKey?.S);
  expect(await left()).toHaveLength(5);
  door.clock.advance(200);
  db = new DynamoDBClient({ ...door.client, systemClockOffset: 200_000 });
  expect(await left()).toEqual(['later', 'never', 'six years ago', 'text']);
});

test('point-in-time recovery, encryption, deletion protection, a stream and tags are told as they were asked for', async () => {
  await db.send(
    new CreateTableCommand({
      ...claims,
      SSESpecification: { Enabled: true },
      DeletionProtectionEnabled: true,
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
      Tags: [{ Key: 'stage', Value: 'local' }],
    }),
  );
  const { Table } = await db.send(new DescribeTableCommand({ TableName: 'claims' }));
  expect(Table).toMatchObject({
    DeletionProtectionEnabled: true,
    SSEDescription: {
      Status: 'ENABLED',
      SSEType: 'KMS',
      KMSMasterKeyArn: 'arn:aws:kms:us-east-1:000000000000:alias/aws/dynamodb',
    },
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    LatestStreamArn: expect.stringMatching(/:table\/claims\/stream\/2\d{3}-/),
  });
  const { Tags } = await db.send(new ListTagsOfResourceCommand({ ResourceArn: Table?.TableArn }));
  expect(Tags).toEqual([{ Key: 'stage', Value: 'local' }]);

  const describe = async () =>
    (await db.send(new DescribeContinuousBackupsCommand({ TableName: 'claims' }))).ContinuousBackupsDescription
      ?.PointInTimeRecoveryDescription;
  expect((await describe())?.PointInTimeRecoveryStatus).toBe('DISABLED');
  await db.send(
    new UpdateContinuousBackupsCommand({
      TableName: 'claims',
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    }),
  );
  expect((await describe())?.PointInTimeRecoveryStatus).toBe('ENABLED');
  expect((await describe())?.EarliestRestorableDateTime).toBeInstanceOf(Date);
  await expect(db.send(new DescribeContinuousBackupsCommand({ TableName: 'nothing' }))).rejects.toMatchObject({
    name: 'TableNotFoundException',
  });

  await expect(db.send(new DeleteTableCommand({ TableName: 'claims' }))).rejects.toThrow(/protected against deletion/);
  await db.send(new UpdateTableCommand({ TableName: 'claims', DeletionProtectionEnabled: false }));
  await db.send(new DeleteTableCommand({ TableName: 'claims' }));
  expect((await db.send(new ListTablesCommand({}))).TableNames).toEqual([]);
});

test('what a table cannot have here is refused, not passed over', async () => {
  await expect(
    db.send(new CreateTableCommand({ ...claims, OnDemandThroughput: { MaxReadRequestUnits: 1 } })),
  ).rejects.toMatchObject({ name: 'ValidationException', message: expect.stringContaining('OnDemandThroughput') });
  expect((await db.send(new ListTablesCommand({}))).TableNames).toEqual([]);
});

test('transactions say in AWS’s words that they are not there', async () => {
  await expect(db.send(new TransactWriteItemsCommand({ TransactItems: [] }))).rejects.toMatchObject({
    name: 'UnknownOperationException',
  });
});

test('every change of an item is told to whoever listens, of tables with a stream', async () => {
  const changes: ItemChange[] = [];
  service.onWrite((change) => changes.push(change));
  await db.send(
    new CreateTableCommand({ ...claims, StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' } }),
  );
  await db.send(new CreateTableCommand(devices));
  await db.send(
    new UpdateTimeToLiveCommand({
      TableName: 'claims',
      TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
    }),
  );
  await put('unwatched-1');
  const Key = { serialNumber: { S: 'cam-1' }, claimKey: { S: '1' } };
  const expiresAt = { N: String(Math.floor(door.clock.now() / 1000) + 100) };
  const write = (Item: object) => db.send(new PutItemCommand({ TableName: 'claims', Item: { ...Key, ...Item } }));
  await write({ a: { S: 'x' } });
  await write({ a: { S: 'x' } });
  await write({ a: { S: 'y' } });
  await db.send(new DeleteItemCommand({ TableName: 'claims', Key }));
  await db.send(new DeleteItemCommand({ TableName: 'claims', Key }));
  await db.send(
    new BatchWriteItemCommand({ RequestItems: { claims: [{ PutRequest: { Item: { ...Key, expiresAt } } }] } }),
  );
  door.clock.advance(200);
  db = new DynamoDBClient({ ...door.client, systemClockOffset: 200_000 });
  await db.send(new ScanCommand({ TableName: 'claims' }));
  expect(changes.map((change) => change.eventName)).toEqual(['INSERT', 'MODIFY', 'REMOVE', 'INSERT', 'REMOVE']);
  expect(changes[1]).toMatchObject({ keys: Key, oldImage: { a: { S: 'x' } }, newImage: { a: { S: 'y' } } });
  expect(changes.map((change) => change.expired)).toEqual([false, false, false, false, true]);
});

test('tables, indexes and each table of a batch are asked for by their own ARN', async () => {
  await db.send(new CreateTableCommand(devices));
  await db.send(new CreateTableCommand(claims));
  const allow = (Action: string[], Resource: string) => ({ Effect: 'Allow', Action, Resource });
  const user = new DynamoDBClient(
    door.clientOf('reader', [
      allow(['dynamodb:Query'], `${TABLE_ARN}/devices/index/batch`),
      allow(['dynamodb:BatchGetItem'], `${TABLE_ARN}/devices`),
    ]),
  );
  const query = (IndexName?: string) =>
    user.send(
      new QueryCommand({
        TableName: 'devices',
        IndexName,
        KeyConditionExpression: `${IndexName ?? 'serialNumber'} = :x`,
        ExpressionAttributeValues: { ':x': { S: 'x' } },
      }),
    );
  const named = (IndexName: string) =>
    user.send(
      new QueryCommand({
        TableName: `${TABLE_ARN}/devices`,
        IndexName,
        KeyConditionExpression: '#b = :x',
        ExpressionAttributeNames: { '#b': 'batch' },
        ExpressionAttributeValues: { ':x': { S: 'x' } },
      }),
    );
  expect((await named('batch')).Items).toEqual([]);
  await expect(query()).rejects.toMatchObject({
    name: 'AccessDeniedException',
    $metadata: { httpStatusCode: 400 },
    message: expect.stringContaining(`dynamodb:Query on resource: ${TABLE_ARN}/devices`),
  });
  await expect(query('serial')).rejects.toMatchObject({ name: 'AccessDeniedException' });
  const get = (...tables: string[]) => {
    const keys = { devices: {}, claims: { claimKey: { S: '1' } } } as Record<string, object>;
    const ofTable = (name: string) => [name, { Keys: [{ serialNumber: { S: 'x' }, ...keys[name] }] }];
    return user.send(new BatchGetItemCommand({ RequestItems: Object.fromEntries(tables.map(ofTable)) }));
  };
  expect((await get('devices')).Responses).toEqual({ devices: [] });
  await expect(get('devices', 'claims')).rejects.toMatchObject({ name: 'AccessDeniedException' });
});

test('a request broken off in the middle harms nobody', async () => {
  await db.send(new CreateTableCommand(devices));
  for (let n = 0; n < 5; n++) {
    const socket = connect(door.port, '127.0.0.1');
    socket.write(
      'POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: DynamoDB_20120810.PutItem\r\ncontent-type: application/x-amz-json-1.0\r\n' +
        'authorization: AWS4-HMAC-SHA256 Credential=a/20261124/us-east-1/dynamodb/aws4_request\r\ncontent-length: 1000\r\n\r\n{"Tab',
      () => socket.resetAndDestroy(),
    );
    await new Promise((resolve) => socket.once('close', resolve));
  }
  await put('cam-1');
  const { Item } = await db.send(new GetItemCommand({ TableName: 'devices', Key: { serialNumber: { S: 'cam-1' } } }));
  expect(Item).toEqual(device('cam-1'));
});

test('a snapshot holds tables, items and settings, and is put back whole', async () => {
  await db.send(new CreateTableCommand(devices));
  await db.send(
    new CreateTableCommand({ ...claims, StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' } }),
  );
  await put('cam-1');
  const before = await db.send(new DescribeTableCommand({ TableName: 'claims' }));
  const snapshot = structuredClone(await service.snapshot());

  await put('cam-1', { model: { S: 'other' } });
  await put('cam-2');
  await db.send(new DeleteTableCommand({ TableName: 'claims' }));
  await db.send(new CreateTableCommand({ ...claims, TableName: 'another' }));
  for (let n = 0; n < 2; n++) await service.restore(snapshot);

  expect((await db.send(new ListTablesCommand({}))).TableNames).toEqual(['claims', 'devices']);
  expect((await db.send(new ScanCommand({ TableName: 'devices' }))).Items).toEqual([device('cam-1')]);
  expect((await db.send(new DescribeTableCommand({ TableName: 'claims' }))).Table).toEqual(before.Table);
  const query = { TableName: 'devices', IndexName: 'serial', KeyConditionExpression: '#s = :s' };
  const { Items } = await db.send(
    new QueryCommand({
      ...query,
      ExpressionAttributeNames: { '#s': 'shard' },
      ExpressionAttributeValues: { ':s': { S: '0' } },
    }),
  );
  expect(Items).toHaveLength(1);
});

test('bad input is refused in AWS’s words', async () => {
  await db.send(new CreateTableCommand(devices));
  await expect(db.send(new GetItemCommand({ TableName: 'nothing', Key: {} }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message: 'Requested resource not found',
  });
  await expect(db.send(new GetItemCommand({ TableName: 'devices', Key: { other: { S: 'x' } } }))).rejects.toMatchObject(
    {
      name: 'ValidationException',
      message: 'The provided key element does not match the schema',
    },
  );
  await expect(
    db.send(new PutItemCommand({ TableName: 'devices', Item: { shard: { S: 'x' } } })),
  ).rejects.toMatchObject({ name: 'ValidationException', message: expect.stringContaining('Missing the key') });
  await expect(
    db.send(new PutItemCommand({ TableName: 'devices', Item: device('cam-1', { shard: { N: '1' } }) })),
  ).rejects.toMatchObject({ name: 'ValidationException' });
});
