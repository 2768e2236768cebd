import { denied, FUNCTION_FAILED, type Needs, NO_FUNCTION } from './needs.ts';

const DEVICES = ['dynamodb:GetItem on table/devices', 'dynamodb:UpdateItem on table/devices'];
const DENY = ['dynamodb:PutItem on table/denials', 'dynamodb:Scan on table/denials'];
const ROLES = ['ThingName', 'CertificateId', 'Fixed'].map((mode) => `iam:PutRolePolicy on role/${mode}CameraRole`);
const SILENCE = ['iot:UpdateCertificate on cert/*', 'iot:DeleteConnection on client/*'];
const REMOVE = ['DescribeCertificate', 'DeleteCertificate', 'DetachPolicy', 'DetachThingPrincipal'].map(
  (action) => `iot:${action} on cert/*`,
);
const on = (resource: string, ...actions: string[]) => actions.map((action) => `${action} on ${resource}`);

/** All that one function may, each seen by its caller as a failure of the function. */
const ofRoute = (name: string, walk: string, rights: string[]): Needs => ({
  ...Object.fromEntries(rights.map((right) => [`${name} role: ${right}`, [walk, FUNCTION_FAILED]])),
  [`${name} trust: sts:AssumeRole by lambda.amazonaws.com`]: [walk, NO_FUNCTION],
  [`${name} permission: lambda:InvokeFunction by apigateway.amazonaws.com`]: [walk, NO_FUNCTION],
  [`${name} permission: lambda:InvokeFunction if aws:SourceArn`]: [walk, NO_FUNCTION],
});

const MENDED = /^could not mend: \{"AccessDenied(Exception)?":\d+\}$/;
const ofReconcile = (walk: string, rights: string[]): Needs =>
  Object.fromEntries(rights.map((right) => [`reconcile role: ${right}`, [`reconcile: ${walk}`, MENDED]]));

const PRESENCE = 'is made active though it is suspended, and shows life';

export const lifecycleNeeds: Needs = {
  ...ofRoute('suspendDevice', 'operator suspends a camera', [...DEVICES, ...DENY, ...SILENCE, ...ROLES]),
  ...ofRoute('resumeDevice', 'operator resumes a camera', [
    ...DEVICES,
    ...on('table/denials', 'dynamodb:DeleteItem', 'dynamodb:Scan'),
    'iot:UpdateCertificate on cert/*',
    ...ROLES,
  ]),
  ...ofRoute('retireDevice', 'operator retires a camera and its stream', [
    ...DEVICES,
    ...DENY,
    ...SILENCE,
    ...REMOVE,
    ...on('thing/*', 'iot:DescribeThing', 'iot:DeleteThing'),
    ...ROLES,
    ...on('stream/*', 'kinesisvideo:ListTagsForStream', 'kinesisvideo:DescribeStream', 'kinesisvideo:DeleteStream'),
  ]),
  ...ofRoute('reopenDevice', 'operator reopens a device', DEVICES),
  ...ofRoute('replaceDevice', 'operator replaces a camera', [
    ...DEVICES,
    ...DENY,
    ...SILENCE,
    ...REMOVE,
    ...on('thing/*', 'iot:DescribeThing', 'iot:UpdateThing'),
    ...ROLES,
    ...on('stream/*', 'kinesisvideo:ListTagsForStream', 'kinesisvideo:TagStream'),
  ]),
  ...ofRoute('approveClaim', 'operator approves a key', DEVICES),
  ...ofRoute('setReprovisioning', 'operator sets a re-provisioning policy', DEVICES),
  'approveClaim role: dynamodb:GetItem on table/claims': [
    'operator approves a claim that is not there',
    FUNCTION_FAILED,
  ],

  'onPresence role: iot:UpdateCertificate on cert/*': [PRESENCE, denied('iot:UpdateCertificate')],
  'onPresence role: iot:DeleteConnection on client/*': [PRESENCE, denied('iot:DeleteConnection')],

  ...ofReconcile('a suspension is ended', [...DENY, 'iot:DeleteConnection on client/*', ...ROLES]),
  ...ofReconcile('a retirement is ended', [
    'iot:DeleteThing on thing/*',
    ...on('stream/*', 'kinesisvideo:DescribeStream', 'kinesisvideo:DeleteStream'),
  ]),
  ...ofReconcile('a takeover is ended', ['kinesisvideo:TagStream on stream/*']),
  ...ofReconcile('a denial is lifted', ['dynamodb:DeleteItem on table/denials']),
};
