import {
  DescribeCertificateCommand,
  DescribeThingCommand,
  ListAttachedPoliciesCommand,
  ListCertificatesCommand,
  ListPrincipalThingsV2Command,
  UpdateCertificateCommand,
} from '@aws-sdk/client-iot';
import { DeleteFunctionConcurrencyCommand, PutFunctionConcurrencyCommand } from '@aws-sdk/client-lambda';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import {
  announce,
  type Camera,
  claimCamera,
  claimCertificate,
  type ManifestRow,
  newSerial,
  openClaim,
  registerThing,
  renewThing,
  takeCertificate,
} from '../camera-claim.ts';
import { emptyDisk, runCamera } from '../camera-process.ts';
import { askForCredentials } from '../credential-provider.ts';
import { makeDeviceKey } from '../device-key.ts';
import {
  type DeviceRecord,
  expectNoUnknownPower,
  idsOf,
  powerfulCertificates,
  readClaims,
  readDevice,
  untilActive,
} from '../device-records.ts';
import { listenToBus } from '../event-bus.ts';
import { callFunction } from '../function-call.ts';
import { issueCertificate, renewalEvent } from '../hook-event.ts';
import { createHttpApi, type Keys } from '../http-api.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import type { MqttDevice } from '../mqtt-device.ts';
import { putMedia } from '../put-media.ts';
import { askToRenew, connectCamera, renewed } from '../renewal-device.ts';
import { switchOffSchedules } from '../schedules.ts';
import { switchOffStreamConsumers } from '../stream-consumers.ts';
import { footage } from '../unit/matroska.ts';
import { until } from '../until.ts';

vi.setConfig({ testTimeout: 60_000 });

const MODES = ['thing-name', 'certificate-id', 'fixed'] as const;
const MINUTE = 60;
const HOUR = 60 * MINUTE;

let run: LocalRun;
let outputs: Outputs;
/** How far the stand-in is ahead of this machine, in seconds. */
let ahead = 0;

beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
});
// What is unfinished is looked at here before reconcile ends it.
beforeEach(() => switchOffSchedules(outputs));
// The one way back to this machine's time; each test begins in a new world.
afterEach(async () => {
  await tellStandIn(outputs.aws, 'reset');
  ahead = 0;
});
afterAll(() => run.stop());

const faults = (...list: object[]) => tellStandIn(outputs.aws, 'faults', { faults: list });
const now = () => ({ signingDate: new Date(Date.now() + ahead * 1000) });
const aws = () => awsClients(outputs, outputs.personas.admin, ahead * 1000);
const deviceOf = ({ serialNumber }: Camera) => readDevice(outputs, serialNumber, now());
const newestReason = async ({ serialNumber }: Camera) => (await readClaims(outputs, serialNumber, now()))[0]?.reason;

async function advance(seconds: number): Promise<void> {
  await tellStandIn(outputs.aws, 'clock', { advanceSeconds: seconds });
  ahead += seconds;
}

async function reconcile(): Promise<void> {
  const { functionError, payload } = await callFunction(outputs, 'reconcile', {}, ahead * 1000);
  expect({ functionError, failed: payload.failed }).toEqual({ functionError: undefined, failed: {} });
}

/** Claimed, connected, and known to live. */
async function living(row: Omit<ManifestRow, 'serialNumber'> = {}): Promise<{ camera: Camera; session: MqttDevice }> {
  const camera = await claimCamera(outputs, { serialNumber: newSerial(), ...row });
  const session = await connectCamera(outputs, camera);
  await untilCurrent(camera);
  return { camera, session };
}

const untilCurrent = (camera: Camera): Promise<DeviceRecord> =>
  until(`${camera.certificateId} to be current`, async () => {
    const device = await deviceOf(camera);
    return idsOf(device, 'current').includes(camera.certificateId) && device;
  });

async function statusOf({ certificateId }: Camera): Promise<string | undefined> {
  try {
    const { certificateDescription } = await aws().iot.send(new DescribeCertificateCommand({ certificateId }));
    return certificateDescription?.status;
  } catch (error) {
    return (error as Error).name;
  }
}

async function credentialsOf(camera: Camera): Promise<Keys> {
  const { thingName, configuration, ...held } = camera;
  const { status, body } = await askForCredentials(outputs, { held, roleAlias: configuration.roleAlias, thingName });
  expect({ status, body }).toMatchObject({ status: 200 });
  return body.credentials;
}

/** Sends a fragment into the camera's stream, which AWS may be a second in making. */
async function streams(camera: Camera, keys: Keys): Promise<void> {
  const { streamName: name } = camera.configuration;
  await until(`${name} to take a fragment`, async () => {
    const { status, text } = await putMedia(outputs, keys, { name }, footage(1, Date.now()));
    if (status === 403) throw new Error(text);
    return status === 200;
  });
}

describe.each(MODES)('a %s camera', (streamMode) => {
  test('has one certificate after the other, and at no time none', async () => {
    const { camera, session } = await living({ streamMode, channels: streamMode === 'thing-name' ? ['sub'] : [] });
    const oldKeys = await credentialsOf(camera);
    await streams(camera, oldKeys);
    const { thingName } = camera;
    const thing = await aws().iot.send(new DescribeThingCommand({ thingName }));

    const next = await renewed(outputs, camera, session);
    expect(next.thingName).toBe(thingName);
    expect(next.configuration.streamName).toBe(
      streamMode === 'certificate-id' ? next.certificateId : camera.configuration.streamName,
    );
    // Both have power, on the same thing, which is as it was; the one that streams is not disturbed.
    const { certificateId } = next;
    expect([await statusOf(camera), await statusOf(next)]).toEqual(['ACTIVE', 'ACTIVE']);
    const { certificateDescription } = await aws().iot.send(new DescribeCertificateCommand({ certificateId }));
    const principal = certificateDescription?.certificateArn;
    const { policies } = await aws().iot.send(new ListAttachedPoliciesCommand({ target: principal }));
    expect(policies).toMatchObject([{ policyName: 'firstlight-local-device' }]);
    const { principalThingObjects } = await aws().iot.send(new ListPrincipalThingsV2Command({ principal }));
    expect(principalThingObjects).toEqual([{ thingName, thingPrincipalType: 'EXCLUSIVE_THING' }]);
    expect(await aws().iot.send(new DescribeThingCommand({ thingName }))).toMatchObject({
      version: thing.version,
      attributes: thing.attributes,
      thingTypeName: thing.thingTypeName,
    });
    await streams(camera, oldKeys);
    expect((await deviceOf(camera)).certificates).toMatchObject([
      { id: camera.certificateId, state: 'current' },
      { id: certificateId, state: 'allowed', door: 'renewal' },
    ]);

    // The new one shows life: the same client id, so AWS ends the session before it.
    const after = await connectCamera(outputs, next);
    expect(await session.ended).toEqual({ reasonCode: 0x8e });
    const device = await untilCurrent(next);
    expect(device.status).toBe('active');
    expect(idsOf(device, 'leaving')).toEqual([camera.certificateId]);
    await streams(next, await credentialsOf(next));

    // For an hour the one before stays, so that a camera can change over.
    await reconcile();
    expect(await statusOf(camera)).toBe('ACTIVE');
    await streams(camera, await credentialsOf(camera));
    await advance(HOUR - MINUTE);
    await reconcile();
    expect(await statusOf(camera)).toBe('ACTIVE');
    await advance(2 * MINUTE);
    await reconcile();
    expect([await statusOf(camera), await statusOf(next)]).toEqual(['ResourceNotFoundException', 'ACTIVE']);
    const last = await deviceOf(next);
    expect(last.certificates).toMatchObject([{ id: certificateId, state: 'current' }]);
    expect(last).not.toHaveProperty('dueAt');
    expect(last).not.toHaveProperty('contested');
    expect(await powerfulCertificates(outputs, ahead * 1000)).toEqual([certificateId]);
    await after.close();
  });
});

test('a certificate-id camera lists its streams, each with its span', async () => {
  let { camera, session } = await living({ streamMode: 'certificate-id' });
  const ids = [camera.certificateId];
  for (let renewal = 0; renewal < 2; renewal++) {
    await advance(HOUR);
    const next = await renewed(outputs, camera, session);
    const after = await connectCamera(outputs, next);
    await untilCurrent(next);
    ids.push(next.certificateId);
    [camera, session] = [next, after];
  }
  await session.close();
  const auditor = createHttpApi(outputs, outputs.personas.auditor);
  const { body } = await auditor.get(`/devices/${camera.serialNumber}`, now());
  const spans = body.streams as { name: string; state: string; since: string; until?: string }[];
  expect(spans.map(({ name, state }) => [name, state])).toEqual(ids.map((id) => [id, 'made']));
  // One ends where the next begins, an hour later, and the last has no end.
  expect(spans.map((one) => one.until)).toEqual([spans[1]?.since, spans[2]?.since, undefined]);
  for (const [index, { since }] of spans.slice(1).entries()) {
    const hours = (Date.parse(since) - Date.parse(spans[index]?.since ?? '')) / HOUR / 1000;
    expect(hours).toBeGreaterThanOrEqual(1);
    expect(hours).toBeLessThan(1.1);
  }
});

test('a camera that speaks no more MQTT shows with its first signed word that the renewed certificate lives', async () => {
  const { camera, session } = await living();
  const next = await renewed(outputs, camera, session);
  await session.close();
  const says = createHttpApi(outputs, await credentialsOf(next));
  expect((await says.post('/connected', { serialNumber: next.serialNumber })).status).toBe(204);
  const device = await deviceOf(next);
  expect(device.certificates).toMatchObject([
    { id: camera.certificateId, state: 'leaving', leavesAt: expect.any(String) },
    { id: next.certificateId, state: 'current' },
  ]);
});

test('each step reaches the event bus', async () => {
  const { camera, session } = await living();
  const bus = await listenToBus(outputs);
  const next = await renewed(outputs, camera, session);
  const isOf = (type: string) => (event: { 'detail-type': string; detail: { serialNumber: string } }) =>
    event['detail-type'] === type && event.detail.serialNumber === camera.serialNumber;
  const { detail } = await bus.until('the renewal', isOf('Device renewing'));
  expect(detail).toMatchObject({
    by: `certificate:${camera.certificateId}`,
    status: 'active',
    claim: { door: 'renewal', certificateId: next.certificateId, claimCertificateId: camera.certificateId },
  });
  const after = await connectCamera(outputs, next);
  await bus.until('its life', isOf('Device shown life'));
  await after.close();
});

test('the manifest’s pin stays: a renewed camera that is reset comes back with the key it was born with', async () => {
  const key = await makeDeviceKey();
  const serialNumber = newSerial();
  await announce(outputs, { serialNumber, publicKeySha256: key.publicKeySha256 });
  const claim = async () => {
    const door = await openClaim(outputs);
    const { ownershipToken, ...held } = await takeCertificate(door, key);
    const parameters = { SerialNumber: serialNumber };
    const { outcome, content } = await registerThing(door, outputs.claim.templateName, ownershipToken, parameters);
    await door.close();
    expect(outcome).toBe('accepted');
    const { thingName, deviceConfiguration: configuration } = content;
    return { ...held, serialNumber, thingName, configuration } as Camera;
  };
  const camera = await claim();
  const session = await connectCamera(outputs, camera);
  await untilCurrent(camera);
  const next = await renewed(outputs, camera, session);
  const after = await connectCamera(outputs, next);
  const renewedDevice = await untilCurrent(next);
  expect(renewedDevice.certificates.at(-1)?.publicKeySha256).not.toBe(key.publicKeySha256);
  expect(renewedDevice).toMatchObject({ publicKeySha256: key.publicKeySha256 });
  await after.close();
  const reset = await claim();
  const back = await connectCamera(outputs, reset);
  expect(idsOf(await untilCurrent(reset), 'current')).toEqual([reset.certificateId]);
  await back.close();
});

describe('the reference camera', () => {
  const DAY = 24 * HOUR;

  test('renews by the age of its certificate, by the cloud’s clock and not by its own', async () => {
    const camera = { serialNumber: newSerial(), directory: emptyDisk() };
    await announce(outputs, { serialNumber: camera.serialNumber });
    const boot = async (...flags: string[]) => {
      const { code, printed } = await runCamera(outputs, 'boot', camera, ...flags);
      expect(code, printed).toBe(0);
      return printed;
    };
    expect(await boot()).not.toMatch(/renewal/);
    await untilActive(outputs, camera.serialNumber, now());
    // Told 365 days, it renews in the last tenth of them.
    await advance(328 * DAY);
    expect(await boot()).not.toMatch(/renewal/);
    await advance(38 * DAY);
    const printed = await boot();
    expect(printed).toMatch(/renewal: is over/);
    // The first frame has waited for none of this.
    expect(printed.indexOf('PERSISTED')).toBeLessThan(printed.indexOf('renewal'));
    const device = await readDevice(outputs, camera.serialNumber, now());
    expect(device.certificates).toMatchObject([{ state: 'leaving' }, { state: 'current', door: 'renewal' }]);
    expect(await boot()).not.toMatch(/renewal/);
  });

  test('films on when it may not renew, and renews when it may', async () => {
    const camera = { serialNumber: newSerial(), directory: emptyDisk() };
    await announce(outputs, { serialNumber: camera.serialNumber });
    await runCamera(outputs, 'boot', camera);
    await untilActive(outputs, camera.serialNumber, now());
    await advance(366 * DAY);
    const FunctionName = 'firstlight-local-renewalHook';
    await aws().lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 0 }));
    const refused = await runCamera(outputs, 'boot', camera, '--seconds', '3');
    expect(refused.code, refused.printed).toBe(0);
    expect(refused.printed).toMatch(/goes on with the certificate it has: the renewal was denied/);
    expect(refused.printed).toMatch(/[2-9] fragments PERSISTED/);
    await aws().lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName }));
    const renewing = await runCamera(outputs, 'boot', camera, '--seconds', '5');
    expect(renewing.code, renewing.printed).toBe(0);
    expect(renewing.printed).toMatch(/renewal: is over/);
  });
});

describe('is refused', () => {
  test('with the certificate of another camera, which learns nothing and leaves a sign of a clone', async () => {
    const [{ camera, session }, { camera: other, session: foreign }] = [await living(), await living()];
    const before = await deviceOf(camera);
    const { answer } = await askToRenew(outputs, other, foreign, { SerialNumber: camera.serialNumber });
    expect(answer).toMatchObject({ outcome: 'rejected', content: { statusCode: 403 } });
    expect(answer.content.errorMessage).toBe('The pre-provisioning hook did not allow it.');
    const contested = { reason: 'certificate-unknown', count: 1, at: expect.any(String) };
    expect(await deviceOf(camera)).toEqual({ ...before, contested });
    expect((await readClaims(outputs, camera.serialNumber))[0]).toMatchObject({
      outcome: 'refused',
      reason: 'certificate-unknown',
      door: 'renewal',
      claimCertificateId: other.certificateId,
    });
    // Nobody was switched off, neither of them.
    expect((await askToRenew(outputs, camera, session)).answer.outcome).toBe('accepted');
    expect((await askToRenew(outputs, other, foreign)).answer.outcome).toBe('accepted');
    await session.close();
    await foreign.close();
  });

  test('with the certificate before: in its last hour by the hook, after it at the door', async () => {
    const { camera, session } = await living();
    const next = await renewed(outputs, camera, session);
    const after = await connectCamera(outputs, next);
    await untilCurrent(next);
    await after.close();

    const old = await connectCamera(outputs, camera);
    expect((await askToRenew(outputs, camera, old)).answer.outcome).toBe('rejected');
    expect(await newestReason(camera)).toBe('certificate-superseded');
    await old.close();
    await advance(HOUR + MINUTE);
    await reconcile();
    await expect(connectCamera(outputs, camera)).rejects.toThrow();
    expect(idsOf(await deviceOf(next))).toEqual([next.certificateId]);
  });

  test('with a claim certificate, a camera’s own at the claim template, and a key that AWS would make', async () => {
    const { camera, session } = await living();
    const door = await openClaim(outputs, { held: await claimCertificate(outputs) });
    const { ownershipToken } = await takeCertificate(door);
    const renewing = renewThing(door, outputs, ownershipToken, { SerialNumber: camera.serialNumber });
    await expect(renewing).rejects.toThrow(/hung up/);

    const claiming = session.ask(`$aws/provisioning-templates/${outputs.claim.templateName}/provision/json`, {
      certificateOwnershipToken: (await takeCertificate(session)).ownershipToken,
      parameters: { SerialNumber: camera.serialNumber },
    });
    await expect(claiming).rejects.toThrow(/hung up/);
    const again = await connectCamera(outputs, camera);
    await expect(again.ask('$aws/certificates/create/json', {})).rejects.toThrow(/hung up/);
    expect(idsOf(await deviceOf(camera))).toEqual([camera.certificateId]);
  });

  test.each([
    ['a parameter that is not its own', { ThingName: 'CAM-1' }, 'parameter-not-allowed'],
    ['a stream name', { StreamName: 'CAM-1' }, 'parameter-not-allowed'],
  ])('with %s', async (_, more, reason) => {
    const { camera, session } = await living();
    const parameters = { SerialNumber: camera.serialNumber, ...more };
    expect((await askToRenew(outputs, camera, session, parameters)).answer.outcome).toBe('rejected');
    expect(await newestReason(camera)).toBe(reason);
    await session.close();
  });

  test('for a suspended and for a retired camera, whatever they hold', async () => {
    const operator = createHttpApi(outputs, outputs.personas.operator);
    const { camera, session } = await living();
    const next = await renewed(outputs, camera, session);
    for (const [verb, reason] of [
      ['suspend', 'suspended'],
      ['retire', 'retired'],
    ] as const) {
      expect((await operator.post(`/devices/${camera.serialNumber}/${verb}`, {})).status).toBe(200);
      // Their sessions are gone and their certificates refused, so only AWS itself could still bring such a request.
      await expect(connectCamera(outputs, camera)).rejects.toThrow();
      await expect(connectCamera(outputs, next)).rejects.toThrow();
      const asked = await renewalEvent(camera, await issueCertificate(outputs), { SerialNumber: camera.serialNumber });
      const { payload } = await callFunction(outputs, 'renewalHook', asked);
      expect(payload).toEqual({ allowProvisioning: false });
      expect(await newestReason(camera)).toBe(reason);
    }
    await session.ended;
  });

  test('a suspension that comes between the yes and RegisterThing’s end cuts the new certificate off too', async () => {
    const operator = createHttpApi(outputs, outputs.personas.operator);
    const { camera, session } = await living({ streamMode: 'certificate-id' });
    // The hook has written its yes and waits for the stream.
    await faults({ service: 'kinesisvideo', operation: 'CreateStream', kind: 'delay', ms: 1200, times: 1 });
    const { ownershipToken, certificateId, ...held } = await takeCertificate(session);
    renewThing(session, outputs, ownershipToken, { SerialNumber: camera.serialNumber }).catch(() => {});
    await until('the yes', async () => idsOf(await deviceOf(camera), 'allowed').includes(certificateId));
    expect((await operator.post(`/devices/${camera.serialNumber}/suspend`, {})).status).toBe(200);
    const next = { ...camera, ...held, certificateId };
    expect([await statusOf(camera), await statusOf(next)]).toEqual(['INACTIVE', 'INACTIVE']);
    // Here that ends its ownership token; AWS does not say so, and RegisterThing might yet have made it active.
    await aws().iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'ACTIVE' }));
    await advance(11 * MINUTE);
    await reconcile();
    expect([await statusOf(camera), await statusOf(next)]).toEqual(['INACTIVE', 'INACTIVE']);
    expect((await deviceOf(camera)).status).toBe('suspended');
    await expectNoUnknownPower(outputs, [camera.serialNumber], ahead * 1000);
  });
});

describe('at most two certificates are open', () => {
  test('what an earlier attempt was granted goes when there is a later one', async () => {
    const { camera, session } = await living();
    const granted: Camera[] = [];
    for (let attempt = 0; attempt < 3; attempt++) granted.push(await renewed(outputs, camera, session));
    const ids = granted.map(({ certificateId }) => certificateId);
    const device = await deviceOf(camera);
    expect(idsOf(device, 'current')).toEqual([camera.certificateId]);
    expect(idsOf(device, 'leaving')).toEqual(ids.slice(0, 2));
    expect(idsOf(device, 'allowed')).toEqual(ids.slice(2));
    await reconcile();
    expect(await Promise.all(granted.map(statusOf))).toEqual([
      'ResourceNotFoundException',
      'ResourceNotFoundException',
      'ACTIVE',
    ]);
    const after = await connectCamera(outputs, granted[2] as Camera);
    await untilCurrent(granted[2] as Camera);
    await after.close();
  });

  test('a renewed certificate that nobody ever shows does not block the next one, however long it lies there', async () => {
    const { camera, session } = await living();
    const unshown = await renewed(outputs, camera, session);
    await session.close();
    await advance(30 * 24 * HOUR);
    await reconcile();
    // AWS has it and it is active: the clock alone takes nothing away, its camera may be in a drawer.
    expect(idsOf(await deviceOf(camera), 'allowed')).toEqual([unshown.certificateId]);
    const again = await connectCamera(outputs, camera);
    const next = await renewed(outputs, camera, again);
    await reconcile();
    expect(await statusOf(unshown)).toBe('ResourceNotFoundException');
    expect(idsOf(await deviceOf(camera))).toEqual([camera.certificateId, next.certificateId]);
    await again.close();
  });

  test('one that was in a drawer for a month is still let in', async () => {
    const { camera, session } = await living();
    const unshown = await renewed(outputs, camera, session);
    await session.close();
    await advance(30 * 24 * HOUR);
    await reconcile();
    const after = await connectCamera(outputs, unshown);
    expect(idsOf(await untilCurrent(unshown), 'leaving')).toEqual([camera.certificateId]);
    await after.close();
  });

  test('one that AWS has let go is forgotten, and the camera is as it was', async () => {
    const { camera, session } = await living({ streamMode: 'certificate-id' });
    await faults({ service: 'kinesisvideo', operation: 'CreateStream', kind: 'kill', times: 1 });
    const { answer, camera: next } = await askToRenew(outputs, camera, session);
    expect(answer.outcome).toBe('rejected');
    expect(idsOf(await deviceOf(camera), 'allowed')).toEqual([next.certificateId]);
    await advance(3 * HOUR);
    await reconcile();
    const device = await deviceOf(camera);
    expect(idsOf(device)).toEqual([camera.certificateId]);
    expect(device.streams).toMatchObject([
      { name: camera.certificateId, state: 'made' },
      { name: next.certificateId, until: expect.any(String) },
    ]);
    expect(device.streams[0]).not.toHaveProperty('until');
    await session.close();
  });
});

describe('broken at any point, the camera has a certificate that works', () => {
  test.each([
    ['dynamodb', 'GetItem', 'thing-name'],
    ['dynamodb', 'UpdateItem', 'thing-name'],
    ['kinesisvideo', 'CreateStream', 'certificate-id'],
  ] as const)('the hook is killed at its %s %s', async (service, operation, streamMode) => {
    await switchOffStreamConsumers(outputs);
    const { camera, session } = await living({ streamMode });
    const { ownershipToken, ...pending } = await takeCertificate(session);
    const ask = () => renewThing(session, outputs, ownershipToken, { SerialNumber: camera.serialNumber });
    await faults({ service, operation, kind: 'kill', times: 1 });
    expect(await ask()).toMatchObject({ outcome: 'rejected', content: { statusCode: 403 } });
    await expectNoUnknownPower(outputs, [camera.serialNumber]);
    expect(idsOf(await deviceOf(camera), 'current')).toEqual([camera.certificateId]);
    await faults();
    expect((await ask()).outcome).toBe('accepted');
    expect(idsOf(await deviceOf(camera), 'allowed')).toEqual([pending.certificateId]);
    await session.close();
  });

  test('the hook is throttled: a no that is not on record, and a yes later', async () => {
    const { camera, session } = await living();
    const FunctionName = 'firstlight-local-renewalHook';
    await aws().lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 0 }));
    const { answer, again } = await askToRenew(outputs, camera, session);
    expect(answer).toMatchObject({ outcome: 'rejected', content: { statusCode: 403 } });
    expect(idsOf(await deviceOf(camera))).toEqual([camera.certificateId]);
    await aws().lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName }));
    expect((await again()).outcome).toBe('accepted');
    await session.close();
  });

  test.each([
    ['takes too long', { kind: 'delay', ms: 3000 }, 'stream-late'],
    ['fails', { kind: 'error' }, 'stream-late'],
    ['is throttled', { kind: 'throttle' }, 'stream-late'],
    ['is made, and nobody hears of it', { kind: 'lost-answer' }, 'stream-late'],
  ])('the new stream %s: the camera keeps the old one, and asks again', async (_, fault, reason) => {
    await switchOffStreamConsumers(outputs);
    const { camera, session } = await living({ streamMode: 'certificate-id' });
    await faults({ service: 'kinesisvideo', operation: 'CreateStream', times: 1, ...fault });
    const { answer, again, camera: next } = await askToRenew(outputs, camera, session);
    expect(answer).toMatchObject({ outcome: 'rejected', content: { statusCode: 403 } });
    expect(await newestReason(camera)).toBe(reason);
    expect(idsOf(await deviceOf(camera))).toEqual([camera.certificateId]);
    await streams(camera, await credentialsOf(camera));
    await faults();
    expect(await again()).toMatchObject({
      outcome: 'accepted',
      content: { deviceConfiguration: { streamName: next.certificateId } },
    });
    await session.close();
  });

  test.each(['CreateCertificateFromCsr', 'RegisterThing'])('the answer of %s is lost', async (operation) => {
    const { camera, session } = await living();
    await faults({ service: 'iot', operation, kind: 'lost-answer', times: 1 });
    const heard = askToRenew(outputs, camera, session).then(
      () => 'heard',
      () => 'nothing',
    );
    // What was lost is not coming: the camera begins again on a new connection.
    await until('what nobody hears of', async () => {
      const { certificates } = await aws().iot.send(new ListCertificatesCommand({}));
      const isIssued = certificates?.some(({ status }) => status === 'PENDING_ACTIVATION');
      return operation === 'RegisterThing' ? idsOf(await deviceOf(camera), 'allowed').length === 1 : isIssued;
    });
    await session.close();
    expect(await heard).toBe('nothing');
    const again = await connectCamera(outputs, camera);
    const next = await renewed(outputs, camera, again);
    const device = await deviceOf(camera);
    expect(idsOf(device, 'current')).toEqual([camera.certificateId]);
    expect(idsOf(device, 'allowed')).toEqual([next.certificateId]);
    expect(idsOf(device, 'leaving')).toHaveLength(operation === 'RegisterThing' ? 1 : 0);
    const after = await connectCamera(outputs, next);
    await untilCurrent(next);
    await reconcile();
    await expectNoUnknownPower(outputs, [camera.serialNumber]);
    expect(idsOf(await deviceOf(next))).toEqual([camera.certificateId, next.certificateId]);
    await after.close();
  });

  test('the event of its new life is lost: it is current at its next connection', async () => {
    await switchOffStreamConsumers(outputs);
    const { camera, session } = await living();
    const next = await renewed(outputs, camera, session);
    const FunctionName = 'firstlight-local-onPresence';
    await aws().lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 0 }));
    const lost = await connectCamera(outputs, next);
    await lost.close();
    await advance(7 * HOUR);
    await aws().lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName }));
    await reconcile();
    // Until the registry knows, nothing is taken away and nothing more is given.
    expect([await statusOf(camera), await statusOf(next)]).toEqual(['ACTIVE', 'ACTIVE']);
    const after = await connectCamera(outputs, next);
    await untilActive(outputs, next.serialNumber, now());
    expect(idsOf(await untilCurrent(next), 'leaving')).toEqual([camera.certificateId]);
    await after.close();
  });
});
