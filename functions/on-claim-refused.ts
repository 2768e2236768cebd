// Trigger: the stream of claims. Needs: events:PutEvents on the deployment's bus, sqs:SendMessage to the queue of what
// was given up, and to read the stream.
import { toKeptClaim } from '../shared/aws/dynamodb/claims.ts';
import { busOf } from '../shared/aws/event-bridge.ts';
import { env } from '../shared/config.ts';
import { stream } from '../shared/edge/stream.ts';
import { tellDenials } from '../shared/flow/tell-changes.ts';

const bus = busOf(env.text('EVENT_BUS'));

// What time to live takes away, and what is only counted, is no news.
export const handler = stream('claim-refused', (records) =>
  tellDenials(
    records.flatMap(({ oldImage, newImage }) => (newImage && !oldImage ? (toKeptClaim(newImage) ?? []) : [])),
    bus,
  ),
);
