import { ListRolesCommand } from '@aws-sdk/client-iam';
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, expect, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { makeDeviceKey } from '../device-key.ts';
import type { Keys } from '../http-api.ts';
import { startLocalRun } from '../local-run.ts';
import { withoutEachCondition, withoutEachDenial } from '../policy-cuts.ts';
import { switchOffSchedules } from '../schedules.ts';
import { plainName, readStack } from '../stack-policies.ts';
import { prepareCameras } from './walks/all.ts';
import { credentialsOf } from './walks/camera.ts';
import type { Mode } from './walks/claim.ts';
import { prepareIntrusions } from './walks/intrusions.ts';
import { allowedCalls, type Target } from './walks/probes.ts';

/** The other side of least privilege: nobody may do more, and each safeguard keeps somebody out. */

const PATIENCE_MS = 15_000;
const SILENCE_MS = 1_500;

const run = await startLocalRun();
afterAll(() => run.stop());
await switchOffSchedules(run.outputs);
const { outputs } = run;
const stack = await readStack(outputs);
const { prefix } = stack;
const { cameras, claimDoor } = await prepareCameras(outputs, prefix);
const intrusions = await prepareIntrusions(outputs, prefix, cameras, claimDoor);
const { certificateSigningRequest } = await makeDeviceKey();
const { sts, iam } = awsClients(outputs, outputs.personas.admin);
const { Roles = [] } = await iam.send(new ListRolesCommand({}));
const cameraRole = Roles.find(({ RoleName }) => /FixedCameraRole/.test(RoleName ?? ''))?.RoleName ?? '';

const STREAM = ['DescribeStream', 'GetDataEndpoint', 'PutMedia', 'TagStream'].map((name) => `kinesisvideo:${name}`);

const MAKING = [
  'iot:AttachPolicy',
  'iot:AttachThingPrincipal',
  'iot:CreateCertificateFromCsr',
  'iot:CreateThing',
  'iot:DeleteCertificate',
  'iot:DescribeCertificate',
  'iot:DescribeThing',
  'iot:UpdateCertificate',
  'iot:UpdateThing',
  'kinesisvideo:CreateStream',
  'kinesisvideo:ListTagsForStream',
];

const PRESENCE = [
  'dynamodb:GetItem devices',
  'dynamodb:Query devices/index/place',
  'dynamodb:UpdateItem devices',
  'kinesisvideo:CreateStream',
  'kinesisvideo:ListTagsForStream',
];

const RECORD = ['dynamodb:GetItem devices', 'dynamodb:UpdateItem devices'];
const DENY = ['dynamodb:Scan denials', 'iam:PutRolePolicy of a camera'];
const SUSPEND = [...RECORD, ...DENY, 'dynamodb:PutItem denials', 'iot:DeleteConnection', 'iot:UpdateCertificate'];
const REMOVE = [
  ...SUSPEND,
  'iot:DeleteCertificate',
  'iot:DescribeCertificate',
  'iot:DescribeThing',
  'iot:DetachPolicy',
  'iot:DetachThingPrincipal',
  'kinesisvideo:ListTagsForStream',
];

const LISTS = [
  'iot:ListAttachedPolicies',
  'iot:ListCertificates',
  'iot:ListPrincipalThings',
  'iot:ListTargetsForPolicy',
  'iot:ListThingPrincipals',
  'iot:ListThings',
  'kinesisvideo:ListStreams',
];

/** Of a hundred calls, those that each may make. */
const FUNCTIONS: Record<string, string[]> = {
  announceDevices: [
    'dynamodb:BatchGetItem devices',
    'dynamodb:GetItem pins',
    'dynamodb:PutItem pins',
    'dynamodb:UpdateItem devices',
  ],
  approveClaim: [...RECORD, 'dynamodb:GetItem claims'],
  claimOverHttps: [
    'dynamodb:BatchGetItem claims',
    'dynamodb:BatchGetItem devices',
    'dynamodb:BatchGetItem pins',
    'dynamodb:PutItem claims',
    'dynamodb:UpdateItem claims',
    'dynamodb:UpdateItem devices',
    ...MAKING,
  ],
  connected: [...PRESENCE, 'iot:DeleteConnection', 'iot:UpdateCertificate'],
  createClaimCertificate: [
    'dynamodb:PutItem claim-certificates',
    'dynamodb:UpdateItem claim-certificates',
    'iot:AttachPolicy',
    'iot:CreateCertificateFromCsr',
    'iot:CreateKeysAndCertificate',
    'iot:UpdateCertificate',
  ],
  createProvisioningClaim: ['dynamodb:PutItem claim-certificates', 'iot:CreateProvisioningClaim'],
  disableClaimCertificate: [
    'dynamodb:BatchGetItem counters',
    'dynamodb:Query openings',
    'dynamodb:UpdateItem claim-certificates',
    'iot:DescribeCertificate',
    'iot:DetachPolicy',
    'iot:UpdateCertificate',
  ],
  endpoints: ['iot:DescribeEndpoint'],
  getDevice: ['dynamodb:GetItem devices'],
  listClaimCertificates: ['dynamodb:BatchGetItem counters', 'dynamodb:Scan claim-certificates'],
  listDevices: [
    'dynamodb:GetItem devices',
    'dynamodb:Query devices/index/batch',
    'dynamodb:Query devices/index/certificate',
    'dynamodb:Query devices/index/claimed',
    'dynamodb:Query devices/index/model',
    'dynamodb:Query devices/index/serial',
    'dynamodb:Query devices/index/status',
  ],
  listClaims: ['dynamodb:GetItem claims', 'dynamodb:GetItem devices', 'dynamodb:Query claims'],
  onClaimRefused: ['events:PutEvents', 'sqs:SendMessage event-failures'],
  onDeviceChange: [
    'dynamodb:BatchWriteItem openings',
    'dynamodb:UpdateItem counters',
    'events:PutEvents',
    'sqs:SendMessage event-failures',
  ],
  setReprovisioning: RECORD,
  stats: ['dynamodb:Query counters'],
  onPresence: [...PRESENCE, 'iot:DeleteConnection', 'iot:UpdateCertificate', 'sqs:SendMessage presence-failures'],
  openapi: [],
  provisionDevice: [
    'dynamodb:GetItem devices',
    'dynamodb:GetItem pins',
    'dynamodb:PutItem claims',
    'dynamodb:UpdateItem claims',
    'dynamodb:UpdateItem devices',
    'iot:CreateKeysAndCertificate',
    ...MAKING,
  ],
  provisioningHook: [
    'dynamodb:BatchGetItem claim-certificates',
    'dynamodb:BatchGetItem devices',
    'dynamodb:BatchGetItem pins',
    'dynamodb:PutItem claims',
    'dynamodb:UpdateItem claim-certificates',
    'dynamodb:UpdateItem claims',
    'dynamodb:UpdateItem devices',
    'kinesisvideo:CreateStream',
    'kinesisvideo:ListTagsForStream',
  ],
  reconcile: [
    ...RECORD,
    ...DENY,
    'dynamodb:DeleteItem denials',
    'dynamodb:PutItem denials',
    'dynamodb:BatchGetItem counters',
    'dynamodb:BatchGetItem devices',
    'dynamodb:GetItem counters',
    'dynamodb:PutItem counters',
    'dynamodb:Query counters',
    'dynamodb:Query devices/index/certificate',
    'dynamodb:Query devices/index/due',
    'dynamodb:Query devices/index/place',
    'dynamodb:Scan devices',
    'dynamodb:UpdateItem counters',
    'iam:GetRolePolicy of a camera',
    'iot:DeleteConnection',
    'iot:DeleteThing',
    ...LISTS,
    'kinesisvideo:DeleteStream',
    'kinesisvideo:DescribeStream',
    'kinesisvideo:TagStream',
    'iot:DetachPolicy',
    'iot:DetachThingPrincipal',
    ...MAKING.filter((call) => call !== 'iot:CreateCertificateFromCsr'),
  ],
  renewalHook: [
    ...RECORD,
    'dynamodb:PutItem claims',
    'dynamodb:UpdateItem claims',
    'kinesisvideo:CreateStream',
    'kinesisvideo:ListTagsForStream',
  ],
  reopenDevice: RECORD,
  replaceDevice: [...REMOVE, 'iot:UpdateThing', 'kinesisvideo:TagStream'],
  resumeDevice: [...RECORD, ...DENY, 'dynamodb:DeleteItem denials', 'iot:UpdateCertificate'],
  retireDevice: [...REMOVE, 'iot:DeleteThing', 'kinesisvideo:DeleteStream', 'kinesisvideo:DescribeStream'],
  suspendDevice: SUSPEND,
};

const READS = [
  'GET /devices',
  'GET /stats',
  'GET /devices/{serialNumber}',
  'GET /devices/{serialNumber}/claims',
  'GET /claim-certificates',
  'GET /openapi.json',
];
const LINE = ['POST /devices', 'POST /devices/{serialNumber}/provision', 'POST /provisioning-claims'];

const ACTS = ['suspend', 'resume', 'retire', 'reopen', 'replace', 'approve-claim', 'reprovisioning'].map(
  (act) => `POST /devices/{serialNumber}/${act}`,
);

/** Of what `firstlight doctor` reads; doctor-rights.test.ts says it all. */
const LOOKS = [
  'cloudformation:ListStackResources',
  'iam:GetRolePolicy of a camera',
  'iot:DescribeCertificate',
  'iot:DescribeEndpoint',
  'iot:DescribeRoleAlias',
  'iot:DescribeThing',
  'iot:ListAttachedPolicies',
  'iot:ListThingPrincipals',
  'kinesisvideo:DescribeStream',
  'kinesisvideo:ListTagsForStream',
];

const STACK = 'cloudformation:DescribeStacks';
const PERSONAS = {
  factory: [STACK, 'GET /devices/{serialNumber}', 'GET /openapi.json', ...LINE],
  operator: [
    STACK,
    ...LOOKS,
    ...READS,
    ...LINE,
    ...ACTS,
    'POST /claim-certificates',
    'POST /claim-certificates/{certificateId}/disable',
    'lambda:InvokeFunction reconcile',
  ],
  auditor: [STACK, ...LOOKS, ...READS],
};

const targetOf = (mode: Mode): Target => {
  const { thingName, certificateId, configuration } = cameras[mode];
  return {
    prefix,
    thingName,
    certificateId,
    StreamName: configuration.streamName,
    certificateSigningRequest,
    cameraRole,
  };
};

test('every function is looked at', () => {
  expect([...stack.functionRoles.keys()].sort()).toEqual(Object.keys(FUNCTIONS).sort());
});

test.each(Object.entries(FUNCTIONS))('the role of %s may do no more than it needs', async (name, allowed) => {
  expect(await allowedCalls(outputs, await assumeRoleOf(name), targetOf('thing-name'))).toEqual([...allowed].sort());
});

test.each(Object.entries(PERSONAS))(
  '%s may call its routes, ask where they are, run what is its to run, and of AWS what the doctor reads at most',
  async (persona, allowed) => {
    const keys = outputs.personas[persona as keyof typeof PERSONAS];
    expect(await allowedCalls(outputs, keys, targetOf('thing-name'))).toEqual([...allowed].sort());
  },
);

test.each(Object.entries(cameras))('a %s camera may use its own stream and no other', async (mode, camera) => {
  const keys = await credentialsOf(outputs, camera);
  expect(await allowedCalls(outputs, keys, targetOf(mode as Mode))).toEqual(['POST /connected', ...STREAM]);
  for (const other of Object.keys(cameras)) {
    if (other !== mode) expect(await allowedCalls(outputs, keys, targetOf(other as Mode))).toEqual(['POST /connected']);
  }
});

/** One account and one API are all there is here: nobody could come from another one. */
const isBeyondHere = (guard: string) =>
  guard.endsWith('if aws:SourceAccount') ||
  // Called by API Gateway or by the one schedule, that is.
  (guard.endsWith('permission: lambda:InvokeFunction if aws:SourceArn') &&
    !/^(provisioningHook|renewalHook|onPresence) /.test(guard));

/** Says in words what the resource says already: without a thing attached its variable is empty and matches nothing. */
const isSaidTwice = (guard: string) => guard === 'device policy: iot:Connect if iot:Connection.Thing.IsAttached';

const guards = stack.papers.flatMap((paper) =>
  [...withoutEachCondition(paper.document), ...withoutEachDenial(paper.document)]
    .map(({ piece, document }) => ({ guard: `${paper.name}: ${plainName(piece, stack)}`, paper, document }))
    .filter(({ guard }) => !isBeyondHere(guard) && !isSaidTwice(guard)),
);

test('every safeguard has somebody whom it keeps out', () => {
  expect(guards.map(({ guard }) => guard).sort()).toEqual(Object.keys(intrusions).sort());
});

test.each(guards)('kept out: $guard', async ({ guard, paper, document }) => {
  const intrusion = intrusions[guard];
  if (!intrusion) throw new Error(`nobody is kept out by ${guard}`);
  await expect(intrusion.intrude(SILENCE_MS)).rejects.toThrow(intrusion.refused);
  await paper.write(document);
  try {
    const intruded = intrusion.intrude(PATIENCE_MS);
    if (intrusion.stoppedBy) await expect(intruded).rejects.toThrow(intrusion.stoppedBy);
    else await intruded;
  } finally {
    await paper.write(paper.document);
  }
  await expect(intrusion.intrude(SILENCE_MS)).rejects.toThrow(intrusion.refused);
});

/** A function's credentials never leave it: its role is opened to the administrator for a moment. */
async function assumeRoleOf(name: string): Promise<Keys> {
  const trust = stack.papers.find((paper) => paper.name === `${name} trust`);
  if (!trust) throw new Error(`${name} has no role`);
  const { Arn = '' } = await sts.send(new GetCallerIdentityCommand({}));
  const opened = { Effect: 'Allow' as const, Principal: { AWS: Arn }, Action: 'sts:AssumeRole' };
  await trust.write({ ...trust.document, Statement: [...trust.document.Statement, opened] });
  const RoleArn = `arn:aws:iam::${outputs.accountId}:role/${stack.functionRoles.get(name)}`;
  const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'limits' }));
  await trust.write(trust.document);
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = Credentials ?? {};
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
}
