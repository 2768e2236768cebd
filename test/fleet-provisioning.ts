import {
  AttachRolePolicyCommand,
  CreateRoleCommand,
  DeleteRoleCommand,
  DetachRolePolicyCommand,
} from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { expect } from 'vitest';
import { type Pending, registerThing, takeCertificate } from './camera-claim.ts';
import { cloud, eventually, mqttDoor, PREFIX, settings, undo, unique } from './cloud.ts';
import type { Held } from './device-key.ts';
import { connectDevice, type MqttDevice } from './mqtt-device.ts';
import type { Statement } from './policy-cuts.ts';

/** What MQTT and fleet provisioning need on a cloud, made for one test file and taken back after it: certificates, policies, roles, templates. */

export type Made = Held & { certificateId: string; certificateArn: string };

/** `…:topic/a` for `topic/a`, in the caller's account. */
export async function iotArns(): Promise<(resource: string) => string> {
  const { Arn = '', Account } = await cloud.sts.send(new GetCallerIdentityCommand({}));
  return (resource) => `arn:${Arn.split(':')[1]}:iot:${settings.region}:${Account}:${resource}`;
}

export async function makePolicy(what: string, statements: Omit<Statement, 'Effect'>[]): Promise<string> {
  const policyName = unique(what);
  const Statement = statements.map((statement) => ({ Effect: 'Allow', ...statement }));
  const policyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
  await cloud.iot.send(new iot.CreatePolicyCommand({ policyName, policyDocument }));
  undoPolicy(policyName);
  return policyName;
}

export function undoPolicy(policyName: string): void {
  undo(`policy ${policyName}`, async () => {
    const { targets = [] } = await cloud.iot.send(new iot.ListTargetsForPolicyCommand({ policyName }));
    for (const target of targets) await cloud.iot.send(new iot.DetachPolicyCommand({ policyName, target }));
    await eventually(() => cloud.iot.send(new iot.DeletePolicyCommand({ policyName })), { onAwsMs: 360_000 });
  });
}

/** A certificate with its key, as an operator makes one. */
export async function makeCertificate(policyName: string): Promise<Made> {
  const made = await cloud.iot.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: true }));
  const { certificateId = '', certificateArn = '', certificatePem = '', keyPair } = made;
  undoCertificate(certificateId);
  await cloud.iot.send(new iot.AttachPolicyCommand({ policyName, target: certificateArn }));
  return { certificateId, certificateArn, certificatePem, privateKeyPem: keyPair?.PrivateKey ?? '' };
}

/** With all that hangs on it by then. */
export function undoCertificate(certificateId: string): void {
  undo(`certificate ${certificateId}`, async () => {
    const { certificateArn: principal = '', status } = await describeCertificate(certificateId);
    const { things = [] } = await cloud.iot.send(new iot.ListPrincipalThingsCommand({ principal }));
    for (const thingName of things) {
      await cloud.iot.send(new iot.DetachThingPrincipalCommand({ thingName, principal }));
    }
    if (status === 'ACTIVE') {
      await cloud.iot.send(new iot.UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
    }
    await eventually(() => cloud.iot.send(new iot.DeleteCertificateCommand({ certificateId, forceDelete: true })));
  });
}

/** A name for a thing that is to be made, before the certificate that it will get: what was made last is taken back first. */
export function newThing(): string {
  const thingName = unique('thing');
  undo(`thing ${thingName}`, () => eventually(() => cloud.iot.send(new iot.DeleteThingCommand({ thingName }))));
  return thingName;
}

export async function describeCertificate(certificateId: string) {
  const { certificateDescription = {} } = await cloud.iot.send(new iot.DescribeCertificateCommand({ certificateId }));
  return certificateDescription;
}

async function makeProvisioningRole(): Promise<string> {
  const RoleName = unique('role');
  const AssumeRolePolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'iot.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  });
  const { Role } = await cloud.iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
  undo(`role ${RoleName}`, () => cloud.iam.send(new DeleteRoleCommand({ RoleName })));
  const managed = { RoleName, PolicyArn: 'arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration' };
  await cloud.iam.send(new AttachRolePolicyCommand(managed));
  undo('managed policy', () => cloud.iam.send(new DetachRolePolicyCommand(managed)));
  return Role?.Arn ?? '';
}

export interface Fleet {
  door: Awaited<ReturnType<typeof mqttDoor>>;
  claim: Made;
  claimPolicyName: string;
  /** What the templates give a device: its own topics, `<thing name>/…`. */
  devicePolicyName: string;
  /** Makes a template; without `enabled` it is enabled. */
  makeTemplate(body: object, more?: Partial<iot.CreateProvisioningTemplateCommandInput>): Promise<string>;
  /** A session with the claim certificate, under a client id that nobody else has. */
  openClaim(who?: { held?: Held; clientId?: string; protocolVersion?: 4 | 5 }): Promise<MqttDevice>;
}

/**
 * A claim certificate, a device policy, and templates for them. Resolves when one whole claim has gone through: an account takes its time until
 * IoT may assume a new role.
 */
export async function makeFleet(): Promise<Fleet> {
  const [door, arn, provisioningRoleArn] = await Promise.all([mqttDoor(), iotArns(), makeProvisioningRole()]);
  const fleet = ['$aws/certificates/create', `$aws/provisioning-templates/${PREFIX}t-`];
  const claimPolicyName = await makePolicy('claim', [
    { Action: 'iot:Connect', Resource: arn(`client/${PREFIX}*`) },
    { Action: ['iot:Publish', 'iot:Receive'], Resource: fleet.map((topic) => arn(`topic/${topic}*`)) },
    { Action: 'iot:Subscribe', Resource: fleet.map((topic) => arn(`topicfilter/${topic}*`)) },
  ]);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: AWS's policy variable.
  const own = '${iot:Connection.Thing.ThingName}';
  const devicePolicyName = await makePolicy('device', [
    {
      Action: 'iot:Connect',
      Resource: arn(`client/${own}`),
      Condition: { Bool: { 'iot:Connection.Thing.IsAttached': 'true' } },
    },
    { Action: ['iot:Publish', 'iot:Receive'], Resource: arn(`topic/${own}/*`) },
    { Action: 'iot:Subscribe', Resource: arn(`topicfilter/${own}/*`) },
  ]);
  const claim = await makeCertificate(claimPolicyName);

  const fleetOf: Fleet = {
    door,
    claim,
    claimPolicyName,
    devicePolicyName,
    async makeTemplate(body, more = {}) {
      const templateName = unique('t'); // at most 36 characters
      undo(`template ${templateName}`, () =>
        cloud.iot.send(new iot.DeleteProvisioningTemplateCommand({ templateName })),
      );
      const template = {
        templateName,
        templateBody: JSON.stringify(body),
        provisioningRoleArn,
        enabled: true,
        ...more,
      };
      await eventually(() => cloud.iot.send(new iot.CreateProvisioningTemplateCommand(template)));
      return templateName;
    },
    openClaim: ({ held = claim, clientId = unique('client'), protocolVersion = 5 } = {}) =>
      eventually(() => connectDevice(door, { held, clientId, protocolVersion })),
  };

  const templateName = await fleetOf.makeTemplate(templateBody({ devicePolicyName }));
  const thingName = newThing();
  const session = await fleetOf.openClaim();
  await eventually(async () => {
    const { outcome, content } = await register(session, templateName, { ThingName: thingName });
    expect(content, outcome).toMatchObject({ thingName });
  });
  await session.close();
  return fleetOf;
}

/** A template: a thing with one attribute, the certificate, its policy, and one word for the device. `more` is merged in, section by section. */
export function templateBody(
  { devicePolicyName }: Pick<Fleet, 'devicePolicyName'>,
  more: { parameters?: object; thing?: object; certificate?: object; resources?: object; configuration?: object } = {},
) {
  return {
    Parameters: {
      ThingName: { Type: 'String' },
      Colour: { Type: 'String', Default: 'grey' },
      'AWS::IoT::Certificate::Id': { Type: 'String' },
      ...more.parameters,
    },
    Resources: {
      thing: {
        Type: 'AWS::IoT::Thing',
        Properties: { ThingName: { Ref: 'ThingName' }, AttributePayload: { colour: { Ref: 'Colour' } } },
        ...more.thing,
      },
      certificate: {
        Type: 'AWS::IoT::Certificate',
        Properties: {
          CertificateId: { Ref: 'AWS::IoT::Certificate::Id' },
          Status: 'ACTIVE',
          ThingPrincipalType: 'EXCLUSIVE_THING',
        },
        ...more.certificate,
      },
      policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: devicePolicyName } },
      ...more.resources,
    },
    DeviceConfiguration: { colour: { Ref: 'Colour' }, ...more.configuration },
  };
}

/** CreateCertificateFromCsr, and the certificate is taken back at the end. */
export async function take(device: MqttDevice): Promise<Pending> {
  const pending = await takeCertificate(device);
  undoCertificate(pending.certificateId);
  return pending;
}

/** A new certificate and RegisterThing for it. */
export async function register(device: MqttDevice, templateName: string, parameters: Record<string, string>) {
  const pending = await take(device);
  const { outcome, content } = await registerThing(device, templateName, pending.ownershipToken, parameters);
  return { ...pending, outcome, content };
}

/** Nothing was registered: no thing, and a certificate that is still waiting. */
export async function expectNothingRegistered({
  thingName,
  certificateId,
}: {
  thingName: string;
  certificateId: string;
}) {
  await expect(cloud.iot.send(new iot.DescribeThingCommand({ thingName }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
  const { status, certificateArn: principal = '' } = await describeCertificate(certificateId);
  expect(status).toBe('PENDING_ACTIVATION');
  const { policies } = await cloud.iot.send(new iot.ListAttachedPoliciesCommand({ target: principal }));
  expect(policies).toEqual([]);
}
