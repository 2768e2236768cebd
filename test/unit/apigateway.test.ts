import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHttpApi, type HttpApi } from '../../local/apigateway.ts';
import { ACCOUNT, arnOf, type LambdaWorld, openLambda, REGION } from './lambda-world.ts';

const ECHO = `export const handler = async (event) => {
  const how = event.queryStringParameters?.how;
  if (how === 'throw') throw new Error('secret');
  if (how === 'plain') return { serial: 'CAM-1' };
  if (how === 'nonsense') return { statusCode: 'many' };
  if (how === 'binary') return { statusCode: 200, body: Buffer.from([0, 255]).toString('base64'), isBase64Encoded: true };
  if (how === 'cookies') return { statusCode: 204, cookies: ['a=1', 'b=2'], headers: { 'X-Own': 'yes' } };
  return { statusCode: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(event) };
};`;

let world: LambdaWorld;
let api: HttpApi;
let server: Server;
let base: string;
let apiId: string;
let credentials: { accessKeyId: string; secretAccessKey: string };

beforeAll(async () => {
  world = openLambda();
  api = createHttpApi({ ...world, region: REGION, accountId: ACCOUNT, endpoint: () => base });
  server = createServer(api.listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  // biome-ignore lint/suspicious/noExplicitAny: the call is not read by these operations.
  const make = (operation: string, input: object): any => api.operations[operation]?.(input, {} as any);
  await world.create('echo', ECHO, { Timeout: 10 });
  await world.create('silent', 'export const handler = () => new Promise(() => {});');
  ({ ApiId: apiId } = make('CreateApi', { Name: 'test', ProtocolType: 'HTTP' }));
  make('CreateStage', { ApiId: apiId, StageName: '$default', AutoDeploy: true });
  const proxy = { ApiId: apiId, IntegrationType: 'AWS_PROXY', PayloadFormatVersion: '2.0', TimeoutInMillis: 2000 };
  const { IntegrationId } = make('CreateIntegration', { ...proxy, IntegrationUri: arnOf('echo') });
  const Target = `integrations/${IntegrationId}`;
  for (const RouteKey of ['GET /devices/{serialNumber}', 'POST /devices', 'GET /devices/mine']) {
    make('CreateRoute', { ApiId: apiId, RouteKey, Target, AuthorizationType: 'AWS_IAM' });
  }
  make('CreateRoute', { ApiId: apiId, RouteKey: 'ANY /open', Target });
  // The least that an integration may wait; on real time, as what it waits for.
  const hasty = { ...proxy, IntegrationUri: arnOf('silent'), TimeoutInMillis: 50 };
  const silent = make('CreateIntegration', hasty).IntegrationId;
  make('CreateRoute', { ApiId: apiId, RouteKey: 'GET /silent', Target: `integrations/${silent}` });
  for (const FunctionName of ['echo', 'silent']) {
    await world.call('lambda', 'AddPermission', {
      FunctionName,
      StatementId: 'api',
      Action: 'lambda:InvokeFunction',
      Principal: 'apigateway.amazonaws.com',
      SourceArn: `arn:aws:execute-api:${REGION}:${ACCOUNT}:${apiId}/*`,
    });
  }
  await world.call('iam', 'CreateUser', { UserName: 'ops' });
  const { AccessKey } = await world.call('iam', 'CreateAccessKey', { UserName: 'ops' });
  credentials = { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
  const invoke = (path: string) => `arn:aws:execute-api:${REGION}:${ACCOUNT}:${apiId}/$default/${path}`;
  await world.call('iam', 'PutUserPolicy', {
    UserName: 'ops',
    PolicyName: 'api',
    PolicyDocument: JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: 'execute-api:Invoke', Resource: [invoke('GET/devices/*'), invoke('POST/devices')] },
        { Effect: 'Deny', Action: 'execute-api:Invoke', Resource: invoke('GET/devices/CAM-secret') },
      ],
    }),
  });
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await world.close();
});

interface Wish {
  body?: string | Buffer;
  headers?: Record<string, string>;
  service?: string;
  key?: typeof credentials;
}

async function signed(method: string, path: string, { body, headers = {}, service = 'execute-api', key }: Wish = {}) {
  const url = new URL(path, base);
  const signer = new SignatureV4({ service, region: REGION, credentials: key ?? credentials, sha256: Sha256 });
  const { headers: all } = await signer.sign({
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    port: Number(url.port),
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: { host: url.host, ...headers },
    body,
  });
  return send(method, path, { headers: all, ...(body !== undefined && { body }) });
}

function send(method: string, path: string, { body, headers = {} }: Wish = {}) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string; bytes: Buffer }>(
    (done, fail) => {
      const request = httpRequest(base + path, { method, headers }, async (response) => {
        const bytes = Buffer.concat(await response.toArray());
        done({ status: response.statusCode ?? 0, headers: response.headers, body: bytes.toString(), bytes });
      });
      request.on('error', fail);
      request.end(body);
    },
  );
}

describe('the event of a function', () => {
  it('is payload format 2.0, with the caller that IAM knows', async () => {
    const { status, body } = await signed('GET', '/devices/CAM-1?b=2&a=%20x', {
      headers: { cookie: 'k=v; l=w', 'x-own': 'yes' },
    });
    expect(status).toBe(200);
    const event = JSON.parse(body);
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: 'GET /devices/{serialNumber}',
      rawPath: '/devices/CAM-1',
      rawQueryString: 'b=2&a=%20x',
      cookies: ['k=v', 'l=w'],
      queryStringParameters: { a: ' x', b: '2' },
      pathParameters: { serialNumber: 'CAM-1' },
      isBase64Encoded: false,
      requestContext: {
        accountId: ACCOUNT,
        apiId,
        stage: '$default',
        routeKey: 'GET /devices/{serialNumber}',
        http: { method: 'GET', path: '/devices/CAM-1', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
        time: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
        authorizer: {
          iam: {
            accessKey: credentials.accessKeyId,
            accountId: ACCOUNT,
            callerId: expect.stringMatching(/^AIDA/),
            userArn: `arn:aws:iam::${ACCOUNT}:user/ops`,
          },
        },
      },
    });
    expect(event.headers).toMatchObject({ 'x-own': 'yes', 'x-forwarded-proto': 'http' });
    expect(event.headers.cookie).toBeUndefined();
    expect(event.body).toBeUndefined();
  });

  it('has its path and parameters decoded', async () => {
    const event = JSON.parse((await signed('GET', '/devices/a%20b%2Fc')).body);
    expect(event).toMatchObject({ rawPath: '/devices/a b/c', pathParameters: { serialNumber: 'a b/c' } });
    expect((await send('GET', '/devices/%zz')).status).toBe(400);
  });

  it.each([
    ['application/json', '{"a":"ä"}', '{"a":"ä"}', false],
    ['application/merge-patch+json', '{}', '{}', false],
    ['text/plain', 'words', 'words', false],
    ['application/octet-stream', Buffer.from([0, 1, 255]), 'AAH/', true],
    ['application/x-www-form-urlencoded', 'a=b', 'YT1i', true],
  ])('carries a body of %s', async (type, sent, body, isBase64Encoded) => {
    const { body: answer } = await signed('POST', '/devices', { headers: { 'content-type': type }, body: sent });
    expect(JSON.parse(answer)).toMatchObject({ body, isBase64Encoded });
  });
});

describe('an answer', () => {
  it.each([
    ['throw', 500, '{"message":"Internal Server Error"}'],
    ['nonsense', 500, '{"message":"Internal Server Error"}'],
    ['plain', 200, '{"serial":"CAM-1"}'],
    ['cookies', 204, ''],
  ])('for a function that answers %s is %i', async (how, status, body) => {
    expect(await send('GET', `/open?how=${how}`)).toMatchObject({ status, body });
  });

  it('for a function that says nothing in time is 503', async () => {
    expect(await send('GET', '/silent')).toMatchObject({ status: 503, body: '{"message":"Service Unavailable"}' });
  });

  it('may be binary, and may set cookies', async () => {
    expect((await send('GET', '/open?how=binary')).bytes).toEqual(Buffer.from([0, 255]));
    const { headers } = await send('GET', '/open?how=cookies');
    expect(headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'x-own': 'yes' });
  });
});

describe('a request is refused', () => {
  const forbidden = { status: 403, body: '{"message":"Forbidden"}' };

  it('unsigned, badly signed, for another service, by a stranger, or without the right', async () => {
    expect(await send('GET', '/devices/CAM-1')).toMatchObject(forbidden);
    const wrong = { ...credentials, secretAccessKey: 'wrong' };
    expect(await signed('GET', '/devices/CAM-1', { key: wrong })).toMatchObject(forbidden);
    expect(await signed('GET', '/devices/CAM-1', { service: 'iot' })).toMatchObject(forbidden);
    const stranger = { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' };
    expect(await signed('GET', '/devices/CAM-1', { key: stranger })).toMatchObject(forbidden);
    expect(await signed('GET', '/devices/CAM-secret')).toMatchObject(forbidden);
  });

  it('when its body was changed on the way', async () => {
    const signer = new SignatureV4({ service: 'execute-api', region: REGION, credentials, sha256: Sha256 });
    const { headers } = await signer.sign({
      method: 'POST',
      protocol: 'http:',
      hostname: '127.0.0.1',
      path: '/devices',
      headers: { host: new URL(base).host, 'content-type': 'application/json' },
      body: '{"devices":[]}',
    });
    expect(await send('POST', '/devices', { headers, body: '{"devices":[1]}' })).toMatchObject(forbidden);
  });

  it('where no route is', async () => {
    const notFound = { status: 404, body: '{"message":"Not Found"}' };
    expect(await signed('GET', '/nothing')).toMatchObject(notFound);
    expect(await signed('DELETE', '/devices/CAM-1')).toMatchObject(notFound);
    expect(await send('GET', '/devices/')).toMatchObject(notFound);
  });

  it('when it is too large, and the API lives on', async () => {
    const large = Buffer.alloc(7_000_000);
    expect(await send('POST', '/open', { body: large })).toMatchObject({ status: 413 });
    expect(await send('GET', '/open?how=plain')).toMatchObject({ status: 200 });
  });
});

it('the most specific route answers', async () => {
  expect(JSON.parse((await signed('GET', '/devices/mine')).body).routeKey).toBe('GET /devices/mine');
});

it('a function that does not let API Gateway in is not called', async () => {
  await world.call('lambda', 'RemovePermission', { FunctionName: 'echo', StatementId: 'api' });
  expect(await send('GET', '/open')).toMatchObject({ status: 500, body: '{"message":"Internal Server Error"}' });
});
