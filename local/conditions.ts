import { BlockList, isIP } from 'node:net';
import { wildcard } from './wildcard.ts';

type Comparison = (actual: string, wanted: string) => boolean;

const number =
  (compare: (a: number, b: number) => boolean): Comparison =>
  (a, w) =>
    compare(toNumber(a), toNumber(w));
const toNumber = (text: string) => (text.trim() === '' ? Number.NaN : Number(text));
const instant = (text: string) => (/^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text));
const date =
  (compare: (a: number, b: number) => boolean): Comparison =>
  (a, w) =>
    compare(instant(a), instant(w));
const arnLike: Comparison = (actual, wanted) => {
  const [a, w] = [actual.split(':'), wanted.split(':')];
  const rest = (parts: string[]) => parts.slice(5).join(':');
  return [0, 1, 2, 3, 4].every((i) => wildcard(w[i] ?? '', a[i] ?? '')) && wildcard(rest(w), rest(a));
};

const inRange: Comparison = (actual, wanted) => {
  const [network = '', prefix] = wanted.split('/');
  const [family, actualFamily] = [isIP(network), isIP(actual)];
  if (family === 0 || actualFamily === 0) return false;
  const range = new BlockList();
  range.addSubnet(network, Number(prefix ?? (family === 4 ? 32 : 128)), family === 4 ? 'ipv4' : 'ipv6');
  return range.check(actual, actualFamily === 4 ? 'ipv4' : 'ipv6');
};

/** IAM User Guide, "IAM JSON policy elements: Condition operators". */
const COMPARISONS: Record<string, Comparison> = {
  StringEquals: (a, w) => a === unmark(w),
  StringEqualsIgnoreCase: (a, w) => a.toLowerCase() === unmark(w).toLowerCase(),
  StringLike: (a, w) => wildcard(w, a),
  ArnEquals: arnLike,
  ArnLike: arnLike,
  BinaryEquals: (a, w) => a === w,
  IpAddress: inRange,
  Bool: (a, w) => a.toLowerCase() === w.toLowerCase(),
  NumericEquals: number((a, w) => a === w),
  NumericLessThan: number((a, w) => a < w),
  NumericLessThanEquals: number((a, w) => a <= w),
  NumericGreaterThan: number((a, w) => a > w),
  NumericGreaterThanEquals: number((a, w) => a >= w),
  DateEquals: date((a, w) => a === w),
  DateLessThan: date((a, w) => a < w),
  DateLessThanEquals: date((a, w) => a <= w),
  DateGreaterThan: date((a, w) => a > w),
  DateGreaterThanEquals: date((a, w) => a >= w),
};

const NEGATIONS: Record<string, string> = {
  StringNotEquals: 'StringEquals',
  StringNotEqualsIgnoreCase: 'StringEqualsIgnoreCase',
  StringNotLike: 'StringLike',
  ArnNotEquals: 'ArnEquals',
  ArnNotLike: 'ArnLike',
  NumericNotEquals: 'NumericEquals',
  DateNotEquals: 'DateEquals',
  NotIpAddress: 'IpAddress',
};

const unmark = (value: string) => value.replaceAll('\u0000', '');

interface Operator {
  quantifier?: 'ForAnyValue' | 'ForAllValues';
  ifExists: boolean;
  name: string;
}

/** Throws Error for an operator that IAM does not know. */
export function conditionOperator(text: string): Operator {
  const [, quantifier, name = '', ifExists] = /^(?:(ForAnyValue|ForAllValues):)?(\w+?)(IfExists)?$/.exec(text) ?? [];
  if (name !== 'Null' && !Object.hasOwn(COMPARISONS, name) && !Object.hasOwn(NEGATIONS, name)) {
    throw new Error(`Unsupported condition operator ${text}.`);
  }
  return {
    name,
    ifExists: ifExists !== undefined,
    ...(quantifier && { quantifier: quantifier as 'ForAnyValue' | 'ForAllValues' }),
  };
}

/**
 * `actual` is undefined when the request has no such key.
 * `wanted` has its variables filled in; one without a value equals nothing, so it is not among them.
 */
export function conditionHolds(
  { name, ifExists, quantifier }: Operator,
  actual: readonly string[] | undefined,
  wanted: readonly string[],
): boolean {
  if (name === 'Null') return wanted.some((value) => value === String(actual === undefined));
  const negated = NEGATIONS[name];
  if (actual === undefined) {
    if (ifExists || quantifier === 'ForAllValues') return true;
    return negated !== undefined && quantifier !== 'ForAnyValue';
  }
  const compare = COMPARISONS[negated ?? name] as Comparison;
  const one = (value: string) => wanted.some((candidate) => compare(value, candidate)) !== (negated !== undefined);
  return quantifier === 'ForAllValues' ? actual.every(one) : actual.some(one);
}
