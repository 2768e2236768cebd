import * as video from '@aws-sdk/client-kinesis-video';
import { describe, expect, test } from 'vitest';
import { cloud, eventually, refusal, undo, unique } from '../cloud.ts';

/** Kinesis Video Streams' control plane: statuses and codes of the API Reference. */

const notFound = { code: 'ResourceNotFoundException', status: 404 };
const invalid = { code: 'InvalidArgumentException', status: 400 };
const versionMismatch = { code: 'VersionMismatchException', status: 400 };

const create = (input: video.CreateStreamCommandInput) => cloud.kinesisVideo.send(new video.CreateStreamCommand(input));
const describeStream = async (input: video.DescribeStreamCommandInput) => {
  const { StreamInfo = {} } = await cloud.kinesisVideo.send(new video.DescribeStreamCommand(input));
  return StreamInfo;
};
const remove = (input: video.DeleteStreamCommandInput) => cloud.kinesisVideo.send(new video.DeleteStreamCommand(input));
const active = (StreamName: string) =>
  eventually(async () => {
    const info = await describeStream({ StreamName });
    expect(info.Status).toBe('ACTIVE');
    return info;
  });

async function stream(more: Partial<video.CreateStreamCommandInput> = {}) {
  const StreamName = unique('stream');
  const { StreamARN = '' } = await create({ StreamName, ...more });
  undo(`stream ${StreamName}`, () => eventually(() => remove({ StreamARN })));
  return { StreamName, StreamARN };
}

describe('CreateStream', () => {
  test('is active after a while, and described by its name or its ARN', async () => {
    const { StreamName, StreamARN } = await stream({ DataRetentionInHours: 24 });
    expect(StreamARN).toMatch(new RegExp(`^arn:aws:kinesisvideo:[a-z0-9-]+:\\d{12}:stream/${StreamName}/\\d{13}$`));
    const info = await active(StreamName);
    expect(info).toMatchObject({
      StreamName,
      StreamARN,
      DataRetentionInHours: 24,
      KmsKeyId: expect.stringMatching(/:alias\/aws\/kinesisvideo$/),
      Version: expect.stringMatching(/^[a-zA-Z0-9]+$/),
      CreationTime: expect.any(Date),
    });
    expect(info.DeviceName ?? null).toBeNull();
    expect(info.MediaType ?? null).toBeNull();
    expect(await describeStream({ StreamARN })).toEqual(info);
  });

  test('keeps nothing unless told to', async () => {
    const { StreamName } = await stream();
    expect(await describeStream({ StreamName })).toMatchObject({ DataRetentionInHours: 0 });
  });

  test('a name is taken once', async () => {
    const { StreamName } = await stream();
    expect(await refusal(create({ StreamName }))).toMatchObject({ code: 'ResourceInUseException', status: 400 });
  });

  test.each([
    ['a bad name', { StreamName: 'no spaces here' }],
    ['a retention below nothing', { StreamName: 'x', DataRetentionInHours: -1 }],
    ['a media type that is none', { StreamName: 'x', MediaType: 'video' }],
  ])('%s is refused', async (_, input) => {
    const { code, status } = await refusal(create(input));
    expect(status).toBe(400);
    expect(code).toMatch(/^(InvalidArgument|Validation)Exception$/);
  });
});

test('what is not there is not found', async () => {
  const StreamName = unique('nothing');
  expect(await refusal(describeStream({ StreamName }))).toMatchObject(notFound);
  expect(
    await refusal(cloud.kinesisVideo.send(new video.GetDataEndpointCommand({ StreamName, APIName: 'PUT_MEDIA' }))),
  ).toMatchObject(notFound);
});

test('neither name nor ARN is invalid', async () => {
  expect(await refusal(describeStream({}))).toMatchObject(invalid);
});

test('a data endpoint is a URL', async () => {
  const { StreamName } = await stream();
  await active(StreamName);
  const answer = await cloud.kinesisVideo.send(new video.GetDataEndpointCommand({ StreamName, APIName: 'PUT_MEDIA' }));
  expect(answer.DataEndpoint).toMatch(/^https?:\/\/[^/]+$/);
});

describe('changes', () => {
  const retain = (
    input: Omit<video.UpdateDataRetentionCommandInput, 'Operation'>,
    Operation: 'INCREASE' | 'DECREASE',
  ) =>
    cloud.kinesisVideo.send(
      new video.UpdateDataRetentionCommand({ ...input, Operation: `${Operation}_DATA_RETENTION` }),
    );

  test('need the current version, which every change renews', async () => {
    const { StreamName } = await stream({ DataRetentionInHours: 2 });
    const { Version: CurrentVersion } = await active(StreamName);
    const change = { StreamName, DataRetentionChangeInHours: 1 };
    expect(await refusal(retain({ ...change, CurrentVersion: 'another' }, 'INCREASE'))).toMatchObject(versionMismatch);
    await retain({ ...change, CurrentVersion }, 'INCREASE');
    const changed = await active(StreamName);
    expect(changed.DataRetentionInHours).toBe(3);
    expect(changed.Version).not.toBe(CurrentVersion);
    await retain({ ...change, CurrentVersion: changed.Version }, 'DECREASE');
    const { Version, DataRetentionInHours } = await active(StreamName);
    expect(DataRetentionInHours).toBe(2);
    const named = { StreamName, CurrentVersion: Version, DeviceName: 'camera', MediaType: 'video/h264' };
    await cloud.kinesisVideo.send(new video.UpdateStreamCommand(named));
    expect(await active(StreamName)).toMatchObject({ DeviceName: 'camera', MediaType: 'video/h264' });
  });

  test('so does DeleteStream, if it is told one; and then the name is free', async () => {
    const { StreamName, StreamARN } = await stream();
    const { Version: CurrentVersion } = await active(StreamName);
    expect(await refusal(remove({ StreamARN, CurrentVersion: 'another' }))).toMatchObject(versionMismatch);
    await remove({ StreamARN, CurrentVersion });
    await eventually(async () => expect(await refusal(describeStream({ StreamName }))).toMatchObject(notFound));
    const again = await eventually(() => create({ StreamName }));
    undo('the second of that name', () => eventually(() => remove({ StreamARN: again.StreamARN })));
    expect(again.StreamARN).not.toBe(StreamARN);
  });
});

test('tags are set, listed and taken away', async () => {
  const { StreamName, StreamARN } = await stream({ Tags: { first: '1' } });
  await active(StreamName);
  // The producer SDK tags by ARN.
  await cloud.kinesisVideo.send(new video.TagStreamCommand({ StreamARN, Tags: { second: '2' } }));
  await cloud.kinesisVideo.send(new video.UntagStreamCommand({ StreamName, TagKeyList: ['first'] }));
  const { Tags } = await cloud.kinesisVideo.send(new video.ListTagsForStreamCommand({ StreamName }));
  expect(Tags).toEqual({ second: '2' });
});

test('lists streams by how their names begin', async () => {
  const { StreamName, StreamARN } = await stream();
  const { StreamInfoList } = await cloud.kinesisVideo.send(
    new video.ListStreamsCommand({
      StreamNameCondition: { ComparisonOperator: 'BEGINS_WITH', ComparisonValue: StreamName },
    }),
  );
  expect(StreamInfoList).toMatchObject([{ StreamName, StreamARN }]);
});
