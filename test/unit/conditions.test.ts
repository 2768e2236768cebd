import { describe, expect, it } from 'vitest';
import { type Context, evaluate, type Statement } from '../../local/policy.ts';

const ask = (statements: Statement | Statement[], context: Context) => {
  const document = { Version: '2012-10-17', Statement: statements };
  return evaluate([document], { action: 's:Do', resource: 'arn:r', context });
};
const allow = (rest: Partial<Statement> = {}): Statement => ({ Effect: 'Allow', Action: '*', Resource: '*', ...rest });
const deny = (rest: Partial<Statement> = {}): Statement => ({ ...allow(rest), Effect: 'Deny' });

describe('conditions', () => {
  const holds = (
    operator: string,
    wanted: string | boolean | number | string[],
    actual: string | string[] | undefined,
  ) => ask(allow({ Condition: { [operator]: { 'a:Key': wanted } } }), { 'a:key': actual }) === 'allowed';

  it.each<[string, string | boolean | number | string[], string | string[] | undefined, boolean]>([
    ['StringEquals', 'a', 'a', true],
    ['StringEquals', 'a', 'A', false],
    ['StringEquals', 'a*', 'ab', false],
    ['StringEquals', ['a', 'b'], 'b', true],
    ['StringEquals', 'a', undefined, false],
    ['StringEquals', '', '', true],
    ['StringNotEquals', 'a', 'b', true],
    ['StringNotEquals', ['a', 'b'], 'b', false],
    ['StringNotEquals', 'a', undefined, true],
    ['StringEqualsIgnoreCase', 'a', 'A', true],
    ['StringNotEqualsIgnoreCase', 'a', 'A', false],
    ['StringLike', 'a*c?', 'abbcd', true],
    ['StringLike', 'a*', 'Ab', false],
    ['StringNotLike', 'a*', 'ab', false],
    ['StringNotLike', 'a*', 'b', true],
    ['NumericEquals', 10, '10.0', true],
    ['NumericEquals', '10', '', false],
    ['NumericNotEquals', '10', '11', true],
    ['NumericLessThan', '10', '9', true],
    ['NumericLessThan', '10', '10', false],
    ['NumericLessThanEquals', '10', '10', true],
    ['NumericGreaterThan', '9', '10', true],
    ['NumericGreaterThanEquals', '10', '9', false],
    ['NumericEquals', '10', 'ten', false],
    ['DateEquals', '2026-01-01T00:00:00Z', '1767225600', true],
    ['DateNotEquals', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', false],
    ['DateLessThan', '2026-01-02', '2026-01-01T12:00:00Z', true],
    ['DateLessThanEquals', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', true],
    ['DateGreaterThan', '2026-01-02', '2026-01-01T12:00:00Z', false],
    ['DateGreaterThanEquals', '2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z', true],
    ['Bool', true, 'true', true],
    ['Bool', 'true', 'false', false],
    ['Bool', 'true', undefined, false],
    ['BinaryEquals', 'QmFzZTY0', 'QmFzZTY0', true],
    ['IpAddress', '10.0.0.0/8', '10.1.2.3', true],
    ['IpAddress', '10.0.0.1', '10.0.0.2', false],
    ['IpAddress', '2001:db8::/32', '2001:db8::1', true],
    ['NotIpAddress', ['10.0.0.0/8', '127.0.0.0/8'], '127.0.0.1', false],
    ['NotIpAddress', '10.0.0.0/8', '192.168.0.1', true],
    ['ArnEquals', 'arn:aws:iot:us-east-1:0:rule/x', 'arn:aws:iot:us-east-1:0:rule/x', true],
    ['ArnLike', 'arn:aws:iot:*:0:rule/*', 'arn:aws:iot:us-east-1:0:rule/x', true],
    ['ArnLike', 'arn:aws:iot:*:rule/x', 'arn:aws:iot:us-east-1:0:rule/x', false],
    ['ArnNotLike', 'arn:aws:iot:*:0:rule/*', 'arn:aws:iot:us-east-1:0:rule/x', false],
    ['ArnNotEquals', 'arn:aws:iot:us-east-1:0:rule/x', 'arn:aws:iot:us-east-1:0:rule/y', true],
    ['Null', 'true', undefined, true],
    ['Null', true, 'x', false],
    ['Null', 'false', 'x', true],
    ['Null', 'false', [], false],
    ['StringEqualsIfExists', 'a', undefined, true],
    ['StringEqualsIfExists', 'a', 'b', false],
    ['BoolIfExists', 'true', undefined, true],
    ['ForAnyValue:StringEquals', ['a', 'b'], ['x', 'b'], true],
    ['ForAnyValue:StringEquals', ['a', 'b'], ['x', 'y'], false],
    ['ForAnyValue:StringEquals', 'a', undefined, false],
    ['ForAnyValue:StringNotEquals', 'a', undefined, false],
    ['ForAnyValue:StringLike', 'a*', ['x', 'ab'], true],
    ['ForAllValues:StringEquals', ['a', 'b'], ['a', 'b'], true],
    ['ForAllValues:StringEquals', ['a', 'b'], ['a', 'c'], false],
    ['ForAllValues:StringEquals', 'a', undefined, true],
    ['ForAllValues:StringNotEquals', 'a', ['b', 'c'], true],
  ])('%s %j on %j: %s', (operator, wanted, actual, expected) => {
    expect(holds(operator, wanted, actual)).toBe(expected);
  });

  it('must all hold', () => {
    const statement = allow({ Condition: { StringEquals: { 'a:x': '1', 'a:y': '2' }, Bool: { 'a:z': true } } });
    expect(ask(statement, { 'a:x': '1', 'a:y': '2', 'a:z': 'true' })).toBe('allowed');
    expect(ask(statement, { 'a:x': '1', 'a:y': '3', 'a:z': 'true' })).toBe('implicitDeny');
    expect(ask(statement, { 'a:x': '1', 'a:y': '2' })).toBe('implicitDeny');
  });

  it('narrow a Deny as they narrow an Allow', () => {
    const statements = [allow(), deny({ Condition: { StringLike: { 'aws:userid': '*:abc' } } })];
    expect(ask(statements, { 'aws:userid': 'AROA:abc' })).toBe('explicitDeny');
    expect(ask(statements, { 'aws:userid': 'AROA:abd' })).toBe('allowed');
  });
});
