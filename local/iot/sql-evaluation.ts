import type { Expression, FunctionName, Operator, Rule, Value } from './sql.ts';

/** One message as a rule sees it. */
export interface Occasion {
  topic: string;
  payload: Value;
  clientId?: string;
  /** Epoch ms. */
  now: number;
}

/** What the rule hands to its actions; undefined when its WHERE does not hold. FROM is the caller's to check. */
export function evaluateSql(rule: Rule, occasion: Occasion): { [key: string]: Value } | undefined {
  // Only true is true: Undefined, as of a missing attribute, selects nothing (IoT guide, "WHERE clause").
  if (rule.where && compute(rule.where, occasion) !== true) return undefined;
  const selected: { [key: string]: Value } = {};
  for (const { expression, as } of rule.select) {
    const value = compute(expression, occasion);
    if (as !== undefined) {
      if (value !== undefined) selected[as] = value;
    } else if (isMap(value)) Object.assign(selected, value);
  }
  return selected;
}

function compute(expression: Expression, occasion: Occasion): Value {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'all':
      return occasion.payload;
    case 'path':
      return expression.keys.reduce(member, occasion.payload);
    case 'call':
      return CALLS[expression.name](
        expression.arguments.map((argument) => compute(argument, occasion)),
        occasion,
      );
    case 'not': {
      const value = compute(expression.of, occasion);
      return typeof value === 'boolean' ? !value : undefined;
    }
    case 'negate': {
      const value = numberOf(compute(expression.of, occasion));
      return value === undefined ? undefined : -value;
    }
    case 'binary':
      return OPERATIONS[expression.operator](compute(expression.left, occasion), compute(expression.right, occasion));
  }
}

function member(value: Value, key: string | number): Value {
  if (Array.isArray(value)) return typeof key === 'number' ? value[key] : undefined;
  return isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

const isMap = (value: Value): value is { [key: string]: Value } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** IoT guide, "Operators": a string that is a number counts as one. */
function numberOf(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : undefined;
}

const equal = (left: Value, right: Value): boolean | undefined => {
  if (left === undefined || right === undefined) return undefined;
  if (typeof left === typeof right) return JSON.stringify(left) === JSON.stringify(right);
  const [a, b] = [numberOf(left), numberOf(right)];
  return a !== undefined && a === b;
};

const ordered =
  (compare: (order: number) => boolean) =>
  (left: Value, right: Value): Value => {
    const [a, b] = [numberOf(left), numberOf(right)];
    if (a !== undefined && b !== undefined) return compare(a - b);
    if (typeof left !== 'string' || typeof right !== 'string') return undefined;
    return compare(left < right ? -1 : left > right ? 1 : 0);
  };

const arithmetic =
  (calculate: (a: number, b: number) => number) =>
  (left: Value, right: Value): Value => {
    const [a, b] = [numberOf(left), numberOf(right)];
    if (a === undefined || b === undefined) return undefined;
    const result = calculate(a, b);
    return Number.isFinite(result) ? result : undefined;
  };

const OPERATIONS: Record<Operator, (left: Value, right: Value) => Value> = {
  and: (left, right) => (typeof left === 'boolean' && typeof right === 'boolean' ? left && right : undefined),
  or: (left, right) => (typeof left === 'boolean' && typeof right === 'boolean' ? left || right : undefined),
  '=': equal,
  '<>': (left, right) => {
    const same = equal(left, right);
    return same === undefined ? undefined : !same;
  },
  '<': ordered((order) => order < 0),
  '<=': ordered((order) => order <= 0),
  '>': ordered((order) => order > 0),
  '>=': ordered((order) => order >= 0),
  // "+ operator": adds numbers, joins strings.
  '+': (left, right) =>
    typeof left === 'string' && typeof right === 'string' ? left + right : arithmetic((a, b) => a + b)(left, right),
  '-': arithmetic((a, b) => a - b),
  '*': arithmetic((a, b) => a * b),
  '/': arithmetic((a, b) => a / b),
  '%': arithmetic((a, b) => a % b),
};

const overText =
  (calculate: (...texts: string[]) => Value) =>
  (values: Value[]): Value =>
    values.every((value) => typeof value === 'string') ? calculate(...values) : undefined;

/** IoT guide, "Functions". */
const CALLS: Record<FunctionName, (values: Value[], occasion: Occasion) => Value> = {
  // "topic(Decimal)": the segment of that number, the first is 1.
  topic: ([segment], { topic }) =>
    segment === undefined ? topic : typeof segment === 'number' ? topic.split('/')[segment - 1] : undefined,
  // "n/a" when the message was not sent over MQTT.
  clientid: (_, { clientId }) => clientId ?? 'n/a',
  timestamp: (_, { now }) => now,
  startswith: overText((text, start) => text !== undefined && start !== undefined && text.startsWith(start)),
  endswith: overText((text, end) => text !== undefined && end !== undefined && text.endsWith(end)),
  regexp_matches: overText((text = '', pattern = '') => {
    try {
      return new RegExp(pattern).test(text);
    } catch {
      return undefined;
    }
  }),
  lower: overText((text) => text?.toLowerCase()),
  upper: overText((text) => text?.toUpperCase()),
  concat: overText((...texts) => texts.join('')),
  isundefined: ([value]) => value === undefined,
  isnull: ([value]) => value === null,
};
