import { InvokeCommand, UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import {
  announce,
  type Camera,
  type ManifestRow,
  newSerial,
  openClaim,
  registerThing,
  takeCertificate,
} from '../camera-claim.ts';
import { askForCredentials } from '../credential-provider.ts';
import { type DeviceKey, makeDeviceKey } from '../device-key.ts';
import { idsOf, powerfulCertificates, readClaims, readDevice } from '../device-records.ts';
import { atRun, firstlight } from '../firstlight.ts';
import { createHttpApi } from '../http-api.ts';
import { cameraOf, claimOverHttps, newToken, sayConnected } from '../https-camera.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';

/**
 * Design §5: what a claim of an active device needs, by the four policies, through both doors, for each proof that a manifest can
 * ask for. Twice each: the camera itself after a factory reset, its key kept; and a stranger who knows serial number and token.
 */

// reconcile and a function's environment: a stand-in of its own.
let run: LocalRun;
let outputs: Outputs;
let operator: ReturnType<typeof createHttpApi>;
beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
  operator = createHttpApi(outputs, outputs.personas.operator);
});
afterAll(() => run.stop());

type Policy = NonNullable<ManifestRow['reprovisioning']>;
type Door = 'mqtt' | 'https';
type Proof = 'no proof' | 'a pinned key' | 'a token';

interface Living {
  camera: Camera;
  key: DeviceKey;
  claimToken?: string;
}

/** The camera that the claim made, or nothing: why it was refused is on record. */
async function claims(
  door: Door,
  serialNumber: string,
  key: DeviceKey,
  claimToken?: string,
): Promise<Camera | undefined> {
  const { certificateSigningRequest, privateKeyPem } = key;
  if (door === 'https') {
    const claim = { serialNumber, certificateSigningRequest, ...(claimToken !== undefined && { claimToken }) };
    const answer = await claimOverHttps(outputs, claim);
    expect([201, 403]).toContain(answer.status);
    return answer.status === 201 ? cameraOf(answer, privateKeyPem) : undefined;
  }
  const device = await openClaim(outputs);
  try {
    const { ownershipToken, ...held } = await takeCertificate(device, key);
    const parameters = { SerialNumber: serialNumber, ...(claimToken !== undefined && { ClaimToken: claimToken }) };
    const { outcome, content } = await registerThing(device, outputs.claim.templateName, ownershipToken, parameters);
    if (outcome !== 'accepted') return undefined;
    return { ...held, serialNumber, thingName: content.thingName, configuration: content.deviceConfiguration };
  } finally {
    await device.close();
  }
}

const showsLife = async (camera: Camera) => expect((await sayConnected(outputs, camera)).status).toBe(204);

async function living(door: Door, proof: Proof, reprovisioning?: Policy): Promise<Living> {
  const serialNumber = newSerial();
  const key = await makeDeviceKey();
  const claimToken = proof === 'a token' ? newToken() : undefined;
  await announce(outputs, {
    serialNumber,
    ...(reprovisioning && { reprovisioning }),
    ...(proof === 'a pinned key' && { publicKeySha256: key.publicKeySha256 }),
    ...(claimToken !== undefined && { claimToken }),
  });
  const camera = await claims(door, serialNumber, key, claimToken);
  if (!camera) throw new Error(`${serialNumber} was refused its first claim`);
  await showsLife(camera);
  return { camera, key, ...(claimToken !== undefined && { claimToken }) };
}

const newestReason = async (serialNumber: string) => (await readClaims(outputs, serialNumber))[0]?.reason;

/** It has its credentials, and the registry has it. */
async function expectUnharmed({ serialNumber, certificateId, thingName, configuration, ...held }: Camera) {
  const { roleAlias } = configuration;
  expect(await askForCredentials(outputs, { held, roleAlias, thingName })).toMatchObject({ status: 200 });
  const device = await readDevice(outputs, serialNumber);
  expect(device.status).toBe('active');
  expect(idsOf(device, 'current')).toEqual([certificateId]);
}

async function reconcile(): Promise<void> {
  const FunctionName = outputs.claim.templateName.replace(/claim$/, 'reconcile');
  const { lambda } = awsClients(outputs, outputs.personas.admin);
  const { FunctionError, Payload } = await lambda.send(new InvokeCommand({ FunctionName }));
  expect(FunctionError, Buffer.from(Payload ?? []).toString()).toBeUndefined();
}

const IN = 'in';

/** The reset camera's fate, and the stranger's by the proof that the manifest asks for. */
const POLICIES: [policy: Policy, reset: string, strangers: Record<Proof, string>][] = [
  ['refuse', 'already-claimed', strangers('already-claimed')],
  ['same-key', IN, strangers('already-claimed')],
  ['replace-certificate', IN, strangers(IN)],
  ['approve', 'approval-needed', strangers('approval-needed')],
];

/** Where the manifest asks for nothing, the policy alone decides. */
function strangers(unproven: string): Record<Proof, string> {
  return { 'no proof': unproven, 'a pinned key': 'key-mismatch', 'a token': 'token-spent' };
}

/** Over HTTPS nothing opens what has neither pin nor token. */
const WAYS: [door: Door, proof: Proof][] = [
  ['mqtt', 'no proof'],
  ['mqtt', 'a pinned key'],
  ['mqtt', 'a token'],
  ['https', 'a pinned key'],
  ['https', 'a token'],
];

const cases = POLICIES.flatMap(([policy, reset, fates]) =>
  WAYS.map(([door, proof]) => ({ policy, door, proof, reset, stranger: fates[proof] })),
);

describe.each(cases)('$policy, over $door, with $proof', ({ policy, door, proof, reset, stranger }) => {
  test(`the camera itself, its key kept: ${reset}`, async () => {
    const { camera, key } = await living(door, proof, policy);
    const { serialNumber } = camera;
    const again = await claims(door, serialNumber, key);
    if (reset === IN) {
      if (!again) throw new Error(`refused: ${await newestReason(serialNumber)}`);
      await expectUnharmed(camera);
      await showsLife(again);
      await reconcile();
      expect(idsOf(await readDevice(outputs, serialNumber))).toEqual([again.certificateId]);
      const powerful = await powerfulCertificates(outputs);
      expect([camera, again].map((one) => powerful.includes(one.certificateId))).toEqual([
        camera.certificateId === again.certificateId,
        true,
      ]);
    } else {
      expect(again).toBeUndefined();
      expect(await newestReason(serialNumber)).toBe(reset);
      await expectUnharmed(camera);
    }
    // Whoever holds the key is no clone.
    expect((await readDevice(outputs, serialNumber)).contested).toBeUndefined();
  });

  test(`a stranger: ${stranger}`, async () => {
    const { camera, claimToken } = await living(door, proof, policy);
    const { serialNumber } = camera;
    const intruder = await claims(door, serialNumber, await makeDeviceKey(), claimToken);
    if (stranger === IN) {
      expect(intruder).toBeDefined();
      // Not by the claim: only life shown with the new certificate ends the old one.
      expect(idsOf(await readDevice(outputs, serialNumber), 'allowed')).toEqual([intruder?.certificateId]);
    } else {
      expect(intruder).toBeUndefined();
      const device = await readDevice(outputs, serialNumber);
      expect(device.contested).toMatchObject({ reason: stranger, count: 1 });
      expect(idsOf(device)).toEqual([camera.certificateId]);
    }
    await expectUnharmed(camera);
    await showsLife(camera);
  });
});

describe('an operator', () => {
  test.each(WAYS)('lets one key in where the policy asks for that, over %s with %s', async (door, proof) => {
    const { camera, key } = await living(door, proof, 'approve');
    const { serialNumber } = camera;
    expect(await claims(door, serialNumber, key)).toBeUndefined();
    const { publicKeySha256 } = key;
    expect((await operator.post(`/devices/${serialNumber}/approve-claim`, { publicKeySha256 })).status).toBe(200);
    expect(await claims(door, serialNumber, await makeDeviceKey())).toBeUndefined();
    expect(await claims(door, serialNumber, key)).toBeDefined();
  });

  test('sets the policy of an active camera, which no manifest can', async () => {
    const { camera, key } = await living('mqtt', 'no proof');
    const { serialNumber } = camera;
    expect(await claims('mqtt', serialNumber, key)).toBeUndefined();
    expect(await newestReason(serialNumber)).toBe('approval-needed');

    const announces = async (row: object) => {
      const factory = createHttpApi(outputs, outputs.personas.factory);
      const { body } = await factory.post('/devices', { devices: [{ serialNumber, ...row }] });
      return body.results[0].problem?.code ?? body.results[0].outcome;
    };
    expect(await announces({ reprovisioning: 'replace-certificate' })).toBe('already-claimed');
    const factory = createHttpApi(outputs, outputs.personas.factory);
    expect((await factory.post(`/devices/${serialNumber}/reprovisioning`, { policy: 'same-key' })).status).toBe(403);

    const set = (...words: string[]) =>
      firstlight(['device', 'reprovisioning', serialNumber, ...words, ...atRun(outputs)]);
    expect(await set('same-key', '--reason', 'resets itself')).toMatchObject({ code: 0, stderr: '' });
    expect(await readDevice(outputs, serialNumber)).toMatchObject({ reprovisioning: 'same-key' });
    expect(await claims('mqtt', serialNumber, key)).toBeDefined();
    expect(await announces({ model: 'A2' })).toBe('updated');
    expect(await readDevice(outputs, serialNumber)).toMatchObject({ reprovisioning: 'same-key' });
    expect((await set('default')).code).toBe(0);
    expect(await readDevice(outputs, serialNumber)).not.toHaveProperty('reprovisioning');
    expect(await set('sometimes')).toMatchObject({ code: 1, stderr: expect.stringContaining('Allowed choices are') });
  });

  test.each([[{}], [{ policy: 'sometimes' }], [{ policy: null }], [{ policy: 'refuse', until: 'x' }]])(
    'who says %j is told what is wrong',
    async (body) => {
      const { status, body: problem } = await operator.post(`/devices/${newSerial()}/reprovisioning`, body);
      expect([status, problem.code]).toEqual([400, 'invalid-request']);
    },
  );
});

describe('the policy of a deployment', () => {
  /** As `--param reprovisioningPolicy=…` leaves it in the functions' environment. */
  async function deploys(policy: string): Promise<void> {
    const { lambda } = awsClients(outputs, outputs.personas.admin);
    for (const name of ['provisioningHook', 'claimOverHttps']) {
      const FunctionName = outputs.claim.templateName.replace(/claim$/, name);
      const { Environment } = await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName }));
      const Variables = { ...Environment?.Variables, REPROVISIONING_POLICY: policy };
      await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables } }));
    }
  }
  afterAll(() => deploys(''));

  test.each(WAYS)('holds for every device that has none of its own, over %s with %s', async (door, proof) => {
    const [plain, own] = [await living(door, proof), await living(door, proof, 'refuse')];
    await deploys('same-key');
    expect(await claims(door, plain.camera.serialNumber, plain.key)).toBeDefined();
    expect(await claims(door, own.camera.serialNumber, own.key)).toBeUndefined();
    await deploys('refuse');
    expect(await claims(door, plain.camera.serialNumber, plain.key)).toBeUndefined();
    expect(await newestReason(plain.camera.serialNumber)).toBe('already-claimed');
    await deploys('');
  });
});
