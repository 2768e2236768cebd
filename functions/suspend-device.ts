// Trigger: POST /devices/{serialNumber}/suspend.
// Needs: dynamodb:GetItem and UpdateItem on devices, PutItem and Scan on denials; iot:UpdateCertificate and DeleteConnection;
// iam:PutRolePolicy on the camera roles.
import { denialsIn } from '../shared/aws/dynamodb/denials.ts';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { rolesOf } from '../shared/aws/iam.ts';
import { issuedCertificates } from '../shared/aws/iot.ts';
import { connections } from '../shared/aws/iot-data.ts';
import { env } from '../shared/config.ts';
import { http } from '../shared/edge/http.ts';
import { readOrder } from '../shared/edge/lifecycle.ts';
import { suspendDevice } from '../shared/flow/lifecycle.ts';
import { shownDevice } from '../shared/flow/show-device.ts';

const ports = {
  registry: devicesIn(env.text('DEVICES_TABLE')),
  denials: denialsIn(env.text('DENIALS_TABLE')),
  roles: rolesOf(env.text('CAMERA_ROLES').split(',')),
  certificates: issuedCertificates,
  connections,
  now: () => new Date(),
};
const settings = { credentialSeconds: env.wholeNumber('CREDENTIAL_SECONDS') };

export const handler = http(ports, async (request, ports) => ({
  status: 200,
  body: shownDevice(await suspendDevice(readOrder(request), ports, settings)),
}));
