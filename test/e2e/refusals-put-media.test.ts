import { CreateStreamCommand, DescribeStreamCommand } from '@aws-sdk/client-kinesis-video';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { newSerial } from '../camera-claim.ts';
import { persistedFragments } from '../kinesis-video.ts';
import { putMedia } from '../put-media.ts';
import { block, CLUSTER, cluster, END_OF_FRAGMENT, element, footage, head, header, SEGMENT } from '../unit/matroska.ts';

const outputs = inject('outputs');
const keys = outputs.personas.admin;
const { kinesisVideo } = awsClients(outputs, keys);
const name = newSerial();
const START = 1_795_498_624_000;

const kept = async () => (await persistedFragments(outputs, keys, name)).map(({ FragmentNumber }) => FragmentNumber);

beforeAll(async () => {
  await kinesisVideo.send(new CreateStreamCommand({ StreamName: name, DataRetentionInHours: 1 }));
  await vi.waitFor(
    async () => {
      const { StreamInfo } = await kinesisVideo.send(new DescribeStreamCommand({ StreamName: name }));
      expect(StreamInfo?.Status).toBe('ACTIVE');
    },
    { timeout: 10_000 },
  );
});
afterAll(async () => {
  const { acknowledgements } = await putMedia(outputs, keys, { name }, footage(2, START));
  expect(acknowledgements.filter(({ EventType }) => EventType === 'PERSISTED')).toHaveLength(2);
});

const whole = Buffer.concat([head(), cluster(START), END_OF_FRAGMENT]);

test.each<[string, Buffer]>([
  ['no Matroska', Buffer.from('this is a text and no film')],
  ['random bytes', Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 197 + 31) % 256))],
  ['a document of another kind', Buffer.concat([head([1], { docType: 'mp4' }), cluster(START)])],
  ['a segment without a header', element(SEGMENT, [], 'unknown')],
  ['a cluster before the tracks', Buffer.concat([header(), element(SEGMENT, [], 'unknown'), cluster(START)])],
  ['a frame before its timecode', Buffer.concat([head(), element(CLUSTER, [], 'unknown'), block()])],
  ['an end within an element', Buffer.concat([head(), cluster(START)]).subarray(0, -3)],
  ['an unknown element', Buffer.concat([head(), cluster(START), element(0x4fff, Buffer.from('x'))])],
])('broken media (%s) are told as INVALID_MKV_DATA and not kept', async (_, body) => {
  const before = await kept();
  const { status, acknowledgements } = await putMedia(outputs, keys, { name }, body);
  expect(status).toBe(200);
  const errors = acknowledgements.filter(({ EventType }) => EventType === 'ERROR');
  expect(errors).toEqual([expect.objectContaining({ ErrorId: 4006 })]);
  expect(acknowledgements.at(-1)?.EventType).toBe('ERROR');
  expect(await kept()).toEqual(before);
});

test('what was acknowledged before the break is kept', async () => {
  const before = await kept();
  const body = Buffer.concat([whole, Buffer.from('and then nonsense')]);
  const { acknowledgements } = await putMedia(outputs, keys, { name }, body);
  expect(acknowledgements.map(({ EventType }) => EventType)).toEqual(['BUFFERING', 'RECEIVED', 'PERSISTED', 'ERROR']);
  const number = acknowledgements.find(({ EventType }) => EventType === 'PERSISTED')?.FragmentNumber;
  expect(await kept()).toEqual([...before, number]);
});

test('four tracks are one too many, three are not', async () => {
  const before = await kept();
  const of = (tracks: number[]) =>
    Buffer.concat([
      head(tracks),
      cluster(
        START,
        tracks.map((track) => block(track)),
      ),
      END_OF_FRAGMENT,
    ]);
  const four = await putMedia(outputs, keys, { name }, of([1, 2, 3, 4]));
  expect(four.acknowledgements).toEqual([
    expect.objectContaining({ EventType: 'ERROR', ErrorId: 4005, FragmentTimecode: -1, FragmentNumber: '' }),
  ]);
  expect(await kept()).toEqual(before);
  const three = await putMedia(outputs, keys, { name }, of([1, 2, 3]));
  expect(three.acknowledgements.at(-1)?.EventType).toBe('PERSISTED');
});

test('an empty body keeps nothing', async () => {
  const before = await kept();
  const { status, acknowledgements } = await putMedia(outputs, keys, { name }, Buffer.alloc(0));
  expect([status, acknowledgements]).toEqual([200, []]);
  expect(await kept()).toEqual(before);
});

test('an unknown stream is not found, and not made', async () => {
  const unknown = newSerial();
  const arn = `arn:aws:kinesisvideo:${outputs.region}:${outputs.accountId}:stream/${unknown}/1795498624893`;
  for (const stream of [{ name: unknown }, { arn }]) {
    const answer = await putMedia(outputs, keys, stream, whole);
    expect([answer.status, answer.errorType]).toEqual([404, 'ResourceNotFoundException']);
    expect(JSON.parse(answer.text)).toEqual({ Message: expect.stringContaining('not found') });
  }
  await expect(kinesisVideo.send(new DescribeStreamCommand({ StreamName: unknown }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
});

test.each<[string, Record<string, string | undefined>]>([
  ['no stream', { 'x-amzn-stream-name': undefined }],
  ['a stream name that is none', { 'x-amzn-stream-name': 'a/b' }],
  ['no timecode type', { 'x-amzn-fragment-timecode-type': undefined }],
  ['an unknown timecode type', { 'x-amzn-fragment-timecode-type': 'SOMETIMES' }],
  [
    'no start of relative timecodes',
    { 'x-amzn-fragment-timecode-type': 'RELATIVE', 'x-amzn-producer-start-timestamp': undefined },
  ],
  ['a start that is no time', { 'x-amzn-producer-start-timestamp': 'yesterday' }],
])('%s is an invalid argument', async (_, headers) => {
  const answer = await putMedia(outputs, keys, { name }, whole, headers);
  expect([answer.status, answer.errorType]).toEqual([400, 'InvalidArgumentException']);
  expect(JSON.parse(answer.text)).toEqual({ Message: expect.any(String) });
});

test('wrong keys are refused before the film is looked at', async () => {
  for (const wrong of [
    { ...keys, secretAccessKey: 'wrong' },
    { ...keys, accessKeyId: 'AKIAUNKNOWN' },
    { ...keys, sessionToken: 'none' },
  ]) {
    const answer = await putMedia(outputs, wrong, { name }, whole);
    expect(answer.status).toBe(403);
    expect(answer.errorType).toMatch(/^(InvalidSignature|UnrecognizedClient)Exception$/);
  }
});
