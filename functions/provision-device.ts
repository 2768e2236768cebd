// Trigger: POST /devices/{serialNumber}/provision.
// Needs: dynamodb:GetItem and UpdateItem on devices, PutItem and UpdateItem on claims; iot:CreateKeysAndCertificate,
// CreateCertificateFromCsr, DescribeCertificate, UpdateCertificate, DeleteCertificate, CreateThing, DescribeThing, UpdateThing,
// AttachThingPrincipal, AttachPolicy; kinesisvideo:CreateStream and ListTagsForStream on the deployment's streams.
import { claimsIn } from '../shared/aws/dynamodb/claims.ts';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { certificates, issuedCertificates, things } from '../shared/aws/iot.ts';
import { streamsOf } from '../shared/aws/kinesis-video.ts';
import { deployment, env, thingTypes } from '../shared/config.ts';
import { readProvision } from '../shared/edge/claim.ts';
import { http, readSerialNumber } from '../shared/edge/http.ts';
import { patient } from '../shared/edge/patience.ts';
import { provision } from '../shared/flow/provision.ts';

const table = env.text('DEVICES_TABLE');
const registry = devicesIn(table);
const claims = claimsIn(env.text('CLAIMS_TABLE'), env.wholeNumber('CLAIM_HISTORY_DAYS'));
const streams = streamsOf(table, env.wholeNumber('RETENTION_HOURS'), 'thrown');
const settings = {
  openClaims: false,
  thingTypes: thingTypes(),
  devicePolicy: env.text('DEVICE_POLICY'),
  deployment: deployment(),
};

export const handler = http(async (request) => {
  const { remainingMs, caller } = request;
  const ports = {
    registry: patient(registry, remainingMs),
    claims: patient(claims, remainingMs),
    certificates: patient({ ...certificates, ...issuedCertificates }, remainingMs),
    things: patient(things, remainingMs),
    streams: patient(streams, remainingMs),
    now: () => new Date(),
  };
  const order = { ...readProvision(request.jsonIfAny()), serialNumber: readSerialNumber(request), by: caller };
  return { status: 201, body: await provision(order, ports, settings) };
});
