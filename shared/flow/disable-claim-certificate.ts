import type { ClaimCertificate } from '../domain/claim.ts';
import { Failure } from '../domain/failure.ts';
import { shownClaimCertificate } from './list-claim-certificates.ts';

type Opening = { serialNumber: string; openedAt: string; certificateId: string; key: string };

export interface DisablePorts {
  claimCertificates: {
    disable(certificateId: string, at: string, by: string): Promise<ClaimCertificate | undefined>;
  };
  counters: { readSome(kind: 'opened', names: string[]): Promise<Record<string, number>> };
  openings: {
    list(
      claimCertificateId: string,
      page: { since: string | undefined; limit: number; beyond?: string | undefined },
    ): Promise<Opening[]>;
  };
  certificates: {
    find(certificateId: string): Promise<{ certificateArn: string } | undefined>;
    deactivate(certificateId: string): Promise<void>;
    detachPolicy(certificateArn: string, policyName: string): Promise<void>;
  };
  now(): Date;
}

export type Disabling = {
  certificateId: string;
  by: string;
  openedSince?: string | undefined;
  limit: number;
  before?: string | undefined;
};

/**
 * From the first write on the hook admits nothing by it that is not pinned or tokened; then AWS ends its connections and its
 * policy. Stopped anywhere, the same call goes on; done, it only lists what the certificate opened.
 */
export const disableClaimCertificate = async (
  { certificateId, by, openedSince, limit, before }: Disabling,
  { claimCertificates, certificates, counters, openings, now }: DisablePorts,
  policyName: string,
) => {
  const disabled = await claimCertificates.disable(certificateId, now().toISOString(), by);
  if (!disabled)
    throw new Failure('claim-certificate-not-found', `no claim certificate ${certificateId} was made here`);
  // An installer's is no resource of the account, so AWS finds none: it ends by itself within five minutes.
  const found = await certificates.find(certificateId);
  if (found) {
    await certificates.deactivate(certificateId);
    await certificates.detachPolicy(found.certificateArn, policyName);
  }
  const [counts, opened] = await Promise.all([
    counters.readSome('opened', [certificateId]),
    openings.list(certificateId, { since: openedSince, limit: limit + 1, beyond: before }),
  ]);
  const page = opened.slice(0, limit);
  const devices = page.map(({ serialNumber, openedAt, certificateId: id }) => ({
    serialNumber,
    openedAt,
    certificateId: id,
  }));
  const last = page.at(-1);
  return {
    answer: { ...shownClaimCertificate(disabled, counts[certificateId] ?? 0), devices },
    ...(last && opened.length > limit && { next: last.key }),
  };
};
