import * as z from 'zod/mini';
import { streamModes } from '../../domain/device.ts';
import { limits } from '../../domain/limits.ts';
import { batchName } from '../../domain/manifest.ts';
import { certificateId, deviceStatuses, instant } from './device.ts';

const filters = {
  status: z.optional(z.enum(deviceStatuses)),
  batch: z.optional(batchName),
  model: z.optional(z.string().check(z.minLength(1), z.maxLength(limits.model))),
  serialPrefix: z.optional(z.string().check(z.regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 of A-Z a-z 0-9 _ -'))),
  claimedAfter: z.optional(instant),
  claimedBefore: z.optional(instant),
  certificateId: z.optional(certificateId),
};

/** Every filter of `GET /devices` that is there must hold. */
export const deviceFilter = z
  .strictObject(filters)
  .check(
    z.refine(
      ({ claimedAfter: after, claimedBefore: before }) =>
        after === undefined || before === undefined || Date.parse(after) < Date.parse(before),
      { error: 'must be later than claimedAfter', path: ['claimedBefore'] },
    ),
  );

/** `GET /devices`. */
export const devicesQuery = z.strictObject({
  ...filters,
  limit: z.optional(z.int().check(z.minimum(1), z.maximum(limits.page))),
  cursor: z.optional(z.string()),
});

export const devicesAnswer = z.object({
  devices: z.array(
    z.object({
      serialNumber: z.string(),
      status: z.enum(deviceStatuses),
      streamMode: z.enum(streamModes),
      model: z.optional(z.string()),
      batch: z.optional(z.string()),
      registeredAt: instant,
      claimedAt: z.optional(instant),
      activeAt: z.optional(instant),
      contestedAt: z.optional(instant),
    }),
  ),
  nextCursor: z.optional(z.string()),
});

const count = z.int().check(z.nonnegative());

/** `GET /stats`. */
export const statsAnswer = z.object({
  status: z.record(z.enum(deviceStatuses), count),
  batch: z.record(z.string(), count),
  model: z.record(z.string(), count),
});
