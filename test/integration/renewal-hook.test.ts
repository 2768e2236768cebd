import { randomBytes } from 'node:crypto';
import { DescribeStreamCommand, ListTagsForStreamCommand } from '@aws-sdk/client-kinesis-video';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { type Camera, claimCamera, type ManifestRow, newSerial } from '../camera-claim.ts';
import { idsOf, readClaims, readDevice } from '../device-records.ts';
import { callFunction } from '../function-call.ts';
import { type IssuedCertificate, issueCertificate, renewalEvent } from '../hook-event.ts';
import { type HookProcess, startHook } from '../hook-process.ts';

const outputs = inject('outputs');
const { kinesisVideo } = awsClients(outputs, outputs.personas.admin);

/** AWS's event of a connection: the certificate is in its camera's hands. */
async function showLife({ thingName: clientId }: Camera, { certificateId }: { certificateId: string }): Promise<void> {
  const event = { clientId, eventType: 'connected', timestamp: Date.now(), principalIdentifier: certificateId };
  const { functionError } = await callFunction(outputs, 'onPresence', event);
  expect(functionError).toBeUndefined();
}

async function activeCamera(row: Omit<ManifestRow, 'serialNumber'> = {}): Promise<Camera> {
  const camera = await claimCamera(outputs, { serialNumber: newSerial(), ...row });
  await showLife(camera, camera);
  return camera;
}

const ask = async (event: object) => (await callFunction(outputs, 'renewalHook', event)).payload;

/** The hook where it is deployed: with its own role. */
const renew = async (camera: Camera, next: IssuedCertificate, more: { clientId?: string } = {}) =>
  ask(await renewalEvent(camera, next, { SerialNumber: camera.serialNumber }, more));

const deny = { allowProvisioning: false };

describe('one warm process', () => {
  let hook: HookProcess;
  beforeAll(async () => {
    hook = await startHook(outputs, 'renewalHook');
  });
  afterAll(() => hook.stop());

  test.each(['thing-name', 'certificate-id', 'fixed'] as const)(
    'says yes to a %s camera with at most three AWS calls, none to AWS IoT',
    async (streamMode) => {
      const camera = await activeCamera({ streamMode });
      const next = await issueCertificate(outputs);
      const event = await renewalEvent(camera, next, { SerialNumber: camera.serialNumber });
      const { answer, calls } = await hook.ask(event);
      const { streamName } = camera.configuration;
      expect(answer).toMatchObject({
        allowProvisioning: true,
        parameterOverrides: {
          ThingName: camera.thingName,
          StreamName: streamMode === 'certificate-id' ? next.certificateId : streamName,
        },
      });
      expect(calls).toEqual([
        { service: 'dynamodb', operation: 'GetItem' },
        { service: 'dynamodb', operation: 'UpdateItem' },
        ...(streamMode === 'certificate-id' ? [{ service: 'kinesisvideo', operation: 'POST /createStream' }] : []),
      ]);
    },
  );

  test('says the same again, and writes nothing the second time', async () => {
    const camera = await activeCamera();
    const event = await renewalEvent(camera, await issueCertificate(outputs), { SerialNumber: camera.serialNumber });
    const first = await hook.ask(event);
    const before = await readDevice(outputs, camera.serialNumber);
    const second = await hook.ask(event);
    expect(first.answer.allowProvisioning).toBe(true);
    expect(second.answer).toEqual(first.answer);
    expect(second.calls.map(({ operation }) => operation)).toEqual(['GetItem']);
    expect(await readDevice(outputs, camera.serialNumber)).toEqual(before);
  });
});

test('in certificate-id mode the new stream is there with our tags before the yes, and the device lists both', async () => {
  const camera = await activeCamera({ streamMode: 'certificate-id' });
  const { certificateId: StreamName, ...rest } = await issueCertificate(outputs);
  expect((await renew(camera, { certificateId: StreamName, ...rest })).allowProvisioning).toBe(true);
  const { StreamInfo } = await kinesisVideo.send(new DescribeStreamCommand({ StreamName }));
  expect(StreamInfo?.StreamName).toBe(StreamName);
  const { Tags } = await kinesisVideo.send(new ListTagsForStreamCommand({ StreamName }));
  expect(Tags).toMatchObject({ 'firstlight:device': camera.serialNumber });
  const { streams } = await readDevice(outputs, camera.serialNumber);
  expect(streams).toMatchObject([{ name: camera.certificateId, state: 'made' }, { name: StreamName }]);
});

test('the attempts of a camera tell its renewals from its claim', async () => {
  const camera = await activeCamera();
  const [next, foreign] = [await issueCertificate(outputs), await issueCertificate(outputs)];
  await renew(camera, next);
  expect(await renew({ ...camera, ...foreign }, await issueCertificate(outputs))).toEqual(deny);
  const claims = await readClaims(outputs, camera.serialNumber);
  expect(claims).toMatchObject([
    { outcome: 'refused', reason: 'certificate-unknown', door: 'renewal', claimCertificateId: foreign.certificateId },
    { outcome: 'granted', reason: 'current-certificate', door: 'renewal', claimCertificateId: camera.certificateId },
    { outcome: 'granted', reason: 'allow-list', door: 'mqtt' },
  ]);
  expect(claims[1]?.certificateId).toBe(next.certificateId);
});

test('what a claim certificate has opened is not changed by a renewal', async () => {
  const camera = await activeCamera();
  const before = (await readDevice(outputs, camera.serialNumber)) as { openedBy?: string };
  await renew(camera, await issueCertificate(outputs));
  expect(before.openedBy).toMatch(/^[0-9a-f]{64}$/);
  expect(await readDevice(outputs, camera.serialNumber)).toMatchObject({ openedBy: before.openedBy });
});

test('twenty keys at once of one camera: two certificates are open, and each yes is on record or has been refused', async () => {
  const camera = await activeCamera();
  const certificates = await Promise.all(Array.from({ length: 20 }, () => issueCertificate(outputs)));
  const answers = await Promise.all(certificates.map((next) => renew(camera, next)));
  const device = await readDevice(outputs, camera.serialNumber);
  expect(idsOf(device, 'current')).toEqual([camera.certificateId]);
  expect(idsOf(device, 'allowed')).toHaveLength(1);
  const granted = certificates.filter((_, index) => answers[index].allowProvisioning).map((one) => one.certificateId);
  expect([...granted].sort()).toEqual(idsOf(device, 'allowed', 'leaving').sort());
  const attempts = (await readClaims(outputs, camera.serialNumber)).filter((one) => one.reason !== 'allow-list');
  expect(attempts).toHaveLength(20);
});

describe('refuses', () => {
  const reasonOf = async ({ serialNumber }: Camera) => (await readClaims(outputs, serialNumber))[0]?.reason;

  test('the certificate before, once the new one has shown life', async () => {
    const camera = await activeCamera();
    const next = await issueCertificate(outputs);
    await renew(camera, next);
    await showLife(camera, next);
    expect(await renew(camera, await issueCertificate(outputs))).toEqual(deny);
    expect(await reasonOf(camera)).toBe('certificate-superseded');
    expect((await renew({ ...camera, ...next }, await issueCertificate(outputs))).allowProvisioning).toBe(true);
  });

  test('a certificate that has not shown life yet, without a sign of a clone', async () => {
    const camera = await claimCamera(outputs, { serialNumber: newSerial() });
    expect(await renew(camera, await issueCertificate(outputs))).toEqual(deny);
    expect(await reasonOf(camera)).toBe('certificate-unproven');
    expect(await readDevice(outputs, camera.serialNumber)).not.toHaveProperty('contested');
  });

  test('the serial number of another camera, which it leaves as it was but for the sign of a clone', async () => {
    const [camera, other] = [await activeCamera(), await activeCamera()];
    const before = await readDevice(outputs, other.serialNumber);
    const event = await renewalEvent(camera, await issueCertificate(outputs), { SerialNumber: other.serialNumber });
    expect(await ask(event)).toEqual(deny);
    const contested = { reason: 'certificate-unknown', count: 1, at: expect.any(String) };
    expect(await readDevice(outputs, other.serialNumber)).toEqual({ ...before, contested });
  });

  test('another client id than its place', async () => {
    const camera = await activeCamera();
    expect(await renew(camera, await issueCertificate(outputs), { clientId: newSerial() })).toEqual(deny);
    expect(await reasonOf(camera)).toBe('wrong-place');
  });

  test('a serial number that nobody announced', async () => {
    const camera = await activeCamera();
    const SerialNumber = newSerial();
    expect(await ask(await renewalEvent(camera, await issueCertificate(outputs), { SerialNumber }))).toEqual(deny);
    const [claim] = await readClaims(outputs, SerialNumber);
    expect(claim).toMatchObject({ reason: 'unknown-serial', door: 'renewal' });
  });

  test.each([['ThingName'], ['StreamName'], ['RoleAlias'], ['Unheard']])(
    'a parameter that is not its own: %s',
    async (name) => {
      const camera = await activeCamera();
      const parameters = { SerialNumber: camera.serialNumber, [name]: 'x' };
      expect(await ask(await renewalEvent(camera, await issueCertificate(outputs), parameters))).toEqual(deny);
      expect(await reasonOf(camera)).toBe('parameter-not-allowed');
    },
  );

  test.each<[string, unknown]>([
    ['missing', undefined],
    ['empty', ''],
    ['129 characters', 'a'.repeat(129)],
    ['with /', 'CAM/1'],
    ['a number', 7],
    ['null', null],
  ])('a serial number that is none: %s', async (_, SerialNumber) => {
    const camera = await activeCamera();
    const parameters = SerialNumber === undefined ? {} : { SerialNumber };
    expect(await ask(await renewalEvent(camera, await issueCertificate(outputs), parameters))).toEqual(deny);
  });

  test.each([
    ['null', null],
    ['an empty object', {}],
    ['a list', []],
    ['a text', 'x'],
  ])('an event that is none: %s', async (_, event) => {
    const { payload, functionError } = await callFunction(outputs, 'renewalHook', event as object);
    expect({ payload, functionError }).toEqual({ payload: deny, functionError: undefined });
  });

  test('an event that does not say who asks', async () => {
    const camera = await activeCamera();
    const event = await renewalEvent(camera, await issueCertificate(outputs), { SerialNumber: camera.serialNumber });
    const { claimCertificateId: _, ...silent } = event as { claimCertificateId: string };
    expect(await ask(silent)).toEqual(deny);
    expect(await reasonOf(camera)).toBe('certificate-unknown');
  });

  test('a certificate that cannot be read', async () => {
    const camera = await activeCamera();
    const next = { certificateId: randomBytes(32).toString('hex'), certificatePem: 'no PEM' };
    expect(await renew(camera, next)).toEqual(deny);
    expect(idsOf(await readDevice(outputs, camera.serialNumber))).toEqual([camera.certificateId]);
  });
});
