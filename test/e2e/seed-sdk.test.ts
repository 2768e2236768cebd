import {
  CreateRoleCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  ListRolesCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import * as kinesisvideo from '@aws-sdk/client-kinesis-video';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { askForCredentials } from '../credential-provider.ts';
import type { Keys } from '../http-api.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';

/** The walk of the seed page (see seed.test.ts) by AWS SDK, for a machine without the AWS CLI; each variant with its own things. */

let run: LocalRun;

beforeAll(async () => {
  run = await startLocalRun();
});
afterAll(() => run?.stop());

const allow = (Action: string | string[], Resource: string) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource }] });

const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'credentials.iot.amazonaws.com' }, Action: 'sts:AssumeRole' }],
});

const CAMERA_ACTIONS = ['DescribeStream', 'PutMedia', 'TagStream', 'GetDataEndpoint'].map(
  (action) => `kinesisvideo:${action}`,
);

/** Without `expiration`, for which the SDK wants a Date. */
const keysOf = ({ credentials: { accessKeyId, secretAccessKey, sessionToken } }: { credentials: Required<Keys> }) => ({
  accessKeyId,
  secretAccessKey,
  sessionToken,
});

/** What the page calls each variant, the stream in its policy, and the stream's name. */
const VARIANTS = [
  // biome-ignore lint/suspicious/noTemplateCurlyInString: AWS's policy variable.
  { variant: 'thing-name', inPolicy: '${credentials-iot:ThingName}', name: (thing: string) => thing, needsThing: true },
  {
    variant: 'certificate-id',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: AWS's policy variable.
    inPolicy: '${credentials-iot:AwsCertificateId}',
    name: (_: string, certificateId: string) => certificateId,
    needsThing: false,
  },
  { variant: 'hard-coded', inPolicy: 'YourStreamName', name: () => 'YourStreamName', needsThing: false },
];

/** Names of everything that the walk makes, to compare. */
async function everything(admin: ReturnType<typeof awsClients>): Promise<unknown> {
  const [things, types, certificates, policies, aliases, roles, streams] = await Promise.all([
    admin.iot.send(new iot.ListThingsCommand({})),
    admin.iot.send(new iot.ListThingTypesCommand({})),
    admin.iot.send(new iot.ListCertificatesCommand({})),
    admin.iot.send(new iot.ListPoliciesCommand({})),
    admin.iot.send(new iot.ListRoleAliasesCommand({})),
    admin.iam.send(new ListRolesCommand({})),
    admin.kinesisVideo.send(new kinesisvideo.ListStreamsCommand({})),
  ]);
  return [
    things.things?.map(({ thingName }) => thingName),
    types.thingTypes?.map(({ thingTypeName }) => thingTypeName),
    certificates.certificates?.map(({ certificateId }) => certificateId),
    policies.policies?.map(({ policyName }) => policyName),
    aliases.roleAliases,
    roles.Roles?.map(({ RoleName }) => RoleName),
    streams.StreamInfoList?.map(({ StreamName }) => StreamName),
  ];
}

test.each(VARIANTS)('$variant: there and back', async ({ variant, inPolicy, name, needsThing }) => {
  const admin = awsClients(run.outputs, run.outputs.personas.admin);
  const before = await everything(admin);
  const thingName = `kvs_example_${variant}`;
  const thingTypeName = `${thingName}_type`;
  const role = { RoleName: `${thingName}_role` };
  const permissions = { ...role, PolicyName: 'KVSCameraIAMPolicy' };
  const roleAlias = `${thingName}_alias`;
  const policyName = `${thingName}_policy`;

  await admin.iot.send(new iot.CreateThingTypeCommand({ thingTypeName }));
  await admin.iot.send(new iot.CreateThingCommand({ thingName, thingTypeName }));
  const { Role } = await admin.iam.send(new CreateRoleCommand({ ...role, AssumeRolePolicyDocument: TRUST }));
  await admin.iam.send(
    new PutRolePolicyCommand({
      ...permissions,
      PolicyDocument: allow(CAMERA_ACTIONS, `arn:aws:kinesisvideo:*:*:stream/${inPolicy}/*`),
    }),
  );
  const { roleAliasArn = '' } = await admin.iot.send(
    new iot.CreateRoleAliasCommand({ roleAlias, roleArn: Role?.Arn, credentialDurationSeconds: 3600 }),
  );
  await admin.iot.send(
    new iot.CreatePolicyCommand({ policyName, policyDocument: allow('iot:AssumeRoleWithCertificate', roleAliasArn) }),
  );
  const made = await admin.iot.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: true }));
  const { certificateId = '', certificateArn = '', certificatePem = '' } = made;
  await admin.iot.send(new iot.AttachPolicyCommand({ policyName, target: certificateArn }));
  await admin.iot.send(new iot.AttachThingPrincipalCommand({ thingName, principal: certificateArn }));
  const { endpointAddress: endpoint = '' } = await admin.iot.send(
    new iot.DescribeEndpointCommand({ endpointType: 'iot:CredentialProvider' }),
  );
  const StreamName = name(thingName, certificateId);
  const { StreamARN } = await admin.kinesisVideo.send(
    new kinesisvideo.CreateStreamCommand({ StreamName, DataRetentionInHours: 24 }),
  );
  const other = { StreamName: `another_${variant}` };
  const { StreamARN: otherArn } = await admin.kinesisVideo.send(new kinesisvideo.CreateStreamCommand(other));

  const [host = '', port] = endpoint.split(':');
  const door = { credentials: { host, port: Number(port) }, caPath: run.outputs.caPath };
  const held = { certificatePem, privateKeyPem: made.keyPair?.PrivateKey ?? '' };
  const ask = () => askForCredentials(door, { held, roleAlias, thingName });
  const askWithoutThing = () => askForCredentials(door, { held, roleAlias });
  const { status, body } = await ask();
  expect(status).toBe(200);
  const camera = awsClients(run.outputs, keysOf(body));
  const describe = (stream: { StreamName: string }, { kinesisVideo } = camera) =>
    kinesisVideo.send(new kinesisvideo.DescribeStreamCommand(stream));
  expect(await describe({ StreamName })).toMatchObject({ StreamInfo: { StreamARN, DataRetentionInHours: 24 } });
  expect(await camera.sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
    Arn: expect.stringContaining(`:assumed-role/${role.RoleName}/${certificateId}`),
  });
  await expect(describe(other)).rejects.toMatchObject({
    name: 'AccessDeniedException',
    message: expect.stringContaining('is not authorized to perform: kinesisvideo:DescribeStream'),
    $metadata: { httpStatusCode: 403 },
  });

  const bare = await askWithoutThing();
  expect(bare.status).toBe(200);
  const outcome = describe({ StreamName }, awsClients(run.outputs, keysOf(bare.body)));
  if (needsThing) await expect(outcome).rejects.toThrow('is not authorized');
  else await expect(outcome).resolves.toBeDefined();

  await admin.iot.send(new iot.UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
  expect(await ask()).toMatchObject({
    status: 403,
    body: { message: 'Certificate is invalid on this endpoint' },
  });

  await admin.iot.send(new iot.DetachThingPrincipalCommand({ thingName, principal: certificateArn }));
  await admin.iot.send(new iot.DetachPolicyCommand({ policyName, target: certificateArn }));
  await admin.iot.send(new iot.DeleteCertificateCommand({ certificateId }));
  await admin.iot.send(new iot.DeletePolicyCommand({ policyName }));
  await admin.iot.send(new iot.DeleteRoleAliasCommand({ roleAlias }));
  await admin.iam.send(new DeleteRolePolicyCommand(permissions));
  await admin.iam.send(new DeleteRoleCommand(role));
  await admin.iot.send(new iot.DeleteThingCommand({ thingName }));
  await admin.iot.send(new iot.DeprecateThingTypeCommand({ thingTypeName }));
  // A type can be deleted five minutes after its deprecation (DeprecateThingType).
  await tellStandIn(run.outputs.aws, 'clock', { advanceSeconds: 301 });
  const later = awsClients(run.outputs, run.outputs.personas.admin, 301_000);
  await later.iot.send(new iot.DeleteThingTypeCommand({ thingTypeName }));
  await later.kinesisVideo.send(new kinesisvideo.DeleteStreamCommand({ StreamARN }));
  await later.kinesisVideo.send(new kinesisvideo.DeleteStreamCommand({ StreamARN: otherArn }));
  // A stream is DELETING for a moment.
  await vi.waitFor(async () => expect(await everything(later)).toEqual(before), { timeout: 10_000 });
  await tellStandIn(run.outputs.aws, 'reset');
});
