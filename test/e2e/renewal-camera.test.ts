import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  DeleteCertificateCommand,
  DetachPolicyCommand,
  DetachThingPrincipalCommand,
  ListThingPrincipalsCommand,
  UpdateCertificateCommand,
} from '@aws-sdk/client-iot';
import { describe, expect, test, vi } from 'vitest';
import { untilStruck } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { announce, type ManifestRow, newSerial, renewThing, takeCertificate } from '../camera-claim.ts';
import { type Body, emptyDisk, runCamera, startCamera } from '../camera-process.ts';
import { type DeviceRecord, idsOf, powerfulCertificates, readDevice, untilActive } from '../device-records.ts';
import { startFaultyRun } from '../faulty-run.ts';
import { callFunction } from '../function-call.ts';
import { createHttpApi } from '../http-api.ts';
import { persistedFragments } from '../kinesis-video.ts';
import { connectDevice } from '../mqtt-device.ts';
import { seeded, seeds } from '../seeds.ts';
import { until } from '../until.ts';

// A camera is a process: more than two at a time would only take each other's time.
vi.setConfig({ maxConcurrency: 2, testTimeout: 90_000 });

const MODES = ['thing-name', 'certificate-id', 'fixed'] as const;
const STEPS = {
  begun: /renewal: asks with certificate/,
  certificate: /renewal: holds, and has yet to register/,
  registered: /renewal: may use certificate/,
  connected: /renewal: has shown life/,
  done: /renewal: is over/,
};

const { outputs, faults, known } = await startFaultyRun();
const operator = createHttpApi(outputs, outputs.personas.operator);
const aws = awsClients(outputs, outputs.personas.admin);

async function booted(row: Omit<ManifestRow, 'serialNumber'> = {}, ...flags: string[]): Promise<Body> {
  const camera = { serialNumber: known(newSerial()), directory: emptyDisk() };
  await announce(outputs, { serialNumber: camera.serialNumber, ...row });
  const { code, printed } = await runCamera(outputs, 'boot', camera, ...flags);
  expect(code, printed).toBe(0);
  await untilActive(outputs, camera.serialNumber);
  return camera;
}

const deviceOf = ({ serialNumber }: Body): Promise<DeviceRecord> => readDevice(outputs, serialNumber);
const identityOf = ({ directory }: Body) => JSON.parse(readFileSync(join(directory, 'identity.json'), 'utf8'));
const filesOf = ({ directory }: Body) => readdirSync(directory).filter((name) => name !== 'lock');

const untilCurrent = (camera: Body, certificateId: string): Promise<DeviceRecord> =>
  until(`${certificateId} to be current`, async () => {
    const device = await deviceOf(camera);
    return idsOf(device, 'current').includes(certificateId) && device;
  });

/** It boots, films, and its disk and the registry agree on the one certificate that it has. */
async function expectToWork(camera: Body, ...flags: string[]): Promise<DeviceRecord> {
  const { code, printed } = await runCamera(outputs, 'boot', camera, ...flags);
  expect(printed).toMatch(/fragments? PERSISTED/);
  expect(code, printed).toBe(0);
  const { certificateId, keyFile = 'private.key' } = identityOf(camera);
  const device = await untilCurrent(camera, certificateId);
  expect(idsOf(device, 'current')).toEqual([certificateId]);
  expect(idsOf(device, 'current', 'allowed').length).toBeLessThanOrEqual(2);
  expect(filesOf(camera)).toContain(keyFile);
  expect(device).not.toHaveProperty('contested');
  return device;
}

/** Renewed to the end: nothing of the attempt is left beside what it was for. */
async function expectToRenew(camera: Body, ...flags: string[]): Promise<void> {
  const before = identityOf(camera).certificateId;
  const { code, printed } = await runCamera(outputs, 'renew', camera, ...flags);
  expect(code, printed).toBe(0);
  expect(printed).toMatch(STEPS.done);
  const { certificateId, keyFile } = identityOf(camera);
  expect(certificateId).not.toBe(before);
  const certificateFile = keyFile.replace('.key', '.pem');
  expect(filesOf(camera).sort()).toEqual(['identity.json', 'private.key', keyFile, certificateFile].sort());
  expect(idsOf(await untilCurrent(camera, certificateId), 'allowed')).toEqual([]);
}

describe.each(MODES)('a %s camera that renews while it streams', (streamMode) => {
  test('is at no time without a certificate, and misses no more than the change-over', async () => {
    const camera = await booted({ streamMode });
    const { certificateId: old, thingName, configuration } = identityOf(camera);
    const { serialNumber } = camera;
    const process = startCamera(outputs, 'renew', camera, '--seconds', '9');
    let isOver = false;
    const ended = process.ended.finally(() => {
      isOver = true;
    });
    const watched: { powerful: string[]; current: string[] }[] = [];
    while (!isOver) {
      // The registry first: what it calls current then has power still a moment later.
      const current = idsOf(await deviceOf(camera), 'current');
      watched.push({ powerful: await powerfulCertificates(outputs), current });
    }
    const { code, printed } = await ended;
    expect(code, printed).toBe(0);
    for (const step of Object.values(STEPS)) expect(printed).toMatch(step);
    for (const { powerful, current } of watched) {
      expect(current).toHaveLength(1);
      expect(powerful).toEqual(expect.arrayContaining(current));
    }

    const { certificateId, ...now } = identityOf(camera);
    const streamName = streamMode === 'certificate-id' ? certificateId : configuration.streamName;
    expect(now).toMatchObject({ thingName, configuration: { streamName } });
    const device = await untilCurrent(camera, certificateId);
    expect(idsOf(device, 'leaving')).toEqual([old]);

    // All that was filmed, in whichever stream, by when it was filmed. (The fixed one is of several cameras.)
    const names = new Set([configuration.streamName, streamName]);
    const lists = await Promise.all(
      [...names].map((name) => persistedFragments(outputs, outputs.personas.admin, name)),
    );
    const fragments = lists.flat().sort((a, b) => a.ProducerTimestamp - b.ProducerTimestamp);
    const gaps = fragments.slice(1).map((fragment, index) => {
      const before = fragments[index];
      const end = Number(before?.ProducerTimestamp) * 1000 + Number(before?.FragmentLengthInMilliseconds);
      return fragment.ProducerTimestamp * 1000 - end;
    });
    const whileFilming = gaps.slice(-8);
    expect(Math.max(...whileFilming), `${serialNumber}: ${whileFilming}`).toBeLessThan(1500);
  });
});

test('a certificate-id camera changes over in the middle of a film, and both streams hold their part', async () => {
  const camera = await booted({ streamMode: 'certificate-id' });
  const { certificateId: old } = identityOf(camera);
  const before = (await persistedFragments(outputs, outputs.personas.admin, old)).length;
  const { code, printed } = await runCamera(outputs, 'renew', camera, '--seconds', '8');
  expect(code, printed).toBe(0);
  const { certificateId } = identityOf(camera);
  expect((await persistedFragments(outputs, outputs.personas.admin, old)).length).toBeGreaterThan(before);
  expect((await persistedFragments(outputs, outputs.personas.admin, certificateId)).length).toBeGreaterThan(0);
  expect((await untilCurrent(camera, certificateId)).streams).toMatchObject([
    { name: old, until: expect.any(String) },
    { name: certificateId, state: 'made' },
  ]);
});

describe('a camera that loses power while it renews', () => {
  test.concurrent.each([
    ['once it has asked', STEPS.begun, 0],
    ['once it holds a certificate', STEPS.certificate, 0],
    ['once it may use it', STEPS.registered, 0],
    ['once it has shown life', STEPS.connected, 0],
    ['a little later', STEPS.connected, 40],
    ['about when it changes over', STEPS.connected, 400],
    ['once it is over', STEPS.done, 0],
  ])('%s works, and renews the next time', async (_, line, waitMs) => {
    const camera = await booted({ streamMode: 'certificate-id' });
    const first = startCamera(outputs, 'renew', camera, '--seconds', '20');
    await first.sees(line);
    await pause(waitMs);
    await first.kill();
    const device = await expectToWork(camera);
    // What it may have left behind is on its way out, or open and known.
    expect(idsOf(device).length).toBeLessThanOrEqual(3);
    await expectToRenew(camera);
    await expectToWork(camera);
  });

  test.concurrent.each(seeds(3, 4))('again and again, at any moment, works (seed %i)', async (seed) => {
    const camera = await booted({ streamMode: seed % 2 ? 'thing-name' : 'certificate-id' });
    const random = seeded(seed);
    for (let kill = 0; kill < 4; kill++) {
      const life = startCamera(outputs, 'renew', camera, '--seconds', '20');
      await life.sees(/connected as/);
      await Promise.race([pause(random() * 1500), life.ended]);
      await life.kill();
    }
    await expectToWork(camera);
    await expectToRenew(camera);
    await expectToWork(camera);
  });

  test('between the yes of the registry and its disk, and goes on with another certificate of the same new key', async () => {
    const camera = await booted({ streamMode: 'certificate-id' });
    const { certificateId: old } = identityOf(camera);
    await faults({ service: 'kinesisvideo', operation: 'CreateStream', kind: 'delay', ms: 1200, times: 1 });
    const first = startCamera(outputs, 'renew', camera);
    const lost = await until('the yes', async () => idsOf(await deviceOf(camera), 'allowed')[0]);
    await first.kill();
    await until('its power', async () => (await powerfulCertificates(outputs)).includes(lost));
    await expectToWork(camera);
    expect(identityOf(camera).certificateId).toBe(old);
    await expectToRenew(camera);
    const device = await deviceOf(camera);
    expect(idsOf(device, 'leaving').sort()).toEqual([lost, old].sort());
    const keyOf = (id: string) => device.certificates.find((one) => one.id === id)?.publicKeySha256;
    expect(keyOf(lost)).toBe(keyOf(identityOf(camera).certificateId));
  });
});

describe('what goes wrong on the way', () => {
  test.each(['CreateCertificateFromCsr', 'RegisterThing'])(
    'the answer of %s is lost: it asks again',
    async (operation) => {
      const camera = await booted();
      await faults({ service: 'iot', operation, kind: 'lost-answer', times: 1 });
      await expectToRenew(camera, '--answer', '2');
      await untilStruck(outputs.aws);
      await expectToWork(camera);
    },
  );

  test.each(['CreateCertificateFromCsr', 'RegisterThing', 'AssumeRoleWithCertificate'])(
    'AWS throttles %s: it asks again',
    async (operation) => {
      const camera = await booted();
      await faults({ service: 'iot', operation, kind: 'throttle', times: 2 });
      await expectToRenew(camera);
      await untilStruck(outputs.aws);
      await expectToWork(camera);
    },
  );

  test('the hook is killed: the renewal is refused, the film goes on to its end, and the next one succeeds', async () => {
    const camera = await booted({ streamMode: 'certificate-id' });
    const { certificateId } = identityOf(camera);
    await faults({ service: 'kinesisvideo', operation: 'CreateStream', kind: 'kill', times: 1 });
    const { code, printed } = await runCamera(outputs, 'renew', camera, '--seconds', '4');
    expect(code).toBe(1);
    expect(printed).toMatch(/the renewal was denied/);
    expect(printed).toMatch(/[3-9] fragments PERSISTED/);
    expect(identityOf(camera).certificateId).toBe(certificateId);
    await expectToRenew(camera);
  });

  test('a renewed certificate that waits on its disk is the one it boots with', async () => {
    const camera = await booted();
    const next = await registeredOnDisk(camera);
    await expectToWork(camera);
    expect(identityOf(camera).certificateId).toBe(next);
    expect(existsSync(join(camera.directory, 'renewal.json'))).toBe(false);
  });

  test('one that has died there: it goes on with the one it has, and renews again', async () => {
    const camera = await booted();
    const { certificateId: old, thingName } = identityOf(camera);
    await removeAtAws(thingName, await registeredOnDisk(camera));
    const { code, printed } = await runCamera(outputs, 'boot', camera, '--persist');
    expect(code, printed).toBe(0);
    expect(printed).toMatch(/goes on with the certificate it has/);
    expect(identityOf(camera).certificateId).toBe(old);
    expect(filesOf(camera).sort()).toEqual(['certificate.pem', 'identity.json', 'private.key']);
    await expectToRenew(camera);
  });

  test('it is suspended with both on its disk, and works with the new one when it is resumed', async () => {
    const camera = await booted();
    const next = await registeredOnDisk(camera);
    expect((await operator.post(`/devices/${camera.serialNumber}/suspend`, {})).status).toBe(200);
    const denied = await runCamera(outputs, 'boot', camera);
    expect(denied.code).toBe(1);
    expect(denied.printed).toMatch(/refused the connection/);
    expect((await operator.post(`/devices/${camera.serialNumber}/resume`, {})).status).toBe(200);
    await expectToWork(camera);
    expect(identityOf(camera).certificateId).toBe(next);
  });

  test.each([
    ['cannot be read', 'renewal.json', '{"stage": '],
    [
      'has lost its key',
      'renewal.json',
      '{"stage": "key", "keyFile": "renewed-0123456789abcdef.key", "askedWith": "own"}',
    ],
    ['names a key elsewhere', 'renewal.json', '{"stage": "key", "keyFile": "../private.key", "askedWith": "own"}'],
  ])('a renewal on its disk that %s is begun anew', async (_, name, content) => {
    const camera = await booted();
    const { certificateId } = identityOf(camera);
    writeFileSync(join(camera.directory, name), content.replace('"own"', `"${certificateId}"`));
    await expectToWork(camera);
    await expectToRenew(camera);
  });

  test('a factory reset brings it back with the key it was born with', async () => {
    const birth = await booted();
    await expectToRenew(birth);
    rmSync(join(birth.directory, 'identity.json'));
    const refused = await runCamera(outputs, 'boot', birth);
    expect(refused).toMatchObject({ code: 1, printed: expect.stringContaining('the claim was denied') });
    const { body } = await operator.get(`/devices/${birth.serialNumber}/claims`);
    const { claimId, reason } = body.claims[0];
    expect(reason).toBe('approval-needed');
    expect((await operator.post(`/devices/${birth.serialNumber}/approve-claim`, { claimId })).status).toBe(200);
    expect((await runCamera(outputs, 'boot', birth)).code).toBe(0);
    expect(filesOf(birth).sort()).toEqual(['certificate.pem', 'identity.json', 'private.key']);
  });
});

test('the key of the certificate before goes, the one it was born with stays, and AWS is left with one of each', async () => {
  const camera = await booted();
  const born = readFileSync(join(camera.directory, 'private.key'), 'utf8');
  await expectToRenew(camera, '--format', 'cbor', '--mqtt', '3.1.1');
  const { keyFile } = identityOf(camera);
  await expectToRenew(camera);
  expect(filesOf(camera)).not.toContain(keyFile);
  expect(readFileSync(join(camera.directory, 'private.key'), 'utf8')).toBe(born);
  const kvssink = await runCamera(outputs, 'kvssink', camera);
  expect(kvssink.printed).toContain(`key-path=${join(camera.directory, identityOf(camera).keyFile)}`);
  const { principals } = await aws.iot.send(new ListThingPrincipalsCommand({ thingName: camera.serialNumber }));
  expect(principals).toHaveLength(3);
  await callFunction(outputs, 'reconcile', {});
  // In their hour they are still there; nobody but the registry takes them away.
  expect(idsOf(await deviceOf(camera), 'leaving')).toHaveLength(2);
});

test('a camera that came in over HTTPS renews as soon as it can reach MQTT', async () => {
  const camera = await booted(
    { claimToken: '0123456789abcdef'.repeat(2) },
    '--https',
    '--token',
    '0123456789abcdef'.repeat(2),
  );
  await expectToRenew(camera);
});

test('a camera without an identity has nothing to renew', async () => {
  const camera = { serialNumber: newSerial(), directory: emptyDisk() };
  const { code, printed } = await runCamera(outputs, 'renew', camera);
  expect({ code, printed }).toEqual({
    code: 1,
    printed: `${camera.serialNumber} has no identity yet: boot it first\n`,
  });
});

/** As the camera leaves it when it loses power once it may use the new certificate and has not yet. */
async function registeredOnDisk(camera: Body): Promise<string> {
  const { stage: _, ...place } = identityOf(camera);
  const privateKeyPem = readFileSync(join(camera.directory, 'private.key'), 'utf8');
  const session = await connectDevice(outputs, { clientId: place.thingName, held: { ...place, privateKeyPem } });
  const { ownershipToken, key, privateKeyPem: newKey, ...next } = await takeCertificate(session);
  const { content } = await renewThing(session, outputs, ownershipToken, { SerialNumber: camera.serialNumber });
  await session.close();
  const keyFile = `renewed-${key.publicKeySha256.slice(0, 16)}.key`;
  writeFileSync(join(camera.directory, keyFile), newKey, { mode: 0o600 });
  const renewal = {
    stage: 'registered',
    keyFile,
    askedWith: place.certificateId,
    ...next,
    thingName: content.thingName,
    configuration: content.deviceConfiguration,
    registeredAt: new Date(Date.now() - 60_000).toISOString(),
  };
  writeFileSync(join(camera.directory, 'renewal.json'), JSON.stringify(renewal), { mode: 0o600 });
  return next.certificateId;
}

async function removeAtAws(thingName: string, certificateId: string): Promise<void> {
  const principal = `arn:aws:iot:${outputs.region}:${outputs.accountId}:cert/${certificateId}`;
  const policyName = outputs.claim.templateName.replace(/-claim$/, '-device');
  await aws.iot.send(new DetachPolicyCommand({ policyName, target: principal }));
  await aws.iot.send(new DetachThingPrincipalCommand({ thingName, principal }));
  await aws.iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
  await aws.iot.send(new DeleteCertificateCommand({ certificateId }));
}
