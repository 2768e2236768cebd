import { beforeEach, describe, expect, it } from 'vitest';
import { type Clock, createClock } from '../../local/clock.ts';
import type { Identity } from '../../local/iam/identities.ts';
import { createSqs, type Sqs } from '../../local/sqs.ts';

let clock: Clock;
let sqs: Sqs;
let QueueUrl: string;

// biome-ignore lint/suspicious/noExplicitAny: answers are read by the assertions.
const run = (operation: string, input: object): any =>
  sqs.operations[operation]?.(input, { service: 'sqs', operation, requestId: 'r', caller: {} as Identity });
const receive = async (more = {}) => (await run('ReceiveMessage', { QueueUrl, ...more })).Messages ?? [];
const bodies = async (more = {}) => (await receive(more)).map(({ Body }: { Body: string }) => Body);
const code = (code: string) => expect.objectContaining({ code, status: 400 });

beforeEach(() => {
  clock = createClock();
  sqs = createSqs({ clock, region: 'us-east-1', accountId: '000000000000', awsEndpoint: () => 'http://127.0.0.1:1' });
  ({ QueueUrl } = run('CreateQueue', { QueueName: 'q' }));
});

describe('a queue', () => {
  it('has a URL at the stand-in, and is the same when made again alike', () => {
    expect(QueueUrl).toBe('http://127.0.0.1:1/000000000000/q');
    expect(run('CreateQueue', { QueueName: 'q' })).toEqual({ QueueUrl });
    const other = { QueueName: 'q', Attributes: { VisibilityTimeout: '1' } };
    expect(() => run('CreateQueue', other)).toThrow(code('QueueNameExists'));
    expect(run('ListQueues', {})).toEqual({ QueueUrls: [QueueUrl] });
  });

  it('gives a message once, and again when its time is over', async () => {
    run('SendMessage', { QueueUrl, MessageBody: 'a' });
    expect(await bodies()).toEqual(['a']);
    expect(await bodies()).toEqual([]);
    clock.advance(30);
    const [again] = await receive();
    expect(again.Attributes.ApproximateReceiveCount).toBe('2');
    run('DeleteMessage', { QueueUrl, ReceiptHandle: again.ReceiptHandle });
    clock.advance(30);
    expect(await bodies()).toEqual([]);
  });

  it('gives as many as asked for, oldest first', async () => {
    for (const MessageBody of ['a', 'b', 'c']) run('SendMessage', { QueueUrl, MessageBody });
    expect(await bodies({ MaxNumberOfMessages: 2 })).toEqual(['a', 'b']);
    await expect(receive({ MaxNumberOfMessages: 11 })).rejects.toEqual(code('InvalidParameterValue'));
  });

  it('holds a delayed message back, and drops one past its retention', async () => {
    run('SendMessage', { QueueUrl, MessageBody: 'later', DelaySeconds: 60 });
    expect(await bodies()).toEqual([]);
    clock.advance(60);
    expect(await bodies()).toEqual(['later']);
    clock.advance(4 * 86_400);
    expect(await bodies()).toEqual([]);
  });

  it('answers a waiting caller when a message comes, and when the clock has passed', async () => {
    const waiting = bodies({ WaitTimeSeconds: 20 });
    run('SendMessage', { QueueUrl, MessageBody: 'a' });
    expect(await waiting).toEqual(['a']);
    const inVain = bodies({ WaitTimeSeconds: 20 });
    clock.advance(20);
    expect(await inVain).toEqual([]);
  });

  it('counts what it holds', async () => {
    for (const MessageBody of ['a', 'b']) run('SendMessage', { QueueUrl, MessageBody });
    await receive();
    const { Attributes } = run('GetQueueAttributes', { QueueUrl, AttributeNames: ['All'] });
    expect(Attributes).toMatchObject({
      QueueArn: 'arn:aws:sqs:us-east-1:000000000000:q',
      ApproximateNumberOfMessages: '1',
      ApproximateNumberOfMessagesNotVisible: '1',
    });
    run('PurgeQueue', { QueueUrl });
    expect(run('GetQueueAttributes', { QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] })).toEqual({
      Attributes: { ApproximateNumberOfMessages: '0' },
    });
  });

  it('takes dead letters from inside, and comes back to a snapshot', async () => {
    const snapshot = sqs.snapshot();
    sqs.send('arn:aws:sqs:us-east-1:000000000000:q', 'dead');
    expect(await bodies()).toEqual(['dead']);
    sqs.restore(snapshot);
    clock.advance(60);
    expect(await bodies()).toEqual([]);
    expect(() => sqs.send('arn:aws:sqs:us-east-1:000000000000:none', 'x')).toThrow(code('QueueDoesNotExist'));
  });

  it('refuses what it does not know', () => {
    expect(() => run('GetQueueUrl', { QueueName: 'none' })).toThrow(code('QueueDoesNotExist'));
    expect(() => run('CreateQueue', { QueueName: 'a b' })).toThrow(code('InvalidParameterValue'));
    const fifo = { QueueName: 'f', Attributes: { FifoQueue: 'true' } };
    expect(() => run('CreateQueue', fifo)).toThrow(code('InvalidAttributeName'));
    expect(() => run('SendMessage', { QueueUrl, MessageBody: '' })).toThrow(code('InvalidParameterValue'));
  });

  it('is what its permissions are about', () => {
    const resource = 'arn:aws:sqs:us-east-1:000000000000:q';
    expect(sqs.needs('SendMessage', { QueueUrl })).toEqual([{ action: 'sqs:SendMessage', resource }]);
    expect(sqs.needs('ListQueues', {})).toEqual([{ action: 'sqs:ListQueues', resource: '*' }]);
  });
});
