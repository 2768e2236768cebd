import { type webcrypto as types, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { makeDeviceKey, makeSelfSigned } from './device-key.ts';

/** Certificate signing requests that prove nothing: what is wrong, the request, and how it is told. */
export async function brokenRequests(): Promise<[what: string, pem: string, told: RegExp][]> {
  const { certificateSigningRequest: good } = await makeDeviceKey();
  const { certificatePem } = await makeSelfSigned();
  return [
    ['that is no PEM', 'hello', /PEM/],
    ['that is empty', '', /PEM/],
    ['in Base64 alone', good.replaceAll(/-----.*-----/g, '').trim(), /PEM/],
    ['that is a certificate', certificatePem, /PEM/],
    ['cut short', good.slice(0, good.length / 2), /PEM/],
    ['twice over', `${good}\n${good}`, /one PEM block/],
    ['of PEM around nothing that is DER', pem(Buffer.from('hello')), /PKCS #10/],
    ['of 5,000 characters', good + ' '.repeat(5000), /4096|too big/i],
    ['of a broken signature', withAnotherByte(good, -1), /signature/],
    ['that another key has signed', await signedByAnother(), /signature/],
    ['for RSA of 1024 bits', await request('RSASSA-PKCS1-v1_5', 1024), /2048 bits/],
    ['for Ed25519', await request('Ed25519'), /RSA key of 2048/],
    ['signed with SHA-1', await request('RSASSA-PKCS1-v1_5', 2048, 'SHA-1'), /SHA-256/],
  ];
}

const pem = (der: Buffer): string => x509.PemConverter.encode(der, 'CERTIFICATE REQUEST');

function withAnotherByte(request: string, at: number): string {
  const der = Buffer.from(request.replaceAll(/-----.*-----|\s/g, ''), 'base64');
  const place = der.length + at;
  der[place] = (der[place] ?? 0) ^ 1;
  return pem(der);
}

async function request(name: string, modulusLength = 2048, hash = 'SHA-256'): Promise<string> {
  const algorithm = {
    name,
    hash,
    ...(name !== 'Ed25519' && { modulusLength, publicExponent: new Uint8Array([1, 0, 1]) }),
  };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as types.CryptoKeyPair;
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=camera',
    keys,
    signingAlgorithm: algorithm,
  });
  return made.toString('pem');
}

/** The public key of one, the signature of another: what a thief of a public key could send. */
async function signedByAnother(): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const generate = () =>
    webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<types.CryptoKeyPair>;
  const keys = { publicKey: (await generate()).publicKey, privateKey: (await generate()).privateKey };
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=camera',
    keys,
    signingAlgorithm: algorithm,
  });
  return made.toString('pem');
}
