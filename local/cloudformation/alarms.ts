import { number, present } from './properties.ts';
import type { ResourceType } from './resource-type.ts';

/** What watches a stack, and whom it tells. */
export const alarms: Record<string, ResourceType> = {
  'AWS::CloudWatch::Alarm': {
    properties: [
      'AlarmName',
      'AlarmDescription',
      'AlarmActions',
      'Namespace',
      'MetricName',
      'Dimensions',
      'Statistic',
      'Period',
      'EvaluationPeriods',
      'Threshold',
      'ComparisonOperator',
      'TreatMissingData',
    ],
    async create({ Period, EvaluationPeriods, Threshold, ...properties }, site) {
      const AlarmName = properties.AlarmName ?? site.generatedName(255);
      await site.call(
        'monitoring',
        'PutMetricAlarm',
        present({
          ...properties,
          AlarmName,
          Period: number(Period),
          EvaluationPeriods: number(EvaluationPeriods),
          Threshold: number(Threshold),
        }),
      );
      return {
        id: AlarmName,
        attributes: { Arn: `arn:aws:cloudwatch:${site.region}:${site.accountId}:alarm:${AlarmName}` },
      };
    },
  },

  // Logs are lines for whoever runs the stand-in, and nobody counts them.
  'AWS::Logs::MetricFilter': {
    properties: ['LogGroupName', 'FilterPattern', 'MetricTransformations'],
    create: (_, site) => ({ id: site.generatedName(512) }),
  },

  // Nobody subscribes here, and no alarm ever rings.
  'AWS::SNS::Topic': {
    properties: ['TopicName', 'DisplayName'],
    create({ TopicName }, { region, accountId }) {
      const arn = `arn:aws:sns:${region}:${accountId}:${TopicName}`;
      return { id: arn, attributes: { TopicArn: arn, TopicName } };
    },
  },
};
