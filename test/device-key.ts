import 'reflect-metadata';
import { createHash, type webcrypto as types, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A certificate and its key, as a device holds them. */
export interface Held {
  certificatePem: string;
  privateKeyPem: string;
}

export interface DeviceKey {
  privateKeyPem: string;
  publicKeySha256: string;
  certificateSigningRequest: string;
}

/** A key made on a device, and the request that proves it. */
export async function makeDeviceKey(name = 'CN=camera'): Promise<DeviceKey> {
  const keys = await generateKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name,
    keys,
    signingAlgorithm: algorithm,
  });
  return {
    privateKeyPem: await pemOf(keys.privateKey),
    publicKeySha256: createHash('sha256')
      .update(new Uint8Array(await webcrypto.subtle.exportKey('spki', keys.publicKey)))
      .digest('hex'),
    certificateSigningRequest: request.toString('pem'),
  };
}

/** A certificate that nobody but its holder has ever seen. */
export async function makeSelfSigned(): Promise<Held> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=AWS IoT Certificate',
    keys,
    notBefore: new Date('2020-01-01'),
    notAfter: new Date('2049-12-31'),
    signingAlgorithm: algorithm,
  });
  return { certificatePem: certificate.toString('pem'), privateKeyPem: await pemOf(keys.privateKey) };
}

/** SHA-256 of the DER, in hex: what AWS IoT calls a certificate by. */
export const certificateIdOf = (certificatePem: string): string =>
  createHash('sha256').update(new X509Certificate(certificatePem).raw).digest('hex');

const generateKeys = () =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<types.CryptoKeyPair>;

async function pemOf(privateKey: types.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
}
