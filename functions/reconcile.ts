// Trigger: a schedule each five minutes; an operator, by lambda:InvokeFunction.
// Needs: dynamodb:Query on the devices' index `due`, GetItem and UpdateItem on devices; iot:DescribeCertificate,
// UpdateCertificate, DeleteCertificate, CreateThing, DescribeThing, UpdateThing, AttachThingPrincipal, DetachThingPrincipal,
// AttachPolicy, DetachPolicy, DeleteThing, DeleteConnection; kinesisvideo:CreateStream, ListTagsForStream, DescribeStream, TagStream
// and DeleteStream on the deployment's streams; dynamodb:PutItem, DeleteItem and Scan on denials; iam:PutRolePolicy on the camera roles.
import { dynamo } from '../shared/aws/dynamodb/client.ts';
import { denialsIn } from '../shared/aws/dynamodb/denials.ts';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { dueIn } from '../shared/aws/dynamodb/due.ts';
import { iam, rolesOf } from '../shared/aws/iam.ts';
import { iot, issuedCertificates, policies, things } from '../shared/aws/iot.ts';
import { connections, iotData } from '../shared/aws/iot-data.ts';
import { certificateEndings, thingEndings } from '../shared/aws/iot-endings.ts';
import { kinesisVideo, streamsOf } from '../shared/aws/kinesis-video.ts';
import { pace } from '../shared/aws/pace.ts';
import { readOnly } from '../shared/aws/read-only.ts';
import { streamEndingsOf } from '../shared/aws/stream-endings.ts';
import { env, thingTypes } from '../shared/config.ts';
import { job } from '../shared/edge/job.ts';
import { patient } from '../shared/edge/patience.ts';
import { reconcileOrder } from '../shared/edge/reconcile.ts';
import { reconcile } from '../shared/flow/reconcile.ts';

const table = env.text('DEVICES_TABLE');
const registry = { ...devicesIn(table), ...dueIn(table) };
const streams = streamsOf(table, env.wholeNumber('RETENTION_HOURS'), 'thrown');
const denials = denialsIn(env.text('DENIALS_TABLE'));
const roles = rolesOf(env.text('CAMERA_ROLES').split(','));
const settings = {
  thingTypes: thingTypes(),
  devicePolicy: env.text('DEVICE_POLICY'),
  credentialSeconds: env.wholeNumber('CREDENTIAL_SECONDS'),
};

/** What one begins so late is not ended in time. */
const lastStartMs = 10_000;

let isRehearsing = false;
pace([iot, kinesisVideo], env.wholeNumber('QUOTA_PERCENT'));
readOnly([dynamo, iam, iot, iotData, kinesisVideo], () => isRehearsing);

export const handler = job('reconcile', reconcileOrder, ({ dryRun }, remainingMs) => {
  // One at a time: Lambda gives an environment one event after the other.
  isRehearsing = dryRun;
  const ports = {
    registry: patient(registry, remainingMs),
    certificates: patient({ ...policies, ...issuedCertificates }, remainingMs),
    things: patient(things, remainingMs),
    streams: patient(streams, remainingMs),
    endings: {
      certificates: patient({ ...issuedCertificates, ...certificateEndings }, remainingMs),
      things: patient({ ...things, ...thingEndings }, remainingMs),
      streams: patient(streamEndingsOf(table), remainingMs),
      connections: patient(connections, remainingMs),
      denials: patient(denials, remainingMs),
      roles: patient(roles, remainingMs),
    },
    now: () => new Date(),
  };
  return reconcile(ports, settings, { hasTime: () => remainingMs() > lastStartMs, dryRun });
});
