import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Input, Output } from './engine.ts';
import { type TableSettings, type Tables, validation } from './tables.ts';

/** Time to live and point-in-time recovery: said and remembered here; expiry.ts does the deleting, nothing is ever restored. */
export function createUpkeep({ tables, clock }: { tables: Tables; clock: Clock }): Tables['operations'] {
  function backups({ recoverableSince: since, recoveryDays }: TableSettings): Output {
    const now = clock.now();
    return {
      ContinuousBackupsDescription: {
        ContinuousBackupsStatus: 'ENABLED',
        PointInTimeRecoveryDescription:
          since === undefined
            ? { PointInTimeRecoveryStatus: 'DISABLED' }
            : {
                PointInTimeRecoveryStatus: 'ENABLED',
                RecoveryPeriodInDays: recoveryDays,
                EarliestRestorableDateTime: Math.max(since, now - recoveryDays * 86_400_000) / 1000,
                // "LatestRestorableDateTime is typically 5 minutes before the current time" (API_PointInTimeRecoveryDescription).
                LatestRestorableDateTime: Math.max(since, now - 300_000) / 1000,
              },
      },
    };
  }

  function withBackups({ TableName }: Input): TableSettings {
    const settings = tables.get(TableName);
    if (settings) return settings;
    // Of all DynamoDB errors these two operations alone have this one.
    throw new AwsError('TableNotFoundException', 400, `Table not found: ${TableName}`);
  }

  return {
    async UpdateTimeToLive(input) {
      const settings = tables.required(input);
      const specification = (input.TimeToLiveSpecification ?? {}) as { AttributeName?: string; Enabled?: boolean };
      const { AttributeName, Enabled } = specification;
      if (!AttributeName || Enabled === undefined) throw validation('TimeToLiveSpecification must name an attribute.');
      if (Enabled === (settings.timeToLive !== undefined)) {
        throw validation(`TimeToLive is already ${Enabled ? 'enabled' : 'disabled'}`);
      }
      if (!Enabled && settings.timeToLive !== AttributeName) {
        throw validation(
          `TimeToLive is active on a different AttributeName: current AttributeName is ${settings.timeToLive}`,
        );
      }
      if (Enabled) settings.timeToLive = AttributeName;
      else delete settings.timeToLive;
      return { TimeToLiveSpecification: { AttributeName, Enabled } };
    },

    async DescribeTimeToLive(input) {
      const { timeToLive } = tables.required(input);
      return {
        TimeToLiveDescription: timeToLive
          ? { TimeToLiveStatus: 'ENABLED', AttributeName: timeToLive }
          : { TimeToLiveStatus: 'DISABLED' },
      };
    },

    async UpdateContinuousBackups(input) {
      const settings = withBackups(input);
      const specification = (input.PointInTimeRecoverySpecification ?? {}) as {
        PointInTimeRecoveryEnabled?: boolean;
        RecoveryPeriodInDays?: number;
      };
      const { PointInTimeRecoveryEnabled: enabled, RecoveryPeriodInDays: days = 35 } = specification;
      if (enabled === undefined) throw validation('PointInTimeRecoveryEnabled must be specified.');
      if (days < 1 || days > 35) throw validation('RecoveryPeriodInDays must be between 1 and 35.');
      if (enabled) settings.recoverableSince ??= clock.now();
      else delete settings.recoverableSince;
      settings.recoveryDays = days;
      return backups(settings);
    },

    DescribeContinuousBackups: async (input) => backups(withBackups(input)),
  };
}
