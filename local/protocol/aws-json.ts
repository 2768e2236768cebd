import { AwsError } from '../error.ts';
import type { Protocol } from '../service.ts';
import { checkRequired, fromJson, operationsOf, toJson } from './schema.ts';

/** AWS JSON 1.0 and 1.1 (dynamodb, sqs): one POST to `/`, the operation in `X-Amz-Target` (smithy.io, "AWS JSON 1.0 protocol"). */
export function awsJson({
  version,
  targetPrefix,
  namespace = '',
  schemas,
}: {
  version: '1.0' | '1.1';
  /** `DynamoDB_20120810` */
  targetPrefix: string;
  /** Of the errors, as in `com.amazonaws.dynamodb.v20120810#ResourceNotFoundException`. */
  namespace?: string;
  /** `import * as sdk from '@aws-sdk/client-…'`: with it inputs and outputs are shaped, without it they pass as they are. */
  schemas?: Record<string, unknown>;
}): Protocol {
  const byName = new Map(operationsOf(schemas ?? {}).map((operation) => [operation.name, operation]));
  const contentType = `application/x-amz-json-${version}`;

  return {
    read({ headers, body }) {
      const [prefix, operation = ''] = String(headers['x-amz-target'] ?? '').split('.');
      const schema = byName.get(operation);
      if (prefix !== targetPrefix || operation === '' || (schemas && !schema)) throw unknownOperation();
      const given = parse(body);
      if (!schema) return { operation, input: given };
      const input = fromJson(schema.input, given);
      checkRequired(schema.input, input, 'ValidationException');
      return { operation, input };
    },

    write(operation, output, requestId) {
      const schema = byName.get(operation);
      const shaped = schema ? toJson(schema.output, output ?? {}) : (output ?? {});
      return {
        status: 200,
        headers: { 'content-type': contentType, 'x-amzn-requestid': requestId },
        body: JSON.stringify(shaped, epochSeconds),
      };
    },

    fail(error, requestId) {
      return {
        // These services say no with 400, whoever asks (DynamoDB guide, "Error handling": AccessDeniedException 400).
        status: error.status >= 500 || error.status === 413 ? error.status : 400,
        headers: { 'content-type': contentType, 'x-amzn-requestid': requestId },
        body: JSON.stringify({
          __type: namespace === '' ? error.code : `${namespace}#${error.code}`,
          message: error.message,
          ...error.members,
        }),
      };
    },
  };
}

const unknownOperation = () => new AwsError('UnknownOperationException', 400, 'The requested operation is not known.');

function parse(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body.length === 0 ? '{}' : body.toString('utf8'));
  } catch {
    throw new AwsError('SerializationException', 400, 'The request body is not valid JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AwsError('SerializationException', 400, 'Start of structure or map expected.');
  }
  return value as Record<string, unknown>;
}

/** A replacer sees a Date as text already, so it asks the object that holds it. */
function epochSeconds(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const original = this[key];
  return original instanceof Date ? original.getTime() / 1000 : value;
}
