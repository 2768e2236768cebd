// Trigger: an operator, by lambda:InvokeFunction; nothing calls it by itself yet.
// Needs: dynamodb:Query on the devices' index `due`, GetItem and UpdateItem on devices; iot:DescribeCertificate,
// UpdateCertificate, DeleteCertificate, CreateThing, DescribeThing, UpdateThing, AttachThingPrincipal, DetachThingPrincipal,
// AttachPolicy, DetachPolicy; kinesisvideo:CreateStream and ListTagsForStream on the deployment's streams.
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { dueIn } from '../shared/aws/dynamodb/due.ts';
import { issuedCertificates, policies, things } from '../shared/aws/iot.ts';
import { streamsOf } from '../shared/aws/kinesis-video.ts';
import { env, thingTypes } from '../shared/config.ts';
import { job } from '../shared/edge/job.ts';
import { patient } from '../shared/edge/patience.ts';
import { reconcile } from '../shared/flow/reconcile.ts';

const table = env.text('DEVICES_TABLE');
const registry = { ...devicesIn(table), ...dueIn(table) };
const streams = streamsOf(table, env.wholeNumber('RETENTION_HOURS'), 'thrown');
const settings = { thingTypes: thingTypes(), devicePolicy: env.text('DEVICE_POLICY') };

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
      now: () => new Date(),
    },
    settings,
    { limit: mostDevices, hasTime: () => remainingMs() > lastStartMs },
  ),
);
