import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Operation } from '../service.ts';
import { newCertificate } from './certificates.ts';
import { parseTemplate } from './grammar.ts';
import type { Issuer } from './issuer.ts';
import { byToken, pageOf } from './pages.ts';
import type { Provision } from './provision.ts';
import { alreadyExists, checkOneOf, checkText, invalid, notFound, ROLE_ARN, TEMPLATE_NAME } from './refusals.ts';
import type { ProvisioningTemplate, Registry } from './registry.ts';

/** IoT guide, "Provisioning by trusted user": the claim certificate "expires after five minutes". */
const CLAIM_LIFE_MS = 5 * 60_000;
/** General Reference: provisioning templates per account, not adjustable. */
const MOST_TEMPLATES = 256;
/** "The payload version of the target function. Currently, only 2020-04-01 is valid." */
const PAYLOAD_VERSIONS = ['2020-04-01'] as const;
const DESCRIPTION = { max: 500, min: 0 };
const TYPES = ['FLEET_PROVISIONING', 'JITP'] as const;
/** RegisterThing: keys and values of `parameters`. */
const PARAMETER_KEY = { max: 2048 };
const PARAMETER_VALUE = { max: 4096, min: 0 };

export interface TemplateDeps {
  registry: Registry;
  issuer: Issuer;
  clock: Clock;
  provision: Provision;
}

export function templateOperations({ registry, issuer, clock, provision }: TemplateDeps): Record<string, Operation> {
  return {
    CreateProvisioningTemplate(input) {
      const { templateName, templateBody, provisioningRoleArn, description, preProvisioningHook } = input;
      checkText(templateName, 'templateName', TEMPLATE_NAME);
      checkText(provisioningRoleArn, 'provisioningRoleArn', ROLE_ARN);
      if (description !== undefined) checkText(description, 'description', DESCRIPTION);
      const type = checkOneOf(input.type ?? 'FLEET_PROVISIONING', 'type', TYPES);
      checkBody(templateBody, type);
      const hook = preProvisioningHook && checkHook(preProvisioningHook, type);
      const existing = registry.templates.get(templateName);
      if (existing) {
        throw alreadyExists(`Provisioning template ${templateName} already exists`, templateName, existing.templateArn);
      }
      if (registry.templates.size >= MOST_TEMPLATES) {
        throw new AwsError('LimitExceededException', 410, `The maximum number of templates is ${MOST_TEMPLATES}`);
      }
      const now = clock.now();
      const template: ProvisioningTemplate = {
        templateName,
        templateArn: registry.arn(`provisioningtemplate/${templateName}`),
        ...(description !== undefined && { description }),
        type,
        // The API names no default; a template that must work says `enabled` (unverified on AWS).
        enabled: input.enabled ?? false,
        provisioningRoleArn,
        ...(hook && { preProvisioningHook: hook }),
        creationDate: now,
        lastModifiedDate: now,
        defaultVersionId: 1,
        lastVersionId: 1,
        versions: new Map([[1, { templateBody, creationDate: now }]]),
      };
      registry.templates.set(templateName, template);
      return { templateArn: template.templateArn, templateName, defaultVersionId: 1 };
    },

    DescribeProvisioningTemplate({ templateName }) {
      const { versions, lastVersionId: _last, ...template } = existingTemplate(registry, templateName);
      return {
        ...template,
        templateBody: versions.get(template.defaultVersionId)?.templateBody,
        creationDate: new Date(template.creationDate),
        lastModifiedDate: new Date(template.lastModifiedDate),
      };
    },

    ListProvisioningTemplates(input) {
      const { items, next } = pageOf(registry.templates.values(), (template) => template.templateName, byToken(input));
      const templates = items.map(({ templateName, templateArn, description, enabled, type, ...dates }) => ({
        templateName,
        templateArn,
        description,
        enabled,
        type,
        creationDate: new Date(dates.creationDate),
        lastModifiedDate: new Date(dates.lastModifiedDate),
      }));
      return { templates, nextToken: next };
    },

    UpdateProvisioningTemplate(input) {
      const { templateName, description, enabled, defaultVersionId, provisioningRoleArn, preProvisioningHook } = input;
      if (provisioningRoleArn !== undefined) checkText(provisioningRoleArn, 'provisioningRoleArn', ROLE_ARN);
      if (description !== undefined) checkText(description, 'description', DESCRIPTION);
      const { preProvisioningHook: former, ...template } = existingTemplate(registry, templateName);
      if (preProvisioningHook && input.removePreProvisioningHook) {
        throw invalid('Cannot set a pre-provisioning hook and remove it in one request.');
      }
      const hook = preProvisioningHook ? checkHook(preProvisioningHook, template.type) : former;
      if (defaultVersionId !== undefined) existingVersion(template, defaultVersionId);
      registry.templates.set(templateName, {
        ...template,
        ...(description !== undefined && { description }),
        enabled: enabled ?? template.enabled,
        defaultVersionId: defaultVersionId ?? template.defaultVersionId,
        provisioningRoleArn: provisioningRoleArn ?? template.provisioningRoleArn,
        ...(hook && !input.removePreProvisioningHook && { preProvisioningHook: hook }),
        lastModifiedDate: clock.now(),
      });
      return {};
    },

    DeleteProvisioningTemplate({ templateName }) {
      existingTemplate(registry, templateName);
      registry.templates.delete(templateName);
      return {};
    },

    async CreateProvisioningClaim({ templateName }) {
      existingTemplate(registry, templateName);
      const { keyPair, ...issued } = await issuer.withNewKeys();
      const expiresAt = clock.now() + CLAIM_LIFE_MS;
      const certificate = newCertificate({ registry, clock }, issued, 'ACTIVE');
      registry.putCertificate({ ...certificate, provisioningClaim: { templateName, expiresAt } });
      const { certificateId, certificatePem } = issued;
      return { certificateId, certificatePem, keyPair, expiration: new Date(expiresAt) };
    },

    async RegisterThing({ templateBody, parameters = {} }, { caller }) {
      checkText(templateBody, 'templateBody', { min: 0 });
      for (const [key, value] of Object.entries(parameters)) {
        checkText(key, 'parameters', PARAMETER_KEY);
        checkText(value, 'parameters', PARAMETER_VALUE);
      }
      const { certificatePem, resourceArns } = await provision({ template: templateBody, parameters, caller });
      return { certificatePem, resourceArns };
    },
  };
}

export function existingTemplate(registry: Registry, templateName: unknown): ProvisioningTemplate {
  const template = registry.templates.get(checkText(templateName, 'templateName', TEMPLATE_NAME));
  if (!template) throw notFound(`Provisioning template ${templateName} not found`);
  return template;
}

export function existingVersion(
  { templateName, versions }: Pick<ProvisioningTemplate, 'templateName' | 'versions'>,
  id: number,
) {
  const version = versions.get(id);
  if (!version) throw notFound(`Version ${id} of provisioning template ${templateName} not found`);
  return version;
}

export function checkBody(templateBody: unknown, type: ProvisioningTemplate['type']): void {
  const text = checkText(templateBody, 'templateBody', { min: 0 });
  let template: ReturnType<typeof parseTemplate>;
  try {
    template = parseTemplate(text);
  } catch (error) {
    throw invalid(`Invalid template body: ${(error as Error).message}`);
  }
  for (const { Type, Properties } of Object.values(template.Resources)) {
    // "Only certificate IDs can be used with a fleet provisioning template"; "You must use CertificateId" for JITP.
    if (Type === 'AWS::IoT::Certificate' && !('CertificateId' in Properties)) {
      throw invalid('Invalid template body: the certificate needs a CertificateId.');
    }
  }
  // "Fleet provisioning templates can contain a Mapping section and a DeviceConfiguration section."
  const ofFleet = Object.keys({ ...template.Mappings, ...template.DeviceConfiguration });
  if (type === 'JITP' && ofFleet.length > 0)
    throw invalid('Invalid template body: a JITP template has no such section.');
}

function checkHook(hook: { payloadVersion?: string; targetArn?: string }, type: ProvisioningTemplate['type']) {
  // preProvisioningHook: "Only template of type FLEET_PROVISIONING is allowed to use a pre-provisioning hook."
  if (type !== 'FLEET_PROVISIONING')
    throw invalid('Only a fleet provisioning template can have a pre-provisioning hook.');
  const payloadVersion = checkOneOf(
    hook.payloadVersion ?? PAYLOAD_VERSIONS[0],
    'preProvisioningHook.payloadVersion',
    PAYLOAD_VERSIONS,
  );
  const targetArn = checkText(hook.targetArn, 'preProvisioningHook.targetArn', {
    pattern: /^arn:aws[a-zA-Z-]*:lambda:.+$/,
    max: 2048,
  });
  return { payloadVersion, targetArn };
}
