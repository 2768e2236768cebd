import { afterAll, beforeAll, expect, it } from 'vitest';
import { ACCOUNT, arnOf, type LambdaWorld, openLambda, REGION } from './lambda-world.ts';

const QUEUE_ARN = `arn:aws:sqs:${REGION}:${ACCOUNT}:failures`;
const MAY_SEND = { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: QUEUE_ARN };
const ALWAYS_FAILS = 'export const handler = (event) => { throw new Error("not " + event.n); };';

let world: LambdaWorld;
let queueUrl: string;
beforeAll(async () => {
  world = openLambda();
  ({ QueueUrl: queueUrl } = await world.call('sqs', 'CreateQueue', { QueueName: 'failures' }));
});
afterAll(() => world.close());

const accept = (name: string, payload: unknown) => {
  world.functions.invokeAsync({ functionArn: arnOf(name), payload });
  return world.functions.idle();
};
const passes = async (seconds: number) => {
  world.clock.advance(seconds);
  // What became due is started by a timer of zero milliseconds.
  await new Promise((done) => setTimeout(done));
  await world.functions.idle();
};
const received = async () => {
  const { Messages = [] } = await world.call('sqs', 'ReceiveMessage', { QueueUrl: queueUrl, MaxNumberOfMessages: 10 });
  await world.call('sqs', 'PurgeQueue', { QueueUrl: queueUrl });
  return Messages.map(({ Body }: { Body: string }) => JSON.parse(Body));
};
const failuresOf = (name: string) =>
  world.logged.filter((line) => line.startsWith(`${name}: `) && line.includes('Invoke Error')).length;
const sendFailuresTo = (name: string, limits: object = {}) =>
  world.call('lambda', 'PutFunctionEventInvokeConfig', {
    FunctionName: name,
    DestinationConfig: { OnFailure: { Destination: QUEUE_ARN } },
    ...limits,
  });

it('an event is tried again after one and two minutes, then sent to the failure queue', async () => {
  await world.create('hopeless', ALWAYS_FAILS, { statements: [MAY_SEND] });
  await sendFailuresTo('hopeless');
  await accept('hopeless', { n: 7 });
  expect(failuresOf('hopeless')).toBe(1);
  await passes(59);
  expect(failuresOf('hopeless')).toBe(1);
  await passes(1);
  expect(failuresOf('hopeless')).toBe(2);
  await passes(119);
  expect(failuresOf('hopeless')).toBe(2);
  await passes(1);
  expect(failuresOf('hopeless')).toBe(3);
  expect(await received()).toMatchObject([
    {
      version: '1.0',
      requestContext: {
        functionArn: `${arnOf('hopeless')}:$LATEST`,
        condition: 'RetriesExhausted',
        approximateInvokeCount: 3,
      },
      requestPayload: { n: 7 },
      responseContext: { statusCode: 200, functionError: 'Unhandled' },
      responsePayload: { errorMessage: 'not 7' },
    },
  ]);
  await passes(3600);
  expect(failuresOf('hopeless')).toBe(3);
});

it('an event that is too old is not tried again', async () => {
  await world.create('old', ALWAYS_FAILS, { statements: [MAY_SEND] });
  await sendFailuresTo('old', { MaximumEventAgeInSeconds: 90 });
  await accept('old', { n: 1 });
  await passes(95);
  expect(failuresOf('old')).toBe(1);
  expect(await received()).toMatchObject([{ requestContext: { condition: 'EventAgeExceeded' } }]);
});

it('a role that may not send loses the event, and the log says so', async () => {
  await world.create('mute', ALWAYS_FAILS);
  await sendFailuresTo('mute', { MaximumRetryAttempts: 0 });
  await accept('mute', { n: 1 });
  expect(await received()).toEqual([]);
  expect(world.logged.join('')).toMatch(/mute: .*event lost: .*not authorized to perform: sqs:SendMessage/);
});

it('a reset forgets what was still to be tried', async () => {
  await world.create('forgotten', ALWAYS_FAILS);
  const before = await world.functions.service.snapshot();
  await accept('forgotten', { n: 1 });
  await world.functions.service.restore(before);
  world.clock.reset();
  await passes(3600);
  expect(failuresOf('forgotten')).toBe(1);
});
