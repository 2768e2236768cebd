import { UpdateTableCommand, UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { DeleteRuleCommand, DisableRuleCommand, RemoveTargetsCommand } from '@aws-sdk/client-eventbridge';
import {
  AttachRolePolicyCommand,
  DetachRolePolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  PutRolePolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import { DeleteStreamCommand, DescribeStreamCommand, UpdateDataRetentionCommand } from '@aws-sdk/client-kinesis-video';
import {
  AddPermissionCommand,
  GetFunctionConfigurationCommand,
  PutFunctionConcurrencyCommand,
  RemovePermissionCommand,
  UpdateEventSourceMappingCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { claimCertificate } from '../camera-claim.ts';
import { certificateIdOf } from '../device-key.ts';
import { callDoctor, stackNames } from '../doctor.ts';
import { startLocalRun } from '../local-run.ts';
import type { PolicyDocument } from '../policy-cuts.ts';
import { readStack } from '../stack-policies.ts';
import { until } from '../until.ts';
import { describeWorld } from '../world.ts';

vi.setConfig({ testTimeout: 120_000 });

const run = await startLocalRun();
const { outputs } = run;
const doctor = await callDoctor(outputs);
afterAll(async () => {
  await doctor.close();
  await run.stop();
});
/** Anew for each test: the stand-in hangs up on who is silent for five seconds. */
let clients = awsClients(outputs, outputs.personas.admin);
const { StackName, nameOf, output } = await stackNames(outputs);

const hook = nameOf('ProvisioningHookLambdaFunction');
const claimTemplate = output('ClaimTemplateName');
const alias = output('ThingNameRoleAliasName');
const cameraRole = nameOf('ThingNameCameraRole');
const provisioningRole = nameOf('ProvisioningRole');

describe('a healthy stack', () => {
  test.each(['admin', 'operator', 'auditor'])('is well in every link, for %s', async (persona) => {
    const { code, stderr, report, broken } = await doctor.examine('--as', persona);
    expect({ code, stderr, broken }).toEqual({ code: 0, stderr: '', broken: [] });
    expect(report).toMatchObject({ stack: StackName, verdict: 'ok' });
    expect(report.links.filter(({ verdict, findings }) => verdict !== 'ok' || findings.length === 0)).toEqual([]);
  });

  test('is told in a line a link', async () => {
    const { stdout, code } = await doctor.says();
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^ok +provisioning templates +firstlight-local-claim \(version 1\), firstlight-local-renew \(version 1\)$/m,
    );
    expect(stdout).toMatch(/\nNothing is broken\.\n$/);
  });

  test('is the same afterwards', async () => {
    const papers = async () => (await readStack(outputs)).papers.map(({ name, document }) => ({ name, document }));
    const before = [await describeWorld(outputs), await papers()];
    await doctor.examine();
    expect([await describeWorld(outputs), await papers()]).toEqual(before);
  });

  test('is looked at within AWS quotas', async () => {
    await tellStandIn(outputs.aws, 'faults', { quotas: true });
    expect(await doctor.examine()).toMatchObject({ code: 0, broken: [], report: { verdict: 'ok' } });
    await tellStandIn(outputs.aws, 'faults');
  });
});

test('who may not read the stack is told which policy he lacks', async () => {
  const { code, stderr } = await doctor.says('--as', 'factory');
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /^firstlight: the stack firstlight-local cannot be read: you lack cloudformation:\w+ \(the managed policy firstlight-local-doctor has all that is needed\)\n$/,
  );
});

test('what AWS does not answer is not checked', async () => {
  const faults = [{ service: 'iot', operation: 'DescribeThingType', kind: 'error' }];
  await tellStandIn(outputs.aws, 'faults', { faults });
  const { code, report, broken } = await doctor.examine();
  await tellStandIn(outputs.aws, 'faults');
  expect({ code, broken, verdict: report.verdict }).toEqual({ code: 0, broken: [], verdict: 'not checked' });
  const types = report.links.find(({ link }) => link === 'thing types');
  expect(types?.findings).toHaveLength(3);
  for (const finding of types?.findings ?? []) {
    expect(finding).toMatchObject({
      verdict: 'not checked',
      says: expect.stringMatching(/^iot:DescribeThingType was not answered: /),
    });
  }
});

test('a stack that is not there, and half a flag, are one line', async () => {
  expect(await doctor.says('--as', 'admin', '--stage', 'nowhere')).toMatchObject({
    code: 2,
    stderr: 'firstlight: Stack with id firstlight-nowhere does not exist: is it deployed in this region and account?\n',
  });
  expect(await doctor.says('CAM-1', '--key', outputs.claim.privateKeyPath)).toMatchObject({
    code: 2,
    stderr: 'firstlight: give both --certificate and --key\n',
  });
  const foreign = ['--certificate', outputs.caPath, '--key', outputs.claim.privateKeyPath];
  expect(await doctor.says('CAM-1', ...foreign)).toMatchObject({
    code: 2,
    stderr: `firstlight: ${outputs.claim.privateKeyPath} is not the key of ${outputs.caPath}\n`,
  });
  const noKey = ['--certificate', outputs.claim.certificatePath, '--key', outputs.caPath];
  expect(await doctor.says('CAM-1', ...noKey)).toMatchObject({
    code: 2,
    stderr: `firstlight: ${outputs.caPath} is no private key in PEM\n`,
  });
  expect(await doctor.says(...foreign)).toMatchObject({
    code: 2,
    stderr: 'firstlight: give the serial number of the device whose certificate it is\n',
  });
});

interface Breakage {
  breaks(): Promise<unknown>;
  /** The link that is broken first, its subject and what is said of it. */
  finds: RegExp;
  /** Others that are broken by the same act. */
  also?: RegExp[];
  /** Nobody's single call mends it. */
  byHand?: RegExp;
}

const statement = (Action: string | string[], Resource: string | string[], more: object = {}) => ({
  Effect: 'Allow' as const,
  Action,
  Resource,
  ...more,
});

async function inlineOf(RoleName: string): Promise<{ PolicyName: string; document: PolicyDocument }> {
  const PolicyName = RoleName === cameraRole ? 'stream' : 'firstlight-local-lambda';
  const { PolicyDocument = '' } = await clients.iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
  const document = JSON.parse(decodeURIComponent(PolicyDocument));
  return { PolicyName, document };
}

async function changeInline(RoleName: string, change: (text: string) => string): Promise<void> {
  const { PolicyName, document } = await inlineOf(RoleName);
  const text = JSON.stringify(document);
  const PolicyDocument = change(text);
  if (PolicyDocument === text) throw new Error('nothing was changed');
  await clients.iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument }));
}

async function changeTrust(RoleName: string, change: (text: string) => string): Promise<void> {
  const { Role } = await clients.iam.send(new GetRoleCommand({ RoleName }));
  const text = decodeURIComponent(Role?.AssumeRolePolicyDocument ?? '');
  const PolicyDocument = change(text);
  if (PolicyDocument === text) throw new Error('nothing was changed');
  await clients.iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument }));
}

async function changeIotPolicy(policyName: string, change: (text: string) => string): Promise<void> {
  const { policyDocument = '' } = await clients.iot.send(new iot.GetPolicyCommand({ policyName }));
  const changed = change(policyDocument);
  if (changed === policyDocument) throw new Error('nothing was changed');
  const version = { policyName, policyDocument: changed, setAsDefault: true };
  await clients.iot.send(new iot.CreatePolicyVersionCommand(version));
}

const updateTemplate = (change: object) =>
  clients.iot.send(new iot.UpdateProvisioningTemplateCommand({ templateName: claimTemplate, ...change }));
const updateAlias = (change: object) =>
  clients.iot.send(new iot.UpdateRoleAliasCommand({ roleAlias: alias, ...change }));
const claimCertificateId = certificateIdOf((await claimCertificate(outputs)).certificatePem);
const claimCertificateArn = `arn:aws:iot:${outputs.region}:${outputs.accountId}:cert/${claimCertificateId}`;
const hookPermission = nameOf('ClaimHookPermission');
const streamName = output('FixedStreamName');
const streamOf = async () => {
  const { StreamInfo } = await clients.kinesisVideo.send(new DescribeStreamCommand({ StreamName: streamName }));
  return StreamInfo;
};

const BREAKAGES: Record<string, Breakage> = {
  'a claim certificate inactive': {
    breaks: () =>
      clients.iot.send(new iot.UpdateCertificateCommand({ certificateId: claimCertificateId, newStatus: 'INACTIVE' })),
    finds: /^claim certificates: [0-9a-f]{12}… \(any batch\): it is INACTIVE at AWS/,
  },
  'a claim certificate without its policy': {
    breaks: () =>
      clients.iot.send(
        new iot.DetachPolicyCommand({ policyName: output('ClaimPolicyName'), target: claimCertificateArn }),
      ),
    finds: /^claim certificates: .*: the policy firstlight-local-claim is not attached to it$/,
  },
  'a claim certificate revoked': {
    breaks: () =>
      clients.iot.send(new iot.UpdateCertificateCommand({ certificateId: claimCertificateId, newStatus: 'REVOKED' })),
    finds: /^claim certificates: .*: it is REVOKED at AWS/,
    byHand: /^firstlight claim-certificate disable [0-9a-f]{64}, then create another$/,
  },
  'a claim policy that lets any client id in': {
    breaks: () => changeIotPolicy(output('ClaimPolicyName'), (text) => text.replace('client/claim-*', 'client/*')),
    finds:
      /^IoT policies: firstlight-local-claim: its default version 2 is not the template's: it does not allow iot:Connect on .*client\/claim-\*; it allows iot:Connect on .*client\/\*, which the template does not$/,
  },
  'a device policy without iot:AssumeRoleWithCertificate': {
    breaks: () =>
      changeIotPolicy(output('DevicePolicyName'), (text) => {
        const { Statement, ...document } = JSON.parse(text);
        return JSON.stringify({
          ...document,
          Statement: Statement.filter(({ Action }: { Action: string }) => Action !== 'iot:AssumeRoleWithCertificate'),
        });
      }),
    finds:
      /^IoT policies: firstlight-local-device: its default version 2 is not the template's: it does not allow iot:AssumeRoleWithCertificate on arn:aws:iot:us-east-1:000000000000:rolealias\/firstlight-local-thing-name; /,
  },
  'a template disabled': {
    breaks: () => updateTemplate({ enabled: false }),
    finds: /^provisioning templates: firstlight-local-claim: it is disabled: no camera can claim through it$/,
  },
  'a template without its hook': {
    breaks: () => updateTemplate({ removePreProvisioningHook: true }),
    finds:
      /^provisioning templates: firstlight-local-claim: it has no hook: whoever holds a claim certificate gets in$/,
  },
  'a template with another hook': {
    breaks: async () => {
      const [arn] = await Promise.all([functionArn(nameOf('OpenapiLambdaFunction'))]);
      await updateTemplate({ preProvisioningHook: { payloadVersion: '2020-04-01', targetArn: arn } });
    },
    finds:
      /^provisioning templates: firstlight-local-claim: its hook is .*:firstlight-local-openapi, not .*:firstlight-local-provisioningHook$/,
  },
  'a template with another body': {
    breaks: async () => {
      const described = await clients.iot.send(
        new iot.DescribeProvisioningTemplateCommand({ templateName: claimTemplate }),
      );
      const templateBody = (described.templateBody ?? '').replace('"EXCLUSIVE_THING"', '"NON_EXCLUSIVE_THING"');
      const version = { templateName: claimTemplate, templateBody, setAsDefault: true };
      await clients.iot.send(new iot.CreateProvisioningTemplateVersionCommand(version));
    },
    finds: /^provisioning templates: firstlight-local-claim: its default version 2 is not the body that was deployed$/,
  },
  'a template with another role': {
    breaks: async () => {
      const { Role } = await clients.iam.send(new GetRoleCommand({ RoleName: cameraRole }));
      await updateTemplate({ provisioningRoleArn: Role?.Arn });
    },
    finds: /^provisioning templates: firstlight-local-claim: its provisioning role is .*ThingNameCameraRole/,
  },
  'a template deleted': {
    breaks: () => clients.iot.send(new iot.DeleteProvisioningTemplateCommand({ templateName: claimTemplate })),
    finds: /^provisioning templates: firstlight-local-claim: there is no such template$/,
  },
  'the hook permission removed': {
    breaks: () => clients.lambda.send(new RemovePermissionCommand({ FunctionName: hook, StatementId: hookPermission })),
    finds:
      /^permissions: firstlight-local-provisioningHook: iot.amazonaws.com may not call it for arn:aws:iot:.*:provisioningtemplate\/firstlight-local-claim$/,
  },
  'the hook permission without account and source': {
    async breaks() {
      await clients.lambda.send(new RemovePermissionCommand({ FunctionName: hook, StatementId: hookPermission }));
      const open = { FunctionName: hook, StatementId: hookPermission, Principal: 'iot.amazonaws.com' };
      await clients.lambda.send(new AddPermissionCommand({ ...open, Action: 'lambda:InvokeFunction' }));
    },
    finds: /^permissions: firstlight-local-provisioningHook: iot.amazonaws.com may not call it for /,
    also: [
      /^permissions: firstlight-local-provisioningHook: others may call it: it allows lambda:InvokeFunction by iot.amazonaws.com/,
    ],
  },
  'no execution left to the hook': {
    breaks: () =>
      clients.lambda.send(new PutFunctionConcurrencyCommand({ FunctionName: hook, ReservedConcurrentExecutions: 0 })),
    finds: /^functions: firstlight-local-provisioningHook: none of it may run: 0 executions are reserved for it$/,
  },
  'a variable of the hook changed': {
    async breaks() {
      const { Environment } = await clients.lambda.send(new GetFunctionConfigurationCommand({ FunctionName: hook }));
      const Variables = { ...Environment?.Variables, OPEN_CLAIMS: 'true' };
      await clients.lambda.send(
        new UpdateFunctionConfigurationCommand({ FunctionName: hook, Environment: { Variables } }),
      );
    },
    finds: /^functions: firstlight-local-provisioningHook: not as deployed: its variables OPEN_CLAIMS$/,
  },
  'the time to live of the claims switched off': {
    breaks: () =>
      clients.dynamoDb.send(
        new UpdateTimeToLiveCommand({
          TableName: output('ClaimsTableName'),
          TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: false },
        }),
      ),
    finds: /^tables: firstlight-local-claims \(time to live\): what should end by itself is kept for ever$/,
  },
  'the stream of the devices switched off': {
    breaks: () =>
      clients.dynamoDb.send(
        new UpdateTableCommand({
          TableName: output('DevicesTableName'),
          StreamSpecification: { StreamEnabled: false },
        }),
      ),
    finds: /^tables: firstlight-local-devices: its stream is switched off: nothing is counted or told$/,
  },
  'the provisioning role without its policy': {
    breaks: () =>
      clients.iam.send(
        new DetachRolePolicyCommand({
          RoleName: provisioningRole,
          PolicyArn: 'arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration',
        }),
      ),
    finds:
      /^roles: firstlight-local-ProvisioningRole-.*: arn:aws:iam::aws:policy\/service-role\/AWSIoTThingsRegistration is not attached to it$/,
  },
  'the provisioning role trusting nobody of AWS IoT': {
    breaks: () => changeTrust(provisioningRole, (text) => text.replace('"iot.amazonaws.com"', '"ec2.amazonaws.com"')),
    finds:
      /^roles: firstlight-local-ProvisioningRole-.*: its trust policy is not the template's: it does not allow sts:AssumeRole by iot.amazonaws.com if aws:SourceAccount StringEquals 000000000000 and aws:SourceArn ArnEquals /,
  },
  'the hook without kinesisvideo:CreateStream': {
    breaks: () =>
      changeInline(nameOf('ProvisioningHookIamRoleLambdaExecution'), (text) =>
        text.replace('"kinesisvideo:CreateStream",', ''),
      ),
    finds:
      /^roles: firstlight-local-provisioningHook-.*: its policy firstlight-local-lambda is not the template's: it does not allow kinesisvideo:CreateStream on /,
  },
  'a thing type deprecated': {
    breaks: () =>
      clients.iot.send(new iot.DeprecateThingTypeCommand({ thingTypeName: nameOf('CertificateIdThingType') })),
    finds: /^thing types: firstlight-local-certificate-id: it is deprecated: no new thing can have it$/,
  },
  'a role alias of another role': {
    async breaks() {
      const { Role } = await clients.iam.send(new GetRoleCommand({ RoleName: nameOf('FixedCameraRole') }));
      await updateAlias({ roleArn: Role?.Arn });
    },
    finds:
      /^role aliases: firstlight-local-thing-name: it gives credentials of .*FixedCameraRole-.*, not of .*ThingNameCameraRole-/,
  },
  'a role alias deleted': {
    breaks: () => clients.iot.send(new iot.DeleteRoleAliasCommand({ roleAlias: alias })),
    finds: /^role aliases: firstlight-local-thing-name: there is no such role alias$/,
  },
  'a role alias that asks for too long': {
    breaks: () => updateAlias({ credentialDurationSeconds: 43_200 }),
    finds: /^role aliases: firstlight-local-thing-name: its credentials live 43200 s, not 3600$/,
    also: [
      /^role aliases: .*: it asks for 43200 s, and its role allows 3600: the credential provider refuses every camera$/,
    ],
  },
  'a camera role without its variable': {
    breaks: () =>
      changeInline(cameraRole, (text) => text.replaceAll(`stream/${'$'}{credentials-iot:ThingName}/*`, 'stream/*')),
    finds:
      /^camera roles: firstlight-local-ThingNameCameraRole-.*: its policy stream is not the template's: it does not allow kinesisvideo:DescribeStream, kinesisvideo:PutMedia, kinesisvideo:TagStream, kinesisvideo:GetDataEndpoint on .*stream\/\$\{credentials-iot:ThingName\}\/\* if credentials-iot:ThingTypeName StringEquals firstlight-local-thing-name; it allows .* on .*stream\/\* if /,
  },
  'a camera role without the thing type': {
    async breaks() {
      const { PolicyName, document } = await inlineOf(cameraRole);
      const Statement = [document.Statement].flat().map(({ Condition: _, ...open }) => open);
      const PolicyDocument = JSON.stringify({ ...document, Statement });
      await clients.iam.send(new PutRolePolicyCommand({ RoleName: cameraRole, PolicyName, PolicyDocument }));
    },
    finds:
      /^camera roles: firstlight-local-ThingNameCameraRole-.*: it does not allow .* if credentials-iot:ThingTypeName StringEquals firstlight-local-thing-name; /,
  },
  'a camera role that the credential provider may not assume': {
    breaks: () => changeTrust(cameraRole, (text) => text.replace('credentials.iot.amazonaws.com', 'iot.amazonaws.com')),
    finds:
      /^camera roles: firstlight-local-ThingNameCameraRole-.*: its trust policy is not the template's: it does not allow sts:AssumeRole by credentials.iot.amazonaws.com if /,
  },
  'a camera role that any account may be confused into': {
    breaks: () =>
      changeTrust(cameraRole, (text) => {
        const { Statement, ...document } = JSON.parse(text);
        const [{ Condition: _, ...open }] = [Statement].flat();
        return JSON.stringify({ ...document, Statement: [open] });
      }),
    finds:
      /^camera roles: firstlight-local-ThingNameCameraRole-.*; it allows sts:AssumeRole by credentials.iot.amazonaws.com, which the template does not$/,
  },
  'a camera role with more than the template says': {
    async breaks() {
      const PolicyArn = 'arn:aws:iam::aws:policy/AdministratorAccess';
      await clients.iam.send(new AttachRolePolicyCommand({ RoleName: cameraRole, PolicyArn }));
      const PolicyDocument = JSON.stringify({
        Version: '2012-10-17',
        Statement: [statement('kinesisvideo:*', '*')],
      });
      await clients.iam.send(new PutRolePolicyCommand({ RoleName: cameraRole, PolicyName: 'more', PolicyDocument }));
    },
    finds:
      /^camera roles: .*: arn:aws:iam::aws:policy\/AdministratorAccess is attached to it, which the template does not say$/,
    also: [/^camera roles: .*: it has a policy more, which the template does not say$/],
  },
  'a camera role that denies everything': {
    breaks: () =>
      clients.iam.send(
        new PutRolePolicyCommand({
          RoleName: cameraRole,
          PolicyName: 'denied-certificates',
          PolicyDocument: JSON.stringify({
            Version: '2012-10-17',
            Statement: [
              { Effect: 'Deny', Action: '*', Resource: '*', Condition: { StringLike: { 'aws:userid': ['*'] } } },
            ],
          }),
        }),
      ),
    finds: /^camera roles: .*: it has a policy denied-certificates, which the template does not say$/,
  },
  'the provisioning role denied something': {
    breaks: () =>
      clients.iam.send(
        new PutRolePolicyCommand({
          RoleName: provisioningRole,
          PolicyName: 'less',
          PolicyDocument: JSON.stringify({
            Version: '2012-10-17',
            Statement: [{ Effect: 'Deny', Action: 'iot:CreateThing', Resource: '*' }],
          }),
        }),
      ),
    finds: /^roles: firstlight-local-ProvisioningRole-.*: it has a policy less, which the template does not say$/,
  },
  'the fixed stream keeping nothing': {
    async breaks() {
      const stream = await streamOf();
      await clients.kinesisVideo.send(
        new UpdateDataRetentionCommand({
          StreamName: streamName,
          CurrentVersion: stream?.Version,
          Operation: 'DECREASE_DATA_RETENTION',
          DataRetentionChangeInHours: stream?.DataRetentionInHours,
        }),
      );
      await until('the stream to be ACTIVE', async () => (await streamOf())?.Status === 'ACTIVE');
    },
    finds: /^fixed stream: firstlight-local-fixed: it keeps nothing: no fragment is ever PERSISTED$/,
  },
  'the fixed stream deleted': {
    async breaks() {
      const stream = await streamOf();
      await clients.kinesisVideo.send(new DeleteStreamCommand({ StreamARN: stream?.StreamARN }));
      await until('the stream to be gone', () =>
        streamOf().then(
          () => false,
          ({ name }) => name === 'ResourceNotFoundException',
        ),
      );
    },
    finds: /^fixed stream: firstlight-local-fixed: there is no such stream$/,
  },
  'the presence rule disabled': {
    breaks: () => clients.iot.send(new iot.DisableTopicRuleCommand({ ruleName: nameOf('OnPresenceIotTopicRule1') })),
    finds: /^presence rule: firstlight_local_OnPresence.*: it is disabled: no camera becomes active by MQTT$/,
  },
  'the presence rule deleted': {
    breaks: () => clients.iot.send(new iot.DeleteTopicRuleCommand({ ruleName: nameOf('OnPresenceIotTopicRule1') })),
    finds: /^presence rule: firstlight_local_OnPresence.*: there is no such rule$/,
  },
  'the presence rule asking for another topic': {
    async breaks() {
      const ruleName = nameOf('OnPresenceIotTopicRule1');
      const { rule } = await clients.iot.send(new iot.GetTopicRuleCommand({ ruleName }));
      const topicRulePayload = { sql: "SELECT * FROM 'nowhere'", actions: rule?.actions ?? [] };
      await clients.iot.send(new iot.ReplaceTopicRuleCommand({ ruleName, topicRulePayload }));
    },
    finds: /^presence rule: firstlight_local_OnPresence.*: its SQL or its actions are not those that were deployed$/,
  },
  'an event source disabled': {
    breaks: () =>
      clients.lambda.send(
        new UpdateEventSourceMappingCommand({
          UUID: nameOf('OnDeviceChangeEventSourceMappingDynamodbDevicesTable'),
          Enabled: false,
        }),
      ),
    finds: /^event sources: OnDeviceChange.*: it is Disabled: nothing is counted or told$/,
  },
  'the schedule disabled': {
    breaks: () => clients.eventBridge.send(new DisableRuleCommand({ Name: nameOf('ReconcileEventsRuleSchedule1') })),
    finds: /^schedules: firstlight-local-reconcile: it is DISABLED$/,
  },
  'the schedule deleted': {
    async breaks() {
      const Name = nameOf('ReconcileEventsRuleSchedule1');
      await clients.eventBridge.send(new RemoveTargetsCommand({ Rule: Name, Ids: ['reconcileSchedule'] }));
      await clients.eventBridge.send(new DeleteRuleCommand({ Name }));
    },
    finds: /^schedules: firstlight-local-reconcile: there is no such rule$/,
    also: [/^schedules: firstlight-local-reconcile: it does not call arn:aws:lambda:.*:firstlight-local-reconcile$/],
  },
  'the API unable to call a function': {
    breaks: () =>
      clients.lambda.send(
        new RemovePermissionCommand({
          FunctionName: nameOf('OpenapiLambdaFunction'),
          StatementId: nameOf('OpenapiLambdaPermissionHttpApi'),
        }),
      ),
    finds: /^permissions: firstlight-local-openapi: apigateway.amazonaws.com may not call it for /,
    also: [/^API: http:.*: the API cannot do it now: GET \/openapi.json: 500 Internal Server Error$/],
  },
};

async function functionArn(FunctionName: string): Promise<string | undefined> {
  return (await clients.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }))).FunctionArn;
}

describe('what is broken', () => {
  beforeEach(async () => {
    clients = awsClients(outputs, outputs.personas.admin);
    await tellStandIn(outputs.aws, 'reset');
  });

  test.each(Object.entries(BREAKAGES))('%s is found, and mended', async (_, { breaks, finds, also = [], byHand }) => {
    await breaks();
    const found = await doctor.examine();
    expect(found).toMatchObject({ code: 1, stderr: '' });
    const [first = '', ...others] = found.broken;
    expect(first).toMatch(finds);
    expect(others).toEqual(also.map((one) => expect.stringMatching(one)));

    if (byHand) {
      expect(found.remedies.map(({ command, call }) => ({ command, call }))).toEqual([
        { command: expect.stringMatching(byHand), call: undefined },
      ]);
      return;
    }
    const mended = await doctor.mends(found);
    expect({ code: mended.code, broken: mended.broken }).toEqual({ code: 0, broken: [] });
  });

  test('is told first, with the command that mends it', async () => {
    await updateTemplate({ enabled: false });
    await clients.iot.send(new iot.DisableTopicRuleCommand({ ruleName: nameOf('OnPresenceIotTopicRule1') }));
    const { code, stdout } = await doctor.says();
    expect(code).toBe(1);
    expect(stdout).toMatch(/^broken +provisioning templates +firstlight-local-claim: it is disabled/m);
    expect(stdout).toMatch(/^broken +presence rule +firstlight_local_OnPresence/m);
    expect(stdout.slice(stdout.indexOf('Broken first'))).toBe(
      `Broken first: provisioning templates: firstlight-local-claim: it is disabled: no camera can claim through it
Mend it with:

  aws iot update-provisioning-template --template-name firstlight-local-claim --enabled

`,
    );
  });
});
