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
    deactivate(certificateId: string): Promise<void>;
  };
  registry: {
    record(certificate: ClaimCertificate): Promise<void>;
    disable(certificateId: string, at: string, by: string): Promise<unknown>;
  };
  now(): Date;
}

/**
 * Makes a claim certificate. The record comes before the policy: no certificate has power that no record knows. One that could
 * not be made to its end, and that nobody will hold, is left disabled.
 */
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
  const { certificateId } = issued;
  try {
    await registry.record({ certificateId, ...described });
    await iot.attachPolicy(certificateArn, policyName);
  } catch (error) {
    const at = now().toISOString();
    await Promise.allSettled([
      iot.deactivate(certificateId),
      registry.disable(certificateId, at, 'function:create-claim-certificate'),
    ]);
    throw error;
  }
  return { ...issued, ...described };
};
