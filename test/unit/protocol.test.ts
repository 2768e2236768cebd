import * as iam from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import * as iotData from '@aws-sdk/client-iot-data-plane';
import * as kinesisVideo from '@aws-sdk/client-kinesis-video';
import * as lambda from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { AwsError } from '../../local/error.ts';
import { awsJson } from '../../local/protocol/aws-json.ts';
import { awsQuery } from '../../local/protocol/query.ts';
import { restJson } from '../../local/protocol/rest-json.ts';
import type { HttpRequest, Protocol } from '../../local/service.ts';

const request = (method: string, target: string, body: unknown = '', headers = {}): HttpRequest => {
  const [path = '', query = ''] = target.split('?');
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return { method, path, query, headers, body: bytes };
};
const code = (code: string) => expect.objectContaining({ code });

describe('restJson', () => {
  const things = restJson({ schemas: iot, errorMessageKey: 'message', validationCode: 'InvalidRequestException' });
  const streams = restJson({ schemas: kinesisVideo, errorMessageKey: 'Message' });
  const data = restJson({ schemas: iotData, errorMessageKey: 'message' });
  const functions = restJson({ schemas: lambda, errorMessageKey: 'message' });

  it.each<[string, Protocol, HttpRequest, string, unknown]>([
    [
      'a label and a body',
      things,
      request('POST', '/things/a%3Ab', { attributePayload: { attributes: { x: 'y' } } }),
      'CreateThing',
      { thingName: 'a:b', attributePayload: { attributes: { x: 'y' } } },
    ],
    [
      'a query with types',
      things,
      request('GET', '/things?maxResults=5&usePrefixAttributeValue=true&nextToken=a%2Bb'),
      'ListThings',
      { maxResults: 5, usePrefixAttributeValue: true, nextToken: 'a+b' },
    ],
    [
      'a header',
      things,
      request('PUT', '/things/a/principals', '', { 'x-amzn-principal': 'arn:p' }),
      'AttachThingPrincipal',
      { thingName: 'a', principal: 'arn:p' },
    ],
    [
      'the fixed path before the label',
      things,
      request('GET', '/endpoint?endpointType=iot:Data-ATS'),
      'DescribeEndpoint',
      { endpointType: 'iot:Data-ATS' },
    ],
    [
      'a body that is one member',
      things,
      request('POST', '/rules/r', { sql: 'x', actions: [] }),
      'CreateTopicRule',
      { ruleName: 'r', topicRulePayload: { sql: 'x', actions: [] } },
    ],
    [
      'unknown and null members, gone',
      things,
      request('POST', '/things/a', { templateName: 'x', thingTypeName: null }),
      'CreateThing',
      { thingName: 'a' },
    ],
    ['an empty body', streams, request('POST', '/listStreams'), 'ListStreams', {}],
    [
      'a body of the KVS producer SDK',
      streams,
      request('POST', '/describeStream', '{\n\t"StreamName": "s"\n}'),
      'DescribeStream',
      { StreamName: 's' },
    ],
    [
      'bytes',
      data,
      request('POST', '/topics/%24aws%2Fa?qos=1', Buffer.from([0, 255])),
      'Publish',
      { topic: '$aws/a', qos: 1, payload: Buffer.from([0, 255]) },
    ],
    ['a path that ends in a slash', functions, request('GET', '/2015-03-31/functions/'), 'ListFunctions', {}],
  ])('reads %s', (_, protocol, sent, operation, input) => {
    expect(protocol.read(sent)).toEqual({ operation, input });
  });

  it.each<[string, HttpRequest, string]>([
    ['no route', request('POST', '/nothing/here'), 'UnknownOperationException'],
    ['another method', request('TRACE', '/things/a'), 'UnknownOperationException'],
    ['an empty label', request('DELETE', '/policies/'), 'UnknownOperationException'],
    ['half an escape', request('GET', '/things/%E0%A4%A'), 'SerializationException'],
    ['no JSON', request('POST', '/things/a', '{'), 'SerializationException'],
    ['a list', request('POST', '/things/a', '[]'), 'SerializationException'],
    ['a number for text', request('POST', '/things/a', { thingTypeName: 1 }), 'SerializationException'],
    ['text for a structure', request('POST', '/things/a', { attributePayload: 'x' }), 'SerializationException'],
    ['a structure for text', request('POST', '/things/a', { thingTypeName: {} }), 'SerializationException'],
    ['text for a number', request('GET', '/things?maxResults=many'), 'SerializationException'],
    ['a member left out', request('PUT', '/certificates/c'), 'InvalidRequestException'],
    ['an inner member left out', request('POST', '/rules/r', { actions: [] }), 'InvalidRequestException'],
  ])('refuses %s', (_, sent, expected) => {
    expect(() => things.read(sent)).toThrow(code(expected));
  });

  it('writes instants as epoch seconds, keeps nulls, and lets nothing else out', () => {
    const output = {
      StreamInfo: { StreamName: 's', DeviceName: null, CreationTime: new Date(1_700_000_000_500), secret: 'x' },
    };
    expect(JSON.parse(streams.write('DescribeStream', output, 'r').body)).toEqual({
      StreamInfo: { StreamName: 's', DeviceName: null, CreationTime: 1_700_000_000.5 },
    });
    const certificate = { certificateDescription: { creationDate: 1_700_000_000_000 } };
    expect(things.write('DescribeCertificate', certificate, 'r').body).toContain('"creationDate":1700000000');
  });

  it('writes status, headers and bytes where the operation has them', () => {
    const output = { StatusCode: 202, FunctionError: 'Unhandled', Payload: Buffer.from('{"ä":1}') };
    expect(functions.write('Invoke', output, 'r')).toMatchObject({
      status: 202,
      headers: { 'x-amz-function-error': 'Unhandled', 'x-amzn-requestid': 'r' },
      body: '{"ä":1}',
    });
    expect(functions.write('RemovePermission', undefined, 'r')).toMatchObject({ status: 204, body: '' });
    expect(things.write('AttachThingPrincipal', undefined, 'r')).toMatchObject({ status: 200, body: '{}' });
  });

  it('fails with the code in a header and the message under the service’s own key', () => {
    const error = new AwsError('ResourceNotFoundException', 404, 'gone', { resourceId: 'i' });
    expect(streams.fail(error, 'r')).toMatchObject({
      status: 404,
      headers: { 'x-amzn-errortype': 'ResourceNotFoundException' },
      body: '{"Message":"gone","resourceId":"i"}',
    });
    expect(things.fail(error, 'r').body).toContain('"message":"gone"');
  });
});

describe('awsJson', () => {
  const protocol = awsJson({
    version: '1.0',
    targetPrefix: 'DynamoDB_20120810',
    namespace: 'com.amazonaws.dynamodb.v20120810',
  });
  const target = (operation: string) => ({ 'x-amz-target': operation });

  it('reads the operation from its header', () => {
    const sent = request('POST', '/', { TableName: 't' }, target('DynamoDB_20120810.GetItem'));
    expect(protocol.read(sent)).toEqual({ operation: 'GetItem', input: { TableName: 't' } });
  });

  it.each([
    ['no target', {}, '{}', 'UnknownOperationException'],
    ['another service', target('AmazonSQS.SendMessage'), '{}', 'UnknownOperationException'],
    ['no JSON', target('DynamoDB_20120810.GetItem'), '{', 'SerializationException'],
    ['a list', target('DynamoDB_20120810.GetItem'), '[]', 'SerializationException'],
  ])('refuses %s', (_, headers, body, expected) => {
    expect(() => protocol.read(request('POST', '/', body, headers))).toThrow(code(expected));
  });

  it('says no with 400 and the code in the body', () => {
    expect(protocol.fail(new AwsError('AccessDeniedException', 403, 'no'), 'r')).toMatchObject({
      status: 400,
      body: '{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException","message":"no"}',
    });
    expect(protocol.fail(new AwsError('InternalServerError', 500, 'x'), 'r').status).toBe(500);
  });

  it('writes instants as epoch seconds', () => {
    const output = { Table: { CreationDateTime: new Date(1_700_000_000_500) } };
    expect(protocol.write('DescribeTable', output, 'r').body).toBe('{"Table":{"CreationDateTime":1700000000.5}}');
  });
});

describe('awsQuery', () => {
  const protocol = awsQuery({ schemas: iam, xmlns: 'https://iam.amazonaws.com/doc/2010-05-08/' });
  const form = (fields: Record<string, string>) =>
    request('POST', '/', new URLSearchParams({ Version: '2010-05-08', ...fields }).toString());

  it('reads members, lists and numbers', () => {
    const sent = form({
      Action: 'CreateRole',
      RoleName: 'r',
      AssumeRolePolicyDocument: '{"a": "+"}',
      MaxSessionDuration: '7200',
      'Tags.member.1.Key': 'k',
      'Tags.member.1.Value': '',
      'Tags.member.2.Key': 'l',
      'Tags.member.2.Value': 'm',
    });
    expect(protocol.read(sent)).toEqual({
      operation: 'CreateRole',
      input: {
        RoleName: 'r',
        AssumeRolePolicyDocument: '{"a": "+"}',
        MaxSessionDuration: 7200,
        Tags: [
          { Key: 'k', Value: '' },
          { Key: 'l', Value: 'm' },
        ],
      },
    });
  });

  it.each([
    ['an unknown action', { Action: 'MakeRole' }, 'InvalidAction'],
    ['no action', {}, 'InvalidAction'],
    ['another version', { Action: 'ListRoles', Version: '2000-01-01' }, 'InvalidAction'],
    ['a member left out', { Action: 'GetRole' }, 'ValidationError'],
    ['text for a number', { Action: 'ListRoles', MaxItems: 'x' }, 'SerializationException'],
  ])('refuses %s', (_, fields, expected) => {
    expect(() => protocol.read(form(fields as Record<string, string>))).toThrow(code(expected));
  });

  it('writes XML that no value can break', () => {
    const role = { RoleName: '<&>"\'', CreateDate: new Date(1_700_000_000_500), Description: 'a\u0000b\r', Tags: [] };
    const { body, headers } = protocol.write('GetRole', { Role: role }, 'id');
    expect(headers['content-type']).toBe('text/xml');
    expect(body).toBe(
      '<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult><Role>' +
        '<RoleName>&#60;&#38;&#62;&#34;&#39;</RoleName><CreateDate>2023-11-14T22:13:20Z</CreateDate>' +
        '<Description>a\ufffdb&#13;</Description><Tags></Tags></Role></GetRoleResult>' +
        '<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetRoleResponse>',
    );
    expect(protocol.write('DeleteRole', undefined, 'id').body).not.toContain('Result');
  });

  it('fails by the names that Query services have', () => {
    const { body, status } = protocol.fail(new AwsError('AccessDeniedException', 403, '<no>'), 'id');
    expect(status).toBe(403);
    expect(body).toContain('<Type>Sender</Type><Code>AccessDenied</Code><Message>&#60;no&#62;</Message>');
    expect(protocol.fail(new AwsError('UnknownOperationException', 404, ''), 'id').status).toBe(400);
  });
});
