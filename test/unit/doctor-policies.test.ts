import { expect, test } from 'vitest';
import { deniesSessions } from '../../cli/doctor/camera-roles.ts';
import { differences, parsed } from '../../cli/doctor/policy-difference.ts';
import { byAws, byInvoking } from '../../cli/doctor/remedy.ts';

const allow = (Action: string | string[], Resource: string | string[], Condition?: object) => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...(Condition && { Condition: Condition as Record<string, Record<string, unknown>> }),
});

test('two documents that say the same are the same, however they are written', () => {
  const one = {
    Version: '2012-10-17',
    Statement: [
      allow(['iot:Publish', 'iot:Receive'], ['a', 'b'], { ArnLike: { 'aws:SourceArn': ['y', 'x'] } }),
      { Effect: 'Deny', Principal: { Service: 'x.amazonaws.com' }, Action: 'sts:AssumeRole' },
    ],
  };
  const other = {
    Statement: [
      { Effect: 'Deny', Principal: { Service: ['x.amazonaws.com'] }, Action: ['sts:assumerole'] },
      allow('iot:Receive', ['b', 'a'], { ArnLike: { 'AWS:SourceArn': ['x', 'y'] } }),
      { Sid: 'again', ...allow('IoT:Publish', 'a', { ArnLike: { 'aws:SourceArn': ['x', 'y'] } }) },
      allow('iot:Publish', 'b', { ArnLike: { 'aws:SourceArn': ['x', 'y'] } }),
    ],
  };
  expect(differences(one, other)).toEqual([]);
  expect(differences(other, one)).toEqual([]);
});

test.each([
  ['less', [allow(['s:A', 's:B'], 'r')], [allow('s:A', 'r')], ['it does not allow s:B on r']],
  [
    'more',
    [allow('s:A', 'r')],
    [allow(['s:A', 's:B', 's:C'], 'r')],
    ['it allows s:B, s:C on r, which the template does not'],
  ],
  [
    'a condition less',
    [allow('s:A', 'r', { StringEquals: { 'k:x': 'y' } })],
    [allow('s:A', 'r')],
    ['it does not allow s:A on r if k:x StringEquals y', 'it allows s:A on r, which the template does not'],
  ],
  ['a denial', [], [{ Effect: 'Deny', Action: '*', Resource: '*' }], ['it denies * on *, which the template does not']],
  [
    'all but one',
    [allow('s:A', 'r')],
    [{ Effect: 'Allow', NotAction: 's:A', NotResource: 'q' }],
    ['it does not allow s:A on r', 'it allows all but s:A on all but q, which the template does not'],
  ],
  [
    'anybody',
    [],
    [{ Effect: 'Allow', Principal: '*', Action: 's:A' }],
    ['it allows s:A by *, which the template does not'],
  ],
])('%s is said in words', (_, expected, actual, said) => {
  expect(differences({ Statement: expected }, { Statement: actual })).toEqual(said);
});

test('of many differences the first are said', () => {
  const many = { Statement: ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => allow('s:A', name)) };
  const said = differences({ Statement: [] }, many);
  expect(said).toHaveLength(5);
  expect(said[4]).toBe('and 2 more');
});

test('a document of IAM is percent-encoded, others are not, and none is empty', () => {
  const document = { Statement: [allow('s:A', 'a b')] };
  expect(parsed(encodeURIComponent(JSON.stringify(document)))).toEqual(document);
  expect(parsed(JSON.stringify(document))).toEqual(document);
  expect(parsed(undefined)).toEqual({ Statement: [] });
});

const denial = (users: unknown, more: object = {}) => ({
  Statement: [
    { Effect: 'Deny', Action: '*', Resource: '*', Condition: { StringLike: { 'aws:userid': users } }, ...more },
  ],
});

test.each([
  ['single sessions', denial(['*:ab12', '*:cd34']), true],
  ['nobody', denial('nobody'), true],
  ['every session', denial('*'), false],
  ['every session of a role', denial('*:*'), false],
  ['without a condition', denial('nobody', { Condition: undefined }), false],
  ['an allowance', denial('nobody', { Effect: 'Allow' }), false],
])('a policy for %s is one that cuts off: %#', (_, document, is) => {
  expect(deniesSessions(document)).toBe(is);
});

test('a remedy is a line of the AWS CLI', () => {
  const input = { templateName: 'a-b', enabled: true, undoDeprecate: false, attributePayload: { merge: true } };
  expect(byAws('iot', 'UpdateProvisioningTemplate', input)).toEqual({
    command: `aws iot update-provisioning-template --template-name a-b --enabled --no-undo-deprecate --attribute-payload '{"merge":true}'`,
    call: { service: 'iot', operation: 'UpdateProvisioningTemplate', input },
  });
  expect(byAws('lambda', 'UpdateEventSourceMapping', { UUID: 'x', FunctionName: "it's; rm" }).command).toBe(
    `aws lambda update-event-source-mapping --uuid x --function-name 'it'\\''s; rm'`,
  );
  expect(byAws('kinesisvideo', 'CreateStream', { StreamARN: 'a:b/c', DataRetentionInHours: 24 }).command).toBe(
    'aws kinesisvideo create-stream --stream-arn a:b/c --data-retention-in-hours 24',
  );
  expect(byInvoking('reconcile').command).toBe('aws lambda invoke --function-name reconcile /dev/stdout');
});
