// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are the placeholders of CloudFormation.
import { describe, expect, it } from 'vitest';
import { bootStack, type Template } from '../../local/cloudformation/boot.ts';
import { createCustomResources } from '../../local/cloudformation/custom.ts';
import { referencesOf, resolve, type Scope } from '../../local/cloudformation/intrinsics.ts';
import type { Identity } from '../../local/iam/identities.ts';

const scope: Scope = {
  physicalIds: new Map([['Table', 'cameras']]),
  attributes: new Map([['Table', { Arn: 'arn:table', 'Stream.Arn': 'arn:stream' }]]),
  pseudo: { 'AWS::Region': 'eu-west-1' },
};

describe('intrinsic functions', () => {
  it.each([
    [{ Ref: 'Table' }, 'cameras'],
    [{ Ref: 'AWS::Region' }, 'eu-west-1'],
    [{ 'Fn::GetAtt': ['Table', 'Arn'] }, 'arn:table'],
    [{ 'Fn::GetAtt': 'Table.Stream.Arn' }, 'arn:stream'],
    [{ 'Fn::Join': ['-', ['a', { Ref: 'Table' }, 7]] }, 'a-cameras-7'],
    [{ 'Fn::Select': ['1', { 'Fn::Split': [',', 'a,b'] }] }, 'b'],
    [{ 'Fn::Sub': '${Table}:${Table.Arn}:${AWS::Region}' }, 'cameras:arn:table:eu-west-1'],
    [{ 'Fn::Sub': ['${Own}/${Table}', { Own: { Ref: 'AWS::Region' } }] }, 'eu-west-1/cameras'],
    // What AWS fills in at each request stays a variable.
    [{ 'Fn::Sub': 'stream/${!credentials-iot:ThingName}/*' }, 'stream/${credentials-iot:ThingName}/*'],
  ])('%j', (value, wanted) => {
    expect(resolve({ deep: [value] }, scope)).toEqual({ deep: [wanted] });
  });

  it('leave out what is AWS::NoValue', () => {
    const none = { Ref: 'AWS::NoValue' };
    expect(resolve({ gone: none, list: [none, 1], kept: null }, scope)).toEqual({ list: [1], kept: null });
  });

  it('leave the Condition of a policy alone', () => {
    const condition = { Condition: { StringEquals: { 'aws:SourceAccount': '1' } } };
    expect(resolve(condition, scope)).toEqual(condition);
  });

  it.each([
    [{ 'Fn::ImportValue': 'x' }, 'does not know the intrinsic function Fn::ImportValue'],
    [{ Ref: 'Nobody' }, 'Unresolved resource dependency: Ref Nobody'],
    [{ 'Fn::GetAtt': ['Table', 'Colour'] }, 'has no attribute Colour'],
    [{ 'Fn::Sub': '${Nobody.Arn}' }, 'has no attribute Arn'],
    [{ 'Fn::Select': [5, ['a']] }, 'nonexistent value at index 5'],
    [{ 'Fn::Join': [',', [{ list: true }]] }, 'Fn::Join needs a string'],
  ])('%j is an error in words', (value, words) => {
    expect(() => resolve(value, scope)).toThrow(words);
  });

  it('tell what they need', () => {
    const value = {
      a: { Ref: 'A' },
      b: [{ 'Fn::GetAtt': ['B', 'Arn'] }],
      c: { 'Fn::Sub': '${C}${D.Arn}${AWS::Region}${!E}' },
      f: { 'Fn::Join': ['', ['x', { 'Fn::Sub': ['${Own}${G}', { Own: { Ref: 'H' } }] }]] },
    };
    expect([...referencesOf(value)].sort()).toEqual(['A', 'B', 'C', 'D', 'G', 'H']);
  });
});

/** Services that only note what they were asked to make. */
async function boot(template: object, function_: (event: never) => Promise<unknown> = async () => null) {
  const made: string[] = [];
  const note =
    (answer: (input: Record<string, string>) => object) =>
    (input: Record<string, string>): object => {
      made.push(Object.values(input)[0] as string);
      return answer(input);
    };
  const customResources = createCustomResources({ endpoint: () => 'http://127.0.0.1:4566' });
  const stack = await bootStack({
    template: template as Template,
    assets: '/nowhere',
    stackName: 'test',
    region: 'us-east-1',
    accountId: '000000000000',
    caller: {} as Identity,
    customResources,
    services: {
      kinesisvideo: { operations: { CreateStream: note(({ StreamName }) => ({ StreamARN: `arn:${StreamName}` })) } },
    },
    async invoke(_, event) {
      const answer = await function_(event as never);
      const { pathname } = new URL((event as { ResponseURL: string }).ResponseURL);
      const body = Buffer.from(JSON.stringify(answer));
      customResources.answer({ method: 'PUT', path: pathname, query: '', headers: {}, body });
      return { payload: null };
    },
  });
  return { ...stack, made };
}
const stream = (properties: object, more: object = {}) => ({
  Type: 'AWS::KinesisVideo::Stream',
  Properties: properties,
  ...more,
});

describe('a stack', () => {
  it('is made in the order of its dependencies', async () => {
    const { made, outputs, physicalIds } = await boot({
      Resources: {
        C: stream({ Name: { 'Fn::Sub': '${B}-c' } }),
        B: stream({ Name: 'b' }, { DependsOn: 'A' }),
        A: stream({}, { DeletionPolicy: 'Retain' }),
      },
      Outputs: { Last: { Value: { 'Fn::GetAtt': ['C', 'Arn'] } } },
    });
    // A name nobody gave is the stack's, the resource's and twelve letters and digits.
    expect(made).toEqual([expect.stringMatching(/^test-A-[0-9A-F]{12}$/), 'b', 'b-c']);
    expect(outputs).toEqual({ Last: 'arn:b-c' });
    expect(physicalIds.B).toBe('b');
  });

  it.each([
    [{ Resources: { A: { Type: 'AWS::EC2::Instance' } } }, 'A (AWS::EC2::Instance): the stand-in does not know this'],
    [{ Resources: { A: stream({ Colour: 1 }) } }, 'A (AWS::KinesisVideo::Stream): the stand-in does not know the prop'],
    [{ Resources: { A: stream({}, { Condition: 'X' }) } }, 'does not know the resource attribute Condition'],
    [{ Resources: {}, Conditions: {} }, 'does not know the template section Conditions'],
    [{ Resources: { A: stream({}, { DependsOn: 'B' }) } }, 'Unresolved resource dependency [B] in A'],
    [
      { Resources: { A: stream({ Name: { Ref: 'B' } }), B: stream({ Name: { Ref: 'A' } }) } },
      'Circular dependency between resources: [A, B]',
    ],
    [{ Resources: { A: { Type: 'AWS::SQS::Queue' } } }, 'the stand-in has no sqs:CreateQueue'],
  ])('%j is refused in words', async (template, words) => {
    await expect(boot(template)).rejects.toThrow(words);
  });

  const custom = {
    Resources: {
      E: { Type: 'Custom::Endpoints', Properties: { ServiceToken: 'arn:f', Deep: { Count: 1, Yes: true } } },
    },
    Outputs: { Host: { Value: { 'Fn::GetAtt': ['E', 'mqtt'] } } },
  };

  it('has custom resources, which a function answers for', async () => {
    let event: Record<string, unknown> = {};
    const { outputs, physicalIds } = await boot(custom, async (given: never) => {
      event = given;
      return { Status: 'SUCCESS', PhysicalResourceId: 'endpoints', Data: { mqtt: 'localhost:8883' } };
    });
    expect(event).toMatchObject({
      RequestType: 'Create',
      ResourceType: 'Custom::Endpoints',
      LogicalResourceId: 'E',
      ResourceProperties: { ServiceToken: 'arn:f', Deep: { Count: '1', Yes: 'true' } },
    });
    expect(outputs).toEqual({ Host: 'localhost:8883' });
    expect(physicalIds.E).toBe('endpoints');
  });

  it('says why a custom resource failed', async () => {
    const failing = boot(custom, async () => ({ Status: 'FAILED', Reason: 'AccessDenied: no' }));
    await expect(failing).rejects.toThrow('E (Custom::Endpoints): AccessDenied: no');
  });
});
