// Trigger: POST /connected, signed by a camera with its own role's credentials; the only route that those open.
// Needs: dynamodb:GetItem and UpdateItem on devices, Query on its index `place`; kinesisvideo:CreateStream and
// ListTagsForStream on the deployment's streams (channels, and streams that could not be made in time);
// iot:UpdateCertificate and DeleteConnection (what shows life though its device is suspended or retired).
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { issuedCertificates } from '../shared/aws/iot.ts';
import { connections } from '../shared/aws/iot-data.ts';
import { streamsOf } from '../shared/aws/kinesis-video.ts';
import { env } from '../shared/config.ts';
import { readCamera, unlessDenied } from '../shared/edge/camera.ts';
import { readConnected } from '../shared/edge/claim.ts';
import { http } from '../shared/edge/http.ts';
import { log } from '../shared/edge/log.ts';
import { connect } from '../shared/flow/connect.ts';

const table = env.text('DEVICES_TABLE');
const ports = {
  registry: devicesIn(table),
  streams: streamsOf(table, env.wholeNumber('RETENTION_HOURS'), 'thrown'),
  intruders: { ...issuedCertificates, ...connections },
  now: () => new Date(),
};
const cameraRoles = env.text('CAMERA_ROLES').split(',');

export const handler = http(ports, async (request, ports) => {
  const certificateId = readCamera(request, cameraRoles);
  const { serialNumber } = readConnected(request);
  const sign = { certificateId, at: new Date().toISOString() };
  const connecting = connect(serialNumber, sign, ports, 'function:connected');
  const { status } = await unlessDenied({ serialNumber, certificateId }, connecting);
  log('connected', { outcome: 'taken', serialNumber, certificateId, status });
  return { status: 204 };
});
