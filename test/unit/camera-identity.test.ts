import 'reflect-metadata';
import { spawn } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cryptoProvider, Pkcs10CertificateRequest, X509CertificateGenerator } from '@peculiar/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forgetHalfWritten, openIdentity, type Progress, saveProgress } from '../../camera/identity.ts';
import { ensureKey, publicKeySha256, readKey, signingRequest } from '../../camera/keys.ts';
import { seeded, seeds } from '../seeds.ts';

let directory: string;
beforeEach(() => {
  directory = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'camera-')), 'CAM-1');
});
afterEach(() => fs.rmSync(path.dirname(directory), { recursive: true, force: true }));

// Any certificate will do: nothing here asks who signed it.
cryptoProvider.set(webcrypto);
const signer = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const certificatePem = (
  await X509CertificateGenerator.createSelfSigned({
    name: 'CN=test',
    keys: await webcrypto.subtle.generateKey(signer, true, ['sign', 'verify']),
    signingAlgorithm: signer,
  })
).toString('pem');
const certificate: Progress = {
  stage: 'certificate',
  certificateId: 'a'.repeat(64),
  certificatePem,
  ownershipToken: 'token',
  claimClientId: 'claim-1',
  tokenExpiresAt: '2026-11-24T08:00:00.000Z',
};
const registered: Progress = {
  stage: 'registered',
  certificateId: 'a'.repeat(64),
  certificatePem,
  thingName: 'CAM-1',
  configuration: {
    region: 'us-east-1',
    mqttEndpoint: 'localhost:8883',
    credentialEndpoint: 'localhost:8443',
    roleAlias: 'alias',
    streamName: 'CAM-1',
    channels: '',
    renewAfterDays: '365',
  },
  registeredAt: '2026-11-24T08:00:00.000Z',
};

const mode = (file: string) => (fs.statSync(path.join(directory, file)).mode & 0o777).toString(8);

describe('identity', () => {
  it('begins new, and goes on where it was', () => {
    const identity = openIdentity(directory, 'CAM-1');
    expect(identity.progress).toEqual({ stage: 'new' });
    for (const progress of [certificate, registered, { ...registered, stage: 'connected' } as Progress]) {
      saveProgress(identity, progress);
      expect(openIdentity(directory, 'CAM-1').progress).toEqual(progress);
    }
  });

  it('can be read by its owner only', () => {
    const identity = openIdentity(directory, 'CAM-1');
    ensureKey(identity.privateKeyPath);
    saveProgress(identity, registered);
    expect(['.', 'identity.json', 'private.key', 'certificate.pem'].map(mode)).toEqual(['700', '600', '600', '600']);
    fs.chmodSync(directory, 0o755);
    openIdentity(directory, 'CAM-1');
    expect(mode('.')).toBe('700');
  });

  it('shows a certificate as a file only once it is registered, and again if it was lost', () => {
    const identity = openIdentity(directory, 'CAM-1');
    saveProgress(identity, certificate);
    expect(fs.existsSync(identity.certificatePath)).toBe(false);
    saveProgress(identity, registered);
    fs.rmSync(identity.certificatePath);
    openIdentity(directory, 'CAM-1');
    expect(fs.readFileSync(identity.certificatePath, 'utf8')).toBe(certificatePem);
  });

  it('forgets what was half-written', () => {
    saveProgress(openIdentity(directory, 'CAM-1'), certificate);
    fs.writeFileSync(path.join(directory, 'identity.json.4711.tmp'), '{"stage":"regis');
    expect(openIdentity(directory, 'CAM-1').progress).toEqual(certificate);
    // It may be another process that is writing it: only who is alone there removes it.
    expect(fs.readdirSync(directory)).toHaveLength(2);
    forgetHalfWritten(directory);
    expect(fs.readdirSync(directory)).toEqual(['identity.json']);
  });

  it("does not take another camera's place", () => {
    saveProgress(openIdentity(directory, 'CAM-1'), certificate);
    expect(() => openIdentity(directory, 'CAM-2')).toThrow('identity of CAM-1, not of CAM-2');
  });

  it('says what to do about a damaged file', () => {
    openIdentity(directory, 'CAM-1');
    fs.writeFileSync(path.join(directory, 'identity.json'), 'garbage');
    expect(() => openIdentity(directory, 'CAM-1')).toThrow(/identity\.json cannot be read\. Remove it/);
  });

  it.each(seeds(1))('is whole whenever the power goes (seed %i)', async (seed) => {
    const random = seeded(seed);
    const script = `
      import { openIdentity, saveProgress } from ${JSON.stringify(path.join(import.meta.dirname, '../../camera/identity.ts'))};
      const [directory, ...states] = process.argv.slice(1);
      const identity = openIdentity(directory, 'CAM-1');
      console.log('writing');
      for (let i = 0; ; i++) saveProgress(identity, JSON.parse(states[i % states.length]));`;
    for (let cut = 0; cut < 5; cut++) {
      const states = [certificate, registered].map((state) => JSON.stringify(state));
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script, directory, ...states]);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      const ended = new Promise((resolve) => child.once('exit', resolve));
      setTimeout(() => child.kill('SIGKILL'), random() * 40);
      await ended;
      expect([{ stage: 'new' }, certificate, registered]).toContainEqual(openIdentity(directory, 'CAM-1').progress);
    }
  });
});

describe('key', () => {
  it('is made once, on P-256', () => {
    fs.mkdirSync(directory, { recursive: true });
    const file = path.join(directory, 'private.key');
    const first = ensureKey(file);
    expect(first.made).toBe(true);
    expect(createPrivateKey(first.privateKeyPem).asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect(ensureKey(file)).toEqual({ privateKeyPem: first.privateKeyPem, made: false });
  });

  it.each([
    ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'sec1'],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'pkcs8'],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }), 'pkcs1'],
  ] as const)('signs a request with a %s key of the factory', async (_, { privateKey, publicKey }, type) => {
    const pem = privateKey.export({ type: type as 'pkcs8', format: 'pem' }) as string;
    const request = new Pkcs10CertificateRequest(await signingRequest(pem, 'CAM-1'));
    expect(await request.verify()).toBe(true);
    expect(request.subject).toBe('CN=CAM-1');
    expect(Buffer.from(request.publicKey.rawData)).toEqual(publicKey.export({ type: 'spki', format: 'der' }));
    expect(publicKeySha256(pem)).toMatch(/^[0-9a-f]{64}$/);
  });

  it('that AWS IoT would not take is refused here', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    await expect(signingRequest(pem, 'CAM-1')).rejects.toThrow('P-256, P-384 and P-521');
  });

  it('that is not one is said to be none', () => {
    fs.mkdirSync(directory, { recursive: true });
    const file = path.join(directory, 'private.key');
    expect(readKey(file)).toBeUndefined();
    fs.writeFileSync(file, 'garbage');
    expect(() => readKey(file)).toThrow('not a private key');
  });
});
