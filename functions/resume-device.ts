// Trigger: POST /devices/{serialNumber}/resume.
// Needs: dynamodb:GetItem and UpdateItem on devices, DeleteItem and Scan on denials; iot:UpdateCertificate; iam:PutRolePolicy on
// the camera roles.
import { denialsIn } from '../shared/aws/dynamodb/denials.ts';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { rolesOf } from '../shared/aws/iam.ts';
import { certificateEndings } from '../shared/aws/iot-endings.ts';
import { env } from '../shared/config.ts';
import { http } from '../shared/edge/http.ts';
import { readOrder } from '../shared/edge/lifecycle.ts';
import { resumeDevice } from '../shared/flow/lifecycle.ts';
import { shownDevice } from '../shared/flow/show-device.ts';

const ports = {
  registry: devicesIn(env.text('DEVICES_TABLE')),
  denials: denialsIn(env.text('DENIALS_TABLE')),
  roles: rolesOf(env.text('CAMERA_ROLES').split(',')),
  certificates: certificateEndings,
  now: () => new Date(),
};

export const handler = http(ports, async (request, ports) => ({
  status: 200,
  body: shownDevice(await resumeDevice(readOrder(request), ports)),
}));
