import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { AwsError } from '../error.ts';
import type { Operation } from '../service.ts';
import { checkAttributeCount, checkAttributes, mergedAttributes } from './attributes.ts';
import { byToken, pageOf } from './pages.ts';
import { alreadyExists, checkText, invalid, notFound, THING_NAME } from './refusals.ts';
import type { Registry, Thing } from './registry.ts';
import { rightOf } from './ties.ts';

/** What a thing shall be, before it is known whether it may. */
export interface ThingWish {
  thingName: string;
  thingTypeName?: string | undefined;
  billingGroupName?: string | undefined;
  attributes: Record<string, string>;
}

export function thingOperations({ registry }: { registry: Registry }): Record<string, Operation> {
  return {
    CreateThing({ thingName, thingTypeName, billingGroupName, attributePayload }) {
      const attributes = attributePayload?.attributes ?? {};
      const wish: ThingWish = { thingName, thingTypeName, billingGroupName, attributes };
      checkNewThing(registry, wish);
      const { thingArn, thingId } = registry.things.get(thingName) ?? createThing(registry, wish);
      return { thingName, thingArn, thingId };
    },

    DescribeThing({ thingName }) {
      const thing = existingThing(registry, thingName);
      return { defaultClientId: thing.thingName, ...thing };
    },

    UpdateThing({ thingName, thingTypeName, attributePayload, expectedVersion, removeThingType }) {
      if (removeThingType && thingTypeName !== undefined) {
        throw invalid('Cannot set a thing type and remove it in one request.');
      }
      const attributes = attributePayload?.attributes ?? {};
      checkAttributes(attributes);
      const thing = existingThing(registry, thingName);
      checkVersion(thing, expectedVersion);
      if (thingTypeName !== undefined) checkThingType(registry, thingTypeName);
      updateThing(registry, thing, {
        thingTypeName: removeThingType ? undefined : (thingTypeName ?? thing.thingTypeName),
        attributes: attributePayload ? mergedAttributes(thing.attributes, attributePayload) : thing.attributes,
      });
      return {};
    },

    DeleteThing({ thingName, expectedVersion }) {
      checkText(thingName, 'thingName', THING_NAME);
      const thing = registry.things.get(thingName);
      // DeleteThing: "Returns successfully with no error if the deletion is successful or you specify a thing that doesn't exist."
      if (!thing) return {};
      checkVersion(thing, expectedVersion);
      if (rightOf(registry.attachments, thingName).size > 0) {
        throw invalid(`Cannot delete. Thing ${thingName} is still attached to one or more principals`);
      }
      registry.things.delete(thingName);
      return {};
    },

    ListThings(input) {
      const { attributeName, attributeValue, thingTypeName, usePrefixAttributeValue: prefix } = input;
      const matches = ({ thingTypeName: type, attributes }: Thing) => {
        const value = attributes[attributeName];
        if (thingTypeName !== undefined && thingTypeName !== type) return false;
        if (attributeName === undefined) return true;
        return prefix ? value?.startsWith(attributeValue ?? '') : value === attributeValue;
      };
      const found = [...registry.things.values()].filter(matches);
      const { items, next } = pageOf(found, (thing) => thing.thingName, byToken(input));
      const things = items.map(({ thingId: _id, billingGroupName: _group, ...thing }) => thing);
      return { things, nextToken: next };
    },
  };
}

/** Throws AwsError in AWS's order: what is malformed, what is there already and differs, what it needs and is missing. */
export function checkNewThing(registry: Registry, wish: ThingWish): void {
  checkText(wish.thingName, 'thingName', THING_NAME);
  if (wish.thingTypeName !== undefined) checkText(wish.thingTypeName, 'thingTypeName', THING_NAME);
  checkAttributes(wish.attributes);
  const attributes = mergedAttributes({}, wish);
  checkAttributeCount(attributes, wish.thingTypeName);

  const existing = registry.things.get(wish.thingName);
  if (existing) {
    // CreateThing: "If the thing exists and its configuration is the same, the request succeeds; else 409."
    const { thingTypeName, billingGroupName } = existing;
    if (
      isDeepStrictEqual(
        { ...wish, attributes },
        { ...wish, thingTypeName, billingGroupName, attributes: existing.attributes },
      )
    ) {
      return;
    }
    const message = `Thing ${wish.thingName} already exists in account with different configuration`;
    throw alreadyExists(message, existing.thingId, existing.thingArn);
  }
  if (wish.thingTypeName !== undefined) checkThingType(registry, wish.thingTypeName);
  if (wish.billingGroupName !== undefined) throw notFound(`Billing group ${wish.billingGroupName} does not exist`);
}

/** "Things cannot be associated with a deprecated thing type" (IoT guide, "Deprecate a thing type"). */
export function checkThingType(registry: Registry, thingTypeName: string): void {
  checkText(thingTypeName, 'thingTypeName', THING_NAME);
  const type = registry.thingTypes.get(thingTypeName);
  if (!type) throw notFound(`ThingType ${thingTypeName} not found`);
  if (type.deprecationDate !== undefined) {
    throw invalid(`Can not create new thing with depreated thing type:${thingTypeName}`);
  }
}

export function createThing(registry: Registry, { thingName, thingTypeName, attributes }: ThingWish): Thing {
  const thing: Thing = {
    thingName,
    thingId: randomUUID(),
    thingArn: registry.arn(`thing/${thingName}`),
    attributes: mergedAttributes({}, { attributes }),
    version: 1,
    ...(thingTypeName !== undefined && { thingTypeName }),
  };
  registry.things.set(thingName, thing);
  return thing;
}

export function updateThing(
  registry: Registry,
  thing: Thing,
  next: Pick<ThingWish, 'thingTypeName' | 'attributes'>,
): void {
  const { thingTypeName, ...untyped } = thing;
  checkAttributeCount(next.attributes, next.thingTypeName);
  registry.things.set(thing.thingName, {
    ...untyped,
    attributes: next.attributes,
    version: thing.version + 1,
    ...(next.thingTypeName !== undefined && { thingTypeName: next.thingTypeName }),
  });
}

export function existingThing(registry: Registry, thingName: unknown): Thing {
  const thing = registry.things.get(checkText(thingName, 'thingName', THING_NAME));
  if (!thing) throw notFound(`Thing ${thingName} not found`);
  return thing;
}

function checkVersion(thing: Thing, expected: number | undefined): void {
  if (expected === undefined || expected === thing.version) return;
  const message = `Version ${expected} of thing ${thing.thingName} was expected, it is ${thing.version}`;
  throw new AwsError('VersionConflictException', 409, message);
}
