// Trigger: a schedule each five minutes; an operator, by lambda:InvokeFunction.
// Needs: all that ends what was begun and not ended: dynamodb:Query on the devices' index `due`, GetItem and UpdateItem on devices;
// iot:DescribeCertificate, UpdateCertificate, DeleteCertificate, CreateThing, DescribeThing, UpdateThing, AttachThingPrincipal,
// DetachThingPrincipal, AttachPolicy, DetachPolicy, DeleteThing, DeleteConnection; kinesisvideo:CreateStream, ListTagsForStream,
// DescribeStream, TagStream and DeleteStream; dynamodb:PutItem, DeleteItem and Scan on denials; iam:PutRolePolicy on the camera roles.
// And all that finds out what has drifted: dynamodb:Scan and BatchGetItem on devices, Query on their indexes `certificate` and
// `place`; Query, BatchGetItem, GetItem, PutItem and UpdateItem on counters; iot:ListTargetsForPolicy, ListCertificates, ListThings,
// ListAttachedPolicies, ListPrincipalThings, ListThingPrincipals; kinesisvideo:ListStreams; iam:GetRolePolicy on the camera roles.
import { auditProgressIn } from '../shared/aws/dynamodb/audit-progress.ts';
import { dynamo } from '../shared/aws/dynamodb/client.ts';
import { counterUpkeepIn } from '../shared/aws/dynamodb/counter-upkeep.ts';
import { denialsIn } from '../shared/aws/dynamodb/denials.ts';
import { devicePagesOf } from '../shared/aws/dynamodb/device-pages.ts';
import { devicesIn } from '../shared/aws/dynamodb/devices.ts';
import { dueIn } from '../shared/aws/dynamodb/due.ts';
import { iam, roleLooksOf, rolesOf } from '../shared/aws/iam.ts';
import { iot, issuedCertificates, policies, things } from '../shared/aws/iot.ts';
import { connections, iotData } from '../shared/aws/iot-data.ts';
import { certificateEndings, thingEndings } from '../shared/aws/iot-endings.ts';
import { lists, looks } from '../shared/aws/iot-lists.ts';
import { kinesisVideo, streamsOf } from '../shared/aws/kinesis-video.ts';
import { pace } from '../shared/aws/pace.ts';
import { rehearse } from '../shared/aws/rehearse.ts';
import { streamEndingsOf } from '../shared/aws/stream-endings.ts';
import { streamLists } from '../shared/aws/stream-lists.ts';
import { env, thingTypes } from '../shared/config.ts';
import { job } from '../shared/edge/job.ts';
import { allPatient } from '../shared/edge/patience.ts';
import { readReconcileOrder, reconcileAnswer } from '../shared/edge/reconcile.ts';
import { reconcile } from '../shared/flow/reconcile.ts';

const table = env.text('DEVICES_TABLE');
const countersTable = env.text('COUNTERS_TABLE');
const cameraRoles = env.text('CAMERA_ROLES').split(',');
const denials = denialsIn(env.text('DENIALS_TABLE'));

const ports = {
  registry: { ...devicesIn(table), ...dueIn(table), ...devicePagesOf(table) },
  certificates: { ...policies, ...issuedCertificates },
  things,
  streams: { ...streamsOf(table, env.wholeNumber('RETENTION_HOURS'), 'thrown'), ...streamLists },
  lists,
  looks,
  denials,
  roles: roleLooksOf(cameraRoles),
  counters: counterUpkeepIn(countersTable),
  progress: auditProgressIn(countersTable),
  now: () => new Date(),
};
const endings = {
  certificates: { ...issuedCertificates, ...certificateEndings },
  things: { ...things, ...thingEndings },
  streams: streamEndingsOf(table),
  connections,
  denials,
  roles: rolesOf(cameraRoles),
};
const settings = {
  thingTypes: thingTypes(),
  devicePolicy: env.text('DEVICE_POLICY'),
  credentialSeconds: env.wholeNumber('CREDENTIAL_SECONDS'),
  mostCutOff: 25,
};

/** What one begins so late is not ended in time. */
const lastStartMs = 10_000;
/** Whoever waits for the answer hears from it after so long. */
const sliceMs = 45_000;

// Lambda gives an environment one event after the other.
let isRehearsing = false;
rehearse([dynamo, iam, iot, iotData, kinesisVideo], () => isRehearsing);
pace([iot, kinesisVideo], env.wholeNumber('QUOTA_PERCENT'));

export const handler = job('reconcile', readReconcileOrder, async (order, remainingMs) => {
  isRehearsing = order.dryRun;
  const begun = remainingMs();
  const time = {
    hasTime: () => remainingMs() > lastStartMs,
    wantsMore: () => remainingMs() > Math.max(lastStartMs, begun - sliceMs),
  };
  const patient = { ...allPatient(ports, remainingMs), endings: allPatient(endings, remainingMs) };
  return reconcileAnswer(await reconcile(patient, settings, order, time));
});
