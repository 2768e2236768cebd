import { newSerial } from '../../camera-claim.ts';
import { makeDeviceKey } from '../../device-key.ts';
import { listenToBus } from '../../event-bus.ts';
import { createHttpApi } from '../../http-api.ts';
import { claimOverHttps } from '../../https-camera.ts';
import type { Outputs } from '../../local-run.ts';
import { until } from '../../until.ts';
import type { Walk } from './claim.ts';
import { expectStatus } from './line.ts';

/** What ops asks of the registry, and what it tells by itself. */
export async function queryWalks(
  outputs: Outputs,
  { serialNumber, certificateId }: { serialNumber: string; certificateId: string },
): Promise<Record<string, Walk>> {
  const factory = createHttpApi(outputs, outputs.personas.factory);
  const operator = createHttpApi(outputs, outputs.personas.operator);
  const auditor = createHttpApi(outputs, outputs.personas.auditor);
  const { certificateSigningRequest } = await makeDeviceKey();
  const lists = (query: string) => () => expectStatus(auditor.get(`/devices${query}`), 200);

  async function announced(batch: string): Promise<string> {
    const serial = newSerial();
    await expectStatus(factory.post('/devices', { devices: [{ serialNumber: serial, batch }] }), 200);
    return serial;
  }

  return {
    'auditor lists devices': lists(''),
    'auditor lists devices by status': lists('?status=active'),
    'auditor lists devices by batch': lists('?batch=walk'),
    'auditor lists devices by model': lists('?model=walk'),
    'auditor lists devices by claim': lists('?claimedAfter=2020-01-01T00:00:00Z'),
    async 'auditor lists the device of a certificate'() {
      const { devices } = await expectStatus(auditor.get(`/devices?certificateId=${certificateId}`), 200);
      if (devices[0]?.serialNumber !== serialNumber) throw new Error('another device, or none');
    },
    async 'operator lists devices'() {
      await expectStatus(operator.get('/devices'), 200);
    },
    async 'operator reads the counts'() {
      await expectStatus(operator.get('/stats'), 200);
    },
    async 'an announcement is told'(patienceMs) {
      const bus = await listenToBus(outputs);
      const serial = await announced('walk');
      await bus.until('the event', ({ detail }) => detail.serialNumber === serial, patienceMs);
    },
    async 'an announcement is counted'(patienceMs) {
      const batch = `walk-${newSerial()}`;
      await announced(batch);
      const isCounted = async () => (await operator.get('/stats')).body.batch?.[batch] === 1;
      await until('the count', isCounted, patienceMs);
    },
    async 'a denial is told'(patienceMs) {
      const bus = await listenToBus(outputs);
      const serial = newSerial();
      await expectStatus(claimOverHttps(outputs, { serialNumber: serial, certificateSigningRequest }), 403);
      await bus.until('the event', ({ detail }) => detail.serialNumber === serial, patienceMs);
    },
  };
}
