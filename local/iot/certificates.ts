import { randomUUID, X509Certificate } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Operation } from '../service.ts';
import { certificateIdOf, type Issued, type Issuer } from './issuer.ts';
import { byMarker, pageOf } from './pages.ts';
import { alreadyExists, checkOneOf, checkText, notFound } from './refusals.ts';
import type { Certificate, CertificateStatus, Registry } from './registry.ts';
import { leftOf } from './ties.ts';

const CERTIFICATE_ID = { pattern: /^(0x)?[a-fA-F0-9]+$/, min: 64, max: 64 };
const CERTIFICATE_PEM = { max: 65_536 };
/** UpdateCertificate: "setting the status to PENDING_TRANSFER or PENDING_ACTIVATION will result in an exception". */
const SETTABLE: readonly CertificateStatus[] = ['ACTIVE', 'INACTIVE', 'REVOKED'];

export interface CertificateDeps {
  registry: Registry;
  issuer: Issuer;
  clock: Clock;
}

export function certificateOperations({ registry, issuer, clock }: CertificateDeps): Record<string, Operation> {
  const store = (issued: Issued, setAsActive: boolean | undefined) => {
    const certificate = newCertificate({ registry, clock }, issued, setAsActive ? 'ACTIVE' : 'INACTIVE');
    registry.putCertificate(certificate);
    const { certificateArn, certificateId, certificatePem } = certificate;
    return { certificateArn, certificateId, certificatePem };
  };

  const register = (certificatePem: unknown, status: unknown) => {
    const pem = checkText(certificatePem, 'certificatePem', CERTIFICATE_PEM);
    const wanted = status === undefined ? 'INACTIVE' : checkOneOf(status, 'status', ['ACTIVE', 'INACTIVE'] as const);
    const certificateId = idOf(pem);
    const existing = registry.certificate(certificateId);
    if (existing) {
      throw alreadyExists(
        'The certificate is already provisioned or registered',
        certificateId,
        existing.certificateArn,
      );
    }
    const certificate = newCertificate({ registry, clock }, { certificatePem: pem, certificateId }, wanted);
    // CertificateDescription: "A certificate in SNI_ONLY mode is registered without an issuer CA."
    registry.putCertificate({ ...certificate, certificateMode: 'SNI_ONLY' });
    return { certificateArn: certificate.certificateArn, certificateId };
  };

  return {
    async CreateKeysAndCertificate({ setAsActive }) {
      const { keyPair, ...issued } = await issuer.withNewKeys();
      return { ...store(issued, setAsActive), keyPair };
    },

    async CreateCertificateFromCsr({ certificateSigningRequest, setAsActive }) {
      checkText(certificateSigningRequest, 'certificateSigningRequest');
      // "Reusing the same certificate signing request (CSR) results in a distinct certificate."
      return store(await issuer.fromCsr(certificateSigningRequest), setAsActive);
    },

    RegisterCertificateWithoutCA: ({ certificatePem, status }) => register(certificatePem, status),

    RegisterCertificate({ certificatePem }) {
      idOf(checkText(certificatePem, 'certificatePem', CERTIFICATE_PEM));
      // The stand-in registers no CA, so there is none that could have signed it.
      throw new AwsError(
        'CertificateValidationException',
        400,
        'The CA certificate of the certificate is not registered.',
      );
    },

    DescribeCertificate({ certificateId }) {
      const certificate = existingCertificate(registry, certificateId);
      const {
        ownership: _ownership,
        provisioningClaim: _claim,
        creationDate,
        lastModifiedDate,
        ...shown
      } = certificate;
      const { validFrom, validTo } = new X509Certificate(certificate.certificatePem);
      return {
        certificateDescription: {
          ...shown,
          ownedBy: registry.accountId,
          creationDate: new Date(creationDate),
          lastModifiedDate: new Date(lastModifiedDate),
          transferData: {},
          validity: { notBefore: new Date(validFrom), notAfter: new Date(validTo) },
        },
      };
    },

    UpdateCertificate({ certificateId, newStatus }) {
      const status = checkOneOf(newStatus, 'newStatus', SETTABLE);
      const certificate = existingCertificate(registry, certificateId);
      if (certificate.status !== status) setStatus({ registry, clock }, certificate, status);
      return {};
    },

    DeleteCertificate({ certificateId, forceDelete }) {
      const { certificateArn, status } = existingCertificate(registry, certificateId);
      if (status === 'ACTIVE') {
        const message = `Certificate must be deactivated (not ACTIVE) before deletion. Id: ${certificateId}`;
        throw new AwsError('CertificateStateException', 406, message);
      }
      if (registry.thingsOf(certificateId).length > 0) {
        throw conflict(`Things must be detached before deletion (arn: ${certificateArn})`);
      }
      // forceDelete: "Forces the deletion of a certificate if it is inactive and is not attached to an IoT thing."
      const hasPolicies = leftOf(registry.policyTargets, certificateArn).size > 0;
      if (hasPolicies && !forceDelete) {
        throw conflict(`Certificate policies must be detached before deletion (arn: ${certificateArn})`);
      }
      registry.deleteCertificate(certificateId);
      return {};
    },

    ListCertificates(input) {
      // "Temporary provisioning claim certificates do not appear in your account's list of certificates."
      const listed = registry.livingCertificates().filter(({ provisioningClaim }) => !provisioningClaim);
      const byAge = ({ creationDate, certificateId }: Certificate) => `${sortable(creationDate)}/${certificateId}`;
      const { items, next } = pageOf(listed, byAge, byMarker(input));
      const certificates = items.map(({ certificateArn, certificateId, status, certificateMode, creationDate }) => {
        return { certificateArn, certificateId, status, certificateMode, creationDate: new Date(creationDate) };
      });
      return { certificates, nextMarker: next };
    },
  };
}

/** A certificate just signed, as the registry keeps it. */
export function newCertificate(
  { registry, clock }: { registry: Registry; clock: Clock },
  { certificateId, certificatePem }: Issued,
  status: CertificateStatus,
): Certificate {
  const now = clock.now();
  return {
    certificateId,
    certificateArn: registry.arn(`cert/${certificateId}`),
    certificatePem,
    status,
    certificateMode: 'DEFAULT',
    customerVersion: 1,
    generationId: randomUUID(),
    creationDate: now,
    lastModifiedDate: now,
  };
}

/** Whoever decides on a certificate ends its hour: it no longer goes by itself, and its ownership token opens nothing. */
export function setStatus(
  { registry, clock }: { registry: Registry; clock: Clock },
  { ownership: _ownership, ...certificate }: Certificate,
  status: CertificateStatus,
): void {
  const customerVersion = certificate.customerVersion + 1;
  registry.putCertificate({ ...certificate, status, customerVersion, lastModifiedDate: clock.now() });
}

export function existingCertificate(registry: Registry, certificateId: unknown): Certificate {
  const certificate = registry.certificate(checkText(certificateId, 'certificateId', CERTIFICATE_ID));
  if (!certificate || certificate.provisioningClaim) throw notFound(`Certificate ${certificateId} does not exist`);
  return certificate;
}

function idOf(certificatePem: string): string {
  try {
    return certificateIdOf(certificatePem);
  } catch {
    throw new AwsError('CertificateValidationException', 400, 'The certificate is not valid.');
  }
}

/** Epoch ms as text that sorts like the number. */
const sortable = (time: number) => String(Math.trunc(time)).padStart(15, '0');

const conflict = (message: string) => new AwsError('DeleteConflictException', 409, message);
