import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DescribeStreamCommand, GetDataEndpointCommand } from '@aws-sdk/client-kinesis-video';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import {
  announce,
  type Camera,
  claimCamera,
  type ManifestRow,
  newSerial,
  openClaim,
  registerThing,
  takeCertificate,
} from '../camera-claim.ts';
import { askForCredentials } from '../credential-provider.ts';
import { makeDeviceKey } from '../device-key.ts';
import { readDevice, untilActive } from '../device-records.ts';
import { atRun, firstlight } from '../firstlight.ts';
import { createHttpApi, type Keys } from '../http-api.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';
import { connectDevice } from '../mqtt-device.ts';
import { putMedia } from '../put-media.ts';
import { footage } from '../unit/matroska.ts';
import { until } from '../until.ts';

/** What ops types, and what becomes of the camera. On a stand-in of its own: these acts write the camera roles. */

let run: LocalRun;
let aws: ReturnType<typeof awsClients>;
const folder = mkdtempSync(join(tmpdir(), 'firstlight-ops-'));

beforeAll(async () => {
  run = await startLocalRun();
  aws = awsClients(run.outputs, run.outputs.personas.admin);
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await run.stop();
});

const ops = (...args: string[]) => firstlight([...args, ...atRun(run.outputs)], { cwd: folder });
const device = (...args: string[]) => ops('device', ...args);

/** Claimed in its present place, connected, and known to live. */
async function comesAlive(serialNumber: string): Promise<Camera> {
  const session = await openClaim(run.outputs);
  const { ownershipToken, ...held } = await takeCertificate(session);
  const { templateName } = run.outputs.claim;
  const { outcome, content } = await registerThing(session, templateName, ownershipToken, {
    SerialNumber: serialNumber,
  });
  await session.close();
  expect(outcome).toBe('accepted');
  const { thingName, deviceConfiguration: configuration } = content;
  const camera: Camera = { ...held, serialNumber, thingName, configuration };
  await showsLife(camera);
  return camera;
}

async function showsLife(camera: Camera): Promise<void> {
  const session = await connectDevice(run.outputs, { clientId: camera.thingName, held: camera });
  await untilActive(run.outputs, camera.serialNumber);
  await session.close();
  await until(`the stream of ${camera.thingName}`, async () => {
    const asked = new DescribeStreamCommand({ StreamName: camera.configuration.streamName });
    return (await aws.kinesisVideo.send(asked)).StreamInfo?.Status === 'ACTIVE';
  });
}

async function living(row: Partial<ManifestRow> = {}): Promise<Camera> {
  const camera = await claimCamera(run.outputs, { serialNumber: newSerial(), ...row });
  await showsLife(camera);
  return camera;
}

async function credentialsOf({ configuration: { roleAlias }, thingName, ...held }: Camera): Promise<Keys> {
  const { status, body } = await askForCredentials(run.outputs, { held, roleAlias, thingName });
  expect({ status, body }).toMatchObject({ status: 200 });
  const { accessKeyId, secretAccessKey, sessionToken } = body.credentials;
  return { accessKeyId, secretAccessKey, sessionToken };
}

const films = async (keys: Keys, name: string) =>
  (await putMedia(run.outputs, keys, { name }, footage(1, 1_795_498_624_000))).status;

/** What these credentials may do with a stream, by AWS's own word. */
async function reach(keys: Keys, StreamName: string): Promise<string[]> {
  const { kinesisVideo } = awsClients(run.outputs, keys);
  const calls = {
    DescribeStream: () => kinesisVideo.send(new DescribeStreamCommand({ StreamName })),
    ...Object.fromEntries(
      (['GET_MEDIA', 'LIST_FRAGMENTS', 'GET_HLS_STREAMING_SESSION_URL', 'GET_CLIP', 'PUT_MEDIA'] as const).map(
        (APIName) => [APIName, () => kinesisVideo.send(new GetDataEndpointCommand({ StreamName, APIName }))],
      ),
    ),
  };
  const allowed: string[] = [];
  for (const [name, call] of Object.entries(calls)) {
    await call().then(
      () => allowed.push(name),
      (error) => expect(error.message).toMatch(/not authorized/),
    );
  }
  if ((await films(keys, StreamName)) === 200) allowed.push('PutMedia');
  return allowed;
}

describe('a new owner', () => {
  test('never meets what the last one filmed: rehome keeps it, out of reach', { timeout: 120_000 }, async () => {
    const { serialNumber, ...old } = await living({ channels: ['sub'] });
    expect(await films(await credentialsOf({ serialNumber, ...old }), serialNumber)).toBe(200);

    const { code, stdout, stderr } = await device('rehome', serialNumber, '--yes', '--reason', 'sold to site B');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`${serialNumber} is registered.`);
    expect(stdout).toContain(`Its new place is ${serialNumber}-r1.`);
    const record = (await device('show', serialNumber, '--json')).json();
    expect(record).toMatchObject({
      status: 'registered',
      thingName: `${serialNumber}-r1`,
      streams: [],
      certificates: [],
    });
    expect(record.formerStreams.map(({ name }: { name: string }) => name)).toEqual([
      serialNumber,
      `${serialNumber}.sub`,
    ]);

    const next = await comesAlive(serialNumber);
    const keys = await credentialsOf(next);
    expect(await reach(keys, `${serialNumber}-r1`)).toContain('PutMedia');
    expect(await reach(keys, serialNumber)).toEqual([]);
    expect(await reach(keys, `${serialNumber}.sub`)).toEqual([]);
    // It is all there still, for whoever may see it.
    const { StreamInfo } = await aws.kinesisVideo.send(new DescribeStreamCommand({ StreamName: serialNumber }));
    expect(StreamInfo?.Status).toBe('ACTIVE');
  });

  test('nor, where the streams are to go, does anybody', { timeout: 120_000 }, async () => {
    const { serialNumber } = await living();
    expect((await device('rehome', serialNumber, '--yes', '--streams', 'delete')).code).toBe(0);
    await until('the stream to be gone', async () => {
      const asked = aws.kinesisVideo.send(new DescribeStreamCommand({ StreamName: serialNumber }));
      return asked.then(
        ({ StreamInfo }) => void expect(StreamInfo?.Status).toBe('DELETING'),
        (error) => error.name === 'ResourceNotFoundException',
      );
    });
  });

  test('gets the camera though the command was stopped in between, at any step', { timeout: 120_000 }, async () => {
    const { serialNumber } = await living();
    // The function that retires dies half-way, and so does the command.
    const faults = [{ service: 'iot', operation: 'DetachThingPrincipal', kind: 'kill', times: 1 }];
    await tellStandIn(run.outputs.aws, 'faults', { faults });
    const operator = createHttpApi(run.outputs, run.outputs.personas.operator);
    expect((await operator.post(`/devices/${serialNumber}/retire`, {})).status).toBe(500);
    await tellStandIn(run.outputs.aws, 'faults');
    expect(await readDevice(run.outputs, serialNumber)).toMatchObject({ status: 'retired', cutOff: { act: 'retire' } });
    // It is retired: nobody is asked again.
    const { code, stdout } = await device('rehome', serialNumber);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining(`Its new place is ${serialNumber}-r1.`),
    });
    const again = await device('rehome', serialNumber);
    expect(again.stdout).toContain(`Nobody has claimed it in its place ${serialNumber}-r1 yet.`);
    expect((await comesAlive(serialNumber)).thingName).toBe(`${serialNumber}-r1`);
    expect((await device('rehome', serialNumber, '--yes')).stdout).toContain(`Its new place is ${serialNumber}-r2.`);
  });
});

describe('ops', () => {
  test('finds what has not come up, lists it, counts it and exports it', { timeout: 60_000 }, async () => {
    const rows = Array.from({ length: 12 }, (_, n) => ({
      serialNumber: newSerial(),
      batch: 'week-50',
      model: n % 2 ? '=A1' : 'A2',
    }));
    await announce(run.outputs, ...rows);
    const [first] = rows;
    await comesAlive(first?.serialNumber ?? '');
    const waiting = ['--batch', 'week-50', '--status', 'registered'];
    const { devices, complete } = (await device('list', '--json', ...waiting)).json();
    expect([devices.length, complete]).toEqual([11, true]);
    const table = await device('list', '--limit', '5', ...waiting);
    expect(table.stdout.match(/│ registered │ week-50 │/g)).toHaveLength(5);
    expect(table.stderr).toBe('These are the first 5; there may be more (--limit).\n');

    expect((await device('export', '--batch', 'week-50', '--out', 'week-50.csv', '--as', 'auditor')).code).toBe(0);
    const csv = parse(readFileSync(join(folder, 'week-50.csv')), { columns: true }) as Record<string, string>[];
    expect(csv.map(({ serialNumber }) => serialNumber).sort()).toEqual(
      rows.map(({ serialNumber }) => serialNumber).sort(),
    );
    expect(csv.filter(({ model }) => model === "'=A1")).toHaveLength(6);

    await until('the counts', async () => (await ops('stats', '--json')).json().batch['week-50'] === 12);
    const { stdout } = await ops('stats');
    expect(stdout).toMatch(/^registered +\d+$/m);
    expect(stdout).toMatch(/│ week-50 +│ 12 +│/);
    expect(await ops('stats', '--as', 'factory')).toMatchObject({ code: 1, stderr: expect.stringContaining('403') });
  });

  test('finds whose certificate it is', async () => {
    const { serialNumber, certificateId } = await living();
    const { devices } = (await device('list', '--json', '--certificate-id', certificateId)).json();
    expect(devices.map((one: { serialNumber: string }) => one.serialNumber)).toEqual([serialNumber]);
  });

  test('suspends and resumes, and reads in the history who did what', { timeout: 60_000 }, async () => {
    const { serialNumber } = await living();
    const suspended = await device('suspend', serialNumber, '--reason', 'reported stolen');
    expect(suspended.stdout).toMatch(/is suspended since .* by arn:aws:iam::\d+:user\/operator: reported stolen\.\n/);
    const version = (await device('show', serialNumber, '--json')).json().version;
    const stale = await device('resume', serialNumber, '--version', String(version - 1));
    expect(stale).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`409 .* it is at version ${version}\n$`)),
    });
    expect((await device('resume', serialNumber, '--version', String(version))).stdout).toContain('is active.');
    const { stdout } = await device('show', serialNumber);
    for (const [what, by] of [
      ['announced', 'user/factory'],
      ['claimed', 'certificate:'],
      ['shown-life', 'certificate:'],
      ['suspended', 'user/operator'],
      ['cut-off', 'function:suspend-device'],
      ['resumed', 'user/operator'],
    ]) {
      expect(stdout).toMatch(new RegExp(`│ ${what} +│ [^│]*${by}`));
    }
    expect(await device('show', newSerial())).toMatchObject({ code: 1, stderr: expect.stringContaining('404') });
  });

  test('approves the claim that it has seen, and no other', { timeout: 60_000 }, async () => {
    const { serialNumber } = await living();
    const key = await makeDeviceKey();
    const session = await openClaim(run.outputs);
    const claims = async () => {
      const { ownershipToken } = await takeCertificate(session, key);
      const parameters = { SerialNumber: serialNumber };
      return (await registerThing(session, run.outputs.claim.templateName, ownershipToken, parameters)).outcome;
    };
    expect(await claims()).toBe('rejected');
    const [{ claimId, reason }] = (await device('why', serialNumber, '--json')).json().claims;
    expect(reason).toBe('approval-needed');
    const approved = await device('approve', serialNumber, '--claim', claimId);
    expect(approved.stdout).toMatch(new RegExp(`the key ${key.publicKeySha256} may claim until `));
    expect(await claims()).toBe('accepted');
    await session.close();
  });

  test('replaces a broken unit, once it has said so', { timeout: 60_000 }, async () => {
    const { serialNumber: old } = await living();
    const next = newSerial();
    await announce(run.outputs, { serialNumber: next });
    expect(await device('replace', old, '--by', next)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('give --yes'),
    });
    expect(await readDevice(run.outputs, old)).toMatchObject({ status: 'active' });
    const replaced = await device('replace', old, '--by', next, '--yes', '--reason', 'broken lens');
    expect(replaced.stdout).toMatch(new RegExp(`is retired since .*: by ${next}: broken lens\\.`));
    expect((await comesAlive(next)).thingName).toBe(old);
    expect((await device('show', next)).stdout).toMatch(new RegExp(`│ suspended|│ announced \\(${old}\\)`));
  });
});
