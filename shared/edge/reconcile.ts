import * as z from 'zod/mini';

/** Amazon EventBridge User Guide, "Events from AWS services": the scheduled event. */
const scheduled = z.pipe(
  z.object({ source: z.literal('aws.events'), 'detail-type': z.literal('Scheduled Event') }),
  z.transform(() => ({ dryRun: false })),
);

/** What an operator sends with lambda:InvokeFunction; nothing at all orders what the schedule does. */
const ordered = z.strictObject({
  /** Says what would be done, and writes nothing. */
  dryRun: z._default(z.boolean(), false),
});

export const reconcileOrder = z.union([scheduled, ordered]);
