import { PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { CreateThingCommand } from '@aws-sdk/client-iot';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { expect, test } from 'vitest';
import { openAws } from '../../cli/doctor/aws.ts';
import { createExpected } from '../../cli/doctor/expected.ts';
import { broken, checkAll, type Link, NotChecked, well } from '../../cli/doctor/link.ts';

test('its clients send reads and nothing else', async () => {
  const credentials = { accessKeyId: 'nobody', secretAccessKey: 'nothing' };
  const { iot, iam, lambda, close } = openAws({ region: 'us-east-1', endpoint: 'http://127.0.0.1:1', credentials });
  await expect(iot.send(new CreateThingCommand({ thingName: 'x' }))).rejects.toThrow('CreateThing is not a read');
  const policy = { RoleName: 'x', PolicyName: 'x', PolicyDocument: '{}' };
  await expect(iam.send(new PutRolePolicyCommand(policy))).rejects.toThrow('PutRolePolicy is not a read');
  await expect(lambda.send(new InvokeCommand({ FunctionName: 'x' }))).rejects.toThrow('Invoke is not a read');
  close();
});

const link = (name: string, look: Link<null>['subjects']): Link<null> => ({ name, asks: `${name}?`, subjects: look });
const saying = (look: () => ReturnType<typeof well>) => [{ subject: 's', look: async () => look() }];

test('links answer in the order of the chain, each with its worst finding', async () => {
  const unexpected = Object.assign(new Error('too odd'), { name: 'OddException', $metadata: {} });
  const checked = await checkAll(
    [
      link('well', () => saying(() => well('good'))),
      link('broken', () => [...saying(() => broken('bad')), ...saying(() => well())]),
      link('denied', () => {
        throw new NotChecked('you lack it');
      }),
      link('odd', () =>
        saying(() => {
          throw unexpected;
        }),
      ),
      link('both', () => [
        ...saying(() => {
          throw new NotChecked('later');
        }),
        ...saying(() => broken('now')),
      ]),
    ],
    null,
  );
  expect(checked.map(({ link: name, verdict }) => [name, verdict])).toEqual([
    ['well', 'ok'],
    ['broken', 'broken'],
    ['denied', 'not checked'],
    ['odd', 'not checked'],
    ['both', 'broken'],
  ]);
  expect(checked[2]?.findings).toEqual([{ subject: '', verdict: 'not checked', says: 'you lack it' }]);
  expect(checked[3]?.findings[0]?.says).toBe('AWS answered OddException: too odd');
});

test('a bug of a link is not a finding', async () => {
  const bug = link('bug', () =>
    saying(() => {
      throw new TypeError('undefined is not a function');
    }),
  );
  await expect(checkAll([bug], null)).rejects.toThrow(TypeError);
});

const expected = createExpected({
  account: {
    partition: 'aws-cn',
    region: 'cn-north-1',
    accountId: '123456789012',
    stackName: 'one',
    stackId: 'arn:aws-cn:cloudformation:…',
  },
  resources: [
    { logicalId: 'Role', type: 'AWS::IAM::Role', physicalId: 'r', properties: { Path: '/deep/' } },
    { logicalId: 'Queue', type: 'AWS::SQS::Queue', physicalId: 'https://sqs/123456789012/q', properties: {} },
    { logicalId: 'Table', type: 'AWS::DynamoDB::Table', physicalId: 't', properties: {} },
    { logicalId: 'Custom', type: 'Custom::Endpoints', physicalId: 'c', properties: {} },
    { logicalId: 'Unmade', type: 'AWS::IAM::Role', properties: {} },
  ],
  outputs: { Mqtt: 'mqtt.example' },
  outputValues: new Map<string, unknown>([
    ['Mqtt', { 'Fn::GetAtt': ['Custom', 'mqtt'] }],
    ['Other', 'text'],
  ]),
  // biome-ignore lint/suspicious/noExplicitAny: one answer is all that is asked
  aws: { dynamoDb: { send: async () => ({ Table: { LatestStreamArn: 'stream' } }) } as any },
});

test.each([
  [{ Ref: 'Role' }, 'r'],
  [{ 'Fn::GetAtt': ['Role', 'Arn'] }, 'arn:aws-cn:iam::123456789012:role/deep/r'],
  [{ 'Fn::GetAtt': 'Queue.Arn' }, 'arn:aws-cn:sqs:cn-north-1:123456789012:q'],
  [{ 'Fn::GetAtt': ['Table', 'StreamArn'] }, 'stream'],
  [{ 'Fn::GetAtt': ['Custom', 'mqtt'] }, 'mqtt.example'],
  [
    { 'Fn::Sub': `\${AWS::Partition} \${Custom.mqtt} \${Role} \${!iot:ThingName}` },
    `aws-cn mqtt.example r \${iot:ThingName}`,
  ],
  [{ 'Fn::Sub': [`\${a}/\${Role}`, { a: { Ref: 'AWS::Region' } }] }, 'cn-north-1/r'],
  [{ 'Fn::Join': ['-', ['a', { Ref: 'AWS::StackName' }, 1]] }, 'a-one-1'],
  [{ a: { Ref: 'AWS::NoValue' }, b: [{ Ref: 'AWS::NoValue' }, true] }, { b: [true] }],
  [{ Condition: { Bool: { x: ['true'] } } }, { Condition: { Bool: { x: ['true'] } } }],
])('the template says %j, so it should be %j', async (value, is) => {
  expect(await expected(value)).toEqual(is);
});

test.each([
  [{ Ref: 'Unmade' }, 'CloudFormation does not say what became of Unmade'],
  [{ Ref: 'Nothing' }, 'CloudFormation does not say what became of Nothing'],
  [{ 'Fn::GetAtt': ['Custom', 'other'] }, 'what should be there is not known: Custom.other'],
  [{ 'Fn::If': ['Prod', 'a', 'b'] }, 'what should be there is not known: Fn::If'],
])('what cannot be known of %j is not guessed', async (value, words) => {
  await expect(expected(value)).rejects.toThrow(new NotChecked(words));
});
