import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cryptoProvider, X509CertificateGenerator } from '@peculiar/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openIdentity, type Place, saveProgress } from '../../camera/identity.ts';
import { ensureKey } from '../../camera/keys.ts';
import { renewalDueAt } from '../../camera/renew.ts';
import {
  adopt,
  beginRenewal,
  dropRenewal,
  keyOf,
  type Registered,
  readRenewal,
  saveRenewal,
  tidy,
} from '../../camera/renewal.ts';

cryptoProvider.set(webcrypto);
const signer = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const begun = new Date('2026-11-24T08:00:00.000Z');
const certificatePem = (
  await X509CertificateGenerator.createSelfSigned({
    name: 'CN=test',
    keys: await webcrypto.subtle.generateKey(signer, true, ['sign', 'verify']),
    signingAlgorithm: signer,
    notBefore: begun,
    notAfter: new Date('2049-12-31T23:59:59.000Z'),
  })
).toString('pem');

const place = (certificateId: string): Place => ({
  certificateId,
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
});
const [first, second, third] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string];

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'camera-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const open = () => openIdentity(directory, 'CAM-1');
const files = () => fs.readdirSync(directory).sort();

function born() {
  const identity = open();
  ensureKey(identity.privateKeyPath);
  saveProgress(identity, { stage: 'connected', ...place(first) });
  return identity;
}

/** As far as RegisterThing. */
function registered(identity = born(), certificateId = second): Registered {
  const { keyFile, askedWith } = beginRenewal(identity);
  return saveRenewal(identity, { stage: 'registered', keyFile, askedWith, ...place(certificateId) }) as Registered;
}

describe('a renewal on the disk', () => {
  it('lies beside the identity, which it does not touch, with a key that only its owner can read', () => {
    const identity = born();
    const before = fs.readFileSync(path.join(directory, 'identity.json'), 'utf8');
    const renewal = beginRenewal(identity);
    expect(readRenewal(open())).toEqual(renewal);
    expect(keyOf(identity, renewal)).toMatch(/PRIVATE KEY/);
    expect(fs.statSync(path.join(directory, renewal.keyFile)).mode & 0o777).toBe(0o600);
    expect(fs.readFileSync(path.join(directory, 'identity.json'), 'utf8')).toBe(before);
    expect(open().privateKeyPath).toBe(path.join(directory, 'private.key'));
  });

  it('becomes the identity in one write, with its key and certificate; the key of its birth stays', () => {
    const identity = born();
    const renewal = registered(identity);
    adopt(identity, renewal);
    const { keyFile } = renewal;
    for (const one of [identity, open()]) {
      expect(one.progress).toMatchObject({ stage: 'connected', certificateId: second, keyFile });
      expect(one.privateKeyPath).toBe(path.join(directory, keyFile));
      expect(fs.readFileSync(one.certificatePath, 'utf8')).toBe(certificatePem);
    }
    expect(files()).toEqual(['identity.json', 'private.key', keyFile, keyFile.replace('.key', '.pem')].sort());
  });

  it('takes the renewed key before it along when the next one follows', () => {
    const identity = born();
    const { keyFile: old } = registered(identity);
    adopt(identity, readRenewal(identity) as Registered);
    const next = registered(identity, third);
    expect(files()).toContain(old);
    adopt(identity, next);
    expect(files().filter((name) => name.endsWith('.key'))).toEqual(['private.key', next.keyFile]);
  });

  it('is over when the power went right after it had become the identity', () => {
    const identity = born();
    const renewal = registered(identity);
    const { askedWith: _, stage: __, ...own } = renewal;
    saveProgress(identity, { stage: 'connected', ...own });
    expect(files()).toContain('renewal.json');
    const after = open();
    expect(readRenewal(after)).toBeUndefined();
    tidy(after);
    expect(files()).toEqual(['identity.json', 'private.key', renewal.keyFile, renewal.keyFile.replace('.key', '.pem')]);
  });

  it('goes with its key when it is dead, and leaves the identity as it was', () => {
    const identity = born();
    registered(identity);
    dropRenewal(identity);
    expect(files()).toEqual(['certificate.pem', 'identity.json', 'private.key']);
    expect(open().progress).toMatchObject({ certificateId: first });
  });

  it('is none of an identity that is no more', () => {
    registered();
    fs.rmSync(path.join(directory, 'identity.json'));
    const reset = open();
    expect(readRenewal(reset)).toBeUndefined();
    tidy(reset);
    expect(files()).toEqual(['certificate.pem', 'private.key']);
    saveProgress(reset, { stage: 'registered', ...place(third) });
    expect(readRenewal(reset)).toBeUndefined();
  });

  it.each([
    ['that is no JSON', '{'],
    [
      'whose key is not there',
      JSON.stringify({ stage: 'key', keyFile: 'renewed-0123456789abcdef.key', askedWith: first }),
    ],
    ['whose key is elsewhere', JSON.stringify({ stage: 'key', keyFile: '../private.key', askedWith: first })],
    ['without a key', JSON.stringify({ stage: 'key', askedWith: first })],
  ])('%s is begun anew', (_, content) => {
    const identity = born();
    fs.writeFileSync(path.join(directory, 'renewal.json'), content);
    expect(readRenewal(identity)).toBeUndefined();
    expect(beginRenewal(identity).stage).toBe('key');
  });

  it('does not end the key that the factory has put elsewhere', () => {
    const elsewhere = fs.mkdtempSync(path.join(os.tmpdir(), 'factory-'));
    const factoryKey = path.join(elsewhere, 'factory.key');
    ensureKey(factoryKey);
    const identity = openIdentity(directory, 'CAM-1', factoryKey);
    saveProgress(identity, { stage: 'connected', ...place(first) });
    adopt(identity, registered(identity));
    expect(openIdentity(directory, 'CAM-1', factoryKey).privateKeyPath).toMatch(/renewed-[0-9a-f]{16}\.key$/);
    expect(fs.existsSync(factoryKey)).toBe(true);
    fs.rmSync(elsewhere, { recursive: true });
  });

  it('whose key has another name than ours is no identity', () => {
    saveProgress(born(), { stage: 'connected', ...place(second), keyFile: '../../etc/key' });
    expect(open).toThrow(/identity\.json cannot be read/);
  });
});

describe('the age of a certificate', () => {
  const days = (certificateId: string, after: number) =>
    (renewalDueAt({ certificateId, certificatePem }, after) - begun.getTime()) / 86_400_000;

  it('is over in the last tenth of its time, for each camera at its own moment and always the same', () => {
    expect(days('0'.repeat(64), 365)).toBe(365);
    expect(days('f'.repeat(64), 365)).toBeCloseTo(328.5);
    expect(days('8'.padEnd(64, '0'), 100)).toBeCloseTo(95);
    expect(days(first, 365)).toBe(days(first, 365));
  });

  it('spreads a fleet over that tenth', () => {
    const ids = Array.from({ length: 1000 }, () =>
      Buffer.from(webcrypto.getRandomValues(new Uint8Array(32))).toString('hex'),
    );
    const moments = ids.map((id) => days(id, 100));
    for (const from of [90, 92.5, 95, 97.5]) {
      expect(moments.filter((one) => one >= from && one <= from + 2.5).length).toBeGreaterThan(180);
    }
  });
});
