import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { CertificationRequest } from '@peculiar/asn1-csr';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Failure } from './domain/failure.ts';

/** What a certificate signing request proves: that its sender holds this key. Its subject and extensions prove nothing and are ignored. */
export type ProvenRequest = { pem: string; publicKeySha256: string };

/** Signature algorithms by their OID (RFC 4055, RFC 5758); SHA-1 is not among them. */
const digests: Record<string, { type: string; digest: string }> = {
  '1.2.840.113549.1.1.11': { type: 'rsa', digest: 'sha256' },
  '1.2.840.113549.1.1.12': { type: 'rsa', digest: 'sha384' },
  '1.2.840.113549.1.1.13': { type: 'rsa', digest: 'sha512' },
  '1.2.840.10045.4.3.2': { type: 'ec', digest: 'sha256' },
  '1.2.840.10045.4.3.3': { type: 'ec', digest: 'sha384' },
  '1.2.840.10045.4.3.4': { type: 'ec', digest: 'sha512' },
};

const curves = ['prime256v1', 'secp384r1', 'secp521r1'];

const refuse = (detail: string): never => {
  throw new Failure('invalid-certificate-request', `certificateSigningRequest ${detail}`, [
    { pointer: '/certificateSigningRequest', detail },
  ]);
};

/** Reads PEM (RFC 7468) strictly: one block, nothing but Base64 in it. */
const derOf = (pem: string): Buffer => {
  const [, label, body = ''] =
    /^\s*-----BEGIN ((?:NEW )?CERTIFICATE REQUEST)-----\s([A-Za-z0-9+/=\s]+)-----END \1-----\s*$/.exec(pem) ?? [];
  return label === undefined ? refuse('is not one PEM block') : Buffer.from(body, 'base64');
};

const read = (der: Buffer): CertificationRequest => {
  try {
    return AsnConvert.parse(der, CertificationRequest);
  } catch {
    return refuse('is not PKCS #10 in DER');
  }
};

const keyOf = (spki: Buffer): KeyObject => {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    return refuse('holds no public key that can be read');
  }
};

/** AWS IoT takes RSA from 2048 bits and the NIST curves P-256, P-384 and P-521 (CreateCertificateFromCsr). */
const checkKey = ({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): void => {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'rsa' && modulusLength >= 2048) return;
  if (asymmetricKeyType === 'ec' && curves.includes(namedCurve)) return;
  refuse('must be for an RSA key of 2048 bits or more, or for one on P-256, P-384 or P-521');
};

/** @throws Failure `invalid-certificate-request`, which says what is wrong with it. */
export const proveSigningRequest = (pem: string): ProvenRequest => {
  const request = read(derOf(pem));
  const { certificationRequestInfoRaw, certificationRequestInfo, signatureAlgorithm, signature } = request;
  const spki = Buffer.from(AsnConvert.serialize(certificationRequestInfo.subjectPKInfo));
  const key = keyOf(spki);
  checkKey(key);
  const algorithm = digests[signatureAlgorithm.algorithm];
  if (!algorithm || algorithm.type !== key.asymmetricKeyType || !certificationRequestInfoRaw) {
    return refuse('must be signed with its own key and SHA-256, SHA-384 or SHA-512');
  }
  if (!isSignedBy(key, algorithm.digest, Buffer.from(certificationRequestInfoRaw), Buffer.from(signature))) {
    return refuse('has a signature that is not of its own key');
  }
  // As Node writes the key, which is how a pin and a certificate are read as well.
  const exported = key.export({ type: 'spki', format: 'der' });
  return { pem, publicKeySha256: createHash('sha256').update(exported).digest('hex') };
};

const isSignedBy = (key: KeyObject, digest: string, signed: Buffer, signature: Buffer): boolean => {
  try {
    return verify(digest, signed, key, signature);
  } catch {
    return false;
  }
};
