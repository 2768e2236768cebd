import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClock } from '../../local/clock.ts';
import type { ItemChange } from '../../local/dynamodb/writes.ts';
import { AwsError } from '../../local/error.ts';
import { createIam } from '../../local/iam/iam.ts';
import { createIdentities } from '../../local/iam/identities.ts';
import { createEventSources } from '../../local/lambda/event-sources.ts';
import type { LambdaFunction } from '../../local/lambda/state.ts';
import { until } from '../until.ts';

const streamArn = 'arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-11-24T00:00:00.000';
const READS = ['GetRecords', 'GetShardIterator', 'DescribeStream', 'ListStreams'].map((name) => `dynamodb:${name}`);

async function world() {
  const clock = createClock();
  const identities = createIdentities({ clock, accountId: '000000000000' });
  const iam = createIam({ identities, clock });
  const ask = async (operation: string, input: object) =>
    iam.operations[operation]?.(input, { service: 'iam', operation, requestId: '1', caller: identities.root });
  const trust = { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' };
  const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [trust] });
  await ask('CreateRole', { RoleName: 'reader', AssumeRolePolicyDocument });
  const allow = (...actions: string[]) =>
    ask('PutRolePolicy', {
      RoleName: 'reader',
      PolicyName: 'reads',
      PolicyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: actions, Resource: streamArn }],
      }),
    });
  await allow(...READS);

  const fn = {
    functionName: 'f',
    functionArn: 'arn:f',
    role: 'arn:aws:iam::000000000000:role/reader',
  } as LambdaFunction;
  let tell: (change: ItemChange) => void = () => {};
  const batches: string[][] = [];
  const letters: { queueArn: string }[] = [];
  /** Batches with one of these fail; each failure takes one off. */
  const poison = new Map<string, number>();
  const sources = createEventSources({
    clock,
    identities,
    region: 'us-east-1',
    find: () => fn,
    async run(_, payload) {
      const ids = JSON.parse(payload).Records.map((one: { dynamodb: { Keys: { id: { S: string } } } }) => {
        return one.dynamodb.Keys.id.S;
      });
      batches.push(ids);
      const bad = ids.find((id: string) => (poison.get(id) ?? 0) > 0);
      if (bad === undefined) return { payload: 'null' };
      poison.set(bad, (poison.get(bad) ?? 0) - 1);
      return { payload: '{}', functionError: 'Unhandled' };
    },
    deliver: (_, queueArn, body) => void letters.push({ queueArn, ...JSON.parse(body) }),
    log: () => {},
    onWrite(listener) {
      tell = listener;
      return () => {};
    },
  });
  const call = (operation: string, input: object) =>
    sources.operations[operation]?.(input, { service: 'lambda', operation, requestId: '1', caller: identities.root });
  const write = (...ids: string[]) => {
    for (const id of ids) {
      tell({
        tableName: 't',
        stream: { arn: streamArn, viewType: 'NEW_AND_OLD_IMAGES', label: 'l' },
        eventName: 'INSERT',
        keys: { id: { S: id } },
        newImage: { id: { S: id } },
        at: clock.now(),
        expired: false,
      });
    }
  };
  const map = (more: object = {}) =>
    call('CreateEventSourceMapping', {
      FunctionName: 'f',
      EventSourceArn: streamArn,
      StartingPosition: 'TRIM_HORIZON',
      ...more,
    }) as { UUID: string };
  return { clock, sources, call, write, map, allow, batches, poison, letters };
}

describe('a stream that Lambda reads', () => {
  let at: Awaited<ReturnType<typeof world>>;
  beforeEach(async () => {
    at = await world();
  });
  afterEach(() => at.sources.clear());

  it('brings records in their order, so many at a time', async () => {
    at.map({ BatchSize: 2 });
    at.write('a', 'b', 'c', 'd', 'e');
    await at.sources.idle();
    expect(at.batches).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  it('brings the same batch again until it is taken, and nothing behind it before', async () => {
    at.map({ BatchSize: 2 });
    at.poison.set('a', 2);
    at.write('a', 'b', 'c');
    await at.sources.idle();
    expect(at.batches).toEqual([['a', 'b'], ['a', 'b'], ['a', 'b'], ['c']]);
  });

  it('halves a batch that fails, if it is told to', async () => {
    at.map({ BisectBatchOnFunctionError: true });
    at.poison.set('c', 2);
    at.write('a', 'b', 'c', 'd');
    await at.sources.idle();
    expect(at.batches).toEqual([['a', 'b', 'c', 'd'], ['a', 'b'], ['c', 'd'], ['c'], ['d']]);
  });

  it('gives up after so many tries, and goes on', async () => {
    at.map({ BatchSize: 1, MaximumRetryAttempts: 1 });
    at.poison.set('a', 9);
    at.write('a', 'b');
    await at.sources.idle();
    expect(at.batches).toEqual([['a'], ['a'], ['b']]);
  });

  const OnFailure = { Destination: 'arn:aws:sqs:us-east-1:000000000000:failures' };

  it('tells its destination where the records are that it has given up, and nothing of what they hold', async () => {
    at.map({ BatchSize: 2, MaximumRetryAttempts: 1, DestinationConfig: { OnFailure } });
    at.poison.set('a', 9);
    at.write('a', 'b', 'c');
    await at.sources.idle();
    expect(at.batches).toEqual([['a', 'b'], ['a', 'b'], ['c']]);
    expect(at.letters).toMatchObject([
      {
        queueArn: OnFailure.Destination,
        version: '1.0',
        requestContext: {
          functionArn: 'arn:f:$LATEST',
          condition: 'RetryAttemptsExhausted',
          approximateInvokeCount: 2,
        },
        responseContext: { functionError: 'Unhandled' },
        DDBStreamBatchInfo: {
          batchSize: 2,
          streamArn,
          startSequenceNumber: expect.stringMatching(/1$/),
          endSequenceNumber: expect.stringMatching(/2$/),
        },
      },
    ]);
    expect(JSON.stringify(at.letters)).not.toContain('NewImage');
  });

  it('gives up what has become too old, and only that', async () => {
    at.map({ BatchSize: 1, MaximumRecordAgeInSeconds: 3600, DestinationConfig: { OnFailure } });
    at.poison.set('a', 9);
    at.write('a');
    await until('the first try', async () => at.batches.length > 0);
    at.clock.advance(3601);
    at.write('b');
    await at.sources.idle();
    expect(at.batches.at(-1)).toEqual(['b']);
    expect(at.letters).toMatchObject([
      { requestContext: { condition: 'RecordAgeExceeded' }, DDBStreamBatchInfo: { batchSize: 1 } },
    ]);
  });

  it('knows one kind of destination', () => {
    const topic = { OnFailure: { Destination: 'arn:aws:sns:us-east-1:000000000000:failures' } };
    expect(() => at.map({ DestinationConfig: topic })).toThrow(AwsError);
  });

  it('is refused without the rights to read it, and waits when they go', async () => {
    for (const missing of READS) {
      await at.allow(...READS.filter((right) => right !== missing));
      expect(() => at.map(), missing).toThrow(AwsError);
    }
    await at.allow(...READS);
    at.map();
    await at.allow('dynamodb:GetRecords');
    at.write('a');
    await at.allow(...READS);
    await until('the record', async () => at.batches.length === 1);
  });

  it('forgets after a day', async () => {
    const { UUID } = at.map({ Enabled: false });
    at.write('a');
    at.clock.advance(90_000);
    at.write('b');
    at.call('UpdateEventSourceMapping', { UUID, Enabled: true });
    await at.sources.idle();
    expect(at.batches).toEqual([['b']]);
  });

  it('is of its own world: a reset leaves nothing to be told', async () => {
    at.map();
    const saved = at.sources.snapshot();
    at.poison.set('a', 99);
    at.write('a');
    await until('the first try', async () => at.batches.length > 0);
    at.sources.clear();
    at.sources.restore(saved);
    at.write('b');
    await until('the news', async () => at.batches.at(-1)?.[0] === 'b');
    expect(at.batches.filter(([id]) => id === 'a').length).toBeLessThan(4);
  });
});
