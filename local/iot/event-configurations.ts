import type { Operation } from '../service.ts';
import { checkOneOf, invalid } from './refusals.ts';
import type { Registry } from './registry.ts';

/** Which registry events AWS IoT publishes (IoT guide, "Registry events"): none until it is told to. */
const EVENT_TYPES = [
  'THING',
  'THING_GROUP',
  'THING_TYPE',
  'THING_GROUP_MEMBERSHIP',
  'THING_GROUP_HIERARCHY',
  'THING_TYPE_ASSOCIATION',
  'JOB',
  'JOB_EXECUTION',
  'POLICY',
  'CERTIFICATE',
  'CA_CERTIFICATE',
] as const;

interface Configuration {
  Enabled?: boolean;
}

export function eventConfigurationOperations({ registry }: { registry: Registry }): Record<string, Operation> {
  return {
    UpdateEventConfigurations({ eventConfigurations = {} }) {
      for (const [type, configuration] of Object.entries(eventConfigurations as Record<string, Configuration>)) {
        checkOneOf(type, 'eventConfigurations', EVENT_TYPES);
        if (typeof configuration.Enabled !== 'boolean') throw invalid(`${type} needs Enabled`);
        registry.eventConfigurations[type] = { Enabled: configuration.Enabled };
      }
      return {};
    },

    DescribeEventConfigurations() {
      const states = EVENT_TYPES.map((type) => [type, registry.eventConfigurations[type] ?? { Enabled: false }]);
      return { eventConfigurations: Object.fromEntries(states) };
    },
  };
}
