// Trigger: the renewal template's pre-provisioning hook, on every RegisterThing over MQTT; five seconds, no longer.
// Needs: dynamodb:GetItem on devices; dynamodb:UpdateItem on devices and claims; dynamodb:PutItem on claims;
// kinesisvideo:CreateStream and ListTagsForStream on the deployment's streams.

import { claimsIn } from '../shared/aws/dynamodb/claims.ts';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { streamsOf } from '../shared/aws/kinesis-video.ts';
import { env, roleAliases, thingTypes } from '../shared/config.ts';
import { hook } from '../shared/edge/hook.ts';
import { renewByTemplate } from '../shared/flow/renew.ts';

const table = env.text('DEVICES_TABLE');

const ports = {
  registry: devicesIn(table),
  claims: claimsIn(env.text('CLAIMS_TABLE'), env.wholeNumber('CLAIM_HISTORY_DAYS')),
  streams: streamsOf(table, env.wholeNumber('RETENTION_HOURS')),
  now: () => new Date(),
};

const settings = {
  fixedStream: env.optional('FIXED_STREAM'),
  roleAliases: roleAliases(),
  thingTypes: thingTypes(),
};

export const handler = hook('renewal', (request) => renewByTemplate(request, ports, settings));
