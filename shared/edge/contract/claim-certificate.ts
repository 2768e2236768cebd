import * as z from 'zod/mini';
import { claimCertificateOrder, claimWindow } from '../../domain/claim-certificate.ts';
import { batchName, serialNumber } from '../../domain/manifest.ts';
import { certificateId, instant } from './device.ts';

/** `POST /claim-certificates`. */
export const claimCertificateRequest = claimCertificateOrder;

const described = {
  batch: z.optional(z.string()),
  claimWindow: z.optional(claimWindow),
  createdAt: instant,
  createdBy: z.string(),
};

export const claimCertificateAnswer = z.object({
  certificateId,
  certificatePem: z.string(),
  /** Only where AWS made the key: shown once and stored nowhere. */
  privateKey: z.optional(z.string()),
  ...described,
});

const count = z.int().check(z.nonnegative());

const listed = {
  certificateId,
  /** `installer`: a five-minute claim of `POST /provisioning-claims`. */
  kind: z.enum(['batch', 'installer']),
  ...described,
  disabledAt: z.optional(instant),
  disabledBy: z.optional(z.string()),
  /** Claims granted through it. */
  opened: count,
  /** Claims refused through it. */
  refused: count,
  lastRefusedAt: z.optional(instant),
};

/** `GET /claim-certificates`. */
export const claimCertificatesAnswer = z.object({
  claimCertificates: z.array(z.object(listed)),
  nextCursor: z.optional(z.string()),
});

/** `POST /claim-certificates/{certificateId}/disable`. `openedSince`: list only what it opened from then on. */
export const disableRequest = z.strictObject({ openedSince: z.optional(instant) });

export const disableAnswer = z.object({
  ...listed,
  disabledAt: instant,
  disabledBy: z.string(),
  /** What it has opened, the newest first: a device that claimed twice with it is there twice. `certificateId`: what it got. */
  devices: z.array(z.object({ serialNumber, openedAt: instant, certificateId })),
  nextCursor: z.optional(z.string()),
});

/** `POST /provisioning-claims`. */
export const provisioningClaimRequest = z.strictObject({ batch: z.optional(batchName) });

export const provisioningClaimAnswer = z.object({
  certificateId,
  certificatePem: z.string(),
  privateKey: z.string(),
  expiresAt: instant,
  templateName: z.string(),
  mqttEndpoint: z.string(),
  batch: z.optional(z.string()),
});
