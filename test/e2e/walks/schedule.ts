import { DisableRuleCommand, PutRuleCommand } from '@aws-sdk/client-eventbridge';
import { tellStandIn } from '../../admin.ts';
import { awsClients } from '../../aws-clients.ts';
import { announce, newSerial } from '../../camera-claim.ts';
import { idsOf, readDevice } from '../../device-records.ts';
import { createHttpApi } from '../../http-api.ts';
import type { Outputs } from '../../local-run.ts';
import { until } from '../../until.ts';
import type { Walk } from './claim.ts';
import { expectStatus } from './line.ts';

/**
 * The clock moves on by so much of the shortest period that a schedule has, and the rest passes by itself: five runs stay within the
 * five minutes by which a signature may be off.
 */
const AHEAD_SECONDS = 56;
const REST_MS = 4_000;

/** What runs by itself. */
export function scheduleWalks(outputs: Outputs, prefix: string): Record<string, Walk> {
  const { eventBridge } = awsClients(outputs, outputs.personas.admin);
  const factory = createHttpApi(outputs, outputs.personas.factory);
  const Name = `${prefix}reconcile`;

  return {
    async 'the schedule ends what is unfinished'(patienceMs) {
      const serialNumber = newSerial();
      await announce(outputs, { serialNumber, streamMode: 'fixed' });
      for (let i = 0; i < 2; i++) await expectStatus(factory.post(`/devices/${serialNumber}/provision`, {}), 201);
      await eventBridge.send(new PutRuleCommand({ Name, ScheduleExpression: 'rate(1 minute)' }));
      try {
        await tellStandIn(outputs.aws, 'clock', { advanceSeconds: AHEAD_SECONDS });
        const isMended = async () => idsOf(await readDevice(outputs, serialNumber)).length === 1;
        await until('the replaced certificate to be gone', isMended, REST_MS + patienceMs);
      } finally {
        await eventBridge.send(new DisableRuleCommand({ Name }));
      }
    },
  };
}
