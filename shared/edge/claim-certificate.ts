import { type ClaimCertificateOrder, claimCertificateOrder } from '../domain/claim-certificate.ts';
import { parse } from './http.ts';

export const readClaimCertificateOrder = (body: unknown): ClaimCertificateOrder => parse(claimCertificateOrder, body);
