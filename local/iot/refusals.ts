import { AwsError } from '../error.ts';

/** The refusals that the operations of AWS IoT share, and the checks of members that lead to the first of them. */

export const invalid = (message: string) => new AwsError('InvalidRequestException', 400, message);

export const notFound = (message = 'The specified resource does not exist') =>
  new AwsError('ResourceNotFoundException', 404, message);

export const alreadyExists = (message: string, resourceId: string, resourceArn: string) =>
  new AwsError('ResourceAlreadyExistsException', 409, message, { resourceId, resourceArn });

export interface Rule {
  pattern?: RegExp;
  max?: number;
  /** 1 unless said otherwise. */
  min?: number;
}

export const THING_NAME: Rule = { pattern: /^[a-zA-Z0-9:_-]+$/, max: 128 };
export const POLICY_NAME: Rule = { pattern: /^[\w+=,.@-]+$/, max: 128 };
export const ROLE_ALIAS: Rule = { pattern: /^[\w=,@-]+$/, max: 128 };
export const TEMPLATE_NAME: Rule = { pattern: /^[0-9A-Za-z_-]+$/, max: 36 };
export const RULE_NAME: Rule = { pattern: /^[a-zA-Z0-9_]+$/, max: 128 };
export const ROLE_ARN: Rule = { pattern: /^arn:aws[a-zA-Z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, max: 2048, min: 20 };

/** The member's text; throws in the words of AWS's request validation. */
export function checkText(value: unknown, member: string, { pattern, max = Infinity, min = 1 }: Rule = {}): string {
  if (value === undefined || value === null) throw constraint('null', member, 'Member must not be null');
  if (typeof value !== 'string') throw invalid(`${member} must be a string`);
  if (value.length < min) throw constraint(value, member, `Member must have length greater than or equal to ${min}`);
  if (value.length > max) throw constraint(value, member, `Member must have length less than or equal to ${max}`);
  if (pattern && !pattern.test(value)) {
    const source = pattern.source.replace(/^\^|\$$/g, '');
    throw constraint(value, member, `Member must satisfy regular expression pattern: ${source}`);
  }
  return value;
}

export function checkOneOf<T extends string>(value: unknown, member: string, values: readonly T[]): T {
  if (values.includes(value as T)) return value as T;
  throw constraint(String(value), member, `Member must satisfy enum value set: [${values.join(', ')}]`);
}

export function checkInteger(value: unknown, member: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw invalid(`${member} must be an integer`);
  if (value < min) throw constraint(value, member, `Member must have value greater than or equal to ${min}`);
  if (value > max) throw constraint(value, member, `Member must have value less than or equal to ${max}`);
  return value;
}

function constraint(value: string | number, member: string, rule: string): AwsError {
  const shown = value === 'null' ? 'Value null' : `Value '${value}'`;
  return invalid(`1 validation error detected: ${shown} at '${member}' failed to satisfy constraint: ${rule}`);
}
