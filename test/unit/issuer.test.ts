import 'reflect-metadata';
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { describe, expect, test } from 'vitest';
import { createClock } from '../../local/clock.ts';
import { certificateIdOf, createIssuer } from '../../local/iot/issuer.ts';

const issuer = await createIssuer({ clock: createClock() });
const ca = new X509Certificate(issuer.caPem);

type Algorithm = Parameters<typeof webcrypto.subtle.generateKey>[0] & { hash: string };

async function csr(algorithm: Algorithm, name = 'CN=camera'): Promise<string> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm: algorithm });
  return request.toString('pem');
}

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const rsa = (modulusLength: number) => ({
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
});

describe('keys made by AWS IoT', () => {
  test('are RSA of 2048 bits, belong to the certificate, and end with 2049', async () => {
    const { certificatePem, certificateId, keyPair } = await issuer.withNewKeys();
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(certificate.checkPrivateKey(createPrivateKey(keyPair.PrivateKey))).toBe(true);
    expect(keyPair.PublicKey).toBe(certificate.publicKey.export({ type: 'spki', format: 'pem' }));
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect(certificate.subject).toBe('CN=AWS IoT Certificate');
    expect(certificate.validTo).toBe('Dec 31 23:59:59 2049 GMT');
    expect(certificateId).toBe(certificate.fingerprint256.replaceAll(':', '').toLowerCase());
    expect(certificateIdOf(certificatePem)).toBe(certificateId);
  });
});

describe('a certificate signing request', () => {
  test.each([
    ['P-256', EC],
    ['P-384', { ...EC, namedCurve: 'P-384', hash: 'SHA-384' }],
    ['P-521', { ...EC, namedCurve: 'P-521', hash: 'SHA-512' }],
    ['RSA 2048', rsa(2048)],
  ])('with a %s key is signed', async (_, algorithm) => {
    const { certificatePem } = await issuer.fromCsr(await csr(algorithm));
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect(certificate.subject).toBe('CN=camera');
    expect(certificate.ca).toBe(false);
  });

  test('sent again gives another certificate', async () => {
    const request = await csr(EC);
    const [first, second] = [await issuer.fromCsr(request), await issuer.fromCsr(request)];
    expect(first.certificateId).not.toBe(second.certificateId);
  });

  const refused = { code: 'InvalidRequestException', status: 400 };

  test.each([
    ['with an RSA key of 1024 bits', () => csr(rsa(1024))],
    ['with a key on another curve', () => csr({ name: 'Ed25519', hash: 'SHA-256' })],
    ['that is no PEM', () => 'hello'],
    ['that is empty', () => ''],
    ['of more than 4096 characters', () => 'x'.repeat(4097)],
  ])('%s is refused', async (_, request) => {
    await expect(issuer.fromCsr(await request())).rejects.toMatchObject(refused);
  });

  test('whose signature is of another key is refused', async () => {
    const [mine, foreign] = await Promise.all([csr(EC), csr(EC)]);
    const [der, other] = [mine, foreign].map((pem) => Buffer.from(x509.PemConverter.decodeFirst(pem))) as [
      Buffer,
      Buffer,
    ];
    // The same bytes everywhere but in the public key, which ends 64 bytes and the attributes before the signature.
    const key = (bytes: Buffer) => bytes.subarray(bytes.indexOf(Buffer.from('034200', 'hex')) + 3).subarray(0, 65);
    key(other).copy(key(der));
    const forged = x509.PemConverter.encode(der, 'CERTIFICATE REQUEST');
    await expect(issuer.fromCsr(forged)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('signature'),
    });
  });
});

test('a server certificate is good for its names, by name and by address', async () => {
  const { cert, key } = await issuer.serverCertificate(['localhost', '127.0.0.1']);
  const server = createServer({ cert, key }, (socket) => socket.end());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  for (const host of ['localhost', '127.0.0.1']) {
    const socket: TLSSocket = connect({
      host: '127.0.0.1',
      port,
      ca: issuer.caPem,
      ...(host === 'localhost' && { servername: host }),
    });
    await once(socket, 'secureConnect');
    expect(socket.authorized).toBe(true);
    socket.destroy();
  }
  server.close();
});
