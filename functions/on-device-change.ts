// Trigger: the stream of devices, in order for each device, again until it succeeds.
// Needs: dynamodb:UpdateItem on counters, BatchWriteItem on openings; events:PutEvents on the deployment's bus, sqs:SendMessage to the
// queue of what was given up, and to read the stream.
import { ledgerIn } from '../shared/aws/dynamodb/counters.ts';
import { toDevice } from '../shared/aws/dynamodb/devices.ts';
import { openingsIn } from '../shared/aws/dynamodb/openings.ts';
import { busOf } from '../shared/aws/event-bridge.ts';
import { env } from '../shared/config.ts';
import { log } from '../shared/edge/log.ts';
import { stream } from '../shared/edge/stream.ts';
import { tellChanges } from '../shared/flow/tell-changes.ts';

const ports = {
  ledger: ledgerIn(env.text('COUNTERS_TABLE')),
  openings: openingsIn(env.text('OPENINGS_TABLE')),
  bus: busOf(env.text('EVENT_BUS')),
};

export const handler = stream('device-change', async (records) => {
  const changes = records.map(({ oldImage, newImage }) => ({
    before: oldImage && toDevice(oldImage),
    after: newImage && toDevice(newImage),
  }));
  const { contested, ...counts } = await tellChanges(changes, ports);
  // The alarm's metric counts these lines by their first word, whatever else Lambda writes into them.
  for (const { serialNumber, why, count } of contested) log('clone-sign', { serialNumber, why, count });
  return counts;
});
