import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.ts';
import type { Operation } from '../service.ts';
import { byToken, pageOf } from './pages.ts';
import { alreadyExists, checkText, invalid, notFound, THING_NAME } from './refusals.ts';
import type { Registry, ThingType } from './registry.ts';

/** IoT guide, "Delete a thing type": "you must deprecate it and wait five minutes". */
const REST_BEFORE_DELETION_MS = 5 * 60_000;
/** CreateThingType: length of the description; "searchableAttributes: a list of at most three". */
const DESCRIPTION = { max: 2028, min: 0 };
const MOST_SEARCHABLE = 3;

export function thingTypeOperations({
  registry,
  clock,
}: {
  registry: Registry;
  clock: Clock;
}): Record<string, Operation> {
  return {
    CreateThingType({ thingTypeName, thingTypeProperties = {} }) {
      checkText(thingTypeName, 'thingTypeName', THING_NAME);
      checkProperties(thingTypeProperties);
      const existing = registry.thingTypes.get(thingTypeName);
      if (existing && !isDeepStrictEqual(existing.thingTypeProperties, { ...thingTypeProperties })) {
        const message = `ThingType ${thingTypeName} already exists in account with different properties`;
        throw alreadyExists(message, existing.thingTypeId, existing.thingTypeArn);
      }
      const { thingTypeArn, thingTypeId } = existing ?? createType(thingTypeName, thingTypeProperties);
      return { thingTypeName, thingTypeArn, thingTypeId };
    },

    DescribeThingType({ thingTypeName }) {
      const type = existingType(thingTypeName);
      return { ...shown(type), thingTypeId: type.thingTypeId };
    },

    ListThingTypes(input) {
      const { thingTypeName: only } = input;
      const types = [...registry.thingTypes.values()].filter(
        (type) => (only ?? type.thingTypeName) === type.thingTypeName,
      );
      const { items, next } = pageOf(types, (type) => type.thingTypeName, byToken(input));
      return { thingTypes: items.map(shown), nextToken: next };
    },

    DeprecateThingType({ thingTypeName, undoDeprecate }) {
      const { deprecationDate, ...type } = existingType(thingTypeName);
      registry.thingTypes.set(thingTypeName, {
        ...type,
        ...(!undoDeprecate && { deprecationDate: deprecationDate ?? clock.now() }),
      });
      return {};
    },

    DeleteThingType({ thingTypeName }) {
      const { deprecationDate } = existingType(thingTypeName);
      if (deprecationDate === undefined) {
        throw invalid(
          `Cannot delete thing type : ${thingTypeName}. The thing type must be deprecated before it is deleted`,
        );
      }
      if (deprecationDate + REST_BEFORE_DELETION_MS > clock.now()) {
        throw invalid(
          `Cannot delete thing type : ${thingTypeName}. Please wait for 5 minutes after deprecation and then retry`,
        );
      }
      if ([...registry.things.values()].some((thing) => thing.thingTypeName === thingTypeName)) {
        throw invalid(`Cannot delete thing type : ${thingTypeName}. It is associated with one or more things`);
      }
      registry.thingTypes.delete(thingTypeName);
      return {};
    },
  };

  function createType(thingTypeName: string, thingTypeProperties: ThingType['thingTypeProperties']): ThingType {
    const type: ThingType = {
      thingTypeName,
      thingTypeId: randomUUID(),
      thingTypeArn: registry.arn(`thingtype/${thingTypeName}`),
      thingTypeProperties: { ...thingTypeProperties },
      creationDate: clock.now(),
    };
    registry.thingTypes.set(thingTypeName, type);
    return type;
  }

  function existingType(thingTypeName: unknown): ThingType {
    const type = registry.thingTypes.get(checkText(thingTypeName, 'thingTypeName', THING_NAME));
    if (!type) throw notFound(`ThingType ${thingTypeName} not found`);
    return type;
  }
}

function checkProperties({
  thingTypeDescription,
  searchableAttributes = [],
  ...others
}: Record<string, unknown>): void {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw invalid(`The stand-in does not imitate the thing type property ${unknown}.`);
  if (thingTypeDescription !== undefined) checkText(thingTypeDescription, 'thingTypeDescription', DESCRIPTION);
  if (!Array.isArray(searchableAttributes) || searchableAttributes.length > MOST_SEARCHABLE) {
    throw invalid(`A thing type can have at most ${MOST_SEARCHABLE} searchable attributes.`);
  }
}

function shown({ thingTypeName, thingTypeArn, thingTypeProperties, creationDate, deprecationDate }: ThingType) {
  return {
    thingTypeName,
    thingTypeArn,
    thingTypeProperties,
    thingTypeMetadata: {
      deprecated: deprecationDate !== undefined,
      creationDate: new Date(creationDate),
      ...(deprecationDate !== undefined && { deprecationDate: new Date(deprecationDate) }),
    },
  };
}
