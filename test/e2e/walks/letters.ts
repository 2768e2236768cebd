import { tellStandIn } from '../../admin.ts';
import { announce, newSerial } from '../../camera-claim.ts';
import { makeDeviceKey } from '../../device-key.ts';
import { openEventFailures } from '../../event-failures.ts';
import { claimOverHttps } from '../../https-camera.ts';
import type { Outputs } from '../../local-run.ts';
import { until } from '../../until.ts';
import type { Walk } from './claim.ts';
import { expectStatus } from './line.ts';

/** What the streams' functions give up is told to a queue. */
export async function letterWalks(outputs: Outputs): Promise<Record<string, Walk>> {
  const failures = await openEventFailures(outputs);
  const { certificateSigningRequest } = await makeDeviceKey();

  const inVain =
    (functionKey: string, table: string, happens: () => Promise<unknown>): Walk =>
    async (patienceMs) => {
      await failures.setRetries(functionKey, 0);
      await tellStandIn(outputs.aws, 'faults', {
        faults: [{ service: 'events', operation: 'PutEvents', kind: 'error' }],
      });
      try {
        await happens();
        await until('a letter', () => failures.take(table), patienceMs);
      } finally {
        await tellStandIn(outputs.aws, 'faults');
        await failures.setRetries(functionKey, -1);
      }
    };

  return {
    'an announcement is told in vain, and a letter tells': inVain('onDeviceChange', 'devices', () =>
      announce(outputs, { serialNumber: newSerial() }),
    ),
    'a denial is told in vain, and a letter tells': inVain('onClaimRefused', 'claims', () =>
      expectStatus(claimOverHttps(outputs, { serialNumber: newSerial(), certificateSigningRequest }), 403),
    ),
  };
}
