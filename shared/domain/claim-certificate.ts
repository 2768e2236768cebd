import * as z from 'zod/mini';
import { limits } from './limits.ts';
import { batchName } from './manifest.ts';

export const claimWindow = z
  .strictObject({ from: z.optional(z.iso.datetime()), until: z.optional(z.iso.datetime()) })
  .check(
    z.refine(({ from, until }) => !from || !until || Date.parse(from) < Date.parse(until), {
      error: 'must begin before it ends',
    }),
  );

/** AWS reads the request itself; here only what is surely not one is kept away. */
export const certificateSigningRequest = z
  .string()
  .check(
    z.maxLength(limits.certificateSigningRequest),
    z.regex(/^\s*-----BEGIN (NEW )?CERTIFICATE REQUEST-----/, 'must be a certificate signing request in PEM'),
  );

export const claimCertificateOrder = z.strictObject({
  batch: z.optional(batchName),
  certificateSigningRequest: z.optional(certificateSigningRequest),
  claimWindow: z.optional(claimWindow),
});

export type ClaimCertificateOrder = z.infer<typeof claimCertificateOrder>;
