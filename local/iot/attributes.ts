import { checkText, invalid } from './refusals.ts';

/** What a thing may carry. */

/** General Reference, "AWS IoT Core thing resource limits and quotas": attributes without and with a thing type. */
const MOST_WITHOUT_TYPE = 3;
const MOST_WITH_TYPE = 50;
const NAME = { pattern: /^[a-zA-Z0-9_.,@/:#-]+$/, max: 128 };
const VALUE = { pattern: /^[a-zA-Z0-9_.,@/:#=[\]-]*$/, max: 800, min: 0 };

/** Throws AwsError 400 unless AWS IoT would take them. */
export function checkAttributes(attributes: Record<string, string>): void {
  for (const [name, value] of Object.entries(attributes)) {
    checkText(name, 'attributePayload.attributes', NAME);
    checkText(value, 'attributePayload.attributes', VALUE);
  }
}

export function checkAttributeCount(attributes: Record<string, string>, thingTypeName: string | undefined): void {
  const most = thingTypeName === undefined ? MOST_WITHOUT_TYPE : MOST_WITH_TYPE;
  if (Object.keys(attributes).length > most) {
    const kind = thingTypeName === undefined ? 'without' : 'with';
    throw invalid(`A thing ${kind} a thing type can have at most ${most} attributes.`);
  }
}

/** UpdateThing: with `merge` the others stay; "To remove an attribute, … an empty attribute value". */
export function mergedAttributes(
  existing: Record<string, string>,
  { attributes = {}, merge = false }: { attributes?: Record<string, string>; merge?: boolean },
): Record<string, string> {
  const all = Object.entries({ ...(merge ? existing : {}), ...attributes });
  return Object.fromEntries(all.filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : 1)));
}
