import { EventEmitter } from 'node:events';
import type { Clock } from '../clock.ts';
import { type Context, evaluate, type PolicyDocument, parsePolicy } from '../policy.ts';
import { leftOf, noTies, type Ties, untieRight } from './ties.ts';

/**
 * What AWS IoT remembers: things, certificates, policies, role aliases, templates, rules. The doors of this folder (broker, provisioning,
 * credentials, control plane) read and write it and never each other; those that must react listen to it.
 */

export interface Thing {
  thingName: string;
  thingId: string;
  thingArn: string;
  thingTypeName?: string;
  billingGroupName?: string;
  attributes: Record<string, string>;
  version: number;
}

export interface ThingType {
  thingTypeName: string;
  thingTypeId: string;
  thingTypeArn: string;
  thingTypeProperties: { thingTypeDescription?: string; searchableAttributes?: string[] };
  creationDate: number;
  deprecationDate?: number;
}

export type CertificateStatus =
  | 'ACTIVE'
  | 'INACTIVE'
  | 'REVOKED'
  | 'PENDING_TRANSFER'
  | 'REGISTER_INACTIVE'
  | 'PENDING_ACTIVATION';

export interface Certificate {
  /** SHA-256 of the DER, 64 lower-case hex digits. */
  certificateId: string;
  certificateArn: string;
  certificatePem: string;
  caCertificateId?: string;
  status: CertificateStatus;
  certificateMode: 'DEFAULT' | 'SNI_ONLY';
  customerVersion: number;
  generationId: string;
  creationDate: number;
  lastModifiedDate: number;
  /** Only while PENDING_ACTIVATION: issued over MQTT, deleted an hour later unless RegisterThing came (IoT guide, "Device provisioning MQTT API"). */
  ownership?: { token: string; expiresAt: number };
  /** Made by CreateProvisioningClaim: opens only this template, is in no list, ends by itself (IoT guide, "Provisioning by trusted user"). */
  provisioningClaim?: { templateName: string; expiresAt: number };
}

export interface PolicyVersion {
  versionId: string;
  document: string;
  isDefaultVersion: boolean;
  createDate: number;
}

export interface Policy {
  policyName: string;
  policyArn: string;
  generationId: string;
  creationDate: number;
  lastModifiedDate: number;
  versions: PolicyVersion[];
  /** Ever rising, also past deleted versions. */
  lastVersion: number;
}

export interface RoleAlias {
  roleAlias: string;
  roleAliasArn: string;
  roleArn: string;
  credentialDurationSeconds: number;
  creationDate: number;
  lastModifiedDate: number;
}

export interface ProvisioningTemplate {
  templateName: string;
  templateArn: string;
  description?: string;
  type: 'FLEET_PROVISIONING' | 'JITP';
  enabled: boolean;
  provisioningRoleArn: string;
  preProvisioningHook?: { payloadVersion: string; targetArn: string };
  creationDate: number;
  lastModifiedDate: number;
  defaultVersionId: number;
  lastVersionId: number;
  versions: Map<number, { templateBody: string; creationDate: number }>;
}

export interface TopicRule {
  ruleName: string;
  ruleArn: string;
  sql: string;
  awsIotSqlVersion: string;
  description?: string;
  actions: Record<string, Record<string, unknown>>[];
  errorAction?: Record<string, Record<string, unknown>>;
  ruleDisabled: boolean;
  createdAt: number;
}

export type ThingPrincipalType = 'EXCLUSIVE_THING' | 'NON_EXCLUSIVE_THING';

interface State {
  things: Map<string, Thing>;
  thingTypes: Map<string, ThingType>;
  certificates: Map<string, Certificate>;
  policies: Map<string, Policy>;
  roleAliases: Map<string, RoleAlias>;
  templates: Map<string, ProvisioningTemplate>;
  rules: Map<string, TopicRule>;
  /** Thing names and the principal ARNs attached to them. */
  attachments: Ties<ThingPrincipalType>;
  /** Policy names and the certificate ARNs that they are attached to. */
  policyTargets: Ties<true>;
  eventConfigurations: Record<string, { Enabled: boolean }>;
}

interface Changes {
  /** The certificate's status, or whether it exists, is another than before. */
  certificate: [certificateId: string];
}

export interface Registry extends State {
  region: string;
  accountId: string;
  changes: EventEmitter<Changes>;
  /** `arn('thing/x')` → `arn:aws:iot:<region>:<account>:thing/x` */
  arn(resource: string): string;
  /** The certificate as it stands now; one whose hour is over is gone. */
  certificate(certificateId: string): Certificate | undefined;
  /** Every certificate that is still there, claim certificates of trusted users included. */
  livingCertificates(): Certificate[];
  /** Stores it under its id and tells of the change. */
  putCertificate(certificate: Certificate): void;
  deleteCertificate(certificateId: string): void;
  /** The default versions of all policies attached to a certificate. */
  policiesOf(certificateId: string): PolicyDocument[];
  /**
   * The thing a connection stands for: an exclusively attached one whatever the client id, else the attached one of that name
   * (IoT guide, "Exclusive thing", "Thing policy variables").
   */
  thingOf(certificateId: string, clientId: string): { thing: Thing; type: ThingPrincipalType } | undefined;
  /** Names of the things a certificate is attached to. */
  thingsOf(certificateId: string): { thingName: string; type: ThingPrincipalType }[];
  /** Does an IoT policy of this certificate allow it? `context` holds `iot:ClientId`, `iot:Connection.Thing.ThingName` … */
  allows(certificateId: string, action: string, resource: string, context: Context): boolean;
  snapshot(): unknown;
  restore(snapshot: unknown): void;
}

const emptyState = (): State => ({
  things: new Map(),
  thingTypes: new Map(),
  certificates: new Map(),
  policies: new Map(),
  roleAliases: new Map(),
  templates: new Map(),
  rules: new Map(),
  attachments: noTies(),
  policyTargets: noTies(),
  eventConfigurations: {},
});

type Options = Pick<Registry, 'region' | 'accountId'> & { clock: Clock };

export function createRegistry({ clock, region, accountId }: Options): Registry {
  const changes = new EventEmitter<Changes>();
  const certificateArn = (certificateId: string) => registry.arn(`cert/${certificateId}`);

  const registry: Registry = {
    ...emptyState(),
    region,
    accountId,
    changes,

    arn: (resource) => `arn:aws:iot:${region}:${accountId}:${resource}`,

    certificate(certificateId) {
      const certificate = registry.certificates.get(certificateId);
      const end = certificate?.ownership?.expiresAt ?? certificate?.provisioningClaim?.expiresAt;
      if (end !== undefined && end <= clock.now()) {
        registry.deleteCertificate(certificateId);
        return undefined;
      }
      return certificate;
    },

    livingCertificates() {
      return [...registry.certificates.keys()].flatMap((id) => registry.certificate(id) ?? []);
    },

    putCertificate(certificate) {
      registry.certificates.set(certificate.certificateId, certificate);
      changes.emit('certificate', certificate.certificateId);
    },

    deleteCertificate(certificateId) {
      const arn = certificateArn(certificateId);
      registry.certificates.delete(certificateId);
      untieRight(registry.policyTargets, arn);
      untieRight(registry.attachments, arn);
      changes.emit('certificate', certificateId);
    },

    policiesOf(certificateId) {
      return [...leftOf(registry.policyTargets, certificateArn(certificateId)).keys()]
        .flatMap((name) => registry.policies.get(name)?.versions.filter((version) => version.isDefaultVersion) ?? [])
        .map((version) => parsePolicy(version.document));
    },

    thingsOf(certificateId) {
      const things = leftOf(registry.attachments, certificateArn(certificateId));
      return [...things].map(([thingName, type]) => ({ thingName, type }));
    },

    thingOf(certificateId, clientId) {
      const attached = registry.thingsOf(certificateId);
      const found =
        attached.find(({ type }) => type === 'EXCLUSIVE_THING') ??
        attached.find(({ thingName }) => thingName === clientId);
      const thing = found && registry.things.get(found.thingName);
      return found && thing ? { thing, type: found.type } : undefined;
    },

    allows(certificateId, action, resource, context) {
      return evaluate(registry.policiesOf(certificateId), { action, resource, context }) === 'allowed';
    },

    snapshot() {
      const state = Object.fromEntries(Object.keys(emptyState()).map((key) => [key, registry[key as keyof State]]));
      return structuredClone(state);
    },

    restore(snapshot) {
      Object.assign(registry, structuredClone(snapshot as State));
    },
  };
  return registry;
}
