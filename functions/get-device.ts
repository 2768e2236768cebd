// Trigger: GET /devices/{serialNumber}. Needs: dynamodb:GetItem on devices.
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { env } from '../shared/config.ts';
import { http, readSerialNumber } from '../shared/edge/http.ts';
import { showDevice } from '../shared/flow/show-device.ts';

const ports = { registry: devicesIn(env.text('DEVICES_TABLE')) };

export const handler = http(ports, async (request, { registry }) => ({
  status: 200,
  body: await showDevice(readSerialNumber(request), registry),
}));
