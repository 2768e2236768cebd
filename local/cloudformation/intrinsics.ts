/** CloudFormation's intrinsic functions over what exists so far. What is not known here is an error, never a guess. */

export interface Scope {
  /** Logical id → what `Ref` gives. */
  physicalIds: Map<string, string>;
  /** Logical id → what `Fn::GetAtt` gives, by attribute name. */
  attributes: Map<string, Record<string, unknown>>;
  /** `AWS::Region`, `AWS::AccountId` … */
  pseudo: Record<string, string>;
}

const VARIABLE = /\$\{(!)?([^}]+)\}/g;

/** A property set to `AWS::NoValue` is as good as not written (Template Reference, "Pseudo parameters"). */
const NO_VALUE = Symbol('AWS::NoValue');

/** The value with every intrinsic in it replaced. Throws Error, in words, for an unknown function, resource or attribute. */
export function resolve(value: unknown, scope: Scope): unknown {
  const resolved = resolveAny(value, scope);
  return resolved === NO_VALUE ? undefined : resolved;
}

function resolveAny(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value)) return value.map((item) => resolveAny(item, scope)).filter((item) => item !== NO_VALUE);
  if (typeof value !== 'object' || value === null) return value;

  const intrinsic = intrinsicOf(value);
  if (intrinsic !== undefined) {
    const [name, argument] = intrinsic;
    const evaluate = FUNCTIONS[name];
    if (evaluate === undefined) throw new Error(`The stand-in does not know the intrinsic function ${name}.`);
    return evaluate(argument, scope);
  }
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]) => [key, resolveAny(item, scope)] as const)
      .filter(([, item]) => item !== NO_VALUE),
  );
}

/** Logical ids that a value needs before it can be resolved. */
export function referencesOf(value: unknown): Set<string> {
  const found = new Set<string>();
  const add = (name: string) => {
    if (!name.startsWith('AWS::')) found.add(name);
  };
  const visit = (item: unknown): void => {
    if (typeof item !== 'object' || item === null) return;
    const [name, argument] = (Array.isArray(item) ? undefined : intrinsicOf(item)) ?? [];
    if (name === 'Ref') add(argument as string);
    else if (name === 'Fn::GetAtt') add(attributeOf(argument)[0]);
    else if (name === 'Fn::Sub') {
      const { text, variables } = substitutionOf(argument);
      for (const variable of variablesOf(text)) if (!(variable in variables)) add(variable.split('.')[0] as string);
      visit(variables);
    } else {
      for (const inner of Object.values(item)) visit(inner);
    }
  };
  visit(value);
  return found;
}

const FUNCTIONS: Record<string, (argument: unknown, scope: Scope) => unknown> = {
  Ref: (argument, scope) => reference(argument as string, scope),
  'Fn::GetAtt': (argument, scope) => attribute(...attributeOf(argument), scope),
  'Fn::Join': (argument, scope) => {
    const [separator, parts] = resolveAny(argument, scope) as [string, unknown[]];
    return parts.map((part) => text(part, 'Fn::Join')).join(separator);
  },
  'Fn::Split': (argument, scope) => {
    const [separator, whole] = resolveAny(argument, scope) as [string, string];
    return whole.split(separator);
  },
  'Fn::Select': (argument, scope) => {
    const [index, list] = resolveAny(argument, scope) as [string | number, unknown[]];
    const selected = list[Number(index)];
    if (selected === undefined) throw new Error(`Fn::Select cannot select nonexistent value at index ${index}.`);
    return selected;
  },
  'Fn::Sub': (argument, scope) => {
    const { text: template, variables } = substitutionOf(argument);
    return template.replace(VARIABLE, (_, literal: string | undefined, name: string) => {
      // `${!x}` is the text `${x}` (Template Reference, "Fn::Sub").
      if (literal) return `\${${name}}`;
      if (name in variables) return text(resolveAny(variables[name], scope), `Fn::Sub variable ${name}`);
      const [id, ...path] = name.split('.') as [string, ...string[]];
      const value = path.length === 0 ? reference(name, scope) : attribute(id, path.join('.'), scope);
      return text(value, `Fn::Sub variable ${name}`);
    });
  },
};

const variablesOf = (template: string) =>
  [...template.matchAll(VARIABLE)].filter((match) => match[1] === undefined).map((match) => match[2] as string);

function intrinsicOf(value: object): [name: string, argument: unknown] | undefined {
  const entries = Object.entries(value);
  const [only] = entries;
  // `Condition` alone also names a template condition, but the policies' own `Condition` maps look the same and are far more common.
  return entries.length === 1 && only && (only[0] === 'Ref' || only[0].startsWith('Fn::')) ? only : undefined;
}

function reference(name: string, scope: Scope): unknown {
  if (name === 'AWS::NoValue') return NO_VALUE;
  const value = scope.pseudo[name] ?? scope.physicalIds.get(name);
  if (value === undefined) throw new Error(`Unresolved resource dependency: Ref ${name}.`);
  return value;
}

function attribute(id: string, name: string, scope: Scope): unknown {
  const value = scope.attributes.get(id)?.[name];
  if (value === undefined) throw new Error(`The resource ${id} has no attribute ${name} that the stand-in knows.`);
  return value;
}

function attributeOf(argument: unknown): [id: string, name: string] {
  const [id = '', ...path] = typeof argument === 'string' ? argument.split('.') : (argument as string[]);
  return [id, path.join('.')];
}

function substitutionOf(argument: unknown): { text: string; variables: Record<string, unknown> } {
  if (typeof argument === 'string') return { text: argument, variables: {} };
  const [template, variables] = argument as [string, Record<string, unknown>];
  return { text: template, variables };
}

function text(value: unknown, where: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new Error(`${where} needs a string.`);
}
