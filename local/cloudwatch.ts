import * as sdk from '@aws-sdk/client-cloudwatch';
import type { Clock } from './clock.ts';
import { AwsError } from './error.ts';
import { awsJson } from './protocol/aws-json.ts';
import type { Service } from './service.ts';

/** Metric alarms, kept and told as they were put (CloudWatch API reference). There are no metrics here, so none ever changes its state. */

interface Alarm {
  AlarmName: string;
  MetricName?: string;
  Namespace?: string;
  EvaluationPeriods?: number;
  ComparisonOperator?: string;
  [setting: string]: unknown;
}

type Kept = Alarm & { changedAt: number };

export function createCloudWatch({
  clock,
  region,
  accountId,
}: {
  clock: Clock;
  region: string;
  accountId: string;
}): Service {
  let alarms = new Map<string, Kept>();
  const arnOf = (name: string) => `arn:aws:cloudwatch:${region}:${accountId}:alarm:${name}`;

  const described = ({ changedAt, ...alarm }: Kept) => ({
    ...alarm,
    AlarmArn: arnOf(alarm.AlarmName),
    AlarmConfigurationUpdatedTimestamp: new Date(changedAt),
    // API_PutMetricAlarm: "the alarm state is immediately set to INSUFFICIENT_DATA".
    StateValue: 'INSUFFICIENT_DATA',
    StateReason: 'Unchecked: Initial alarm creation',
    StateUpdatedTimestamp: new Date(changedAt),
  });

  return {
    name: 'monitoring',
    protocol: awsJson({ version: '1.0', targetPrefix: 'GraniteServiceVersion20100801', schemas: sdk }),

    operations: {
      PutMetricAlarm(alarm: Alarm) {
        for (const required of ['MetricName', 'Namespace', 'EvaluationPeriods', 'ComparisonOperator'] as const) {
          if (alarm[required] === undefined) {
            throw new AwsError('ValidationError', 400, `The parameter ${required} must not be null.`);
          }
        }
        alarms.set(alarm.AlarmName, { ActionsEnabled: true, ...alarm, changedAt: clock.now() });
      },
      DescribeAlarms({ AlarmNames, AlarmNamePrefix = '' }: { AlarmNames?: string[]; AlarmNamePrefix?: string }) {
        const found = [...alarms.values()].filter(
          ({ AlarmName }) => (AlarmNames?.includes(AlarmName) ?? true) && AlarmName.startsWith(AlarmNamePrefix),
        );
        return { MetricAlarms: found.map(described), CompositeAlarms: [] };
      },
    },

    /** Service Authorization Reference, "Amazon CloudWatch". */
    needs(operation, input) {
      const { AlarmName = '*' } = input as { AlarmName?: string };
      return [{ action: `cloudwatch:${operation}`, resource: arnOf(AlarmName) }];
    },

    snapshot: () => structuredClone(alarms),
    restore(snapshot) {
      alarms = structuredClone(snapshot as Map<string, Kept>);
    },
  };
}
