import { number, present } from './properties.ts';
import type { ResourceType } from './resource-type.ts';

/** Where events go, and what reads a stream. */
export const events: Record<string, ResourceType> = {
  'AWS::Events::EventBus': {
    properties: ['Name', 'Description'],
    async create({ Name, Description }, site) {
      const { EventBusArn } = await site.call('events', 'CreateEventBus', present({ Name, Description }));
      return { id: Name, attributes: { Arn: EventBusArn, Name } };
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
      'Enabled',
    ],
    async create({ BatchSize, MaximumRetryAttempts, ...properties }, site) {
      const { UUID } = await site.call(
        'lambda',
        'CreateEventSourceMapping',
        present({
          ...properties,
          BatchSize: number(BatchSize),
          MaximumRetryAttempts: number(MaximumRetryAttempts),
        }),
      );
      return { id: UUID, attributes: { Id: UUID } };
    },
  },
};
