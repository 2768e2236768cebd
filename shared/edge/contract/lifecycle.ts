import * as z from 'zod/mini';
import { reprovisioningPolicies } from '../../domain/device.ts';
import { limits } from '../../domain/limits.ts';
import { publicKeySha256, serialNumber } from '../../domain/manifest.ts';

const order = {
  reason: z.optional(z.string().check(z.minLength(1), z.maxLength(limits.reason))),
  version: z.optional(z.int().check(z.positive())),
};

/** `POST /devices/{serialNumber}/suspend`, `/resume` and `/reopen`. */
export const orderRequest = z.strictObject(order);

export const retireRequest = z.strictObject({ ...order, streams: z._default(z.enum(['keep', 'delete']), 'keep') });

export const replaceRequest = z.strictObject({
  ...order,
  by: serialNumber,
  keepUntilConnected: z._default(z.boolean(), false),
});

/** `default`: what the deployment says. */
export const reprovisioningRequest = z.strictObject({
  ...order,
  policy: z.enum([...reprovisioningPolicies, 'default']),
});

/** For the attempt that ops saw, or for a key that ops knows. */
export const approveClaimRequest = z
  .strictObject({
    ...order,
    claimId: z.optional(z.string().check(z.minLength(1), z.maxLength(limits.claimId))),
    publicKeySha256: z.optional(publicKeySha256),
  })
  .check(
    z.refine((body) => (body.claimId === undefined) !== (body.publicKeySha256 === undefined), {
      error: 'needs claimId or publicKeySha256, and not both',
    }),
  );
