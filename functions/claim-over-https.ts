// Trigger: POST /claims, which nobody signs; throttled by API Gateway, off unless the deployment switches it on.
// Needs: dynamodb:BatchGetItem on devices and claims, UpdateItem on both, PutItem on claims; iot:CreateCertificateFromCsr,
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
import { patient } from '../shared/edge/patience.ts';
import { reprovisioning } from '../shared/flow/claim-by-template.ts';
import { claimOverHttps } from '../shared/flow/claim-over-https.ts';

const table = env.text('DEVICES_TABLE');
const { save, contest } = devicesIn(table);
const doorstep = doorstepOf(table, env.text('CLAIMS_TABLE'), env.wholeNumber('CLAIM_HISTORY_DAYS'));
const streams = streamsOf(table, env.wholeNumber('RETENTION_HOURS'), 'thrown');
const settings = {
  openClaims: false,
  reprovisioning: reprovisioning(env.optional('REPROVISIONING_POLICY')),
  thingTypes: thingTypes(),
  devicePolicy: env.text('DEVICE_POLICY'),
  deployment: deployment(),
  denialMs: env.wholeNumber('DENIAL_MS'),
};

export const handler = http(async (request) => {
  const claim = readClaim(request.json());
  const { remainingMs } = request;
  const ports = {
    registry: patient({ look: doorstep.look, save, contest }, remainingMs),
    doorstep: { keep: doorstep.keep },
    certificates: patient({ ...requestedCertificates, ...issuedCertificates }, remainingMs),
    things: patient(things, remainingMs),
    streams: patient(streams, remainingMs),
    now: () => new Date(),
    pause: async (ms: number) => {
      await pause(ms);
    },
  };
  const answer = await claimOverHttps(claim, ports, settings);
  const { serialNumber } = claim;
  if (!answer.allow) return denied('claim', { ...answer, serialNumber, door: 'https' });
  const { certificateId } = answer.connection;
  log('claim', { outcome: 'granted', serialNumber, certificateId, door: 'https' });
  return { status: 201, body: answer.connection };
});
