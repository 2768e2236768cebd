// Trigger: POST /devices. Needs: dynamodb:BatchGetItem and UpdateItem on devices.
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { env } from '../shared/config.ts';
import { http } from '../shared/edge/http.ts';
import { readManifestPage } from '../shared/edge/manifest.ts';
import { announce } from '../shared/flow/announce.ts';

const ports = { registry: devicesIn(env.text('DEVICES_TABLE')), now: () => new Date() };
const fixedStream = env.optional('FIXED_STREAM');

export const handler = http(ports, async (request, ports) => {
  const { rows, dryRun } = readManifestPage(request.json());
  return { status: 200, body: { results: await announce(rows, request.caller, ports, { fixedStream, dryRun }) } };
});
