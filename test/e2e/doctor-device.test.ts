import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutRolePolicyCommand } from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import { DeleteStreamCommand, DescribeStreamCommand, TagStreamCommand } from '@aws-sdk/client-kinesis-video';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import {
  announce,
  type Camera,
  claimCamera,
  newSerial,
  openClaim,
  registerThing,
  takeCertificate,
} from '../camera-claim.ts';
import { type Held, makeDeviceKey } from '../device-key.ts';
import { untilActive } from '../device-records.ts';
import { callDoctor, type Examined, stackNames } from '../doctor.ts';
import { createHttpApi } from '../http-api.ts';
import { startLocalRun } from '../local-run.ts';
import { connectDevice } from '../mqtt-device.ts';
import { until } from '../until.ts';
import { prepareCameras } from './walks/all.ts';
import type { Mode } from './walks/claim.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const run = await startLocalRun();
const { outputs } = run;
const doctor = await callDoctor(outputs);
const folder = await mkdtemp(join(tmpdir(), 'firstlight-doctor-'));
afterAll(async () => {
  await rm(folder, { recursive: true });
  await doctor.close();
  await run.stop();
});
/** Anew for each test: the stand-in hangs up on who is silent for five seconds. */
let clients = awsClients(outputs, outputs.personas.admin);
beforeEach(() => {
  clients = awsClients(outputs, outputs.personas.admin);
});
const operator = createHttpApi(outputs, outputs.personas.operator);
const { nameOf, output } = await stackNames(outputs);
const certificateArn = (id: string) => `arn:aws:iot:${outputs.region}:${outputs.accountId}:cert/${id}`;

/** Its certificate and key in files, as flags. */
async function flagsOf({ certificatePem, privateKeyPem }: Held): Promise<string[]> {
  const at = join(folder, newSerial());
  await writeFile(`${at}.pem`, certificatePem);
  await writeFile(`${at}.key`, privateKeyPem, { mode: 0o600 });
  return ['--certificate', `${at}.pem`, '--key', `${at}.key`];
}

/** A camera that has shown life. */
async function living(streamMode: Mode = 'thing-name'): Promise<Camera> {
  const camera = await claimCamera(outputs, { serialNumber: newSerial(), streamMode });
  const device = await connectDevice(outputs, { clientId: camera.thingName, held: camera });
  await untilActive(outputs, camera.serialNumber);
  await device.close();
  await until(`the stream of ${camera.serialNumber} to be ACTIVE`, async () => {
    const StreamName = camera.configuration.streamName;
    const { StreamInfo } = await clients.kinesisVideo.send(new DescribeStreamCommand({ StreamName }));
    return StreamInfo?.Status === 'ACTIVE';
  });
  return camera;
}

describe('a healthy camera', () => {
  let cameras: Record<string, Camera>;
  beforeAll(async () => {
    const prefix = outputs.claim.templateName.replace(/claim$/, '');
    ({ cameras } = await prepareCameras(outputs, prefix));
  });

  test.each(['thing-name', 'certificate-id', 'fixed'])('of mode %s is well in every link', async (mode) => {
    const camera = cameras[mode] as Camera;
    const args = [camera.serialNumber, '--as', 'auditor', ...(await flagsOf(camera))];
    const { code, stderr, report, broken } = await doctor.examine(...args);
    expect({ code, stderr, broken }).toEqual({ code: 0, stderr: '', broken: [] });
    expect(report.verdict).toBe('ok');
    const exchange = report.links.find(({ link }) => link === 'credential exchange');
    expect(exchange?.findings).toEqual([
      { subject: camera.certificateId, verdict: 'ok', says: `on the record of ${camera.serialNumber}, current` },
      {
        subject: camera.thingName,
        verdict: 'ok',
        says: `credentials of ${camera.configuration.roleAlias}, and the way to ${camera.configuration.streamName}`,
      },
    ]);
  });

  test('that has not claimed yet lacks nothing', async () => {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber });
    const { code, broken, report } = await doctor.examine(serialNumber);
    expect({ code, broken, verdict: report.verdict }).toEqual({ code: 0, broken: [], verdict: 'ok' });
    expect(report.links.find(({ link }) => link === 'record')?.findings[0]?.says).toBe(
      'announced, and it has not claimed yet',
    );
  });

  test('never has its key told', async () => {
    const camera = cameras['thing-name'] as Camera;
    const flags = await flagsOf(camera);
    const [, , , keyFile = ''] = flags;
    const key = camera.privateKeyPem.split('\n')[1] ?? '';
    for (const more of [[], ['--json']]) {
      const { stdout, stderr } = await doctor.says(camera.serialNumber, ...flags, ...more);
      expect(`${stdout}${stderr}`).not.toContain(key);
      expect(`${stdout}${stderr}`).not.toContain(keyFile);
    }
  });
});

interface Breakage {
  breaks(camera: Camera): Promise<unknown>;
  /** What is broken first of the device's links. */
  finds(camera: Camera): RegExp;
  /** What AWS says to the camera itself. */
  exchange?: RegExp;
  also?: RegExp[];
  /** Nobody's single call mends it. */
  byHand?: RegExp;
}

const policyName = output('DevicePolicyName');

const BREAKAGES: Record<string, Breakage> = {
  'a certificate inactive': {
    breaks: ({ certificateId }) =>
      clients.iot.send(new iot.UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' })),
    finds: ({ certificateId }) =>
      new RegExp(
        `^certificates: ${certificateId}: it is INACTIVE: its camera can neither connect nor get credentials$`,
      ),
    exchange: /403 Certificate is invalid on this endpoint: the certificate is not registered, or no longer active$/,
  },
  'a certificate revoked': {
    breaks: ({ certificateId }) =>
      clients.iot.send(new iot.UpdateCertificateCommand({ certificateId, newStatus: 'REVOKED' })),
    finds: ({ certificateId }) => new RegExp(`^certificates: ${certificateId}: it is REVOKED, and stays so$`),
    exchange: /403 Certificate is invalid on this endpoint/,
    byHand: /^let the camera claim again, /,
  },
  'a certificate without its policy': {
    breaks: ({ certificateId }) =>
      clients.iot.send(new iot.DetachPolicyCommand({ policyName, target: certificateArn(certificateId) })),
    finds: ({ certificateId }) =>
      new RegExp(`^certificates: ${certificateId}: the policy ${policyName} is not attached to it: it has no power$`),
    exchange:
      /403 Access Denied: no policy on the certificate allows iot:AssumeRoleWithCertificate on this role alias$/,
  },
  'a certificate attached to nothing': {
    breaks: ({ thingName, certificateId }) =>
      clients.iot.send(new iot.DetachThingPrincipalCommand({ thingName, principal: certificateArn(certificateId) })),
    finds: ({ certificateId, thingName }) =>
      new RegExp(`^certificates: ${certificateId}: it is not attached to the thing ${thingName}`),
    exchange: /403 Invalid thing name passed: the certificate is not attached to that thing/,
  },
  'a thing of another type': {
    breaks: ({ thingName }) =>
      clients.iot.send(new iot.UpdateThingCommand({ thingName, thingTypeName: nameOf('FixedThingType') })),
    finds: ({ thingName }) =>
      new RegExp(
        `^thing: ${thingName}: its type is firstlight-local-fixed, not firstlight-local-thing-name: its credentials may do nothing$`,
      ),
    exchange:
      /its credentials of firstlight-local-thing-name do not open .*: .*is not authorized to perform: kinesisvideo:GetDataEndpoint/,
  },
  'a record without a thing': {
    async breaks({ thingName, certificateId }) {
      await clients.iot.send(
        new iot.DetachThingPrincipalCommand({ thingName, principal: certificateArn(certificateId) }),
      );
      await clients.iot.send(new iot.DeleteThingCommand({ thingName }));
    },
    finds: ({ thingName }) => new RegExp(`^thing: ${thingName}: there is no such thing$`),
    exchange: /403 Invalid thing name passed/,
  },
  'a thing of somebody else': {
    breaks: ({ thingName }) =>
      clients.iot.send(
        new iot.UpdateThingCommand({
          thingName,
          attributePayload: { attributes: { serialNumber: 'somebody-else' }, merge: true },
        }),
      ),
    finds: ({ thingName }) =>
      new RegExp(`^thing: ${thingName}: it is somebody else's: its attribute serialNumber is somebody-else$`),
    byHand: /^look whose it is \(aws iot describe-thing --thing-name /,
  },
  'a thing of another batch': {
    breaks: ({ thingName }) =>
      clients.iot.send(
        new iot.UpdateThingCommand({ thingName, attributePayload: { attributes: { batch: 'x' }, merge: true } }),
      ),
    finds: ({ thingName }) => new RegExp(`^thing: ${thingName}: its attribute batch is x, not -$`),
  },
  'a second certificate on the thing': {
    async breaks({ thingName, certificateId }) {
      const detached = { thingName, principal: certificateArn(certificateId) };
      // AWS attaches an exclusive one to nothing else, but takes others beside it.
      await clients.iot.send(new iot.DetachThingPrincipalCommand(detached));
      await clients.iot.send(new iot.AttachThingPrincipalCommand(detached));
      const { certificateArn: principal } = await clients.iot.send(
        new iot.CreateKeysAndCertificateCommand({ setAsActive: true }),
      );
      await clients.iot.send(new iot.AttachThingPrincipalCommand({ thingName, principal }));
    },
    finds: ({ thingName }) =>
      new RegExp(`^certificates: others of ${thingName}: attached to its thing, and not on its record: [0-9a-f]{64}$`),
    byHand: /^aws iot detach-thing-principal --thing-name /,
  },
  'a stream deleted': {
    async breaks({ configuration: { streamName: StreamName } }) {
      const { StreamInfo } = await clients.kinesisVideo.send(new DescribeStreamCommand({ StreamName }));
      await clients.kinesisVideo.send(new DeleteStreamCommand({ StreamARN: StreamInfo?.StreamARN }));
      await until('the stream to be gone', () =>
        clients.kinesisVideo.send(new DescribeStreamCommand({ StreamName })).then(
          () => false,
          ({ name }) => name === 'ResourceNotFoundException',
        ),
      );
    },
    finds: ({ configuration: { streamName } }) => new RegExp(`^streams: ${streamName}: there is no such stream$`),
    exchange: /it has credentials of firstlight-local-thing-name, and there is no stream /,
  },
  'a stream of somebody else': {
    breaks: ({ configuration: { streamName: StreamName } }) =>
      clients.kinesisVideo.send(new TagStreamCommand({ StreamName, Tags: { 'firstlight:device': 'somebody-else' } })),
    finds: ({ configuration: { streamName } }) =>
      new RegExp(`^streams: ${streamName}: it is somebody else's: its tag firstlight:device is somebody-else, not `),
    byHand: /^look what it holds \(aws kinesisvideo describe-stream /,
  },
};

/** What is wrong with the device: the stack is well. */
const flawsOf = ({ broken }: Examined) => broken.filter((flaw) => !flaw.startsWith('credential exchange: '));

describe('what is broken', () => {
  test.each(Object.entries(BREAKAGES))('%s is found, and mended', async (_, breakage) => {
    const { breaks, finds, exchange, also = [], byHand } = breakage;
    const camera = await living();
    const flags = await flagsOf(camera);
    await breaks(camera);
    const found = await doctor.examine(camera.serialNumber, ...flags);
    expect(found).toMatchObject({ code: 1, stderr: '' });
    const [first = '', ...others] = flawsOf(found);
    expect(first).toMatch(finds(camera));
    expect(others).toEqual(also.map((one) => expect.stringMatching(one)));
    const refusals = found.broken.filter((flaw) => flaw.startsWith('credential exchange: '));
    expect(refusals).toEqual(exchange ? [expect.stringMatching(exchange)] : []);

    if (byHand) {
      expect(found.remedies[0]?.call).toBeUndefined();
      expect(found.remedies[0]?.command).toMatch(byHand);
      return;
    }
    await doctor.mends(found, camera.serialNumber, ...flags);
    const mended = await until('the camera to be well', async () => {
      const again = await doctor.examine(camera.serialNumber, ...flags);
      return again.code === 0 && again;
    });
    expect(mended.broken).toEqual([]);
  });

  test('a stream of another registry, in certificate-id mode', async () => {
    const camera = await living('certificate-id');
    const StreamName = camera.configuration.streamName;
    await clients.kinesisVideo.send(new TagStreamCommand({ StreamName, Tags: { 'firstlight:registry': 'another' } }));
    const { broken } = await doctor.examine(camera.serialNumber);
    expect(broken).toEqual([
      `streams: ${camera.certificateId}: it is somebody else's: its tag firstlight:registry is another, not firstlight-local-devices`,
    ]);
  });

  test('a serial number that nobody announced, and its refused claim', async () => {
    const serialNumber = newSerial();
    const { certificateSigningRequest } = await makeDeviceKey();
    const body = { serialNumber, certificateSigningRequest };
    expect(await createHttpApi(outputs).post('/claims', body)).toMatchObject({ status: 403 });
    const { code, broken, remedies, report } = await doctor.examine(serialNumber);
    expect(code).toBe(1);
    expect(broken).toEqual([
      `record: ${serialNumber}: nobody has announced it`,
      expect.stringMatching(`^claims: ${serialNumber}: refused .* over https: unknown-serial: Nobody announced`),
    ]);
    expect(remedies[0]?.command).toMatch(/^firstlight manifest import /);
    const thing = report.links.find(({ link }) => link === 'thing');
    expect(thing).toMatchObject({
      verdict: 'not checked',
      findings: [{ says: `the registry has no device ${serialNumber}` }],
    });
  });

  test('a suspended camera, with who did it and why; and one whose certificate is still active', async () => {
    const { serialNumber, certificateId } = await living();
    expect(await operator.post(`/devices/${serialNumber}/suspend`, { reason: 'reported stolen' })).toMatchObject({
      status: 200,
    });
    const suspended = await doctor.examine(serialNumber);
    expect(suspended.broken).toEqual([
      expect.stringMatching(`^record: .*: ${serialNumber} is suspended since .* by .*operator: reported stolen$`),
    ]);
    expect(suspended.remedies).toEqual([{ command: `firstlight device resume ${serialNumber}` }]);

    await clients.iot.send(new iot.UpdateCertificateCommand({ certificateId, newStatus: 'ACTIVE' }));
    const leaking = await doctor.examine(serialNumber);
    expect(leaking.broken[1]).toBe(`certificates: ${certificateId}: it is ACTIVE, though the device is suspended`);
    const again = await doctor.mends(leaking, serialNumber);
    expect(again.broken).toEqual(suspended.broken);
    expect(await operator.post(`/devices/${serialNumber}/resume`, {})).toMatchObject({ status: 200 });
    expect(await doctor.examine(serialNumber)).toMatchObject({ code: 0, broken: [] });
  });

  test('a retired camera, and who has its place', async () => {
    const [old, next] = [await living(), newSerial()];
    await announce(outputs, { serialNumber: next });
    expect(await operator.post(`/devices/${old.serialNumber}/replace`, { by: next })).toMatchObject({ status: 200 });
    const replaced = await doctor.examine(old.serialNumber);
    expect(replaced.broken).toEqual([
      expect.stringMatching(`^record: .*: ${old.serialNumber} is retired since .*; ${next} has its place$`),
    ]);
    expect(replaced.remedies).toEqual([{ command: `firstlight doctor ${next}` }]);
    const gone = await living();
    expect(await operator.post(`/devices/${gone.serialNumber}/retire`, { reason: 'dead' })).toMatchObject({
      status: 200,
    });
    const retired = await doctor.examine(gone.serialNumber);
    expect(retired.broken).toEqual([
      expect.stringMatching(`^record: .*: ${gone.serialNumber} is retired since .* by .*operator: streams kept: dead$`),
    ]);
  });

  test('a cut-off that was begun and not ended', async () => {
    const { serialNumber } = await living();
    const faults = [{ service: 'iot', operation: 'UpdateCertificate', kind: 'error' }];
    await tellStandIn(outputs.aws, 'faults', { faults });
    expect((await operator.post(`/devices/${serialNumber}/suspend`, {})).status).toBeGreaterThanOrEqual(500);
    await tellStandIn(outputs.aws, 'faults');
    const { report, broken } = await doctor.examine(serialNumber);
    const unfinished = report.links.find(({ link }) => link === 'unfinished business');
    expect(unfinished?.findings[0]?.says).toMatch(/^unfinished: AWS has not done all of its suspension /);
    expect(broken[1]).toMatch(/^certificates: [0-9a-f]{64}: it is ACTIVE, though the device is suspended$/);
  });

  test('credentials that a camera role denies, though the camera is active', async () => {
    const camera = await living();
    const RoleName = nameOf('ThingNameCameraRole');
    const deny = (id: string) => ({
      RoleName,
      PolicyName: 'denied-certificates',
      PolicyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Deny', Action: '*', Resource: '*', Condition: { StringLike: { 'aws:userid': [`*:${id}`] } } },
        ],
      }),
    });
    await clients.iam.send(new PutRolePolicyCommand(deny(camera.certificateId)));
    const { broken } = await doctor.examine(camera.serialNumber, ...(await flagsOf(camera)));
    await clients.iam.send(new PutRolePolicyCommand(deny('nobody')));
    expect(broken).toEqual([
      `denials: ${RoleName}: it denies everything to the credentials of ${camera.certificateId}, though the device is active`,
      expect.stringMatching(/^credential exchange: .* do not open .*: .* with an explicit deny/),
    ]);
  });

  test("a second camera's key under the same serial number", async () => {
    const { serialNumber } = await living();
    await expect(claimAgain(serialNumber)).resolves.toBe('rejected');
    const { broken, remedies } = await doctor.examine(serialNumber);
    expect(broken[0]).toMatch(new RegExp(`^claims: ${serialNumber}: refused .* over mqtt: approval-needed: `));
    expect(broken.slice(1)).toEqual([
      expect.stringMatching(`^unfinished business: ${serialNumber}: contested: one sign that somebody else uses`),
    ]);
    expect(remedies[0]?.command).toMatch(new RegExp(`^firstlight device approve ${serialNumber} --claim '.*' +# `));
  });

  test("another camera's certificate", async () => {
    const [one, other] = [await living(), await living()];
    const { broken, remedies } = await doctor.examine(one.serialNumber, ...(await flagsOf(other)));
    expect(broken).toEqual([
      `credential exchange: ${other.certificateId}: it is a certificate of ${other.serialNumber}`,
      expect.stringMatching(/^credential exchange: .*: 403 Invalid thing name passed/),
    ]);
    expect(remedies[0]?.command).toBe(`firstlight doctor ${other.serialNumber}`);
  });
});

async function claimAgain(serialNumber: string): Promise<string> {
  const device = await openClaim(outputs);
  try {
    const { ownershipToken } = await takeCertificate(device);
    const parameters = { SerialNumber: serialNumber };
    return (await registerThing(device, outputs.claim.templateName, ownershipToken, parameters)).outcome;
  } finally {
    await device.close();
  }
}
