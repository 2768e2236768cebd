import * as z from 'zod/mini';
import { type ClaimCertificateOrder, claimCertificateOrder } from '../domain/claim-certificate.ts';
import { disableRequest, provisioningClaimRequest } from './contract/claim-certificate.ts';
import { certificateId } from './contract/device.ts';
import type { HttpRequest } from './http.ts';
import { instantOf } from './instant.ts';
import { parse } from './parse.ts';

export const readClaimCertificateOrder = (body: unknown): ClaimCertificateOrder => parse(claimCertificateOrder, body);
export const readDisabling = (body: unknown): { openedSince?: string } => {
  const { openedSince } = parse(disableRequest, body);
  return openedSince === undefined ? {} : { openedSince: instantOf(openedSince) };
};
export const readProvisioningClaim = (body: unknown) => parse(provisioningClaimRequest, body);

export const readCertificateId = ({ path }: HttpRequest): string =>
  parse(z.object({ certificateId }), { certificateId: path.certificateId }).certificateId;
