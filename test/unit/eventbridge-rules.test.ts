import { afterEach, expect, test } from 'vitest';
import { createClock } from '../../local/clock.ts';
import { createRules, periodOf } from '../../local/eventbridge-rules.ts';

const TARGET = { Id: 'one', Arn: 'arn:aws:lambda:us-east-1:000000000000:function:job' };
const clock = createClock();
afterEach(() => clock.reset());

function world({ isAllowed = true } = {}) {
  const invoked: { functionArn: string; ruleArn: string; payload: unknown }[] = [];
  const rules = createRules({
    clock,
    region: 'us-east-1',
    accountId: '000000000000',
    invokeLambda(functionArn, ruleArn, payload) {
      if (!isAllowed) throw new Error('not authorized');
      invoked.push({ functionArn, ruleArn, payload });
    },
  });
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of the answer
  const call = (operation: string, input: object): any => rules.operations[operation]?.(input, {} as never);
  return { rules, invoked, call };
}

/** A timer that is due runs in the next turn. */
async function pass(minutes: number): Promise<void> {
  clock.advance(minutes * 60);
  await new Promise((done) => setTimeout(done, 5));
}

function every(expression: string, target: object = TARGET) {
  const made = world();
  made.call('PutRule', { Name: 'job', ScheduleExpression: expression });
  made.call('PutTargets', { Rule: 'job', Targets: [target] });
  return made;
}

test.each([
  ['rate(1 minute)', 60_000],
  ['rate(5 minutes)', 300_000],
  ['rate(12 hours)', 43_200_000],
  ['rate(1 day)', 86_400_000],
])('%s', (expression, period) => expect(periodOf(expression)).toBe(period));

test.each([
  'rate(1 minutes)',
  'rate(5 minute)',
  'rate(0 minutes)',
  'rate(5 seconds)',
  'rate(1.5 hours)',
  '5 minutes',
  '',
])('%s is no schedule', (expression) =>
  expect(() => periodOf(expression)).toThrow('Parameter ScheduleExpression is not valid.'),
);

test('cron is refused when the rule is made', () => {
  const { call } = world();
  expect(() => call('PutRule', { Name: 'job', ScheduleExpression: 'cron(0 3 * * ? *)' })).toThrow(/knows schedules of/);
  expect(call('ListRules', {}).Rules).toEqual([]);
});

test('a period after it was made, and each period after that, the function gets the scheduled event', async () => {
  const { invoked } = every('rate(5 minutes)');
  await pass(4);
  expect(invoked).toEqual([]);
  await pass(1);
  const ruleArn = 'arn:aws:events:us-east-1:000000000000:rule/job';
  expect(invoked).toEqual([
    {
      functionArn: TARGET.Arn,
      ruleArn,
      payload: {
        version: '0',
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        'detail-type': 'Scheduled Event',
        source: 'aws.events',
        account: '000000000000',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        region: 'us-east-1',
        resources: [ruleArn],
        detail: {},
      },
    },
  ]);
  await pass(5);
  expect(invoked).toHaveLength(2);
});

test('moved past several periods it runs once, and then in time again', async () => {
  const { invoked } = every('rate(5 minutes)');
  await pass(48 * 60 + 2);
  expect(invoked).toHaveLength(1);
  await pass(3);
  expect(invoked).toHaveLength(2);
});

test('the input of a target goes in place of the event', async () => {
  const { invoked } = every('rate(1 hour)', { ...TARGET, Input: '{"dryRun":true}' });
  await pass(60);
  expect(invoked.map(({ payload }) => payload)).toEqual([{ dryRun: true }]);
});

test('disabled it never runs; enabled it runs a period later', async () => {
  const { invoked, call } = every('rate(5 minutes)');
  call('DisableRule', { Name: 'job' });
  expect(call('DescribeRule', { Name: 'job' })).toMatchObject({ State: 'DISABLED', EventBusName: 'default' });
  await pass(60);
  call('EnableRule', { Name: 'job' });
  await pass(4);
  expect(invoked).toEqual([]);
  await pass(1);
  expect(invoked).toHaveLength(1);
});

test('a function that does not let it in is not called, and the schedule goes on', async () => {
  const { call } = world({ isAllowed: false });
  call('PutRule', { Name: 'job', ScheduleExpression: 'rate(1 minute)' });
  call('PutTargets', { Rule: 'job', Targets: [TARGET] });
  await pass(1);
  await pass(1);
  expect(call('DescribeRule', { Name: 'job' })).toMatchObject({ State: 'ENABLED' });
});

test('what was put back runs again, and what was made since does not', async () => {
  const { rules, invoked, call } = every('rate(5 minutes)');
  const snapshot = rules.snapshot();
  call('PutRule', { Name: 'other', ScheduleExpression: 'rate(1 minute)' });
  call('PutTargets', { Rule: 'other', Targets: [TARGET] });
  clock.reset();
  rules.restore(snapshot);
  await pass(5);
  expect(invoked.map(({ ruleArn }) => ruleArn)).toEqual([rules.arn('job')]);
});

test('a rule goes only without targets', () => {
  const { call } = every('rate(5 minutes)');
  expect(() => call('DeleteRule', { Name: 'job' })).toThrow("Rule can't be deleted since it has targets.");
  call('RemoveTargets', { Rule: 'job', Ids: ['one'] });
  call('DeleteRule', { Name: 'job' });
  expect(() => call('DescribeRule', { Name: 'job' })).toThrow('Rule job does not exist on EventBus default.');
});

test.each([
  ['a queue', { ...TARGET, Arn: 'arn:aws:sqs:us-east-1:000000000000:queue' }, /one kind of target/],
  ['an input that is no JSON', { ...TARGET, Input: '{' }, /JSON syntax error/],
  ['something unknown', { ...TARGET, InputPath: '$.detail' }, /does not know InputPath/],
])('a target with %s is refused', (_, target, message) => {
  const { call } = every('rate(5 minutes)');
  expect(() => call('PutTargets', { Rule: 'job', Targets: [target] })).toThrow(message);
});
