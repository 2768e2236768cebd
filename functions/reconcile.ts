// Trigger: a schedule each five minutes; an operator, by lambda:InvokeFunction.
// Needs: dynamodb:Query on the devices' index `due`, GetItem and UpdateItem on devices; iot:DescribeCertificate,
// UpdateCertificate, DeleteCertificate, CreateThing, DescribeThing, UpdateThing, AttachThingPrincipal, DetachThingPrincipal,
// AttachPolicy, DetachPolicy, DeleteThing, DeleteConnection; kinesisvideo:CreateStream, ListTagsForStream, DescribeStream, TagStream
// and DeleteStream on the deployment's streams; dynamodb:PutItem, DeleteItem and Scan on denials; iam:PutRolePolicy on the camera roles.
import { denialsIn } from '../shared/aws/dynamodb/denials.ts';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { dueIn } from '../shared/aws/dynamodb/due.ts';
import { rolesOf } from '../shared/aws/iam.ts';
import { issuedCertificates, policies, things } from '../shared/aws/iot.ts';
import { connections } from '../shared/aws/iot-data.ts';
import { certificateEndings, thingEndings } from '../shared/aws/iot-endings.ts';
import { streamsOf } from '../shared/aws/kinesis-video.ts';
import { streamEndingsOf } from '../shared/aws/stream-endings.ts';
import { env, thingTypes } from '../shared/config.ts';
import { job } from '../shared/edge/job.ts';
import { patient } from '../shared/edge/patience.ts';
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

/** The paced worker of AWS's ten certificate calls a second: it looks at so many devices and is called again. */
const mostDevices = 500;
const lastStartMs = 10_000;

export const handler = job('reconcile', (remainingMs) =>
  reconcile(
    {
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
    },
    settings,
    { limit: mostDevices, hasTime: () => remainingMs() > lastStartMs },
  ),
);
