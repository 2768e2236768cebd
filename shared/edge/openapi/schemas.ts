import * as z from 'zod/mini';
import { certificateSigningRequest } from '../../domain/claim-certificate.ts';
import { limits } from '../../domain/limits.ts';
import { announcement, batchName, claimToken, publicKeySha256, serialNumber } from '../../domain/manifest.ts';
import { certificateId } from '../contract/device.ts';
import { members } from './words.ts';

export type JsonSchema = {
  description?: string;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  required?: string[];
  [keyword: string]: unknown;
};

/** What the checks of a schema mean in JSON Schema where zod cannot know it. */
const meanings = z.registry<Record<string, unknown>>();
meanings.add(serialNumber, {
  pattern: '^[A-Za-z0-9_-]{1,128}$',
  not: { pattern: '^[0-9A-Fa-f]{64}$|-r[0-9]+$|^(fleet-provisioning-|claim-)' },
  description:
    'Not 64 hex digits, not ending in `-r` and a number, not beginning like the client id of a claim (`fleet-provisioning-`, `claim-`)',
});
meanings.add(batchName, { description: 'A batch of the factory' });
meanings.add(publicKeySha256, { description: "SHA-256 of the public key's SPKI DER, in hex: pins the device's key" });
meanings.add(claimToken, {
  // 128 bits, 4 to a hex digit and 6 to any other character.
  anyOf: [{ minLength: 32 }, { minLength: 22, not: { pattern: '^([0-9a-f]*|[0-9A-F]*)$' } }],
  description: 'One use, 128 random bits or more; only its hash is stored',
});
meanings.add(certificateSigningRequest, {
  description: 'PKCS #10 in PEM: RSA of 2048 bits or more, P-256, P-384 or P-521. Its subject is ignored',
});
meanings.add(certificateId, { description: "SHA-256 of the certificate's DER, in hex, as AWS IoT calls it" });
meanings.add(announcement.shape.channels, { uniqueItems: true });
meanings.add(announcement.shape.attributes, { maxProperties: limits.attributes });
meanings.add(announcement, {
  // `channels` need the stream mode thing-name.
  if: { properties: { channels: { minItems: 1 } }, required: ['channels'] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { properties: { streamMode: { const: 'thing-name' } } },
});

const convert = (schema: z.ZodMiniType, io: 'input' | 'output'): JsonSchema => {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    metadata: meanings as never,
    override({ jsonSchema }) {
      // zod spells out the calendar; the API takes UTC only.
      if (jsonSchema.format === 'date-time') jsonSchema.pattern = 'Z$';
      // Answers may gain members one day; requests may not hold unknown ones.
      if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  return json as JsonSchema;
};

export const requestSchema = (name: string, schema: z.ZodMiniType): JsonSchema => told(name, convert(schema, 'input'));
export const answerSchema = (name: string, schema: z.ZodMiniType): JsonSchema => told(name, convert(schema, 'output'));

/** The members of an object schema, for parameters of a path or a query. */
export const membersOf = (schema: z.ZodMiniType | undefined) => {
  if (!schema) return [];
  const { properties = {}, required = [] } = told('parameters', convert(schema, 'input'), false);
  return Object.entries(properties).map(([name, schema]) => ({ name, schema, required: required.includes(name) }));
};

/** The schema with the words for its members; words for a member that is not there are a mistake. */
const told = (name: string, schema: JsonSchema, isWhole = true): JsonSchema => {
  for (const [path, description] of Object.entries(members[name] ?? {})) {
    const member = path.split('.').reduce<JsonSchema | undefined>(step, schema);
    if (member) member.description = description;
    else if (isWhole) throw new Error(`words.ts tells of ${name}.${path}, which is not there`);
  }
  return schema;
};

const step = (schema: JsonSchema | undefined, name: string) => (schema?.items ?? schema)?.properties?.[name];
