import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Identities, Identity } from '../iam/identities.ts';
import { CERTIFICATE_ID, type Evaluated, evaluateTemplate, parseTemplate, type Resource } from './grammar.ts';
import type { Issuer } from './issuer.ts';
import { createNeeds } from './needs.ts';
import { type Allow, certificateSteps, type Step, thingSteps } from './overrides.ts';
import { checkDocument, checkPolicyCount, createPolicy, existingPolicy } from './policies.ts';
import { invalid } from './refusals.ts';
import type { Certificate, Registry } from './registry.ts';
import { checkAttachment } from './thing-principals.ts';
import { tie } from './ties.ts';

export interface ProvisionRequest {
  /** The template's body. */
  template: string;
  /** Both of a fleet provisioning template: its role does the work. */
  templateArn?: string;
  roleArn?: string;
  /** Of RegisterThing over HTTP: whoever called does the work. */
  caller?: Identity;
  parameters: Record<string, string>;
  /** Of RegisterThing over MQTT: the only certificate that the template may touch. */
  certificate?: Certificate;
}

export interface Provisioned {
  /** Absent when the template has no thing. */
  thingName?: string;
  deviceConfiguration: Record<string, string>;
  /** By logical name. */
  resourceArns: Record<string, string>;
  certificatePem: string;
}

export type Provision = (request: ProvisionRequest) => Promise<Provisioned>;

interface ProvisionDeps {
  registry: Registry;
  identities: Identities;
  clock: Clock;
  issuer: Issuer;
}

/**
 * Makes what a template says. Everything is evaluated, checked and authorised first; only then is the first thing written, so that a refusal
 * leaves nothing behind. Throws AwsError.
 */
export function createProvision(deps: ProvisionDeps): Provision {
  const { registry, identities, clock } = deps;
  const needs = createNeeds(registry);

  return async (request) => {
    const { resources, deviceConfiguration } = evaluated(request);
    const actor = actorOf(request, deps);
    /** Every inner action is one of the provisioning role's (IoT guide, "Provisioning devices": AWSIoTThingsRegistration). */
    const allow = (operation: string, input: Record<string, unknown>) => {
      identities.authorize(actor, needs(operation, input));
    };
    const entries = Object.entries(resources);
    const resourceArns: Record<string, string> = {};
    const steps: Step[] = [];

    let certificate: Certificate | undefined;
    for (const [name, resource] of entries) {
      if (resource.Type !== 'AWS::IoT::Certificate') continue;
      const made = await certificateSteps(resource, request.certificate, { ...deps, allow });
      certificate = made.certificate;
      steps.push(...made.steps);
      resourceArns[name] = certificate.certificateArn;
    }

    let thingName: string | undefined;
    for (const [name, resource] of entries) {
      if (resource.Type !== 'AWS::IoT::Thing') continue;
      thingName = resource.Properties.ThingName;
      steps.push(...thingSteps(resource, { registry, allow }));
      resourceArns[name] = registry.arn(`thing/${thingName}`);
    }
    if (certificate && thingName !== undefined) {
      steps.push(attachmentStep(certificate, thingName, entries, registry, allow));
    }

    const policyNames: string[] = [];
    for (const [name, resource] of entries) {
      if (resource.Type !== 'AWS::IoT::Policy' || !certificate) continue;
      const { policyName, steps: made } = policySteps(resource, certificate, { registry, clock, allow });
      policyNames.push(policyName);
      steps.push(...made);
      resourceArns[name] = registry.arn(`policy/${policyName}`);
    }
    if (certificate) checkPolicyCount(registry, certificate, policyNames);

    for (const step of steps) step();
    return {
      ...(thingName !== undefined && { thingName }),
      deviceConfiguration,
      resourceArns,
      certificatePem: (certificate ?? request.certificate)?.certificatePem ?? '',
    };
  };
}

function evaluated({ template, parameters, certificate }: ProvisionRequest): Evaluated {
  try {
    const { [CERTIFICATE_ID]: named, ...others } = parameters;
    // Over MQTT the pseudo parameter is ours: whatever the device sends under its name counts for nothing.
    const id = certificate ? certificate.certificateId : named;
    return evaluateTemplate(parseTemplate(template), { ...others, ...(id !== undefined && { [CERTIFICATE_ID]: id }) });
  } catch (error) {
    throw invalid((error as Error).message);
  }
}

function actorOf(
  { roleArn, templateArn, caller }: ProvisionRequest,
  { registry, identities }: ProvisionDeps,
): Identity {
  if (caller) return caller;
  if (roleArn === undefined) throw invalid('The template has no provisioning role.');
  try {
    return identities.assumeRole({
      roleArn,
      principal: { Service: 'iot.amazonaws.com' },
      sessionName: 'fleet-provisioning',
      durationSeconds: 900,
      // IoT guide, "Cross-service confused deputy prevention": SourceArn is the template's.
      trustContext: { 'aws:SourceArn': templateArn, 'aws:SourceAccount': registry.accountId },
    });
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw new AwsError(
      'AccessDeniedException',
      403,
      `AWS IoT cannot assume the provisioning role ${roleArn}: ${error.message}`,
    );
  }
}

function attachmentStep(
  certificate: Certificate,
  thingName: string,
  entries: [string, Resource][],
  registry: Registry,
  allow: Allow,
): Step {
  const resource = entries.map(([, entry]) => entry).find((entry) => entry.Type === 'AWS::IoT::Certificate');
  // "NON_EXCLUSIVE_THING … is the default value if not specified."
  const type = resource?.Properties.ThingPrincipalType ?? 'NON_EXCLUSIVE_THING';
  if (type !== 'EXCLUSIVE_THING' && type !== 'NON_EXCLUSIVE_THING')
    throw invalid(`Unknown ThingPrincipalType ${type}.`);
  allow('AttachThingPrincipal', { thingName, principal: certificate.certificateArn });
  checkAttachment(registry, certificate, thingName, type);
  return () => tie(registry.attachments, thingName, certificate.certificateArn, type);
}

function policySteps(
  { Properties: { PolicyName, PolicyDocument } }: Extract<Resource, { Type: 'AWS::IoT::Policy' }>,
  { certificateArn }: Certificate,
  { registry, clock, allow }: { registry: Registry; clock: Clock; allow: Allow },
): { policyName: string; steps: Step[] } {
  const steps: Step[] = [];
  // PolicyName "defaults to a hash of the policy document".
  const policyName =
    PolicyName ??
    createHash('sha256')
      .update(PolicyDocument ?? '')
      .digest('hex');
  if (PolicyDocument !== undefined) {
    checkDocument(PolicyDocument);
    allow('GetPolicy', { policyName });
    if (!registry.policies.has(policyName)) {
      allow('CreatePolicy', { policyName });
      steps.push(() => createPolicy({ registry, clock }, policyName, PolicyDocument));
    }
  }
  allow('AttachPolicy', { policyName, target: certificateArn });
  if (PolicyName !== undefined) existingPolicy(registry, policyName);
  steps.push(() => tie(registry.policyTargets, policyName, certificateArn, true));
  return { policyName, steps };
}
