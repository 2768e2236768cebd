// Trigger: GET /devices. Needs: dynamodb:Query on the devices' indexes `serial`, `status`, `batch`, `model`, `claimed` and
// `certificate`, GetItem on devices.
import { deviceListsIn } from '../shared/aws/dynamodb/device-lists.ts';
import { env } from '../shared/config.ts';
import { http } from '../shared/edge/http.ts';
import { log } from '../shared/edge/log.ts';
import { readDeviceQuery } from '../shared/edge/query.ts';
import { listDevices } from '../shared/flow/list-devices.ts';

const ports = { lists: deviceListsIn(env.text('DEVICES_TABLE')) };

export const handler = http(ports, async (request, { lists }) => {
  const { query, limit, after, cursorTo } = readDeviceQuery(request);
  const { devices, next, readUnits } = await listDevices({ query, limit, after }, lists);
  log('devices', { outcome: 'listed', filters: Object.keys(query), limit, devices: devices.length, readUnits });
  return { status: 200, body: { devices, ...(next && { nextCursor: cursorTo(next) }) } };
});
