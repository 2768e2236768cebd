// Trigger: GET /devices/{serialNumber}/claims. Needs: dynamodb:GetItem on devices, dynamodb:Query and GetItem on claims.
import { claimsIn } from '../shared/aws/dynamodb/claims.ts';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { env } from '../shared/config.ts';
import { explained } from '../shared/edge/explain.ts';
import { http, readSerialNumber } from '../shared/edge/http.ts';
import { readPage, writeCursor } from '../shared/edge/page.ts';
import { listClaims } from '../shared/flow/list-claims.ts';

const ports = {
  registry: devicesIn(env.text('DEVICES_TABLE')),
  claims: claimsIn(env.text('CLAIMS_TABLE')),
};

export const handler = http(ports, async (request, readers) => {
  const serialNumber = readSerialNumber(request);
  const list = `claims/${serialNumber}`;
  const { claims, next, ...rest } = await listClaims(serialNumber, readPage(request, list), readers);
  const body = { claims: claims.map(explained), ...rest, ...(next && { nextCursor: writeCursor(list, next) }) };
  return { status: 200, body };
});
