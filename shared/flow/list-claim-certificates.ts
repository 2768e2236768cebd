import type { ClaimCertificate } from '../domain/claim.ts';

export interface ClaimCertificateReaders {
  claimCertificates: {
    list(limit: number, after: string | undefined): Promise<{ certificates: ClaimCertificate[]; next?: string }>;
  };
  counters: { readSome(kind: 'opened', names: string[]): Promise<Record<string, number>> };
}

/**
 * Claim certificates with what each did. The refused are counted where they are refused; the opened, a moment later, by the
 * stream of devices, so that the hook's yes costs no further call.
 */
export const listClaimCertificates = async (
  page: { limit: number; before?: string | undefined },
  { claimCertificates, counters }: ClaimCertificateReaders,
) => {
  const { certificates, next } = await claimCertificates.list(page.limit, page.before);
  const opened = await counters.readSome(
    'opened',
    certificates.map(({ certificateId }) => certificateId),
  );
  const shown = certificates.map((one) => shownClaimCertificate(one, opened[one.certificateId] ?? 0));
  return { claimCertificates: shown, ...(next && { next }) };
};

export const shownClaimCertificate = (certificate: ClaimCertificate, opened: number) => {
  const { kind = 'batch', refused = 0, ...described } = certificate;
  return { ...described, kind, opened, refused };
};
