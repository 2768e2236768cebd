import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  GetDataEndpointCommand,
  KinesisVideoClient,
  ListStreamsCommand,
  ListTagsForResourceCommand,
  ListTagsForStreamCommand,
  TagResourceCommand,
  TagStreamCommand,
  UntagStreamCommand,
  UpdateDataRetentionCommand,
  UpdateStreamCommand,
} from '@aws-sdk/client-kinesis-video';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKinesisVideo } from '../../local/kinesisvideo/service.ts';
import { createStreams } from '../../local/kinesisvideo/streams.ts';
import type { Service } from '../../local/service.ts';
import { ACCOUNT, type AwsDoor, openDoor, REGION } from './aws-door.ts';

let door: AwsDoor;
let service: Service;
let kvs: KinesisVideoClient;

beforeEach(async () => {
  door = await openDoor(({ clock, faults, url }) => {
    const streams = createStreams({ clock, region: REGION, accountId: ACCOUNT });
    service = createKinesisVideo({ streams, clock, faults, dataEndpoint: url });
    return service;
  });
  kvs = new KinesisVideoClient(door.client);
});
afterEach(() => door.close());

const create = (StreamName: string, more = {}) => kvs.send(new CreateStreamCommand({ StreamName, ...more }));
const describe = async (StreamName: string) =>
  (await kvs.send(new DescribeStreamCommand({ StreamName }))).StreamInfo ?? expect.fail('no StreamInfo');
const createActive = async (name: string, more = {}) => {
  const { StreamARN = '' } = await create(name, more);
  door.clock.advance(2);
  return StreamARN;
};

test('a stream is CREATING, then ACTIVE, and its ARN ends in the instant of its creation', async () => {
  const { StreamARN } = await create('cam-1', { DataRetentionInHours: 24, MediaType: 'video/h264' });
  expect(StreamARN).toMatch(/^arn:aws:kinesisvideo:us-east-1:000000000000:stream\/cam-1\/\d{13}$/);
  expect((await describe('cam-1')).Status).toBe('CREATING');
  door.clock.advance(1);
  const info = await describe('cam-1');
  expect(info).toMatchObject({ Status: 'ACTIVE', StreamARN, StreamName: 'cam-1', MediaType: 'video/h264' });
  expect(info.DataRetentionInHours).toBe(24);
  expect(info.CreationTime?.getTime()).toBe(Number(StreamARN?.split('/')[2]));
});

test('what was not given is null on the wire, the key is the managed one', async () => {
  await create('bare');
  const info = await describe('bare');
  expect(info.DeviceName ?? null).toBeNull();
  expect(info.MediaType ?? null).toBeNull();
  expect(info.KmsKeyId).toBe('arn:aws:kms:us-east-1:000000000000:alias/aws/kinesisvideo');
  expect(info.DataRetentionInHours).toBe(0);
  expect(info.Version).toMatch(/^[a-zA-Z0-9]{20}$/);
});

test('one create of a name wins', async () => {
  const all = await Promise.allSettled(Array.from({ length: 5 }, () => create('cam-1')));
  const refused = all.filter((one) => one.status === 'rejected').map((one) => one.reason);
  expect(refused).toHaveLength(4);
  for (const error of refused) {
    expect(error).toMatchObject({ name: 'ResourceInUseException', $metadata: { httpStatusCode: 400 } });
    expect(error.message).toBe('The stream cam-1 already exists.');
  }
});

test('a stream that is being deleted keeps its name, a new one under it has another ARN', async () => {
  const first = await createActive('cam-1');
  await kvs.send(new DeleteStreamCommand({ StreamARN: first }));
  expect((await describe('cam-1')).Status).toBe('DELETING');
  await expect(create('cam-1')).rejects.toMatchObject({ name: 'ResourceInUseException' });
  door.clock.advance(2);
  await expect(describe('cam-1')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  const { StreamARN: second } = await create('cam-1');
  expect(second).not.toBe(first);
  await expect(kvs.send(new DescribeStreamCommand({ StreamARN: first }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    $metadata: { httpStatusCode: 404 },
    message: 'The requested stream is not found or not active.',
  });
});

test.each([
  ['an empty name', { StreamName: '' }],
  ['a name with a space', { StreamName: 'cam 1' }],
  ['a name with a slash', { StreamName: 'cam/1' }],
  ['a name of 257 characters', { StreamName: 'a'.repeat(257) }],
  ['no name', {}],
  ['a negative retention', { StreamName: 'cam-1', DataRetentionInHours: -1 }],
  ['eleven years of retention', { StreamName: 'cam-1', DataRetentionInHours: 87_601 }],
  ['a media type without a subtype', { StreamName: 'cam-1', MediaType: 'video' }],
])('CreateStream with %s is an InvalidArgumentException', async (_, input) => {
  await expect(kvs.send(new CreateStreamCommand(input as { StreamName: string }))).rejects.toMatchObject({
    name: 'InvalidArgumentException',
    $metadata: { httpStatusCode: 400 },
  });
});

test('either a name or an ARN names a stream, never both', async () => {
  const StreamARN = await createActive('cam-1');
  for (const input of [{}, { StreamName: 'cam-1', StreamARN }]) {
    await expect(kvs.send(new DescribeStreamCommand(input))).rejects.toMatchObject({
      name: 'InvalidArgumentException',
    });
  }
});

test('GetDataEndpoint answers for an ACTIVE stream only', async () => {
  const input = { StreamName: 'cam-1', APIName: 'PUT_MEDIA' as const };
  await create('cam-1');
  await expect(kvs.send(new GetDataEndpointCommand(input))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
  door.clock.advance(1);
  expect((await kvs.send(new GetDataEndpointCommand(input))).DataEndpoint).toBe(door.url);
});

test('an update needs the latest version, and makes another', async () => {
  await createActive('cam-1');
  const { Version: CurrentVersion = '' } = await describe('cam-1');
  const update = { StreamName: 'cam-1', CurrentVersion, MediaType: 'video/h265' };
  await kvs.send(new UpdateStreamCommand(update));
  expect((await describe('cam-1')).Status).toBe('UPDATING');
  door.clock.advance(2);
  expect(await describe('cam-1')).toMatchObject({ Status: 'ACTIVE', MediaType: 'video/h265' });
  await expect(kvs.send(new UpdateStreamCommand(update))).rejects.toMatchObject({ name: 'VersionMismatchException' });
});

test('retention is changed by a difference and stays within its bounds', async () => {
  await createActive('cam-1', { DataRetentionInHours: 2 });
  const change = async (Operation: 'INCREASE_DATA_RETENTION' | 'DECREASE_DATA_RETENTION', hours: number) => {
    const { Version: CurrentVersion } = await describe('cam-1');
    const input = { StreamName: 'cam-1', CurrentVersion, Operation, DataRetentionChangeInHours: hours };
    await kvs.send(new UpdateDataRetentionCommand(input));
    door.clock.advance(2);
  };
  await change('INCREASE_DATA_RETENTION', 22);
  expect((await describe('cam-1')).DataRetentionInHours).toBe(24);
  await change('DECREASE_DATA_RETENTION', 24);
  expect((await describe('cam-1')).DataRetentionInHours).toBe(0);
  await expect(change('DECREASE_DATA_RETENTION', 1)).rejects.toMatchObject({ name: 'InvalidArgumentException' });
});

test('DeleteStream checks the version when it is given one', async () => {
  const StreamARN = await createActive('cam-1');
  await expect(kvs.send(new DeleteStreamCommand({ StreamARN, CurrentVersion: 'other' }))).rejects.toMatchObject({
    name: 'VersionMismatchException',
  });
  expect((await describe('cam-1')).Status).toBe('ACTIVE');
});

test('lists come by prefix and in pages', async () => {
  for (const name of ['cam-3', 'cam-1', 'other', 'cam-2']) await create(name);
  const names: string[] = [];
  let NextToken: string | undefined;
  do {
    const page = await kvs.send(
      new ListStreamsCommand({
        MaxResults: 2,
        NextToken,
        StreamNameCondition: { ComparisonOperator: 'BEGINS_WITH', ComparisonValue: 'cam-' },
      }),
    );
    names.push(...(page.StreamInfoList ?? []).map((info) => info.StreamName ?? ''));
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  expect(names).toEqual(['cam-1', 'cam-2', 'cam-3']);
});

test('tags go on and come off, fifty at most', async () => {
  const StreamARN = await createActive('cam-1', { Tags: { made: 'here' } });
  await kvs.send(new TagStreamCommand({ StreamARN, Tags: { batch: 'b1' } }));
  await kvs.send(new TagResourceCommand({ ResourceARN: StreamARN, Tags: [{ Key: 'line', Value: '7' }] }));
  await kvs.send(new UntagStreamCommand({ StreamName: 'cam-1', TagKeyList: ['made'] }));
  const tags = { batch: 'b1', line: '7' };
  expect((await kvs.send(new ListTagsForStreamCommand({ StreamName: 'cam-1' }))).Tags).toEqual(tags);
  expect((await kvs.send(new ListTagsForResourceCommand({ ResourceARN: StreamARN }))).Tags).toEqual(tags);
  const many = Object.fromEntries(Array.from({ length: 49 }, (_, n) => [`k${n}`, '']));
  await expect(kvs.send(new TagStreamCommand({ StreamARN, Tags: many }))).rejects.toMatchObject({
    name: 'TagsPerResourceExceededLimitException',
  });
});

test('a policy on stream/<name>/* opens that stream, whether it is there or not, and no other', async () => {
  const Resource = 'arn:aws:kinesisvideo:*:*:stream/cam-1/*';
  const user = new KinesisVideoClient(
    door.clientOf('cam1', [{ Effect: 'Allow', Action: 'kinesisvideo:DescribeStream', Resource }]),
  );
  const ask = (StreamName: string) => user.send(new DescribeStreamCommand({ StreamName }));
  await expect(ask('cam-1')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  const arn = await createActive('cam-2');
  await expect(ask('cam-2')).rejects.toMatchObject({
    name: 'AccessDeniedException',
    $metadata: { httpStatusCode: 403 },
    message: expect.stringContaining(
      `arn:aws:iam::000000000000:user/cam1 is not authorized to perform: kinesisvideo:DescribeStream on resource: ${arn}`,
    ),
  });
  await expect(ask('cam-3')).rejects.toMatchObject({ name: 'AccessDeniedException' });
  await createActive('cam-1');
  expect((await ask('cam-1')).StreamInfo?.StreamName).toBe('cam-1');
});

test('tags of the stream and of the request can be asked for by a policy', async () => {
  await createActive('mine', { Tags: { owner: 'cam' } });
  await createActive('foreign');
  const user = new KinesisVideoClient(
    door.clientOf('tagged', [
      {
        Effect: 'Allow',
        Action: 'kinesisvideo:DescribeStream',
        Resource: '*',
        Condition: { StringEquals: { 'aws:ResourceTag/owner': 'cam' } },
      },
      {
        Effect: 'Allow',
        Action: 'kinesisvideo:CreateStream',
        Resource: '*',
        Condition: { StringEquals: { 'aws:RequestTag/owner': 'cam' } },
      },
    ]),
  );
  expect((await user.send(new DescribeStreamCommand({ StreamName: 'mine' }))).StreamInfo).toBeDefined();
  const denied = { name: 'AccessDeniedException' };
  await expect(user.send(new DescribeStreamCommand({ StreamName: 'foreign' }))).rejects.toMatchObject(denied);
  await expect(user.send(new CreateStreamCommand({ StreamName: 'new' }))).rejects.toMatchObject(denied);
  await user.send(new CreateStreamCommand({ StreamName: 'new', Tags: { owner: 'cam' } }));
});

test('a snapshot holds what was there, and is put back whole', async () => {
  await createActive('kept', { Tags: { a: 'b' } });
  const snapshot = await service.snapshot();
  await create('later');
  await kvs.send(new TagStreamCommand({ StreamName: 'kept', Tags: { c: 'd' } }));
  await service.restore(snapshot);
  await service.restore(snapshot);
  expect((await kvs.send(new ListStreamsCommand({}))).StreamInfoList?.map((info) => info.StreamName)).toEqual(['kept']);
  expect((await kvs.send(new ListTagsForStreamCommand({ StreamName: 'kept' }))).Tags).toEqual({ a: 'b' });
});
