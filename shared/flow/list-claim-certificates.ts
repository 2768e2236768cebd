import type { ClaimCertificate } from '../domain/claim.ts';

export interface ClaimCertificateReaders {
  claimCertificates: {
    list(limit: number, after: string | undefined): Promise<{ certificates: ClaimCertificate[]; next?: string }>;
  };
  openings: { count(claimCertificateId: string): Promise<number> };
}

/**
 * Claim certificates with what each did. The refused are counted where they are refused; the opened are counted in the index,
 * so the hook's yes costs no further call and the number is never wrong.
 */
export const listClaimCertificates = async (
  page: { limit: number; before?: string | undefined },
  { claimCertificates, openings }: ClaimCertificateReaders,
) => {
  const { certificates, next } = await claimCertificates.list(page.limit, page.before);
  const shown = await Promise.all(
    certificates.map(async (one) => shownClaimCertificate(one, await openings.count(one.certificateId))),
  );
  return { claimCertificates: shown, ...(next && { next }) };
};

export const shownClaimCertificate = (certificate: ClaimCertificate, opened: number) => {
  const { kind = 'batch', refused = 0, ...described } = certificate;
  return { ...described, kind, opened, refused };
};
