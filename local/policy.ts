import { conditionHolds, conditionOperator } from './conditions.ts';
import { wildcard } from './wildcard.ts';

/**
 * One evaluator for every policy language of the stand-in: IAM identity and trust policies, Lambda permissions, IoT policies.
 * They share grammar and logic (IAM User Guide, "Policy evaluation logic"): an explicit Deny wins, else an Allow, else no.
 */

/** Condition keys of a request. Keys are compared without regard to case (IAM User Guide, "Condition"). */
export type Context = Record<string, string | readonly string[] | undefined>;

export interface Statement {
  Sid?: string;
  Effect: 'Allow' | 'Deny';
  Principal?: '*' | Record<string, string | string[]>;
  Action?: string | string[];
  NotAction?: string | string[];
  Resource?: string | string[];
  NotResource?: string | string[];
  Condition?: Record<string, Record<string, string | boolean | number | (string | boolean | number)[]>>;
}

export interface PolicyDocument {
  Version?: string;
  Id?: string;
  Statement: Statement | Statement[];
}

export interface Request {
  action: string;
  /** Absent where the policy is attached to the resource itself (trust policies). */
  resource?: string;
  /** `{Service: 'iot.amazonaws.com'}` or `{AWS: '<arn>'}` (or all that the caller may be named by), for policies that name principals. */
  principal?: Record<string, string | readonly string[]>;
  context: Context;
}

/** What a caller must be allowed to do for one call: each of them, or the call is refused. */
export interface Need {
  /** `iot:CreateThing` */
  action: string;
  /** One ARN, or `*` for an action without resources. */
  resource: string;
  /** Condition keys of this very request; the caller's own keys are added by whoever decides. */
  context?: Context;
}

export type Decision = 'allowed' | 'explicitDeny' | 'implicitDeny';

/** Throws Error, in words for MalformedPolicy answers, when the text is no policy. */
export function parsePolicy(text: string): PolicyDocument {
  let document: PolicyDocument;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Error('Syntax errors in policy.');
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new Error('Syntax errors in policy.');
  }
  if (document.Version !== undefined && !['2012-10-17', '2008-10-17'].includes(document.Version)) {
    throw new Error(`The policy has an invalid version: ${document.Version}`);
  }
  const statements = list(document.Statement);
  if (statements.length === 0) throw new Error('The policy has no statement.');
  for (const statement of statements) checkStatement(statement);
  return document;
}

const ELEMENTS = ['Sid', 'Effect', 'Principal', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];

function checkStatement(statement: Statement): void {
  if (typeof statement !== 'object' || statement === null) throw new Error('A statement must be an object.');
  // A misspelt Condition must not widen what is allowed; NotPrincipal is not known here either.
  const unknown = Object.keys(statement).find((element) => !ELEMENTS.includes(element));
  if (unknown !== undefined) throw new Error(`Syntax errors in policy. (unknown element ${unknown})`);
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') {
    throw new Error(`Effect must be Allow or Deny, not ${String(statement.Effect)}.`);
  }
  if ((statement.Action === undefined) === (statement.NotAction === undefined)) {
    throw new Error('A statement needs either Action or NotAction.');
  }
  if (statement.Resource !== undefined && statement.NotResource !== undefined) {
    throw new Error('A statement cannot have both Resource and NotResource.');
  }
  for (const element of ['Action', 'NotAction', 'Resource', 'NotResource'] as const) {
    const values: readonly unknown[] = list(statement[element]);
    if (!values.every((value) => typeof value === 'string')) throw new Error(`${element} must hold strings.`);
  }
  for (const [operator, keys] of Object.entries(statement.Condition ?? {})) {
    conditionOperator(operator);
    if (typeof keys !== 'object' || keys === null) throw new Error(`Condition ${operator} must be an object.`);
    for (const values of Object.values(keys)) {
      const scalar = list(values).every((value: unknown) => ['string', 'boolean', 'number'].includes(typeof value));
      if (!scalar) throw new Error(`Condition ${operator} must hold strings.`);
    }
  }
}

/** The decision of several documents together, as AWS takes it: one explicit Deny anywhere is final. */
export function evaluate(documents: readonly PolicyDocument[], request: Request): Decision {
  let decision: Decision = 'implicitDeny';
  for (const document of documents) {
    // IAM User Guide, "Policy variables": before 2012-10-17, `${x}` is text.
    const fill = document.Version === '2012-10-17' ? substitute : (text: string) => text;
    for (const statement of list(document.Statement)) {
      if (!matches(statement, request, fill)) continue;
      if (statement.Effect === 'Deny') return 'explicitDeny';
      decision = 'allowed';
    }
  }
  return decision;
}

type Fill = (pattern: string, context: Context) => string | undefined;

function matches(statement: Statement, request: Request, fill: Fill): boolean {
  const { action, resource, principal, context } = request;
  const actionIs = (pattern: string) => wildcard(pattern.toLowerCase(), action.toLowerCase());
  if (statement.Action !== undefined && !list(statement.Action).some(actionIs)) return false;
  if (statement.NotAction !== undefined && list(statement.NotAction).some(actionIs)) return false;
  if (principal !== undefined && !principalMatches(statement.Principal, principal)) return false;

  if (resource !== undefined) {
    const resourceIs = (pattern: string) => {
      const filled = fill(pattern, context);
      return filled !== undefined && wildcard(filled, resource);
    };
    if (statement.Resource !== undefined && !list(statement.Resource).some(resourceIs)) return false;
    if (statement.NotResource !== undefined && list(statement.NotResource).some(resourceIs)) return false;
    if (statement.Resource === undefined && statement.NotResource === undefined) return false;
  }
  return Object.entries(statement.Condition ?? {}).every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) => {
      const values = list(wanted).flatMap((value) => fill(String(value), context) ?? []);
      return conditionHolds(conditionOperator(operator), valuesOf(context, key), values);
    }),
  );
}

function principalMatches(named: Statement['Principal'], actual: NonNullable<Request['principal']>): boolean {
  if (named === undefined) return false;
  if (named === '*') return true;
  return Object.entries(named).some(([kind, names]) =>
    list(names).some(
      (name) =>
        // `{"AWS": "*"}` is everyone, as `"*"` is (IAM User Guide, "Principal").
        (kind === 'AWS' && name === '*') || list(actual[kind]).some((candidate) => samePrincipal(name, candidate)),
    ),
  );
}

/** An account's root (or bare id) in a policy stands for every principal of that account (IAM User Guide, "Principal"). */
function samePrincipal(named: string, actual: string): boolean {
  if (named === actual) return true;
  const account = /^(?:arn:aws:iam::)?(\d{12})(?::root)?$/.exec(named)?.[1];
  return account !== undefined && actual.split(':')[4] === account;
}

/**
 * Fills in `${key}`; undefined when a variable has no single value, so that the element matches nothing
 * (IAM User Guide, "Policy variables"; the same holds for IoT policy variables).
 */
function substitute(pattern: string, context: Context): string | undefined {
  let resolved = true;
  const filled = pattern.replace(/\$\{([^}]+)\}/g, (_, variable: string) => {
    // `${*}`, `${?}` and `${$}` are the characters themselves.
    if (variable === '*' || variable === '?' || variable === '$') return escapeWildcards(variable);
    const [, key = '', fallback] = /^([^,]*)(?:,\s*'(.*)'\s*)?$/.exec(variable) ?? [];
    const [value, ...others] = valuesOf(context, key.trim()) ?? [];
    if (value !== undefined && others.length === 0) return escapeWildcards(value);
    if (fallback !== undefined && value === undefined) return escapeWildcards(fallback);
    resolved = false;
    return '';
  });
  return resolved ? filled : undefined;
}

/** A substituted value is text, never a pattern: its wildcards are marked with a character no ARN holds. */
const escapeWildcards = (value: string) => value.replace(/[*?]/g, (wild) => `\u0000${wild}`);

function valuesOf(context: Context, key: string): readonly string[] | undefined {
  const wanted = key.toLowerCase();
  for (const [name, value] of Object.entries(context)) {
    // A key without values is a key that is not there (IAM User Guide, "Condition operators: Null").
    if (name.toLowerCase() === wanted && value !== undefined && (typeof value === 'string' || value.length > 0)) {
      return list(value);
    }
  }
  return undefined;
}

function list<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
