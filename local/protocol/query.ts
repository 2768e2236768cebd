import { AwsError } from '../error.ts';
import type { Protocol } from '../service.ts';
import { checkRequired, fromText, itemOf, kindOf, membersOf, operationsOf, type Schema } from './schema.ts';

/** The AWS Query protocol (iam, sts): a form in, XML out (smithy.io, "AWS Query protocol"). */

/** What the JSON services call it → what the Query services call it (IAM API reference, "Common errors"). */
const CODES: Record<string, string> = {
  AccessDeniedException: 'AccessDenied',
  ExpiredTokenException: 'ExpiredToken',
  IncompleteSignatureException: 'IncompleteSignature',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
  SerializationException: 'MalformedQueryString',
  ThrottlingException: 'Throttling',
  UnknownOperationException: 'InvalidAction',
  UnrecognizedClientException: 'InvalidClientTokenId',
  ValidationException: 'ValidationError',
};

export function awsQuery({
  schemas,
  xmlns,
}: {
  /** `import * as sdk from '@aws-sdk/client-…'` */
  schemas: Record<string, unknown>;
  /** `https://iam.amazonaws.com/doc/2010-05-08/`; the API's version is its last part. */
  xmlns: string;
}): Protocol {
  const operations = new Map(operationsOf(schemas).map((operation) => [operation.name, operation]));
  const version = /(\d{4}-\d\d-\d\d)/.exec(xmlns)?.[1];

  return {
    read({ query, body }) {
      const form = new URLSearchParams(body.length > 0 ? body.toString('utf8') : query);
      const operation = operations.get(form.get('Action') ?? '');
      if (!operation || form.get('Version') !== version) {
        throw new AwsError(
          'InvalidAction',
          400,
          `Could not find operation ${form.get('Action')} for version ${form.get('Version')}`,
        );
      }
      const input = readStructure(operation.input, form, '');
      checkRequired(operation.input, input, 'ValidationError');
      return { operation: operation.name, input };
    },

    write(operation, output, requestId) {
      const schema = operations.get(operation)?.output;
      const result = membersOf(schema).length === 0 ? '' : element(`${operation}Result`, inner(schema, output ?? {}));
      return {
        status: 200,
        headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId },
        body: `<${operation}Response xmlns="${xmlns}">${result}${metadata(requestId)}</${operation}Response>`,
      };
    },

    fail(error, requestId) {
      const parts = [
        element('Type', error.status >= 500 ? 'Receiver' : 'Sender'),
        element('Code', xmlText(CODES[error.code] ?? error.code)),
        element('Message', xmlText(error.message)),
      ];
      return {
        // InvalidAction is a 400 (IAM API reference, "Common errors").
        status: error.code === 'UnknownOperationException' ? 400 : error.status,
        headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId },
        body:
          `<ErrorResponse xmlns="${xmlns}">${element('Error', parts.join(''))}` +
          `${element('RequestId', requestId)}</ErrorResponse>`,
      };
    },
  };
}

const metadata = (requestId: string) => element('ResponseMetadata', element('RequestId', requestId));

function readStructure(schema: Schema, form: URLSearchParams, prefix: string): Record<string, unknown> {
  return Object.fromEntries(
    membersOf(schema).flatMap(({ name, schema: member }) => {
      const value = readValue(member, form, `${prefix}${name}`);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Lists are `Tags.member.1.Key`, maps `X.entry.1.key`; nothing there is undefined. */
function readValue(schema: Schema, form: URLSearchParams, key: string): unknown {
  const kind = kindOf(schema);
  if (kind === 'structure') {
    const value = readStructure(schema, form, `${key}.`);
    return Object.keys(value).length === 0 ? undefined : value;
  }
  if (kind === 'list') {
    const values = numbered((index) => readValue(itemOf(schema), form, `${key}.member.${index}`));
    return values.length === 0 && !form.has(key) ? undefined : values;
  }
  if (kind === 'map') {
    const entries = numbered((index) => {
      const name = form.get(`${key}.entry.${index}.key`);
      return name === null ? undefined : [name, readValue(itemOf(schema), form, `${key}.entry.${index}.value`)];
    });
    return entries.length === 0 ? undefined : Object.fromEntries(entries as [string, unknown][]);
  }
  const text = form.get(key);
  return text === null ? undefined : fromText(schema, text);
}

function numbered(read: (index: number) => unknown): unknown[] {
  const values: unknown[] = [];
  for (let index = 1; ; index++) {
    const value = read(index);
    if (value === undefined) return values;
    values.push(value);
  }
}

function inner(schema: Schema, value: unknown): string {
  switch (kindOf(schema)) {
    case 'structure':
      return membersOf(schema)
        .map(({ name, schema: member }) => {
          const given = (value as Record<string, unknown>)[name];
          return given === undefined || given === null ? '' : element(name, inner(member, given));
        })
        .join('');
    case 'list':
      return Array.from(value as Iterable<unknown>, (entry) => element('member', inner(itemOf(schema), entry))).join(
        '',
      );
    case 'map':
      return Object.entries(value as object)
        .map(([key, entry]) => {
          return element('entry', element('key', xmlText(key)) + element('value', inner(itemOf(schema), entry)));
        })
        .join('');
    case 'timestamp':
      return new Date(Number(value)).toISOString().replace(/\.\d{3}Z$/, 'Z');
    case 'blob':
      return Buffer.from(value as Uint8Array).toString('base64');
    default:
      return xmlText(String(value));
  }
}

const element = (name: string, content: string) => `<${name}>${content}</${name}>`;

/** XML 1.0 knows no control characters but tab, newline and return. */
const xmlText = (text: string) =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"'\r]/g, (found) => `&#${found.charCodeAt(0)};`);
