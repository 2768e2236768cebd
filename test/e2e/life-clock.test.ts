import { DescribeCertificateCommand } from '@aws-sdk/client-iot';
import { DescribeStreamCommand } from '@aws-sdk/client-kinesis-video';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { announce, claimCamera, newSerial, openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { emptyDisk, runCamera, startCamera } from '../camera-process.ts';
import { askForCredentials } from '../credential-provider.ts';
import { idsOf, readClaims, readDevice, untilActive } from '../device-records.ts';
import { createHttpApi } from '../http-api.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import { connectDevice } from '../mqtt-device.ts';
import { expectNothingMade } from '../nothing-made.ts';
import { putMedia } from '../put-media.ts';

vi.setConfig({ testTimeout: 60_000 });

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let run: LocalRun;
let outputs: Outputs;
/** How far the stand-in is ahead of this machine. */
let ahead = 0;

beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
});
// The one way back to this machine's time; each test begins in a new world.
afterEach(async () => {
  await tellStandIn(outputs.aws, 'reset');
  ahead = 0;
});
afterAll(() => run.stop());

async function advance(seconds: number): Promise<void> {
  await tellStandIn(outputs.aws, 'clock', { advanceSeconds: seconds });
  ahead += seconds;
}

/** For whoever's clock is the stand-in's. */
const now = () => ({ signingDate: new Date(Date.now() + ahead * 1000) });

/** Announces while the clocks still agree. */
async function announced(): Promise<{ serialNumber: string; directory: string }> {
  const serialNumber = newSerial();
  await announce(outputs, { serialNumber });
  return { serialNumber, directory: emptyDisk() };
}

describe('an hour after its issue', () => {
  test('an ownership token is refused, and the certificate is gone with it', async () => {
    const { serialNumber } = await announced();
    const device = await openClaim(outputs);
    const { ownershipToken, certificateId } = await takeCertificate(device);
    await advance(HOUR - MINUTE);
    const { iot } = awsClients(outputs, outputs.personas.admin, ahead * 1000);
    const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
    expect(certificateDescription?.status).toBe('PENDING_ACTIVATION');
    await advance(2 * MINUTE);
    expect(
      await registerThing(device, outputs.claim.templateName, ownershipToken, { SerialNumber: serialNumber }),
    ).toMatchObject({ outcome: 'rejected', content: { errorCode: 'InvalidCertificateOwnershipToken' } });
    await expectNothingMade(outputs, { certificateId, gone: true, name: serialNumber, clockOffsetMs: ahead * 1000 });
    await device.close();
  });

  test('a camera that was off all the time takes another one', async () => {
    const camera = await announced();
    // It comes as far as its certificate, and no further, until the power goes.
    await tellStandIn(outputs.aws, 'faults', {
      faults: [{ service: 'iot', operation: 'RegisterThing', kind: 'error' }],
    });
    const first = startCamera(outputs, 'boot', camera);
    await first.sees(/tries again/);
    const { printed: before } = await first.kill();
    const [lost = ''] = /(?<=certificate )[0-9a-f]{64}/.exec(before) ?? [];
    await tellStandIn(outputs.aws, 'faults');
    await advance(2 * HOUR);
    const { code, printed } = await runCamera(outputs, 'boot', camera);
    expect(printed).toMatch(/PERSISTED/);
    expect(code).toBe(0);
    const device = await untilActive(outputs, camera.serialNumber, now());
    expect(device.certificates).toMatchObject([{ state: 'current' }]);
    expect(lost).toMatch(/^[0-9a-f]{64}$/);
    expect(idsOf(device)).not.toContain(lost);
  });

  test('a registered certificate is still there', async () => {
    const { serialNumber, certificateId, ...held } = await claimCamera(outputs, { serialNumber: newSerial() });
    await advance(2 * HOUR);
    const camera = await connectDevice(outputs, { clientId: serialNumber, held });
    expect(idsOf(await untilActive(outputs, serialNumber, now()), 'current')).toEqual([certificateId]);
    await camera.close();
  });
});

test("a camera's credentials end after their hour, at every door of Kinesis Video, and new ones work", async () => {
  const { serialNumber, configuration, ...held } = await claimCamera(outputs, { serialNumber: newSerial() });
  const { roleAlias, streamName: StreamName } = configuration;
  const fetchKeys = async () => {
    const { status, body } = await askForCredentials(outputs, { held, roleAlias, thingName: serialNumber });
    expect(status).toBe(200);
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = body.credentials;
    return { keys: { accessKeyId, secretAccessKey, sessionToken }, expiration: Date.parse(expiration) };
  };
  const describeStream = (keys: { accessKeyId: string; secretAccessKey: string; sessionToken: string }) =>
    awsClients(outputs, keys, ahead * 1000).kinesisVideo.send(new DescribeStreamCommand({ StreamName }));

  const { keys, expiration } = await fetchKeys();
  expect(expiration - Date.now()).toBeGreaterThan((HOUR - MINUTE) * 1000);
  expect(expiration - Date.now()).toBeLessThanOrEqual(HOUR * 1000);
  await describeStream(keys);
  await advance(HOUR + 1);
  await expect(describeStream(keys)).rejects.toMatchObject({ name: expect.stringMatching(/ExpiredToken/) });
  const dated = { 'x-amzn-producer-start-timestamp': String(now().signingDate.getTime() / 1000) };
  expect((await putMedia(outputs, keys, { name: StreamName }, Buffer.alloc(0), dated)).status).toBe(403);
  await describeStream((await fetchKeys()).keys);
});

test('the functions go on after twelve hours, when the keys that they began with have ended', async () => {
  const before = await claimCamera(outputs, { serialNumber: newSerial() });
  const { serialNumber } = await announced();
  await advance(13 * HOUR);
  const device = await openClaim(outputs);
  const { ownershipToken, ...held } = await takeCertificate(device);
  const answer = await registerThing(device, outputs.claim.templateName, ownershipToken, {
    SerialNumber: serialNumber,
  });
  expect(answer.outcome).toBe('accepted');
  await device.close();
  for (const camera of [{ ...held, serialNumber }, before]) {
    const session = await connectDevice(outputs, { clientId: camera.serialNumber, held: camera });
    await untilActive(outputs, camera.serialNumber, now());
    await session.close();
  }
});

test('refused claims are kept for ninety days, and no longer; the registry stays', async () => {
  const { serialNumber } = await claimCamera(outputs, { serialNumber: newSerial() });
  const device = await openClaim(outputs);
  const { ownershipToken } = await takeCertificate(device);
  await registerThing(device, outputs.claim.templateName, ownershipToken, { SerialNumber: serialNumber });
  await device.close();
  const outcomes = async () => (await readClaims(outputs, serialNumber, now())).map(({ outcome }) => outcome);
  expect(await outcomes()).toEqual(['refused', 'granted']);
  await advance(89 * DAY);
  expect(await outcomes()).toEqual(['refused', 'granted']);
  await advance(2 * DAY);
  expect(await outcomes()).toEqual(['granted']);
  expect((await readDevice(outputs, serialNumber, now())).status).toBe('claimed');
});

describe('a signature', () => {
  const api = () => createHttpApi(outputs, outputs.personas.operator);
  const minutesFrom = (minutes: number) => ({ signingDate: new Date(Date.now() + (ahead + minutes * MINUTE) * 1000) });

  test('may be five minutes off and no more, either way, at every door', async () => {
    const { serialNumber } = await announced();
    for (const [minutes, accepted] of [
      [-4, true],
      [4, true],
      [-6, false],
      [6, false],
      [-60, false],
      [60, false],
    ] as const) {
      const { status } = await api().get(`/devices/${serialNumber}`, minutesFrom(minutes));
      expect({ minutes, status }).toEqual({ minutes, status: accepted ? 200 : 403 });
      const { sts } = awsClients(outputs, outputs.personas.admin, minutes * MINUTE * 1000);
      const asked = sts.send(new GetCallerIdentityCommand({}));
      if (accepted) await asked;
      else await expect(asked).rejects.toMatchObject({ name: 'SignatureDoesNotMatch', message: /expired|not yet/ });
    }
  });

  test('of the right time is good again once the clock has been moved', async () => {
    const { serialNumber } = await announced();
    await advance(HOUR);
    expect((await api().get(`/devices/${serialNumber}`)).status).toBe(403);
    expect((await api().get(`/devices/${serialNumber}`, now())).status).toBe(200);
  });
});

describe('the reference camera, its clock', () => {
  test.each([
    ['an hour slow', -HOUR],
    ['an hour fast', HOUR],
    ['at 1970', -Date.now() / 1000],
  ])('%s, streams all the same: it signs by the Date of the cloud', async (_, seconds) => {
    const camera = { ...(await announced()), clockOffsetMs: seconds * 1000 };
    const { code, printed } = await runCamera(outputs, 'boot', camera);
    expect(printed).toMatch(/PERSISTED/);
    expect(code).toBe(0);
    await untilActive(outputs, camera.serialNumber);
  });
});
