import 'reflect-metadata';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  webcrypto,
} from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { StepFailed } from './failure.ts';
import { readIfThere, writeSafely } from './identity.ts';

x509.cryptoProvider.set(webcrypto);

/**
 * The key that makes this camera itself. Made here and never sent anywhere; a camera with a secure element makes and
 * keeps it there instead. It is on the disk before anything is asked for it, so every attempt is made with one key.
 */
export function ensureKey(privateKeyPath: string): { privateKeyPem: string; made: boolean } {
  const kept = readKey(privateKeyPath);
  if (kept !== undefined) return { privateKeyPem: kept, made: false };
  const privateKeyPem = makeKey();
  writeSafely(privateKeyPath, privateKeyPem);
  return { privateKeyPem, made: true };
}

export function makeKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

export function readKey(privateKeyPath: string): string | undefined {
  const pem = readIfThere(privateKeyPath);
  if (pem === undefined) return undefined;
  try {
    createPrivateKey(pem);
    return pem;
  } catch (cause) {
    throw new StepFailed('never', `${privateKeyPath} is not a private key in PEM form without a passphrase`, { cause });
  }
}

/** What a manifest pins: SHA-256 of the public key's SPKI DER, in hex. */
export function publicKeySha256(privateKeyPem: string): string {
  const spki = createPublicKey(createPrivateKey(privateKeyPem)).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}

/** The request that proves we hold the key. Its subject decides nothing: what counts is the key. */
export async function signingRequest(privateKeyPem: string, commonName: string): Promise<string> {
  const algorithm = algorithmOf(createPrivateKey(privateKeyPem));
  const keys = {
    privateKey: await importKey('pkcs8', createPrivateKey(privateKeyPem), algorithm, 'sign'),
    publicKey: await importKey('spki', createPublicKey(createPrivateKey(privateKeyPem)), algorithm, 'verify'),
  };
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    // X.520 lets a common name have 64 characters, and no fewer than one.
    name: [{ CN: [commonName.slice(0, 64) || 'camera'] }],
    keys,
    signingAlgorithm: algorithm,
  });
  return request.toString('pem');
}

type Algorithm = { name: string; hash: string; namedCurve?: string };

const curves: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

// AWS IoT takes RSA from 2048 bits and the NIST curves (CreateCertificateFromCsr).
function algorithmOf(key: KeyObject): Algorithm {
  const namedCurve = curves[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (key.asymmetricKeyType === 'ec' && namedCurve) return { name: 'ECDSA', hash: 'SHA-256', namedCurve };
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  throw new StepFailed('never', 'AWS IoT takes RSA keys and the curves P-256, P-384 and P-521; this key is neither');
}

function importKey(format: 'pkcs8' | 'spki', key: KeyObject, algorithm: Algorithm, usage: 'sign' | 'verify') {
  const der = key.export({ type: format, format: 'der' } as { type: 'spki'; format: 'der' });
  return webcrypto.subtle.importKey(format, der as Uint8Array<ArrayBuffer>, algorithm, true, [usage]);
}
