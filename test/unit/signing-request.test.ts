import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { proveSigningRequest } from '../../shared/signing-request.ts';

x509.cryptoProvider.set(webcrypto as never);

const requestFor = async (algorithm: Record<string, unknown>) => {
  const keys = await webcrypto.subtle.generateKey(algorithm as never, true, ['sign', 'verify']);
  return (await x509.Pkcs10CertificateRequestGenerator.create({
    keys: keys as never,
    signingAlgorithm: algorithm as never,
    name: 'CN=somebody else',
  })) as x509.Pkcs10CertificateRequest;
};
const elliptic = (namedCurve: string, hash = 'SHA-256') => ({ name: 'ECDSA', namedCurve, hash });
const rsa = (modulusLength: number, hash = 'SHA-256') => ({
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash,
});
const refusal = (pem: string) => {
  try {
    proveSigningRequest(pem);
    return 'taken';
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid-certificate-request' });
    return (error as Error).message;
  }
};

describe('a certificate signing request', () => {
  it.each([elliptic('P-256'), elliptic('P-384', 'SHA-384'), elliptic('P-521', 'SHA-512'), rsa(2048), rsa(3072)])(
    'of %o is taken, whatever its subject',
    async (algorithm) => {
      const request = await requestFor(algorithm);
      const spki = await webcrypto.subtle.digest('SHA-256', request.publicKey.rawData);
      expect(proveSigningRequest(request.toString('pem')).publicKeySha256).toBe(Buffer.from(spki).toString('hex'));
    },
  );

  it('of a weak key, or with a weak digest, is not', async () => {
    expect(refusal((await requestFor(rsa(1024))).toString('pem'))).toMatch(/2048/);
    expect(refusal((await requestFor(rsa(2048, 'SHA-1'))).toString('pem'))).toMatch(/SHA-256/);
  });

  it('must be signed by its own key', async () => {
    const der = Buffer.from((await requestFor(elliptic('P-256'))).rawData);
    const pem = (bytes: Buffer) =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    expect(refusal(pem(der))).toBe('taken');
    // A letter of the subject.
    const changed = Buffer.from(der);
    const at = changed.indexOf('somebody');
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(refusal(pem(changed))).toMatch(/signature/);
    expect(refusal(pem(der.subarray(0, 40)))).toMatch(/PKCS #10/);
  });

  it('must be one PEM block', async () => {
    const pem = (await requestFor(elliptic('P-256'))).toString('pem');
    for (const nonsense of [
      '',
      'x',
      pem + pem,
      pem.replace('REQUEST-----', 'REQUEST'),
      `${pem}x`,
      pem.replace(/M/, '*'),
    ]) {
      expect(refusal(nonsense)).toMatch(/PEM/);
    }
  });
});
