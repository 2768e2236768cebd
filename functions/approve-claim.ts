// Trigger: POST /devices/{serialNumber}/approve-claim.
// Needs: dynamodb:GetItem and UpdateItem on devices, GetItem on claims.
import { claimsIn } from '../shared/aws/dynamodb/claims.ts';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { env } from '../shared/config.ts';
import { http } from '../shared/edge/http.ts';
import { readApproval } from '../shared/edge/lifecycle.ts';
import { approveDeviceClaim } from '../shared/flow/lifecycle.ts';
import { shownDevice } from '../shared/flow/show-device.ts';

const ports = {
  registry: devicesIn(env.text('DEVICES_TABLE')),
  claims: claimsIn(env.text('CLAIMS_TABLE')),
  now: () => new Date(),
};

export const handler = http(ports, async (request, ports) => ({
  status: 200,
  body: shownDevice(await approveDeviceClaim(readApproval(request), ports)),
}));
