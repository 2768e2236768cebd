import { expect, test } from 'vitest';
import { createCloudFormation } from '../../local/cloudformation/service.ts';

const template = { Resources: { Thing: { Type: 'AWS::IoT::ThingType' } } };
const stack = {
  stackName: 'one',
  stackId: 'arn:aws:cloudformation:us-east-1:000000000000:stack/one/1',
  createdAt: new Date(0),
  template,
  outputs: [],
  resources: [{ logicalId: 'Thing', physicalId: 'thing', type: 'AWS::IoT::ThingType' }],
};
const { operations, needs } = createCloudFormation({
  region: 'us-east-1',
  accountId: '000000000000',
  stack: () => stack,
});
const call = (operation: string, input: object) =>
  operations[operation]?.(input, {} as never) as { TemplateBody: string; StagesAvailable: string[] };

test.each(['one', stack.stackId])('GetTemplate of %s gives the template as it was handed in', (StackName) => {
  const { TemplateBody, StagesAvailable } = call('GetTemplate', { StackName });
  expect(JSON.parse(TemplateBody)).toEqual(template);
  expect(StagesAvailable).toEqual(['Original', 'Processed']);
  expect(call('GetTemplate', { StackName, TemplateStage: 'Processed' }).TemplateBody).toBe(TemplateBody);
});

test.each([
  ['another stack', { StackName: 'two' }, 'Stack with id two does not exist'],
  ['no stack', {}, 'StackName must be specified.'],
  ['another stage', { StackName: 'one', TemplateStage: 'Raw' }, "Value 'Raw' at 'templateStage'"],
])('GetTemplate refuses %s', (_, input, message) => {
  expect(() => call('GetTemplate', input)).toThrow(message);
});

test('each call is a right on the stack', () => {
  for (const operation of ['DescribeStacks', 'GetTemplate', 'ListStackResources']) {
    expect(needs(operation, { StackName: 'one' })).toEqual([
      { action: `cloudformation:${operation}`, resource: stack.stackId },
    ]);
  }
  expect(needs('DescribeStacks', {})).toEqual([{ action: 'cloudformation:DescribeStacks', resource: '*' }]);
});
