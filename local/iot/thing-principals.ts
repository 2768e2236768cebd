import type { Operation } from '../service.ts';
import { byToken, pageOf } from './pages.ts';
import { checkOneOf, checkText, invalid, notFound } from './refusals.ts';
import type { Certificate, Registry, ThingPrincipalType } from './registry.ts';
import { existingThing } from './things.ts';
import { rightOf, tie, untie } from './ties.ts';

/** Which certificate is attached to which thing. */

const PRINCIPAL_TYPES: readonly ThingPrincipalType[] = ['EXCLUSIVE_THING', 'NON_EXCLUSIVE_THING'];

interface Asked {
  thingPrincipalType?: ThingPrincipalType;
  maxResults?: number;
  nextToken?: string;
}

export function thingPrincipalOperations({ registry }: { registry: Registry }): Record<string, Operation> {
  const principalsOf = (input: Asked & { thingName: string }) => {
    existingThing(registry, input.thingName);
    const attached = [...rightOf(registry.attachments, input.thingName)];
    const { items, next } = pageOf(
      attached.filter(([, type]) => (input.thingPrincipalType ?? type) === type),
      ([principal]) => principal,
      byToken(input),
    );
    return { principals: items.map(([principal, thingPrincipalType]) => ({ principal, thingPrincipalType })), next };
  };
  const thingsOf = (input: Asked & { principal: string }) => {
    const attached = registry.thingsOf(certificateAt(registry, input.principal).certificateId);
    const { items, next } = pageOf(
      attached.filter(({ type }) => (input.thingPrincipalType ?? type) === type),
      ({ thingName }) => thingName,
      byToken(input),
    );
    return { things: items.map(({ thingName, type }) => ({ thingName, thingPrincipalType: type })), next };
  };

  return {
    AttachThingPrincipal({ thingName, principal, thingPrincipalType = 'NON_EXCLUSIVE_THING' }) {
      const type = checkOneOf(thingPrincipalType, 'thingPrincipalType', PRINCIPAL_TYPES);
      existingThing(registry, thingName);
      const certificate = certificateAt(registry, principal);
      checkAttachment(registry, certificate, thingName, type);
      tie(registry.attachments, thingName, certificate.certificateArn, type);
      return {};
    },

    DetachThingPrincipal({ thingName, principal }) {
      existingThing(registry, thingName);
      const { certificateArn } = certificateAt(registry, principal);
      // Whether AWS minds that it was not attached is not documented; ResourceNotFoundException is modelled.
      if (!untie(registry.attachments, thingName, certificateArn)) {
        throw notFound(`Principal ${certificateArn} is not attached to thing ${thingName}`);
      }
      return {};
    },

    ListThingPrincipals(input) {
      const { principals, next } = principalsOf(input);
      return { principals: principals.map(({ principal }) => principal), nextToken: next };
    },

    ListThingPrincipalsV2(input) {
      const { principals, next } = principalsOf(input);
      return { thingPrincipalObjects: principals, nextToken: next };
    },

    ListPrincipalThings(input) {
      const { things, next } = thingsOf(input);
      return { things: things.map(({ thingName }) => thingName), nextToken: next };
    },

    ListPrincipalThingsV2(input) {
      const { things, next } = thingsOf(input);
      return { principalThingObjects: things, nextToken: next };
    },
  };
}

/** The certificate that an ARN names. One of CreateProvisioningClaim is no resource of the account: it is not found. */
export function certificateAt(registry: Registry, arn: unknown): Certificate {
  const [, certificateId = ''] =
    /^arn:aws[^:]*:iot:[^:]*:\d{12}:cert\/([0-9a-f]{64})$/.exec(checkText(arn, 'principal')) ?? [];
  if (certificateId === '') throw invalid(`Invalid principal: ${arn}`);
  const certificate = registry.certificate(certificateId);
  if (!certificate || certificate.certificateArn !== arn || certificate.provisioningClaim) {
    throw notFound(`The certificate given in the principal does not exist: ${arn}`);
  }
  return certificate;
}

/** "This certificate can only be associated with other things if you detach it from the exclusive thing" (IoT guide, "Exclusive thing"). */
export function checkAttachment(
  registry: Registry,
  { certificateId }: Pick<Certificate, 'certificateId'>,
  thingName: string,
  type: ThingPrincipalType,
): void {
  for (const attached of registry.thingsOf(certificateId)) {
    if (attached.thingName === thingName) continue;
    if (type === 'EXCLUSIVE_THING' || attached.type === 'EXCLUSIVE_THING') {
      throw invalid(`The principal is already attached to thing ${attached.thingName}`);
    }
  }
}
