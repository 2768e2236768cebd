import * as z from 'zod/mini';
import { certificateSigningRequest } from '../../domain/claim-certificate.ts';
import { limits } from '../../domain/limits.ts';
import { serialNumber } from '../../domain/manifest.ts';
import { certificateId } from './device.ts';

/** `POST /devices/{serialNumber}/provision`. Without a request AWS makes the key, which is shown once and stored nowhere. */
export const provisionRequest = z.strictObject({
  certificateSigningRequest: z.optional(certificateSigningRequest),
});

/**
 * `POST /claims`. Any text of a token is taken and hashed, whether or not one could look like that: what is wrong with a
 * token is nobody's business but ours.
 */
export const claimRequest = z.strictObject({
  serialNumber,
  certificateSigningRequest,
  claimToken: z.optional(z.string().check(z.maxLength(limits.claimToken))),
});

/** `POST /connected`. */
export const connectedRequest = z.strictObject({ serialNumber });

/** What a camera needs to connect and to stream. Endpoints are `host` or `host:port`. */
export const connectionAnswer = z.object({
  serialNumber,
  thingName: z.string(),
  certificateId,
  certificatePem: z.string(),
  /** Only where AWS made the key. */
  privateKey: z.optional(z.string()),
  connection: z.object({
    region: z.string(),
    mqttEndpoint: z.string(),
    credentialEndpoint: z.string(),
    credentialUrl: z.url(),
    roleAlias: z.string(),
    streamName: z.string(),
    /** Comma-separated, may be empty. */
    channels: z.string(),
    /** Properties of AWS's GStreamer element; the three file names are the camera's own. */
    kvssink: z.string(),
  }),
});
