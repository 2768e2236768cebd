import { describe, expect, test } from 'vitest';
import { createClock } from '../../local/clock.ts';
import { createRegistry, type TopicRule } from '../../local/iot/registry.ts';
import { createRuleEngine } from '../../local/iot/rule-engine.ts';
import { parseSql } from '../../local/iot/sql.ts';
import { evaluateSql } from '../../local/iot/sql-evaluation.ts';

const payload = { a: 1, b: 'two', n: null, deep: { list: [10, { x: 'y' }] }, clientId: 'claim-7', id: '42' };
const run = (sql: string, more = {}) =>
  evaluateSql(parseSql(sql), { topic: 'one/two/three', payload, now: 1234, ...more });

describe('SELECT', () => {
  test.each<[string, unknown]>([
    ['SELECT * FROM "x"', payload],
    ['select a, b FROM "x"', { a: 1, b: 'two' }],
    ['SELECT deep.list[1].x AS inner FROM "x"', { inner: 'y' }],
    ['SELECT deep.list FROM "x"', { list: [10, { x: 'y' }] }],
    ['SELECT nothing, a FROM "x"', { a: 1 }],
    ['SELECT *, topic() AS at FROM "x"', { ...payload, at: 'one/two/three' }],
    ['SELECT topic(2) AS t, timestamp() AS now FROM "x"', { t: 'two', now: 1234 }],
    ['SELECT clientid() AS who FROM "x"', { who: 'n/a' }],
    ["SELECT 'it''s' AS s, 1 + 2 * 3 AS n, -(a) AS m FROM 'x'", { s: "it's", n: 7, m: -1 }],
    ["SELECT upper(b) AS u, concat(b, '-', lower('X')) AS c FROM 'x'", { u: 'TWO', c: 'two-x' }],
  ])('%s', (sql, expected) => {
    expect(run(sql)).toEqual(expected);
  });
});

describe('WHERE', () => {
  test.each<[string, boolean]>([
    ['a = 1', true],
    ['a <> 1', false],
    ['a != 2', true],
    ["b = 'two'", true],
    ['a < 2 AND a >= 1', true],
    ["a > 1 OR b = 'two'", true],
    ['NOT a = 2', true],
    ['NOT (a = 1)', false],
    ['id = 42', true],
    ['b = 2', false],
    ["startswith(clientId, 'claim-')", true],
    ["NOT startswith(clientId, 'fleet-') AND NOT startswith(clientId, 'claim-')", false],
    ["endswith(clientId, '7')", true],
    ["regexp_matches(clientId, '^claim-[0-9]+$')", true],
    ["regexp_matches(clientId, '(')", false],
    ["topic(3) = 'three'", true],
    ['isundefined(nothing) AND isnull(n)', true],
    ['nothing = 1', false],
    ['nothing <> 1', false],
    ['NOT nothing = 1', false],
    ['a', false],
  ])('%s', (where, holds) => {
    expect(run(`SELECT * FROM 'x' WHERE ${where}`) !== undefined).toBe(holds);
  });
});

test.each<[string, RegExp]>([
  ['', /SELECT/],
  ['UPDATE x', /SELECT/],
  ['SELECT * FROM x', /topic filter/],
  ["SELECT md5(a) AS m FROM 'x'", /Unknown function 'md5'/],
  ["SELECT * FROM 'x' WHERE", /a value/],
  ["SELECT * FROM 'x' WHERE a = ", /a value/],
  ["SELECT * FROM 'x' WHERE a IN [1]", /the end/],
  ["SELECT * FROM 'x' GROUP BY a", /the end/],
  ["SELECT topic(2) FROM 'x'", /AS/],
  ["SELECT topic(1, 2) AS t FROM 'x'", /arguments/],
  ["SELECT VALUE * FROM 'x'", /a value/],
  ["SELECT a; FROM 'x'", /Unexpected ';'/],
  ["SELECT 'open FROM x", /Unexpected/],
  ["SELECT constructor() AS c FROM 'x'", /Unknown function/],
])('%s is refused', (sql, words) => {
  expect(() => parseSql(sql)).toThrow(words);
});

describe('the rules engine', () => {
  const start = (...rules: Partial<TopicRule>[]) => {
    const clock = createClock();
    const registry = createRegistry({ clock, region: 'us-east-1', accountId: '000000000000' });
    const calls: unknown[][] = [];
    for (const [index, rule] of rules.entries()) {
      const ruleName = rule.ruleName ?? `rule${index}`;
      registry.rules.set(ruleName, {
        ruleName,
        ruleArn: registry.arn(`rule/${ruleName}`),
        sql: "SELECT *, topic(5) AS at FROM '$aws/events/presence/connected/+'",
        awsIotSqlVersion: '2016-03-23',
        actions: [{ lambda: { functionArn: 'fn' } }],
        ruleDisabled: false,
        createdAt: 0,
        ...rule,
      });
    }
    const invokeLambda = (...call: unknown[]) => {
      calls.push(call);
      if (call[0] === 'broken') throw new Error('not allowed');
    };
    return { calls, engine: createRuleEngine({ registry, clock, invokeLambda }) };
  };
  const message = Buffer.from('{"a":1}');

  test('hands the selection to the function', () => {
    const { calls, engine } = start({});
    engine('$aws/events/presence/connected/cam', message);
    engine('$aws/events/presence/disconnected/cam', message);
    expect(calls).toEqual([['fn', 'arn:aws:iot:us-east-1:000000000000:rule/rule0', { a: 1, at: 'cam' }]]);
  });

  test('skips disabled rules and what is no JSON', () => {
    const { calls, engine } = start({ ruleDisabled: true }, { sql: "SELECT * FROM 'x'" });
    engine('$aws/events/presence/connected/cam', message);
    engine('x', Buffer.from('{"a'));
    expect(calls).toEqual([]);
  });

  test('takes Basic Ingest to the named rule alone', () => {
    const { calls, engine } = start({ sql: 'SELECT topic() AS t' }, { sql: 'SELECT topic() AS t' });
    engine('$aws/rules/rule1/cameras/x', message);
    expect(calls).toEqual([['fn', 'arn:aws:iot:us-east-1:000000000000:rule/rule1', { t: 'cameras/x' }]]);
  });

  test('runs the error action when an action fails', async () => {
    const { calls, engine } = start({
      actions: [{ lambda: { functionArn: 'broken' } }],
      errorAction: { lambda: { functionArn: 'rescue' } },
    });
    engine('$aws/events/presence/connected/cam', message, 'cam');
    await expect.poll(() => calls.length).toBe(2);
    expect(calls[1]?.[2]).toMatchObject({
      ruleName: 'rule0',
      topic: '$aws/events/presence/connected/cam',
      clientId: 'cam',
      base64OriginalPayload: message.toString('base64'),
      failures: [{ failedAction: 'LambdaAction', failedResource: 'broken', errorMessage: 'not allowed' }],
    });
  });
});
