/** What a policy document gives, in its smallest pieces, and the document without one of them. */

export interface Statement {
  Sid?: string;
  Effect: 'Allow' | 'Deny';
  Principal?: Record<string, string | string[]>;
  Action: string | string[];
  Resource?: string | string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

export interface PolicyDocument {
  Version?: string;
  Statement: Statement[];
}

export interface Cut {
  /** What is taken away: `dynamodb:GetItem on table/devices`, `sts:AssumeRole by lambda.amazonaws.com`. */
  piece: string;
  document: PolicyDocument;
}

/** The document without one action on one resource, for each pair that it allows. */
export function withoutEachRight(document: PolicyDocument): Cut[] {
  return pairs(document, 'Allow');
}

/** The document without one of its Denies; each opens something. */
export function withoutEachDenial(document: PolicyDocument): Cut[] {
  return pairs(document, 'Deny');
}

function pairs(document: PolicyDocument, effect: Statement['Effect']): Cut[] {
  return document.Statement.flatMap((statement, at) => {
    if (statement.Effect !== effect) return [];
    const actions = [statement.Action].flat();
    const resources = statement.Resource === undefined ? [undefined] : [statement.Resource].flat();
    return actions.flatMap((action) =>
      resources.map((resource) => {
        const rest = [
          { ...statement, Action: actions.filter((other) => other !== action) },
          { ...statement, Action: action, Resource: resources.filter((other) => other !== resource) as string[] },
        ].filter(({ Action, Resource }) => Action.length > 0 && Resource?.length !== 0);
        const kept = resource === undefined ? rest.slice(0, actions.length - 1) : rest;
        return { piece: pieceOf(action, resource, statement), document: replaced(document, at, kept) };
      }),
    );
  });
}

/** Where no statement would be left there must be one all the same: it allows what does not exist. */
function replaced(document: PolicyDocument, at: number, by: Statement[]): PolicyDocument {
  const original = document.Statement[at] as Statement;
  const Statement = document.Statement.toSpliced(at, 1, ...by);
  // A function's policy alone may have none.
  if (Statement.length > 0 || original.Sid !== undefined) return { ...document, Statement };
  return { ...document, Statement: [{ ...original, Action: 'none:None' }] };
}

/** The document with another value in one condition, for each: who fulfilled it does so no longer. */
export function withEachConditionUnfulfilled(document: PolicyDocument): Cut[] {
  return conditions(document, (value) =>
    value === 'true' ? 'false' : /^\d{12}$/.test(value) ? '999999999999' : `${value}x`,
  );
}

/** The document without one of its conditions. */
export function withoutEachCondition(document: PolicyDocument): Cut[] {
  return conditions(document, () => undefined);
}

function conditions(document: PolicyDocument, change: (value: string) => string | undefined): Cut[] {
  return document.Statement.flatMap((statement, at) =>
    Object.entries(statement.Condition ?? {}).flatMap(([operator, keys]) =>
      Object.entries(keys).map(([key, values]) => {
        const { [key]: _, ...others } = keys;
        const changed = [values].flat().flatMap((value) => change(value) ?? []);
        const Condition = {
          ...statement.Condition,
          [operator]: { ...others, ...(changed.length > 0 && { [key]: changed }) },
        };
        const Statement = document.Statement.with(at, { ...statement, Condition });
        const { length } = [statement.Action].flat();
        const what = length === 1 ? `${statement.Action}` : 'all';
        return { piece: `${what} if ${key}`, document: { ...document, Statement } };
      }),
    ),
  );
}

function pieceOf(action: string, resource: string | undefined, { Principal }: Statement): string {
  if (Principal) return `${action} by ${Object.values(Principal).flat().join()}`;
  return `${action} on ${resource?.replace(/^arn:aws:\w[\w-]*:[\w-]*:\d*:/, '')}`;
}
