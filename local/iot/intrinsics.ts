/** The functions of provisioning templates (IoT guide, "Intrinsic functions"). */

export type Expression = string | number | boolean | null | Expression[] | { [key: string]: Expression };

export interface Scope {
  mappings: Record<string, Record<string, Record<string, string | string[]>>>;
  /** Throws Error when it has neither value nor default. */
  parameter(name: string): string;
}

interface FunctionCall {
  name: string;
  argument: Expression;
  /** The parameters it names itself; those of its arguments are theirs. */
  parameters: string[];
}

const FUNCTIONS: Record<string, (argument: Expression, scope: Scope) => Expression> = {
  Ref: (name, scope) => scope.parameter(text(name, 'Ref')),

  'Fn::Join'(argument) {
    const [delimiter, parts] = members(argument, 2, 'Fn::Join');
    return list(parts, 'Fn::Join')
      .map((part) => text(part, 'Fn::Join'))
      .join(text(delimiter, 'Fn::Join'));
  },

  'Fn::Select'(argument) {
    const [index, choices] = members(argument, 2, 'Fn::Select');
    // "does not check for null values or if the index is out of bounds of the array. Both conditions result in a provisioning error".
    const chosen = /^\d+$/.test(String(index)) ? list(choices, 'Fn::Select')[Number(index)] : undefined;
    if (chosen === undefined || chosen === null) throw new Error('Fn::Select has nothing at this index.');
    return chosen;
  },

  'Fn::FindInMap'(argument, { mappings }) {
    const keys = members(argument, 3, 'Fn::FindInMap').map((key) => text(key, 'Fn::FindInMap'));
    let found: unknown = mappings;
    for (const key of keys) {
      if (!Object.hasOwn(found as object, key)) throw new Error(`Fn::FindInMap finds no ${keys.join('.')}.`);
      found = (found as Record<string, unknown>)[key];
    }
    return found as Expression;
  },

  'Fn::Split'(argument) {
    const [delimiter, value] = members(argument, 2, 'Fn::Split');
    return text(value, 'Fn::Split').split(text(delimiter, 'Fn::Split'));
  },

  'Fn::Sub': (template, scope) =>
    text(template, 'Fn::Sub').replace(VARIABLE, (_, literal: string, name: string) =>
      literal === '!' ? `\${${name}}` : scope.parameter(name),
    ),
};

/** `${Name}`, or `${!Name}` for the text `${Name}`. */
const VARIABLE = /\$\{(!?)([^}]*)\}/g;

/** Throws Error in words for a function that is not there, or refused, and for a parameter that is not declared. */
export function checkExpression(
  expression: unknown,
  at: string,
  rules: { known: Set<string>; refused?: string },
): void {
  if (typeof expression !== 'object' || expression === null) return;
  const call = Array.isArray(expression) ? undefined : functionOf(expression, at);
  for (const name of call?.parameters ?? []) {
    if (!rules.known.has(name)) throw new Error(`${at}: the template declares no parameter ${name}.`);
  }
  if (call && call.name === rules.refused) throw new Error(`${at}: ${call.name} is not supported here.`);
  for (const part of Object.values(expression)) checkExpression(part, at, rules);
}

/** Which function an object calls; undefined when it is just an object. Throws Error in words when it calls one that is not there. */
function functionOf(expression: object, at: string): FunctionCall | undefined {
  const keys = Object.keys(expression);
  const name = keys.find((key) => key === 'Ref' || key.startsWith('Fn::'));
  if (name === undefined) return undefined;
  if (!Object.hasOwn(FUNCTIONS, name)) throw new Error(`${at}: there is no function ${name}.`);
  if (keys.length > 1) throw new Error(`${at}: ${name} stands alone in its object.`);
  const argument = (expression as Record<string, Expression>)[name] as Expression;
  if (name === 'Ref') return { name, argument, parameters: [text(argument, 'Ref')] };
  if (name !== 'Fn::Sub') return { name, argument, parameters: [] };
  // The form with a list of variables, which CloudFormation has, is not documented for provisioning templates.
  const variables = [...text(argument, 'Fn::Sub').matchAll(VARIABLE)].filter(([, literal]) => literal === '');
  return { name, argument, parameters: variables.map(([, , variable = '']) => variable) };
}

export function evaluateExpression(expression: Expression, scope: Scope): Expression {
  if (typeof expression !== 'object' || expression === null) return expression;
  if (Array.isArray(expression)) return expression.map((item) => evaluateExpression(item, scope));
  const call = functionOf(expression, 'Template');
  if (call)
    return (FUNCTIONS[call.name] as NonNullable<(typeof FUNCTIONS)[string]>)(
      evaluateExpression(call.argument, scope),
      scope,
    );
  return Object.fromEntries(Object.entries(expression).map(([key, value]) => [key, evaluateExpression(value, scope)]));
}

function text(value: Expression | undefined, what: string): string {
  if (typeof value === 'string') return value;
  throw new Error(`${what} needs a string.`);
}

function list(value: Expression | undefined, what: string): Expression[] {
  if (Array.isArray(value)) return value;
  throw new Error(`${what} needs a list.`);
}

function members(argument: Expression, count: number, what: string): Expression[] {
  const values = list(argument, what);
  if (values.length !== count) throw new Error(`${what} needs ${count} arguments.`);
  return values;
}
