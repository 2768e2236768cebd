import * as z from 'zod/mini';

/** `$aws/events/presence/connected/<clientId>` as the rule hands it on (AWS IoT developer guide, "Lifecycle events"). */
export const connected = z.object({
  clientId: z.string(),
  eventType: z.literal('connected'),
  /** Milliseconds since the epoch. */
  timestamp: z.number(),
  /** The id of the certificate that opened the connection. */
  principalIdentifier: z.string(),
});
