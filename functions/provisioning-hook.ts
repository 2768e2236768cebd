// Trigger: the claim template's pre-provisioning hook, on every RegisterThing over MQTT; five seconds, no longer.
// Needs: dynamodb:BatchGetItem on devices, claim certificates and pins; dynamodb:UpdateItem on devices, claim certificates and claims;
// dynamodb:PutItem on claims; kinesisvideo:CreateStream and ListTagsForStream on the deployment's streams.

import { claimCertificatesIn } from '../shared/aws/dynamodb/claim-certificates.ts';
import { claimsIn } from '../shared/aws/dynamodb/claims.ts';
import { claimReads, devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { streamsOf } from '../shared/aws/kinesis-video.ts';
import { env, roleAliases, thingTypes } from '../shared/config.ts';
import { hook } from '../shared/edge/hook.ts';
import { claimByTemplate, reprovisioning } from '../shared/flow/claim-by-template.ts';

const table = env.text('DEVICES_TABLE');
const claimCertificateTable = env.text('CLAIM_CERTIFICATES_TABLE');

const ports = {
  registry: { ...devicesIn(table), ...claimReads(table, claimCertificateTable, env.text('PINS_TABLE')) },
  claimCertificates: claimCertificatesIn(claimCertificateTable),
  claims: claimsIn(env.text('CLAIMS_TABLE'), env.wholeNumber('CLAIM_HISTORY_DAYS')),
  streams: streamsOf(table, env.wholeNumber('RETENTION_HOURS')),
  now: () => new Date(),
};

const settings = {
  openClaims: env.oneOf('OPEN_CLAIMS', ['true', 'false']) === 'true',
  reprovisioning: reprovisioning(env.optional('REPROVISIONING_POLICY')),
  fixedStream: env.optional('FIXED_STREAM'),
  roleAliases: roleAliases(),
  thingTypes: thingTypes(),
};

export const handler = hook('claim', (request) => claimByTemplate(request, ports, settings));
