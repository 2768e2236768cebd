import * as z from 'zod/mini';
import { reprovisioningPolicies, streamModes } from '../../domain/device.ts';
import { limits } from '../../domain/limits.ts';
import { announcement, serialNumber } from '../../domain/manifest.ts';

export const instant = z.iso.datetime();
const count = z.int().check(z.nonnegative());
export const deviceStatuses = ['registered', 'claimed', 'active', 'suspended', 'retired'] as const;
export const doors = ['mqtt', 'https', 'line', 'renewal'] as const;

export const certificateId = z.string().check(z.regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'));

/** `POST /devices`, as it is documented; the rows are read one by one, so that a bad one never stops the good ones. */
export const announceRequest = z.strictObject({
  devices: z.array(announcement).check(z.minLength(1), z.maxLength(limits.rows)),
  dryRun: z.optional(z.boolean()),
});

const rowOutcomes = ['created', 'unchanged', 'updated', 'rejected'] as const;

/** A code for programs, a detail for people. */
export const rowProblemCodes = [
  'invalid-request',
  'duplicate-serial',
  'duplicate-key',
  'fixed-stream-missing',
  'already-claimed',
  'version-conflict',
] as const;

export const announceAnswer = z.object({
  results: z.array(
    z.object({
      serialNumber: z.string(),
      outcome: z.enum(rowOutcomes),
      problem: z.optional(z.object({ code: z.enum(rowProblemCodes), detail: z.string() })),
    }),
  ),
});

const certificate = z.object({
  id: certificateId,
  publicKeySha256: z.string(),
  door: z.enum(doors),
  state: z.enum(['allowed', 'current', 'leaving']),
  since: instant,
  seenAt: z.optional(instant),
  leavesAt: z.optional(instant),
});

const stream = z.object({
  name: z.string(),
  state: z.enum(['making', 'pending', 'made', 'taken']),
  since: instant,
  until: z.optional(instant),
  channel: z.optional(z.string()),
});

const grant = z.object({
  assurance: z.string(),
  door: z.enum(doors),
  certificateId,
  publicKeySha256: z.string(),
  claimCertificateId: z.optional(z.string()),
  clientId: z.optional(z.string()),
});

const historyEntry = z.object({
  at: instant,
  by: z.string(),
  what: z.string(),
  why: z.optional(z.string()),
  claim: z.optional(grant),
  of: z.optional(z.string()),
});

/** `GET /devices/{serialNumber}`. */
export const deviceAnswer = z.object({
  serialNumber,
  version: count,
  status: z.enum(deviceStatuses),
  thingName: z.string(),
  streamMode: z.enum(streamModes),
  channels: z.array(z.string()),
  model: z.optional(z.string()),
  batch: z.optional(z.string()),
  attributes: z.optional(z.record(z.string(), z.string())),
  publicKeySha256: z.optional(z.string()),
  claimToken: z.enum(['none', 'unspent', 'spent']),
  claimTokenSpentAt: z.optional(instant),
  reprovisioning: z.optional(z.enum(reprovisioningPolicies)),
  registeredAt: instant,
  claimedAt: z.optional(instant),
  activeAt: z.optional(instant),
  /** The claim certificate that its newest claim came with, and when. */
  openedBy: z.optional(certificateId),
  openedAt: z.optional(instant),
  /** What is being made for it over HTTP and is not finished. */
  making: z.optional(
    z.object({
      door: z.enum(doors),
      since: instant,
      publicKeySha256: z.optional(z.string()),
      certificateId: z.optional(certificateId),
    }),
  ),
  certificates: z.array(certificate),
  streams: z.array(stream),
  formerStreams: z.optional(z.array(stream)),
  lives: z.optional(count),
  suspendedFrom: z.optional(z.enum(['registered', 'claimed', 'active'])),
  cutOff: z.optional(
    z.object({
      act: z.enum(['suspend', 'resume', 'retire', 'replace']),
      since: instant,
      dueAt: instant,
      streams: z.optional(z.literal('delete')),
    }),
  ),
  denied: z.optional(z.array(z.object({ certificateId, until: instant }))),
  approval: z.optional(
    z.object({ publicKeySha256: z.string(), claimId: z.optional(z.string()), by: z.string(), until: instant }),
  ),
  takeover: z.optional(
    z.object({
      from: z.string(),
      since: instant,
      step: z.enum(['reserved', 'waiting', 'cutting']),
      keepUntilConnected: z.optional(z.boolean()),
    }),
  ),
  replaces: z.optional(z.string()),
  replacedBy: z.optional(z.string()),
  dueAt: z.optional(instant),
  contested: z.optional(z.object({ at: instant, reason: z.string(), count })),
  history: z.array(historyEntry),
});

/** `GET /devices/{serialNumber}/claims`. */
export const claimsAnswer = z.object({
  claims: z.array(
    z.object({
      claimId: z.string(),
      at: instant,
      door: z.enum(doors),
      outcome: z.enum(['granted', 'refused']),
      reason: z.string(),
      means: z.string(),
      remedy: z.optional(z.string()),
      /** Absent where a claim was refused before there was a certificate. */
      certificateId: z.optional(z.string()),
      publicKeySha256: z.optional(z.string()),
      claimCertificateId: z.optional(z.string()),
      clientId: z.optional(z.string()),
      sent: z.optional(z.string()),
    }),
  ),
  notKept: z.optional(z.array(z.object({ during: z.string(), refused: count }))),
  nextCursor: z.optional(z.string()),
});
