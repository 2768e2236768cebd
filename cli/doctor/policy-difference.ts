/** A policy of IAM, AWS IoT or Lambda: they share their grammar. */
export interface PolicyDocument {
  Version?: string;
  Statement: Statement | Statement[];
}

export interface Statement {
  Sid?: string;
  Effect?: string;
  Principal?: string | Record<string, string | string[]>;
  Action?: string | string[];
  NotAction?: string | string[];
  Resource?: string | string[];
  NotResource?: string | string[];
  Condition?: Record<string, Record<string, unknown>>;
}

/** The least that a statement says: one action on one resource, or for one principal. */
interface Grant {
  effect: string;
  action: string;
  on: string;
  condition: string;
}

/** Of so many differences a person reads the first. */
const MOST = 4;

/** What one policy says otherwise than another, in words; empty where both say the same, however they are written. */
export function differences(expected: PolicyDocument, actual: PolicyDocument): string[] {
  const should = grantsOf(expected);
  const does = grantsOf(actual);
  const missing = grouped([...should].filter(([key]) => !does.has(key)).map(([, grant]) => grant));
  const added = grouped([...does].filter(([key]) => !should.has(key)).map(([, grant]) => grant));
  const said = [
    ...missing.map(({ effect, what }) => `it does not ${effect} ${what}`),
    ...added.map(
      ({ effect, what }) => `it ${effect === 'deny' ? 'denies' : 'allows'} ${what}, which the template does not`,
    ),
  ];
  return said.length > MOST ? [...said.slice(0, MOST), `and ${said.length - MOST} more`] : said;
}

/** A document as an API gives it: IAM percent-encodes it (API reference, GetRolePolicy). */
export const parsed = (text = '{"Statement":[]}'): PolicyDocument =>
  JSON.parse(text.startsWith('%7B') ? decodeURIComponent(text) : text);

const listed = (value: string | string[] | undefined): string[] => (value === undefined ? [] : [value].flat());

/** By what tells one from another. */
function grantsOf({ Statement }: PolicyDocument): Map<string, Grant> {
  const grants = [Statement].flat().flatMap((statement) => {
    const actions = [...listed(statement.Action), ...listed(statement.NotAction).map((action) => `all but ${action}`)];
    const on = [
      ...principalsOf(statement.Principal),
      ...listed(statement.Resource).map((resource) => `on ${resource}`),
      ...listed(statement.NotResource).map((resource) => `on all but ${resource}`),
    ];
    const effect = statement.Effect === 'Deny' ? 'deny' : 'allow';
    const condition = conditionOf(statement.Condition);
    return actions.flatMap((action) => on.map((one): Grant => ({ effect, action, on: one, condition })));
  });
  // Actions are compared without regard to case (IAM User Guide, "Action").
  return new Map(
    grants.map((grant) => [
      JSON.stringify([grant.effect, grant.action.toLowerCase(), grant.on, grant.condition]),
      grant,
    ]),
  );
}

function principalsOf(principal: Statement['Principal']): string[] {
  if (principal === undefined) return [];
  if (typeof principal === 'string') return [`by ${principal}`];
  return Object.values(principal).flatMap((names) => listed(names).map((name) => `by ${name}`));
}

/** Keys are compared without regard to case: Lambda writes `AWS:SourceArn`. */
function conditionOf(condition: Statement['Condition'] = {}): string {
  const parts = Object.entries(condition).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => {
      const wanted = [values].flat().map(String);
      return `${key.replace(/^AWS:/, 'aws:')} ${operator} ${wanted.sort().join(' or ')}`;
    }),
  );
  return parts.sort().join(' and ');
}

/** What is said of several actions alike, once. */
function grouped(grants: Grant[]): { effect: string; what: string }[] {
  const groups = Map.groupBy(grants, ({ effect, on, condition }) => JSON.stringify([effect, on, condition]));
  return [...groups.values()].map((group) => {
    const [{ effect, on, condition }] = group as [Grant];
    const actions = group.map(({ action }) => action).join(', ');
    return { effect, what: `${actions} ${on}${condition ? ` if ${condition}` : ''}` };
  });
}
