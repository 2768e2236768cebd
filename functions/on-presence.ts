// Trigger: the rule on `$aws/events/presence/connected/+`, asynchronous, retried and dead-lettered by Lambda.
// Needs: dynamodb:GetItem and UpdateItem on devices, Query on its index `place`; kinesisvideo:CreateStream and
// ListTagsForStream on the deployment's streams (channels, and streams that the hook could not have made in time);
// iot:UpdateCertificate and DeleteConnection (what shows life though its device is suspended or retired).
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { issuedCertificates } from '../shared/aws/iot.ts';
import { connections } from '../shared/aws/iot-data.ts';
import { streamsOf } from '../shared/aws/kinesis-video.ts';
import { env } from '../shared/config.ts';
import { event } from '../shared/edge/event.ts';
import { connected } from '../shared/edge/presence.ts';
import { connect } from '../shared/flow/connect.ts';

const table = env.text('DEVICES_TABLE');

const ports = {
  registry: devicesIn(table),
  streams: streamsOf(table, env.wholeNumber('RETENTION_HOURS')),
  intruders: { ...issuedCertificates, ...connections },
  now: () => new Date(),
};

export const handler = event('presence', connected, async ({ clientId, principalIdentifier, timestamp }) => {
  const sign = { certificateId: principalIdentifier, at: new Date(timestamp).toISOString() };
  const { serialNumber, status } = await connect(clientId, sign, ports);
  return { serialNumber, certificateId: principalIdentifier, status };
});
