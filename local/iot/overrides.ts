import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import { checkAttributeCount, checkAttributes, mergedAttributes } from './attributes.ts';
import { existingCertificate, newCertificate, setStatus } from './certificates.ts';
import type { CertificateProperties, Resource } from './grammar.ts';
import { certificateIdOf, type Issuer } from './issuer.ts';
import { invalid, notFound } from './refusals.ts';
import type { Certificate, Registry } from './registry.ts';
import { checkNewThing, checkThingType, createThing, type ThingWish, updateThing } from './things.ts';

/**
 * The thing and the certificate of a provisioning template, new or met again: "If a template specifies a resource that already exists, the
 * OverrideSettings section allows you to specify the action to take" (IoT guide, "Provisioning templates"). What AWS does when a setting is
 * left out is not documented; here it is DO_NOTHING.
 */

/** One change to the registry. All are decided before the first is made. */
export type Step = () => void;
/** Throws AwsError AccessDeniedException when whoever provisions may not do it. */
export type Allow = (operation: string, input: Record<string, unknown>) => void;

interface CertificateDeps {
  registry: Registry;
  issuer: Issuer;
  clock: Clock;
  allow: Allow;
}

export async function certificateSteps(
  { Properties, OverrideSettings }: Extract<Resource, { Type: 'AWS::IoT::Certificate' }>,
  claimed: Certificate | undefined,
  deps: CertificateDeps,
): Promise<{ certificate: Certificate; steps: Step[] }> {
  const { registry, clock, allow } = deps;
  // "Optional. String that can be ACTIVE or INACTIVE. Defaults to ACTIVE"; AWS's samples write `Active`.
  const status = (Properties.Status ?? 'ACTIVE').toUpperCase();
  if (status !== 'ACTIVE' && status !== 'INACTIVE') throw invalid(`Unknown certificate status ${Properties.Status}.`);
  if (Properties.CertificateSigningRequest !== undefined && !claimed) {
    allow('CreateCertificateFromCsr', {});
    const issued = await deps.issuer.fromCsr(Properties.CertificateSigningRequest);
    const certificate = newCertificate(deps, issued, status);
    return { certificate, steps: [() => registry.putCertificate(certificate)] };
  }

  const certificate = knownCertificate(Properties, claimed, deps);
  const pending = certificate.status === 'PENDING_ACTIVATION';
  if (!pending && OverrideSettings.Status === 'FAIL') throw conflict(`certificate ${certificate.certificateId}`);
  if (!pending && OverrideSettings.Status !== 'REPLACE') return { certificate, steps: [] };
  allow('UpdateCertificate', certificate as unknown as Record<string, unknown>);
  return { certificate, steps: [() => setStatus({ registry, clock }, certificate, status)] };
}

function knownCertificate(
  { CertificateId, CertificatePem }: CertificateProperties,
  claimed: Certificate | undefined,
  { registry, allow }: CertificateDeps,
): Certificate {
  // "Only certificate IDs can be used with a fleet provisioning template": the id of the certificate whose token came along.
  if (claimed && CertificateId !== claimed.certificateId) {
    throw invalid('CertificateId must be the certificate that is being provisioned.');
  }
  if (CertificateId !== undefined) {
    allow('DescribeCertificate', { certificateId: CertificateId });
    return existingCertificate(registry, CertificateId);
  }
  allow('RegisterCertificate', {});
  try {
    return existingCertificate(registry, certificateIdOf(CertificatePem ?? ''));
  } catch {
    const message = 'The CA certificate of the certificate is not registered.';
    throw new AwsError('CertificateValidationException', 400, message);
  }
}

export function thingSteps(
  { Properties, OverrideSettings }: Extract<Resource, { Type: 'AWS::IoT::Thing' }>,
  { registry, allow }: { registry: Registry; allow: Allow },
): Step[] {
  const {
    ThingName: thingName,
    ThingTypeName: thingTypeName,
    AttributePayload: attributes,
    ThingGroups: groups,
  } = Properties;
  allow('DescribeThing', { thingName });
  const existing = registry.things.get(thingName);
  // "The thing groups must exist before the new thing can be added to them": the stand-in has none, and no billing groups.
  if (groups?.[0] !== undefined && (!existing || (OverrideSettings.ThingGroups ?? 'DO_NOTHING') !== 'DO_NOTHING')) {
    throw notFound(`Thing group ${groups[0]} does not exist`);
  }
  if (!existing) {
    const wish: ThingWish = {
      thingName,
      thingTypeName,
      billingGroupName: Properties.BillingGroup,
      attributes: attributes ?? {},
    };
    allow('CreateThing', { thingName, billingGroupName: Properties.BillingGroup });
    checkNewThing(registry, wish);
    return [() => createThing(registry, wish)];
  }
  for (const property of ['AttributePayload', 'ThingTypeName'] as const) {
    if (Properties[property] !== undefined && OverrideSettings[property] === 'FAIL')
      throw conflict(`thing ${thingName}`);
  }
  const next = { thingTypeName: existing.thingTypeName, attributes: existing.attributes };
  if (thingTypeName !== undefined && OverrideSettings.ThingTypeName === 'REPLACE') next.thingTypeName = thingTypeName;
  if (
    attributes &&
    (OverrideSettings.AttributePayload === 'REPLACE' || OverrideSettings.AttributePayload === 'MERGE')
  ) {
    checkAttributes(attributes);
    next.attributes = mergedAttributes(existing.attributes, {
      attributes,
      merge: OverrideSettings.AttributePayload === 'MERGE',
    });
  }
  if (next.thingTypeName === existing.thingTypeName && next.attributes === existing.attributes) return [];
  allow('UpdateThing', { thingName });
  if (next.thingTypeName !== undefined && next.thingTypeName !== existing.thingTypeName) {
    checkThingType(registry, next.thingTypeName);
  }
  checkAttributeCount(next.attributes, next.thingTypeName);
  return [() => updateThing(registry, existing, next)];
}

/** "FAIL: Cause the request to fail with a ResourceConflictsException." */
const conflict = (what: string) => new AwsError('ResourceConflictsException', 409, `The ${what} already exists.`);
