// Trigger: POST /devices/{serialNumber}/reprovisioning. Needs: dynamodb:GetItem and UpdateItem on devices.
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { env } from '../shared/config.ts';
import { http } from '../shared/edge/http.ts';
import { readReprovisioning } from '../shared/edge/lifecycle.ts';
import { setReprovisioningPolicy } from '../shared/flow/lifecycle.ts';
import { shownDevice } from '../shared/flow/show-device.ts';

const ports = { registry: devicesIn(env.text('DEVICES_TABLE')), now: () => new Date() };

export const handler = http(ports, async (request, ports) => ({
  status: 200,
  body: shownDevice(await setReprovisioningPolicy(readReprovisioning(request), ports)),
}));
