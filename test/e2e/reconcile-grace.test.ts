import { CreateCertificateFromCsrCommand } from '@aws-sdk/client-iot';
import { expect, test, vi } from 'vitest';
import { newSerial } from '../camera-claim.ts';
import { makeDeviceKey } from '../device-key.ts';
import { powerfulCertificates } from '../device-records.ts';
import { startDriftWorld } from '../drift-world.ts';
import { createHttpApi } from '../http-api.ts';
import { orderReconcile } from '../reconcile-function.ts';

vi.setConfig({ testTimeout: 120_000 });

/** The work list has ten parts, and gives ten of each at once: with so many there is more than one page whichever part they are in. */
const PAST = 240;
const NOT_YET = 30;

const world = await startDriftWorld();
const { outputs } = world;

/** Devices that each have a certificate with power, which may be taken away at an instant. */
async function leavingAt(count: number, leavesAt: string): Promise<{ serialNumber: string; certificateId: string }[]> {
  const serials = Array.from({ length: count }, newSerial);
  const factory = createHttpApi(outputs, outputs.personas.factory);
  for (let first = 0; first < count; first += 100) {
    const devices = serials.slice(first, first + 100).map((serialNumber) => ({ serialNumber }));
    expect((await factory.post('/devices', { devices })).status).toBe(200);
  }
  const { certificateSigningRequest, publicKeySha256 } = await makeDeviceKey();
  return Promise.all(
    serials.map(async (serialNumber) => {
      const request = new CreateCertificateFromCsrCommand({ certificateSigningRequest, setAsActive: true });
      const { certificateId = '' } = await world.aws().iot.send(request);
      await world.givePolicy(certificateId);
      const text = (S: string) => ({ S });
      const certificate = {
        id: text(certificateId),
        publicKeySha256: text(publicKeySha256),
        door: text('renewal'),
        state: text('leaving'),
        since: text(new Date().toISOString()),
        leavesAt: text(leavesAt),
      };
      await world.tamper(serialNumber, 'SET certificates = :list, dueAt = :at, dueShard = #shard', {
        ':list': { L: [{ M: certificate }] },
        ':at': text(leavesAt),
      });
      return { serialNumber, certificateId };
    }),
  );
}

const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();

test('past their grace certificates go, more than a page of them, and those that have some left stay', async () => {
  const past = await leavingAt(PAST, inHours(1));
  const notYet = await leavingAt(NOT_YET, inHours(3));
  expect(await orderReconcile(outputs, {})).toMatchObject({ looked: 0, done: {}, complete: true });

  // AWS lists 250 at once. No record is found by a certificate that is leaving and stands for no thing; these are too young to be judged.
  expect(await orderReconcile(outputs, { only: 'power', dryRun: true })).toMatchObject({
    left: { 'power-without-record': PAST + NOT_YET },
    unlisted: PAST + NOT_YET - 200,
    complete: true,
  });

  await world.advance(2);
  const rehearsed = await orderReconcile(outputs, { dryRun: true }, world.ahead());
  expect(rehearsed).toMatchObject({ looked: PAST, done: { removeCertificates: PAST }, complete: true });
  expect(await powerfulCertificates(outputs, world.ahead())).toHaveLength(PAST + NOT_YET);

  const [one, other] = await Promise.all([1, 2].map(() => orderReconcile(outputs, {}, world.ahead())));
  for (const report of [one, other]) expect(report).toMatchObject({ failed: {}, complete: true });
  const mended = [one, other].flatMap((report) => report?.done.removeCertificates ?? 0);
  expect(mended.reduce((sum, count) => sum + count, 0)).toBe(PAST);

  expect((await powerfulCertificates(outputs, world.ahead())).sort()).toEqual(
    notYet.map(({ certificateId }) => certificateId).sort(),
  );
  for (const { serialNumber } of past.slice(0, 5)) {
    expect(await world.device(serialNumber)).toMatchObject({ certificates: [] });
  }
  for (const { serialNumber, certificateId } of notYet.slice(0, 5)) {
    expect(await world.device(serialNumber)).toMatchObject({ certificates: [{ id: certificateId }] });
  }
  expect(await orderReconcile(outputs, {}, world.ahead())).toMatchObject({ looked: 0, done: {} });
});
