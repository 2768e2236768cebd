import { number, present } from './properties.ts';
import type { ResourceType } from './resource-type.ts';

/** Where events go, what runs on a schedule, and what reads a stream. */
export const events: Record<string, ResourceType> = {
  'AWS::Events::EventBus': {
    properties: ['Name', 'Description'],
    async create({ Name, Description }, site) {
      const { EventBusArn } = await site.call('events', 'CreateEventBus', present({ Name, Description }));
      return { id: Name, attributes: { Arn: EventBusArn, Name } };
    },
  },

  'AWS::Events::Rule': {
    properties: ['Name', 'Description', 'ScheduleExpression', 'State', 'Targets'],
    async create({ Targets = [], Name: given, ...properties }, site) {
      const Name = given ?? site.generatedName(64);
      const { RuleArn } = await site.call('events', 'PutRule', { Name, ...properties });
      if (Targets.length > 0) await site.call('events', 'PutTargets', { Rule: Name, Targets });
      return { id: Name, attributes: { Arn: RuleArn } };
    },
  },

  'AWS::Lambda::EventSourceMapping': {
    properties: [
      'FunctionName',
      'EventSourceArn',
      'StartingPosition',
      'BatchSize',
      'BisectBatchOnFunctionError',
      'MaximumRetryAttempts',
      'MaximumRecordAgeInSeconds',
      'DestinationConfig',
      'Enabled',
    ],
    async create({ BatchSize, MaximumRetryAttempts, MaximumRecordAgeInSeconds, ...properties }, site) {
      const { UUID } = await site.call(
        'lambda',
        'CreateEventSourceMapping',
        present({
          ...properties,
          BatchSize: number(BatchSize),
          MaximumRetryAttempts: number(MaximumRetryAttempts),
          MaximumRecordAgeInSeconds: number(MaximumRecordAgeInSeconds),
        }),
      );
      return { id: UUID, attributes: { Id: UUID } };
    },
  },
};
