import { createClock } from '../../local/clock.ts';
import { createIdentities } from '../../local/iam/identities.ts';
import { newCertificate } from '../../local/iot/certificates.ts';
import { createIssuer } from '../../local/iot/issuer.ts';
import { createPolicy } from '../../local/iot/policies.ts';
import { createProvision } from '../../local/iot/provision.ts';
import { type Certificate, createRegistry } from '../../local/iot/registry.ts';

export const accountId = '000000000000';
const clock = createClock();
const issuer = await createIssuer({ clock });
const roleArn = `arn:aws:iam::${accountId}:role/provisioning`;
export const DOCUMENT = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}';

/** What AWSIoTThingsRegistration allows, as far as these templates need it. */
export const ACTIONS = [
  'iot:DescribeCertificate',
  'iot:UpdateCertificate',
  'iot:DescribeThing',
  'iot:CreateThing',
  'iot:UpdateThing',
  'iot:AttachThingPrincipal',
  'iot:GetPolicy',
  'iot:CreatePolicy',
  'iot:AttachPolicy',
];

export interface Sections {
  thing?: object;
  overrides?: object;
  certificate?: object;
  resources?: object;
}

export const template = ({ thing = {}, overrides = {}, certificate = {}, resources = {} }: Sections = {}) =>
  JSON.stringify({
    Parameters: { SerialNumber: { Type: 'String' }, ThingTypeName: { Type: 'String', Default: 'thing-name' } },
    Resources: {
      thing: {
        Type: 'AWS::IoT::Thing',
        Properties: {
          ThingName: { Ref: 'SerialNumber' },
          ThingTypeName: { Ref: 'ThingTypeName' },
          AttributePayload: { serial: { Ref: 'SerialNumber' } },
          ...thing,
        },
        OverrideSettings: overrides,
      },
      certificate: {
        Type: 'AWS::IoT::Certificate',
        Properties: {
          CertificateId: { Ref: 'AWS::IoT::Certificate::Id' },
          ThingPrincipalType: 'EXCLUSIVE_THING',
          ...certificate,
        },
      },
      policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: 'camera' } },
      ...resources,
    },
    DeviceConfiguration: { stream: { Ref: 'SerialNumber' } },
  });

/** A registry with a policy and two thing types, and a role that may do what provisioning needs. */
export function provisioningWorld() {
  const registry = createRegistry({ clock, region: 'us-east-1', accountId });
  const identities = createIdentities({ clock, accountId });
  const provision = createProvision({ registry, identities, clock, issuer });

  function allowRole(actions: string[], condition: object = {}): void {
    const trust = {
      Effect: 'Allow',
      Principal: { Service: 'iot.amazonaws.com' },
      Action: 'sts:AssumeRole',
      Condition: condition,
    };
    identities.roles.set('provisioning', {
      arn: roleArn,
      path: '/',
      createDate: clock.now(),
      inline: new Map([
        [
          'all',
          JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: actions, Resource: '*' } }),
        ],
      ]),
      attached: new Set(),
      tags: new Map(),
      roleName: 'provisioning',
      roleId: 'AROAPROVISIONING',
      trustPolicy: JSON.stringify({ Version: '2012-10-17', Statement: trust }),
      maxSessionDuration: 3600,
    });
  }

  function addType(thingTypeName: string, deprecationDate?: number): void {
    registry.thingTypes.set(thingTypeName, {
      thingTypeName,
      thingTypeId: thingTypeName,
      thingTypeArn: registry.arn(`thingtype/${thingTypeName}`),
      thingTypeProperties: {},
      creationDate: clock.now(),
      ...(deprecationDate !== undefined && { deprecationDate }),
    });
  }

  /** As CreateKeysAndCertificate over MQTT leaves it. */
  async function pendingCertificate(): Promise<Certificate> {
    const certificate: Certificate = {
      ...newCertificate({ registry, clock }, await issuer.withNewKeys(), 'PENDING_ACTIVATION'),
      ownership: { token: 'token', expiresAt: clock.now() + 3_600_000 },
    };
    registry.putCertificate(certificate);
    return certificate;
  }

  const claim = (certificate: Certificate, sections: Sections = {}, parameters: Record<string, string> = {}) =>
    provision({
      template: template(sections),
      templateArn: registry.arn('provisioningtemplate/claim'),
      roleArn,
      parameters: { SerialNumber: 'CAM-1', ...parameters },
      certificate,
    });

  /** Everything that provisioning may change. */
  const world = () => structuredClone(registry.snapshot());

  allowRole(ACTIONS);
  createPolicy({ registry, clock }, 'camera', DOCUMENT);
  for (const thingTypeName of ['thing-name', 'fixed']) addType(thingTypeName);
  return { clock, issuer, registry, identities, provision, allowRole, addType, pendingCertificate, claim, world };
}
