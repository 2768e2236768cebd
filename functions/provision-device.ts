// Trigger: POST /devices/{serialNumber}/provision.
// Needs: dynamodb:GetItem and UpdateItem on devices, PutItem and UpdateItem on claims, GetItem on pins; iot:CreateKeysAndCertificate,
// CreateCertificateFromCsr, DescribeCertificate, UpdateCertificate, DeleteCertificate, CreateThing, DescribeThing, UpdateThing,
// AttachThingPrincipal, AttachPolicy; kinesisvideo:CreateStream and ListTagsForStream on the deployment's streams.
import { claimsIn } from '../shared/aws/dynamodb/claims.ts';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { pinsIn } from '../shared/aws/dynamodb/pins.ts';
import { certificates, issuedCertificates, things } from '../shared/aws/iot.ts';
import { streamsOf } from '../shared/aws/kinesis-video.ts';
import { deployment, env, thingTypes } from '../shared/config.ts';
import { readProvision } from '../shared/edge/claim.ts';
import { http, readSerialNumber } from '../shared/edge/http.ts';
import { provision } from '../shared/flow/provision.ts';

const table = env.text('DEVICES_TABLE');
const ports = {
  registry: devicesIn(table),
  claims: claimsIn(env.text('CLAIMS_TABLE'), env.wholeNumber('CLAIM_HISTORY_DAYS')),
  pins: pinsIn(env.text('PINS_TABLE')),
  certificates: { ...certificates, ...issuedCertificates },
  things,
  streams: streamsOf(table, env.wholeNumber('RETENTION_HOURS'), 'thrown'),
  now: () => new Date(),
};
const settings = {
  openClaims: false,
  thingTypes: thingTypes(),
  devicePolicy: env.text('DEVICE_POLICY'),
  deployment: deployment(),
};

export const handler = http(ports, async (request, ports) => {
  const { caller } = request;
  const order = { ...readProvision(request), serialNumber: readSerialNumber(request), by: caller };
  return { status: 201, body: await provision(order, ports, settings) };
});
