import 'reflect-metadata';
import {
  createHash,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
  webcrypto,
  X509Certificate,
} from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import * as x509 from '@peculiar/x509';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';

/** The certificate authority of the stand-in: signs what devices ask for and what its own doors show. */

export interface Issued {
  certificatePem: string;
  /** SHA-256 of the DER, as hex: how AWS IoT names a certificate everywhere. */
  certificateId: string;
}

export interface Issuer {
  /** What clients must trust to reach the stand-in's TLS doors. */
  caPem: string;
  serverCertificate(names: readonly string[]): Promise<{ cert: string; key: string }>;
  /** Throws AwsError InvalidRequestException 400. */
  fromCsr(certificateSigningRequest: string): Promise<Issued>;
  withNewKeys(): Promise<Issued & { keyPair: { PublicKey: string; PrivateKey: string } }>;
}

x509.cryptoProvider.set(webcrypto);

const SIGNING = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const newKeyPair = promisify(generateKeyPair);

/** IoT guide, "Create AWS IoT client certificates": "expire at midnight UTC on December 31, 2049". */
const LAST_SECOND = new Date('2049-12-31T23:59:59Z');
/** Apple's TLS accepts no server certificate of more than 825 days, whoever signed it. */
const SERVER_LIFETIME_MS = 398 * 24 * 60 * 60_000;
/** Set back, so that a client whose clock is a little late still accepts it. */
const BACKDATED_MS = 2 * 60_000;
/** CreateCertificateFromCsr: length of `certificateSigningRequest`. */
const LONGEST_CSR = 4096;
/** CreateCertificateFromCsr: "NIST P-256, NIST P-384, or NIST P-521 curves", by OpenSSL's names. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];

export async function createIssuer({ clock }: { clock: Clock }): Promise<Issuer> {
  const { privateKey, publicKey } = await webcrypto.subtle.generateKey(SIGNING, true, ['sign', 'verify']);
  const from = () => new Date(clock.now() - BACKDATED_MS);

  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    name: 'CN=Firstlight local CA',
    keys: { privateKey, publicKey },
    signingAlgorithm: SIGNING,
    notBefore: from(),
    notAfter: LAST_SECOND,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  const signedBy = await x509.AuthorityKeyIdentifierExtension.create(publicKey);

  const sign = async (subject: string | x509.Name, key: KeyObject, notAfter: Date, extensions: x509.Extension[]) => {
    const subjectKey = new x509.PublicKey(key.export({ type: 'spki', format: 'der' }));
    return x509.X509CertificateGenerator.create({
      serialNumber: newSerialNumber(),
      subject,
      issuer: ca.subject,
      publicKey: subjectKey,
      signingKey: privateKey,
      signingAlgorithm: SIGNING,
      notBefore: from(),
      notAfter,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        signedBy,
        await x509.SubjectKeyIdentifierExtension.create(subjectKey),
        ...extensions,
      ],
    });
  };

  const issue = async (subject: string | x509.Name, key: KeyObject): Promise<Issued> => {
    const certificate = await sign(subject, key, LAST_SECOND, [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ]);
    const certificatePem = pemText(certificate.toString('pem'));
    return { certificatePem, certificateId: certificateIdOf(certificatePem) };
  };

  return {
    caPem: pemText(ca.toString('pem')),

    async serverCertificate(names) {
      const key = await newKeyPair('ec', { namedCurve: 'P-256' });
      const end = new Date(clock.now() + SERVER_LIFETIME_MS);
      const certificate = await sign(`CN=${names[0]}`, key.publicKey, end, [
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value })),
        ),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      ]);
      return { cert: pemText(certificate.toString('pem')), key: privatePem(key.privateKey, 'pkcs8') };
    },

    async fromCsr(certificateSigningRequest) {
      const { subject, key } = await readCsr(certificateSigningRequest);
      // Whether AWS keeps the subject of the request is not documented; iot:Certificate.Subject variables would see it.
      return issue(subject ?? DEFAULT_SUBJECT, key);
    },

    async withNewKeys() {
      // CreateKeysAndCertificate: "Creates a 2048-bit RSA key pair".
      const keys = await newKeyPair('rsa', { modulusLength: 2048 });
      const issued = await issue(DEFAULT_SUBJECT, keys.publicKey);
      const PublicKey = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();
      return { ...issued, keyPair: { PublicKey, PrivateKey: privatePem(keys.privateKey, 'pkcs1') } };
    },
  };
}

const DEFAULT_SUBJECT = 'CN=AWS IoT Certificate';

/** Throws what node:crypto throws when the text is no certificate. */
export function certificateIdOf(certificatePem: string): string {
  return createHash('sha256').update(new X509Certificate(certificatePem).raw).digest('hex');
}

async function readCsr(pem: unknown): Promise<{ subject: x509.Name | undefined; key: KeyObject }> {
  if (typeof pem !== 'string' || pem.length === 0) throw invalid('A certificate signing request is required.');
  if (pem.length > LONGEST_CSR)
    throw invalid(`The certificate signing request is longer than ${LONGEST_CSR} characters.`);
  let request: x509.Pkcs10CertificateRequest;
  let key: KeyObject;
  try {
    request = new x509.Pkcs10CertificateRequest(pem);
    key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' });
  } catch {
    throw invalid('The certificate signing request is not valid.');
  }
  checkKey(key);
  // PKCS #10 (RFC 2986 §3): the signature proves that the asker holds the private key.
  if (!(await request.verify().catch(() => false))) {
    throw invalid('The signature of the certificate signing request is not valid.');
  }
  return { subject: request.subject === '' ? undefined : request.subjectName, key };
}

/** CreateCertificateFromCsr: "a public key that is either an RSA key with a length of at least 2048 bits or an ECC key". */
function checkKey({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): void {
  if (type === 'rsa' && (details.modulusLength ?? 0) >= 2048) return;
  if (type === 'ec' && CURVES.includes(details.namedCurve ?? '')) return;
  throw invalid('The key must be RSA of at least 2048 bits or on the curve NIST P-256, P-384 or P-521.');
}

const invalid = (message: string) => new AwsError('InvalidRequestException', 400, message);

/** Positive and of 20 octets at most (RFC 5280 §4.1.2.2). */
function newSerialNumber(): string {
  const bytes = randomBytes(20);
  bytes[0] = (bytes.readUInt8(0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

const privatePem = (key: KeyObject, type: 'pkcs1' | 'pkcs8') => key.export({ type, format: 'pem' }).toString();
const pemText = (pem: string) => `${pem.trim()}\n`;
