import { describe, expect, test } from 'vitest';
import { evaluateTemplate, parseTemplate } from '../../local/iot/grammar.ts';

const THING = { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: 'SerialNumber' } } };
const CERTIFICATE = {
  Type: 'AWS::IoT::Certificate',
  Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' } },
};
const POLICY = { Type: 'AWS::IoT::Policy', Properties: { PolicyName: 'camera' } };

const template = (sections: object = {}) =>
  JSON.stringify({
    Parameters: { SerialNumber: { Type: 'String' }, Batch: { Type: 'String', Default: 'none' } },
    Resources: { thing: THING, certificate: CERTIFICATE, policy: POLICY },
    ...sections,
  });

const evaluate = (sections: object = {}, parameters: Record<string, string> = {}) =>
  evaluateTemplate(parseTemplate(template(sections)), {
    SerialNumber: 'CAM-1',
    'AWS::IoT::Certificate::Id': 'c0ffee',
    ...parameters,
  });

/** What a function in the device configuration says. */
const configured = (expression: unknown, sections: object = {}, parameters: Record<string, string> = {}) =>
  evaluate({ DeviceConfiguration: { value: expression }, ...sections }, parameters).deviceConfiguration.value;

describe('parameters', () => {
  test('take the value that came, else the default', () => {
    expect(configured({ Ref: 'Batch' })).toBe('none');
    expect(configured({ Ref: 'Batch' }, {}, { Batch: 'B7' })).toBe('B7');
  });

  test('without value and default fail the request', () => {
    const parsed = parseTemplate(template());
    expect(() => evaluateTemplate(parsed, { 'AWS::IoT::Certificate::Id': 'c0ffee' })).toThrow(
      'The parameter SerialNumber has no value.',
    );
  });

  test.each(['Other', 'constructor', '__proto__'])('%s, which is not declared, is refused', (name) => {
    const parsed = parseTemplate(template());
    const parameters = JSON.parse(`{"SerialNumber": "CAM-1", "${name}": "x"}`);
    expect(() => evaluateTemplate(parsed, parameters)).toThrow(`declares no parameter ${name}`);
    expect(() => parseTemplate(template({ DeviceConfiguration: { value: { Ref: name } } }))).toThrow(
      `declares no parameter ${name}`,
    );
  });

  test('the certificate id needs no declaration', () => {
    expect(configured({ Ref: 'AWS::IoT::Certificate::Id' })).toBe('c0ffee');
  });
});

describe('functions', () => {
  test.each<[string, unknown, string]>([
    ['Join', { 'Fn::Join': ['-', ['a', { Ref: 'SerialNumber' }]] }, 'a-CAM-1'],
    ['Join without delimiter', { 'Fn::Join': ['', ['a', 'b']] }, 'ab'],
    ['Select', { 'Fn::Select': [1, ['a', 'b']] }, 'b'],
    ['Select with the index as text', { 'Fn::Select': ['0', ['a', 'b']] }, 'a'],
    ['Split', { 'Fn::Select': [1, { 'Fn::Split': ['-', { Ref: 'SerialNumber' }] }] }, '1'],
    ['Sub', { 'Fn::Sub': `x/\${SerialNumber}/\${!SerialNumber}` }, `x/CAM-1/\${SerialNumber}`],
    ['FindInMap', { 'Fn::FindInMap': ['Sites', { Ref: 'Batch' }, 'url'] }, 'https://none.example'],
  ])('%s', (_, expression, expected) => {
    expect(configured(expression, { Mappings: { Sites: { none: { url: 'https://none.example' } } } })).toBe(expected);
  });

  test.each<[string, unknown, string]>([
    ['Select past the end', { 'Fn::Select': [2, ['a', 'b']] }, 'nothing at this index'],
    ['Select of null', { 'Fn::Select': [0, [null]] }, 'nothing at this index'],
    ['FindInMap of an unknown key', { 'Fn::FindInMap': ['Sites', 'x', 'url'] }, 'finds no Sites.x.url'],
    ['FindInMap up the prototype', { 'Fn::FindInMap': ['Sites', 'constructor', 'name'] }, 'finds no'],
    ['an unknown function', { 'Fn::GetAtt': ['thing', 'Arn'] }, 'there is no function Fn::GetAtt'],
    ['Sub of an undeclared parameter', { 'Fn::Sub': `\${Nope}` }, 'declares no parameter Nope'],
    ['Sub with a map of variables', { 'Fn::Sub': [`\${a}`, { a: 'b' }] }, 'Fn::Sub needs a string'],
    ['two functions in one object', { Ref: 'Batch', 'Fn::Sub': 'x' }, 'stands alone'],
  ])('%s is an error', (_, expression, message) => {
    expect(() => configured(expression, { Mappings: { Sites: { none: { url: 'x' } } } })).toThrow(message);
  });

  test('Join is refused in a policy, Sub is not', () => {
    const policy = (document: unknown) => ({
      Resources: {
        certificate: CERTIFICATE,
        policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyDocument: document } },
      },
    });
    const joined = { Statement: [{ Resource: { 'Fn::Join': ['', ['a', 'b']] } }] };
    expect(() => parseTemplate(template(policy(joined)))).toThrow('Fn::Join is not supported here');
    const substituted = { Statement: [{ Resource: { 'Fn::Sub': `client/\${SerialNumber}/\${!iot:ClientId}` } }] };
    expect(evaluate(policy(substituted)).resources.policy?.Properties).toEqual({
      PolicyDocument: `{"Statement":[{"Resource":"client/CAM-1/\${iot:ClientId}"}]}`,
    });
  });
});

describe('device configuration', () => {
  test('is empty when the template has none', () => {
    expect(evaluate().deviceConfiguration).toEqual({});
  });

  test.each([{ nested: 'object' }, ['list'], 1, null])('holds no %o', (value) => {
    expect(() => configured(value)).toThrow('must be a string');
  });
});

describe('a template', () => {
  test.each<[string, string, string]>([
    ['that is no JSON', '{', 'not valid JSON'],
    [
      'of more than 10,240 characters',
      template({ Mappings: { m: { k: { v: 'x'.repeat(10_240) } } } }),
      'longer than 10240',
    ],
    ['with a foreign section', template({ Outputs: {} }), 'unknown member: Outputs'],
    ['without resources', template({ Resources: {} }), 'no resources'],
    ['with another type', template({ Resources: { bucket: { Type: 'AWS::S3::Bucket' } } }), 'bucket must be one of'],
    ['with two things', template({ Resources: { a: THING, b: THING } }), 'more than one thing'],
    ['with a policy for nothing', template({ Resources: { POLICY } }), 'no certificate to attach it to'],
    [
      'with a number as parameter',
      template({ Parameters: { SerialNumber: { Type: 'Number' } } }),
      'must have the type String',
    ],
    [
      'with a function in a mapping',
      template({ Mappings: { m: { k: { v: { Ref: 'Batch' } } } } }),
      'm.k.v must be a string',
    ],
    [
      'with both name and document of a policy',
      template({
        Resources: {
          certificate: CERTIFICATE,
          policy: { ...POLICY, Properties: { PolicyName: 'a', PolicyDocument: '{}' } },
        },
      }),
      'either PolicyName or PolicyDocument',
    ],
    [
      'with two ways to a certificate',
      template({
        Resources: {
          certificate: { ...CERTIFICATE, Properties: { CertificateId: 'a', CertificateSigningRequest: 'b' } },
        },
      }),
      'exactly one of',
    ],
    [
      'with MERGE for a type',
      template({ Resources: { thing: { ...THING, OverrideSettings: { ThingTypeName: 'MERGE' } } } }),
      'must be one of',
    ],
    [
      'with a setting of a policy',
      template({
        Resources: { certificate: CERTIFICATE, policy: { ...POLICY, OverrideSettings: { PolicyName: 'FAIL' } } },
      }),
      'no OverrideSettings for PolicyName',
    ],
  ])('%s is refused', (_, body, message) => {
    expect(() => parseTemplate(body)).toThrow(message);
  });
});
