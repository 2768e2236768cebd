import type { ClaimCertificate } from '../domain/claim.ts';
import type { ClaimCertificateOrder } from '../domain/claim-certificate.ts';

export interface ClaimCertificatePorts {
  iot: {
    issue(certificateSigningRequest: string | undefined): Promise<{
      certificateId: string;
      certificateArn: string;
      certificatePem: string;
      privateKey?: string;
    }>;
    attachPolicy(certificateArn: string, policyName: string): Promise<void>;
  };
  registry: { record(certificate: ClaimCertificate): Promise<void> };
  now(): Date;
}

/** Makes a claim certificate. The record comes before the policy: no certificate has power that no record knows. */
export const createClaimCertificate = async (
  { batch, certificateSigningRequest, claimWindow }: ClaimCertificateOrder,
  by: string,
  { iot, registry, now }: ClaimCertificatePorts,
  policyName: string,
) => {
  const { certificateArn, ...issued } = await iot.issue(certificateSigningRequest);
  const described = {
    ...(batch !== undefined && { batch }),
    ...(claimWindow && { claimWindow }),
    createdAt: now().toISOString(),
    createdBy: by,
  };
  await registry.record({ certificateId: issued.certificateId, ...described });
  await iot.attachPolicy(certificateArn, policyName);
  return { ...issued, ...described };
};
