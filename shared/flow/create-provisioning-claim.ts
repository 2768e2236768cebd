import type { ClaimCertificate } from '../domain/claim.ts';

export interface ProvisioningClaimPorts {
  iot: {
    create(templateName: string): Promise<{
      certificateId: string;
      certificatePem: string;
      privateKey: string;
      expiresAt: string;
    }>;
  };
  registry: { record(certificate: ClaimCertificate, keptUntil?: number): Promise<void> };
  now(): Date;
}

/**
 * A claim certificate for an installer's hands, which AWS ends after five minutes. AWS gives it its power before we can write it
 * down, but the hook admits nothing by a certificate without a record.
 */
export const createProvisioningClaim = async (
  { batch }: { batch?: string | undefined },
  by: string,
  { iot, registry, now }: ProvisioningClaimPorts,
  { templateName, mqttEndpoint, keptDays }: { templateName: string; mqttEndpoint: string; keptDays: number },
) => {
  const claim = await iot.create(templateName);
  const described = batch === undefined ? {} : { batch };
  const record: ClaimCertificate = {
    certificateId: claim.certificateId,
    kind: 'installer',
    ...described,
    // A connection may outlive the certificate; its claims may not.
    claimWindow: { until: claim.expiresAt },
    createdAt: now().toISOString(),
    createdBy: by,
  };
  await registry.record(record, Math.floor(now().getTime() / 1000) + keptDays * 86_400);
  return { ...claim, templateName, mqttEndpoint, ...described };
};
