import type { ClaimRefusal } from './claim.ts';
import type { Assurance, Device, Door } from './device.ts';

/** A claim that changed nothing, as the claims table keeps it. */
export type RefusedClaim = {
  serialNumber: string;
  at: string;
  door: Door;
  reason: ClaimRefusal;
  /** Absent where a claim was refused before a certificate was made for it. */
  certificateId?: string;
  publicKeySha256?: string;
  claimCertificateId?: string;
  clientId?: string;
  /** What was sent as the serial number where it is none. */
  sent?: string;
};

/** Any attempt, as ops read it: granted ones come from the device's history, refused ones from the claims table. */
export type ShownClaim = {
  claimId: string;
  at: string;
  door: Door;
  outcome: 'granted' | 'refused';
  reason: Assurance | ClaimRefusal;
  certificateId?: string;
  publicKeySha256?: string;
  claimCertificateId?: string;
  clientId?: string;
};

/** Orders claims by time; certificate or key tells two of one instant apart, and makes a repeated write the same item. */
export const claimKey = (claim: { at: string; certificateId?: string; publicKeySha256?: string }): string =>
  `${claim.at}#${(claim.certificateId ?? claim.publicKeySha256 ?? '').slice(0, 16)}`;

export const shownRefusal = ({ serialNumber: _, ...claim }: RefusedClaim): ShownClaim => ({
  claimId: claimKey(claim),
  outcome: 'refused',
  ...claim,
});

export const shownGrants = (device: Device | undefined): ShownClaim[] =>
  (device?.history ?? []).flatMap(({ at, claim, of }) => {
    if (!claim || of !== undefined) return [];
    const { assurance, ...rest } = claim;
    return [{ claimId: claimKey({ at, ...claim }), at, outcome: 'granted' as const, reason: assurance, ...rest }];
  });
