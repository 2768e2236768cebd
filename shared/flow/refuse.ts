import type { ClaimRefusal } from '../domain/claim.ts';
import type { RefusedClaim } from '../domain/refusal.ts';

export interface RefusePorts {
  registry: { contest(serialNumber: string, reason: string, at: string): Promise<void> };
  claims: { record(claim: RefusedClaim, announced: boolean): Promise<void> };
  /** Absent where what asks is no claim certificate. */
  claimCertificates?: { countRefusal(certificateId: string, at: string): Promise<void> };
}

/** `unrecorded`: why the refusal could not be written down. */
export type RefusedAnswer = { allow: false; reason: ClaimRefusal; unrecorded?: string };

/** Writes down a claim that is refused. */
export const refused = async (
  claim: RefusedClaim,
  announced: boolean,
  contested: boolean,
  { claims, registry, claimCertificates }: RefusePorts,
): Promise<RefusedAnswer> => {
  const written = await Promise.allSettled([
    claims.record(claim, announced),
    contested ? registry.contest(claim.serialNumber, claim.reason, claim.at) : undefined,
    claim.claimCertificateId ? claimCertificates?.countRefusal(claim.claimCertificateId, claim.at) : undefined,
  ]);
  // A refusal stands, whether or not it could be written down.
  const failed = written.find((one) => one.status === 'rejected');
  return { allow: false, reason: claim.reason, ...(failed && { unrecorded: nameOf(failed.reason) }) };
};

const nameOf = (reason: unknown): string => (reason instanceof Error ? reason.name : 'unknown');
