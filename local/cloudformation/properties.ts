/** How a template writes values, and how the APIs want them. */

/** Policies are objects in a template and text in every API. */
export const policyText = (document: unknown) => (typeof document === 'string' ? document : JSON.stringify(document));

/** A number may be written as text in a template. */
export const number = (value: unknown) => (value === undefined ? undefined : Number(value));

/** Without what is not set: an API sees the difference between absent and undefined. */
export const present = <T extends object>(input: T) =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));

/** `ThingTypeDescription` in a template is `thingTypeDescription` in the IoT API, all the way down. */
export function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key.charAt(0).toLowerCase() + key.slice(1), camelCase(item)]),
  );
}
