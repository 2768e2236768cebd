import { expect, it } from 'vitest';
import { createClock } from '../../local/clock.ts';
import { createCloudWatch } from '../../local/cloudwatch.ts';
import { AwsError } from '../../local/error.ts';
import { createIdentities } from '../../local/iam/identities.ts';

const clock = createClock();
const { root } = createIdentities({ clock, accountId: '000000000000' });
const service = createCloudWatch({ clock, region: 'us-east-1', accountId: '000000000000' });
const call = (operation: string, input: object) =>
  service.operations[operation]?.(input, { service: 'monitoring', operation, requestId: '1', caller: root });
const names = (input: object) =>
  (call('DescribeAlarms', input) as { MetricAlarms: { AlarmName: string }[] }).MetricAlarms.map(
    ({ AlarmName }) => AlarmName,
  );

const alarm = (AlarmName: string) => ({
  AlarmName,
  Namespace: 'n',
  MetricName: 'm',
  EvaluationPeriods: 1,
  ComparisonOperator: 'GreaterThanThreshold',
});

it('tells alarms as they were put, by name or prefix, and that it knows nothing of their state', () => {
  for (const name of ['a-1', 'a-2', 'b-1']) call('PutMetricAlarm', alarm(name));
  expect(names({})).toEqual(['a-1', 'a-2', 'b-1']);
  expect(names({ AlarmNamePrefix: 'a-' })).toEqual(['a-1', 'a-2']);
  expect(call('DescribeAlarms', { AlarmNames: ['b-1'] })).toMatchObject({
    MetricAlarms: [
      {
        ...alarm('b-1'),
        AlarmArn: 'arn:aws:cloudwatch:us-east-1:000000000000:alarm:b-1',
        ActionsEnabled: true,
        StateValue: 'INSUFFICIENT_DATA',
      },
    ],
  });
});

it('takes no alarm without a metric', () => {
  const { MetricName: _, ...without } = alarm('c');
  expect(() => call('PutMetricAlarm', without)).toThrow(AwsError);
  expect(names({ AlarmNamePrefix: 'c' })).toEqual([]);
});

it('forgets at a reset what came after it', () => {
  const saved = service.snapshot();
  call('PutMetricAlarm', alarm('d'));
  service.restore(saved);
  expect(names({ AlarmNamePrefix: 'd' })).toEqual([]);
});
