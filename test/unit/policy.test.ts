// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how policies write a variable.
import { describe, expect, it } from 'vitest';
import { type Context, evaluate, type PolicyDocument, parsePolicy, type Statement } from '../../local/policy.ts';

const document = (...Statement: Statement[]): PolicyDocument => ({ Version: '2012-10-17', Statement });
const ask = (
  statements: Statement | Statement[],
  request: { action?: string; resource?: string; context?: Context } = {},
) => evaluate([document(...[statements].flat())], { action: 's:Do', resource: 'arn:r', context: {}, ...request });
const allow = (rest: Partial<Statement> = {}): Statement => ({ Effect: 'Allow', Action: '*', Resource: '*', ...rest });
const deny = (rest: Partial<Statement> = {}): Statement => ({ ...allow(rest), Effect: 'Deny' });
const without = (statement: Statement, ...keys: (keyof Statement)[]) =>
  Object.fromEntries(
    Object.entries(statement).filter(([key]) => !keys.includes(key as keyof Statement)),
  ) as unknown as Statement;

describe('a decision', () => {
  it('is no unless something allows it', () => {
    expect(ask([])).toBe('implicitDeny');
    expect(ask(allow())).toBe('allowed');
    expect(ask(allow({ Action: 's:Other' }))).toBe('implicitDeny');
  });

  it('is no when anything denies it, in whatever order or document', () => {
    expect(ask([deny(), allow()])).toBe('explicitDeny');
    expect(ask([allow(), deny()])).toBe('explicitDeny');
    const request = { action: 's:Do', resource: 'arn:r', context: {} };
    expect(evaluate([document(allow()), document(deny())], request)).toBe('explicitDeny');
    expect(ask([allow(), deny({ Action: 's:Other' })])).toBe('allowed');
  });

  it('takes one statement as well as a list, one value as well as a list', () => {
    const request = { action: 's:Do', resource: 'arn:r', context: {} };
    expect(evaluate([{ Version: '2012-10-17', Statement: allow({ Action: ['s:No', 's:Do'] }) }], request)).toBe(
      'allowed',
    );
  });
});

describe('actions', () => {
  it.each([
    ['s:Do', 's:Do', true],
    ['S:dO', 's:Do', true],
    ['s:*', 's:Do', true],
    ['s:D?', 's:Do', true],
    ['s:D?', 's:Doo', false],
    ['*', 's:Do', true],
    ['s:Do', 's:DoMore', false],
    ['s.Do', 's:Do', false],
  ])('%s on %s: %s', (pattern, action, expected) => {
    expect(ask(allow({ Action: pattern }), { action }) === 'allowed').toBe(expected);
  });

  it('NotAction is every other one', () => {
    const statement = without(allow({ NotAction: ['s:Do', 't:*'] }), 'Action');
    expect(ask(statement, { action: 's:Do' })).toBe('implicitDeny');
    expect(ask(statement, { action: 't:Any' })).toBe('implicitDeny');
    expect(ask(statement, { action: 's:Other' })).toBe('allowed');
  });
});

describe('resources', () => {
  it.each([
    ['arn:a:b', 'arn:a:b', true],
    ['arn:a:*', 'arn:a:b/c:d', true],
    ['arn:a:?', 'arn:a:b', true],
    ['arn:a:?', 'arn:a:', false],
    ['arn:A:b', 'arn:a:b', false],
    ['arn:*:b', 'arn:x:y:b', true],
    ['*a*b*', 'xaxxbx', true],
    ['*a*b', 'xaxxbx', false],
    ['a.b+(c)[d]^$|\\', 'a.b+(c)[d]^$|\\', true],
    ['a.b', 'axb', false],
    ['*', 'line\nbreak', true],
    ['', '', true],
    ['**', '', true],
  ])('%s on %s: %s', (pattern, resource, expected) => {
    expect(ask(allow({ Resource: pattern }), { resource }) === 'allowed').toBe(expected);
  });

  it('NotResource is every other one', () => {
    const statement = without(allow({ NotResource: 'arn:x/*' }), 'Resource');
    expect(ask(statement, { resource: 'arn:x/1' })).toBe('implicitDeny');
    expect(ask(statement, { resource: 'arn:y/1' })).toBe('allowed');
  });

  it('without any the statement reaches no resource', () => {
    expect(ask(without(allow(), 'Resource'))).toBe('implicitDeny');
  });

  it('no pattern takes for ever', () => {
    const started = performance.now();
    ask(allow({ Resource: `${'a*'.repeat(60)}b` }), { resource: 'a'.repeat(5000) });
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('variables', () => {
  const name = (pattern: string, resource: string, context: Context) =>
    ask(allow({ Resource: pattern }), { resource, context }) === 'allowed';

  it('are filled in, whatever the case of their key', () => {
    expect(name('s/${Iot:clientID}/*', 's/cam/1', { 'iot:ClientId': 'cam' })).toBe(true);
    expect(name('s/${iot:ClientId}/*', 's/other/1', { 'iot:ClientId': 'cam' })).toBe(false);
    expect(name('${a:x}-${a:y}', '1-2', { 'a:x': '1', 'a:y': '2' })).toBe(true);
  });

  it('without a value match nothing, not even themselves or an empty name', () => {
    expect(name('s/${a:x}/*', 's/${a:x}/1', {})).toBe(false);
    expect(name('s/${a:x}/*', 's//1', {})).toBe(false);
    expect(name('s/${a:x}/*', 's//1', { 'a:x': [] })).toBe(false);
  });

  it('with several values match nothing', () => {
    expect(name('s/${a:x}', 's/1', { 'a:x': ['1', '2'] })).toBe(false);
    expect(name('s/${a:x}', 's/1', { 'a:x': ['1'] })).toBe(true);
  });

  it('have values that are text, never patterns', () => {
    expect(name('s/${a:x}/*', 's/any/1', { 'a:x': '*' })).toBe(false);
    expect(name('s/${a:x}/*', 's/*/1', { 'a:x': '*' })).toBe(true);
    expect(name('s/${a:x}', 's/b', { 'a:x': '?' })).toBe(false);
    expect(name('s/${a:x}', 's/${a:y}', { 'a:x': '${a:y}', 'a:y': 'z' })).toBe(true);
  });

  it('may have a fallback', () => {
    expect(name("s/${a:x, 'none, yet'}", 's/none, yet', {})).toBe(true);
    expect(name("s/${a:x, 'none'}", 's/1', { 'a:x': '1' })).toBe(true);
    expect(name("s/${a:x, '*'}", 's/any', {})).toBe(false);
  });

  it('`${*}`, `${?}` and `${$}` are the characters', () => {
    expect(name('s/${*}', 's/*', {})).toBe(true);
    expect(name('s/${*}', 's/any', {})).toBe(false);
    expect(name('s/${?}', 's/a', {})).toBe(false);
    expect(name('s/${$}{a:x}', 's/${a:x}', { 'a:x': '1' })).toBe(true);
  });

  it('are text before version 2012-10-17', () => {
    const old = { Version: '2008-10-17', Statement: allow({ Resource: 's/${a:x}' }) };
    const request = { action: 's:Do', context: { 'a:x': '1' } };
    expect(evaluate([old], { ...request, resource: 's/1' })).toBe('implicitDeny');
    expect(evaluate([old], { ...request, resource: 's/${a:x}' })).toBe('allowed');
  });

  it('work in conditions', () => {
    const statement = allow({ Condition: { StringEquals: { 'a:x': '${a:y}' } } });
    expect(ask(statement, { context: { 'a:x': '*', 'a:y': '*' } })).toBe('allowed');
    expect(ask(statement, { context: { 'a:x': '1', 'a:y': '2' } })).toBe('implicitDeny');
    expect(ask(statement, { context: { 'a:x': '1' } })).toBe('implicitDeny');
  });
});

describe('principals', () => {
  const trusts = (Principal: Statement['Principal'] | undefined, principal: Record<string, string | string[]>) => {
    const statement = { Effect: 'Allow', Action: 's:Do', ...(Principal && { Principal }) } as Statement;
    return evaluate([document(statement)], { action: 's:Do', principal, context: {} }) === 'allowed';
  };
  const user = { AWS: 'arn:aws:iam::000000000000:user/u' };

  it('are matched by kind and name', () => {
    expect(trusts({ Service: 'iot.amazonaws.com' }, { Service: 'iot.amazonaws.com' })).toBe(true);
    expect(trusts({ Service: ['a', 'iot.amazonaws.com'] }, { Service: 'iot.amazonaws.com' })).toBe(true);
    expect(trusts({ Service: 'iot.amazonaws.com' }, { Service: 'credentials.iot.amazonaws.com' })).toBe(false);
    expect(trusts({ AWS: user.AWS }, user)).toBe(true);
    expect(trusts({ Service: user.AWS }, user)).toBe(false);
  });

  it('an account stands for everyone in it, and for no other', () => {
    expect(trusts({ AWS: 'arn:aws:iam::000000000000:root' }, user)).toBe(true);
    expect(trusts({ AWS: '000000000000' }, user)).toBe(true);
    expect(trusts({ AWS: '111111111111' }, user)).toBe(false);
  });

  it('everyone is `*`, a service is never', () => {
    expect(trusts('*', user)).toBe(true);
    expect(trusts({ AWS: '*' }, user)).toBe(true);
    expect(trusts({ Service: '*' }, user)).toBe(false);
  });

  it('a session may be named by itself or by its role', () => {
    const session = { AWS: ['arn:aws:sts::0:assumed-role/r/s', 'arn:aws:iam::0:role/r'] };
    expect(trusts({ AWS: 'arn:aws:iam::0:role/r' }, session)).toBe(true);
    expect(trusts({ AWS: 'arn:aws:sts::0:assumed-role/r/s' }, session)).toBe(true);
    expect(trusts({ AWS: 'arn:aws:iam::0:role/q' }, session)).toBe(false);
  });

  it('a statement that names nobody trusts nobody', () => {
    expect(trusts(undefined, user)).toBe(false);
  });
});

describe('what is no policy', () => {
  const parse = (statement: unknown) => () =>
    parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statement }));

  it.each([
    ['text', () => parsePolicy('nope')],
    ['a list', () => parsePolicy('[]')],
    ['null', () => parsePolicy('null')],
    ['another version', () => parsePolicy('{"Version":"2020-01-01","Statement":[]}')],
    ['no statement', () => parsePolicy('{"Version":"2012-10-17"}')],
    ['an empty list of them', parse([])],
    ['a statement that is text', parse(['x'])],
    ['another effect', parse({ ...allow(), Effect: 'allow' })],
    ['no action', parse(without(allow(), 'Action'))],
    ['both kinds of action', parse({ ...allow(), NotAction: 's:Do' })],
    ['both kinds of resource', parse({ ...allow(), NotResource: '*' })],
    ['an action that is a number', parse({ ...allow(), Action: 1 })],
    ['a misspelt element', parse({ ...allow(), Conditions: {} })],
    ['NotPrincipal', parse({ ...allow(), NotPrincipal: '*' })],
    ['an unknown operator', parse({ ...allow(), Condition: { StringIs: { a: 'b' } } })],
    ['an operator by its prototype', parse({ ...allow(), Condition: { constructor: { a: 'b' } } })],
    ['a condition that is text', parse({ ...allow(), Condition: { StringEquals: 'b' } })],
    ['a condition value that is an object', parse({ ...allow(), Condition: { StringEquals: { a: {} } } })],
  ])('%s is refused', (_, run) => {
    expect(run).toThrow(Error);
  });

  it('anything else is kept as it is', () => {
    const text = JSON.stringify(document(allow({ Sid: 'x', Condition: { Bool: { a: true } } })));
    expect(parsePolicy(text)).toEqual(JSON.parse(text));
  });
});
