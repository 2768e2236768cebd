// Trigger: POST /claims, which nobody signs; throttled by API Gateway, off unless the deployment switches it on.
// Needs: dynamodb:BatchGetItem on devices, claims and pins, UpdateItem on the first two, PutItem on claims; iot:CreateCertificateFromCsr,
// DescribeCertificate, UpdateCertificate, DeleteCertificate, CreateThing, DescribeThing, UpdateThing, AttachThingPrincipal,
// AttachPolicy; kinesisvideo:CreateStream and ListTagsForStream on the deployment's streams.
import { setTimeout as pause } from 'node:timers/promises';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { doorstepOf } from '../shared/aws/dynamodb/doorstep.ts';
import { issuedCertificates, requestedCertificates, things } from '../shared/aws/iot.ts';
import { streamsOf } from '../shared/aws/kinesis-video.ts';
import { deployment, env, thingTypes } from '../shared/config.ts';
import { readClaim } from '../shared/edge/claim.ts';
import { denied } from '../shared/edge/denial.ts';
import { http } from '../shared/edge/http.ts';
import { log } from '../shared/edge/log.ts';
import { reprovisioning } from '../shared/flow/claim-by-template.ts';
import { claimOverHttps } from '../shared/flow/claim-over-https.ts';

const table = env.text('DEVICES_TABLE');
const registry = devicesIn(table);
const doorstep = doorstepOf(
  table,
  env.text('CLAIMS_TABLE'),
  env.text('PINS_TABLE'),
  env.wholeNumber('CLAIM_HISTORY_DAYS'),
);
const ports = {
  registry: { look: doorstep.look, save: registry.save },
  certificates: { ...requestedCertificates, ...issuedCertificates },
  things,
  streams: streamsOf(table, env.wholeNumber('RETENTION_HOURS'), 'thrown'),
  now: () => new Date(),
};
/** What a denial writes waits for no throttle: whose items are throttled would show in its time. */
const denials = { keep: doorstep.keep, contest: registry.contest };
const settings = {
  openClaims: false,
  reprovisioning: reprovisioning(env.optional('REPROVISIONING_POLICY')),
  thingTypes: thingTypes(),
  devicePolicy: env.text('DEVICE_POLICY'),
  deployment: deployment(),
  denialMs: env.wholeNumber('DENIAL_MS'),
};

export const handler = http(ports, async (request, ports) => {
  const claim = readClaim(request);
  const answer = await claimOverHttps(claim, { ...ports, denials, pause }, settings);
  const { serialNumber } = claim;
  if (!answer.allow) return denied('claim', { ...answer, serialNumber, door: 'https' });
  const { certificateId } = answer.connection;
  log('claim', { outcome: 'granted', serialNumber, certificateId, door: 'https' });
  return { status: 201, body: answer.connection };
});
