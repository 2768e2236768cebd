// Trigger: POST /devices. Needs: dynamodb:BatchGetItem and UpdateItem on devices, PutItem and GetItem on pins.
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { pinsIn } from '../shared/aws/dynamodb/pins.ts';
import { env } from '../shared/config.ts';
import { http } from '../shared/edge/http.ts';
import { readManifestPage } from '../shared/edge/manifest.ts';
import { announce } from '../shared/flow/announce.ts';

const ports = {
  registry: devicesIn(env.text('DEVICES_TABLE')),
  pins: pinsIn(env.text('PINS_TABLE')),
  now: () => new Date(),
};
const fixedStream = env.optional('FIXED_STREAM');

export const handler = http(ports, async (request, ports) => {
  const { rows, dryRun } = readManifestPage(request.json());
  return { status: 200, body: { results: await announce(rows, request.caller, ports, { fixedStream, dryRun }) } };
});
