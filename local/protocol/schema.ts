import { AwsError } from '../error.ts';

/**
 * Reads the schemas that AWS's own SDK clients export (`CreateThing$`), so that no shape is typed by hand. They are nested tuples:
 * operation `[9, namespace, name, traits, input, output]`, structure `[3 | -3 | 4, namespace, name, traits, names, members, required]`,
 * list `[1, …, member]`, map `[2, …, key, value]`, simple `[0, …, schema]`; a member with traits is `[schema, traits]`; numbers are simple types.
 */
export type Schema = unknown;
type Tuple = readonly [kind: number, namespace: string, name: string, traits: unknown, ...rest: unknown[]];

export interface Traits {
  http?: readonly [method: string, path: string, status: number];
  httpLabel?: 1;
  httpPayload?: 1;
  httpResponseCode?: 1;
  httpQuery?: string;
  httpHeader?: string;
  xmlFlattened?: 1;
  xmlName?: string;
}

export interface Member {
  name: string;
  schema: Schema;
  traits: Traits;
  required: boolean;
}

export interface OperationSchema {
  name: string;
  traits: Traits;
  input: Schema;
  output: Schema;
}

export type Kind = 'string' | 'number' | 'boolean' | 'timestamp' | 'blob' | 'document' | 'list' | 'map' | 'structure';

/** Every operation of `import * as sdk from '@aws-sdk/client-…'`. */
export function operationsOf(sdk: Record<string, unknown>): OperationSchema[] {
  return Object.values(sdk)
    .filter((value): value is Tuple => Array.isArray(value) && value[0] === 9)
    .map(([, , name, traits, input, output]) => ({
      name,
      traits: readTraits(traits),
      input: resolve(input),
      output: resolve(output),
    }));
}

function resolve(schema: Schema): Schema {
  let at = schema;
  for (;;) {
    if (typeof at === 'function') at = at();
    else if (Array.isArray(at) && at.length === 2) at = at[0];
    else if (Array.isArray(at) && at[0] === 0) at = at[4];
    else return at;
  }
}

/** A traits number is a set of bits. */
function readTraits(traits: unknown): Traits {
  if (typeof traits === 'object' && traits !== null) return traits as Traits;
  const bits = Number(traits ?? 0);
  return {
    ...(bits & 1 && { httpLabel: 1 }),
    ...(bits & 16 && { httpPayload: 1 }),
    ...(bits & 32 && { httpResponseCode: 1 }),
  } as Traits;
}

export function kindOf(schema: Schema): Kind {
  const at = resolve(schema);
  if (Array.isArray(at)) return at[0] === 1 ? 'list' : at[0] === 2 ? 'map' : 'structure';
  if (at === 'unit') return 'structure';
  const number = Number(at);
  if (number >= 128) return 'map';
  if (number >= 64) return 'list';
  if (number === 21 || number === 42) return 'blob';
  if (number >= 4 && number <= 7) return 'timestamp';
  if (number === 2) return 'boolean';
  if (number === 15) return 'document';
  return number === 0 ? 'string' : 'number';
}

const KNOWN = new WeakMap<readonly unknown[], Member[]>();

/** The members of a structure; none for an operation without input or output. */
export function membersOf(schema: Schema): Member[] {
  const at = resolve(schema);
  if (!Array.isArray(at)) return [];
  const known = KNOWN.get(at);
  if (known) return known;
  const [, , , , names, schemas, required] = at;
  const members = (names as string[]).map((name, index) => {
    const member = (schemas as Schema[])[index];
    const traits = Array.isArray(member) && member.length === 2 ? readTraits(member[1]) : {};
    return { name, schema: member, traits, required: index < Number(required ?? 0) };
  });
  KNOWN.set(at, members);
  return members;
}

/** What a list or a map holds. */
export function itemOf(schema: Schema): Schema {
  const at = resolve(schema);
  if (Array.isArray(at)) return at[0] === 1 ? at[4] : at[5];
  return Number(at) & 63;
}

const MISMATCH = 'SerializationException';
const mismatch = (message: string) => new AwsError(MISMATCH, 400, message);
const typeName = (value: unknown) =>
  ({ string: 'STRING_VALUE', number: 'NUMBER_VALUE', boolean: value ? 'TRUE_VALUE' : 'FALSE_VALUE' })[
    String(typeof value)
  ];

/** A parsed JSON value as its schema has it: blobs are Buffers, timestamps Dates, unknown and null members gone. */
export function fromJson(schema: Schema, value: unknown): unknown {
  const kind = kindOf(schema);
  const expect = (ok: boolean, wanted: string) => {
    if (ok) return;
    // As AWS's JSON services put it.
    if (Array.isArray(value)) throw mismatch('Start of list found where not expected');
    if (typeof value === 'object') throw mismatch('Start of structure or map found where not expected.');
    throw mismatch(`${typeName(value)} can not be converted to ${wanted}`);
  };
  if (kind === 'document') return value;
  if (kind === 'list') {
    expect(Array.isArray(value), 'List');
    const item = itemOf(schema);
    return (value as unknown[]).filter((entry) => entry !== null).map((entry) => fromJson(item, entry));
  }
  if (kind === 'map' || kind === 'structure') {
    expect(typeof value === 'object' && !Array.isArray(value), 'Map');
    const given = value as Record<string, unknown>;
    if (kind === 'structure') return structureFromJson(membersOf(schema), given);
    const item = itemOf(schema);
    return Object.fromEntries(
      Object.entries(given).flatMap(([key, entry]) => (entry === null ? [] : [[key, fromJson(item, entry)]])),
    );
  }
  if (kind === 'timestamp') {
    expect(typeof value === 'number' || typeof value === 'string', 'Timestamp');
    return timestamp(value as number | string);
  }
  if (kind === 'blob') {
    expect(typeof value === 'string', 'Blob');
    return Buffer.from(value as string, 'base64');
  }
  const wanted = { string: 'String', number: 'Integer', boolean: 'Boolean' }[kind];
  expect(typeof value === kind, wanted);
  return value;
}

export function structureFromJson(members: readonly Member[], given: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    members.flatMap(({ name, schema }) => {
      const value = Object.hasOwn(given, name) ? given[name] : undefined;
      return value === undefined || value === null ? [] : [[name, fromJson(schema, value)]];
    }),
  );
}

/** Text of a label, query or header, or a form field, as its simple type. */
export function fromText(schema: Schema, text: string): unknown {
  const kind = kindOf(schema);
  if (kind === 'number') {
    const number = Number(text);
    if (text.trim() === '' || Number.isNaN(number)) throw mismatch('STRING_VALUE can not be converted to Integer');
    return number;
  }
  if (kind === 'boolean') {
    if (text !== 'true' && text !== 'false') throw mismatch('STRING_VALUE can not be converted to Boolean');
    return text === 'true';
  }
  if (kind === 'timestamp') return timestamp(text);
  return kind === 'blob' ? Buffer.from(text, 'base64') : text;
}

function timestamp(value: number | string): Date {
  const seconds = typeof value === 'number' || /^\d+(\.\d+)?$/.test(value) ? Number(value) : Date.parse(value) / 1000;
  if (Number.isNaN(seconds)) throw mismatch('STRING_VALUE can not be converted to Timestamp');
  return new Date(seconds * 1000);
}

/** The other way: what is not in the schema stays inside, an instant (Date or epoch ms) becomes epoch seconds. */
export function toJson(schema: Schema, value: unknown): unknown {
  if (value === null || value === undefined) return value;
  switch (kindOf(schema)) {
    case 'timestamp':
      return Number(value) / 1000;
    case 'blob':
      return Buffer.from(value as Uint8Array).toString('base64');
    case 'list': {
      const item = itemOf(schema);
      return Array.from(value as Iterable<unknown>, (entry) => toJson(item, entry));
    }
    case 'map': {
      const item = itemOf(schema);
      return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, toJson(item, entry)]));
    }
    case 'structure':
      return structureToJson(membersOf(schema), value as Record<string, unknown>);
    default:
      return value;
  }
}

export function structureToJson(members: readonly Member[], given: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    members.flatMap(({ name, schema }) => {
      const value = toJson(schema, given[name]);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The first required member that is not there, as `topicRulePayload.sql`. */
function missingMember(schema: Schema, value: unknown, path: string): string | undefined {
  if (value === undefined) return undefined;
  const kind = kindOf(schema);
  if (kind === 'list') {
    const item = itemOf(schema);
    return firstOf(
      (value as unknown[]).map((entry, index) => missingMember(item, entry, `${path}.${index + 1}.member`)),
    );
  }
  if (kind !== 'structure') return undefined;
  return firstOf(
    membersOf(schema).map(({ name, schema: member, required }) => {
      const at = (path === '' ? '' : `${path}.`) + name.charAt(0).toLowerCase() + name.slice(1);
      const inner = (value as Record<string, unknown>)[name];
      return inner === undefined && required ? at : missingMember(member, inner, at);
    }),
  );
}

const firstOf = (found: (string | undefined)[]) => found.find((path) => path !== undefined);

/** Throws AwsError `code` 400 unless every required member is there. */
export function checkRequired(schema: Schema, input: unknown, code: string): void {
  const path = missingMember(schema, input, '');
  if (path === undefined) return;
  throw new AwsError(
    code,
    400,
    `1 validation error detected: Value null at '${path}' failed to satisfy constraint: Member must not be null`,
  );
}
