import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { claimCamera, newSerial } from '../camera-claim.ts';
import { askForCredentials } from '../credential-provider.ts';
import { createHttpApi, type Keys } from '../http-api.ts';

const outputs = inject('outputs');
const { admin, operator: operatorKeys } = outputs.personas;
const operator = createHttpApi(outputs, operatorKeys);
const HOUR = 3_600_000;

/** Keys with a session token: a camera's. */
let session: Required<Keys>;
beforeAll(async () => {
  const camera = await claimCamera(outputs, { serialNumber: newSerial() });
  const { roleAlias } = camera.configuration;
  const { body } = await askForCredentials(outputs, { held: camera, roleAlias, thingName: camera.thingName });
  session = body.credentials;
});
afterAll(async () => {
  await claimCamera(outputs, { serialNumber: newSerial() });
});

describe('a body for the HTTP API', () => {
  const large = JSON.stringify({ devices: [{ serialNumber: newSerial(), model: 'x'.repeat(1 << 20) }] });

  test('refuse JSON of 1 MB', async () => {
    const answer = await operator.call('POST', '/devices', { text: large });
    expect(answer.status).toBe(413);
    expect(answer.body).toMatchObject({ status: 413 });
  });

  test('refuse what is no JSON, is cut short, or is another type', async () => {
    for (const text of ['', '{', '[]', 'null', '"x"', '{"devices":{}}', '{"devices":[]}', '{"devices":[{}],"x":1}']) {
      const { status, headers, body } = await operator.call('POST', '/devices', { text });
      expect([text, status, body.status]).toEqual([text, 400, 400]);
      expect(headers.get('content-type')).toBe('application/problem+json');
    }
    const headers = { 'content-type': 'text/plain' };
    expect((await operator.call('POST', '/devices', { text: '{}', headers })).status).toBe(415);
  });
});

/** One call of an AWS API with this very body, rightly signed. */
async function callAws(service: string, path: string, body: string, headers: Record<string, string> = {}) {
  const url = new URL(path, outputs.aws);
  const signer = new SignatureV4({ service, region: outputs.region, credentials: admin, sha256: Sha256 });
  const { headers: signed } = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    headers: { host: url.host, ...headers },
    body,
  });
  const response = await fetch(url, { method: 'POST', headers: signed, body });
  return {
    status: response.status,
    errorType: response.headers.get('x-amzn-errortype'),
    text: await response.text(),
  };
}

describe('a body for an AWS API', () => {
  const json = { 'content-type': 'application/json' };
  const dynamoDb = (operation: string) => ({
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `DynamoDB_20120810.${operation}`,
  });

  test('of more than 1 MB is too large', async () => {
    const body = JSON.stringify({ attributePayload: { attributes: { a: 'x'.repeat(1 << 20) } } });
    const answer = await callAws('iot', `/things/${newSerial()}`, body, json);
    expect(answer).toMatchObject({ status: 413, errorType: 'RequestEntityTooLargeException' });
  });

  test.each(['{', '[]', '"x"', '7', '['.repeat(50_000)])('that is %.10s is no request', async (body) => {
    for (const answer of [
      await callAws('iot', `/things/${newSerial()}`, body, json),
      await callAws('kinesisvideo', '/createStream', body, json),
    ]) {
      expect(answer).toMatchObject({ status: 400, errorType: 'SerializationException' });
    }
    const answer = await callAws('dynamodb', '/', body, dynamoDb('GetItem'));
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('SerializationException');
  });

  test('for an operation that is not there is answered so in AWS’s words', async () => {
    for (const path of ['/no-such-thing', '/things/a/b/c/d', '/constructor']) {
      expect(await callAws('iot', path, '{}', json)).toMatchObject({
        status: 404,
        errorType: 'UnknownOperationException',
      });
    }
    for (const operation of ['TransactWriteItems', 'NoSuchOperation', 'constructor', '__proto__']) {
      const answer = await callAws('dynamodb', '/', '{}', dynamoDb(operation));
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.text).toContain('UnknownOperationException');
    }
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const service of ['iam', 'sts']) {
      const answer = await callAws(service, '/', 'Action=constructor&Version=2010-05-08', form);
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('<Code>InvalidAction</Code>')]);
    }
    expect((await callAws('polly', '/', '{}', json)).status).toBe(404);
  });
});

describe('the HTTP API', () => {
  const serialNumber = newSerial();
  const row = { devices: [{ serialNumber }] };

  test.each<[string, Keys | undefined, number]>([
    ['no signature', undefined, 0],
    ['a wrong secret', { ...operatorKeys, secretAccessKey: 'wrong' }, 0],
    ['an unknown key', { ...operatorKeys, accessKeyId: 'AKIAIOSFODNN7EXAMPLE' }, 0],
    ['a token that is none of its own', { ...operatorKeys, sessionToken: 'token' }, 0],
    ['a clock an hour slow', operatorKeys, -HOUR],
    ['a clock an hour fast', operatorKeys, HOUR],
  ])('forbids %s and does nothing', async (_, keys, offset) => {
    const signingDate = new Date(Date.now() + offset);
    const { status, body } = await createHttpApi(outputs, keys).post('/devices', row, { signingDate });
    expect(status).toBe(403);
    expect(body).toEqual({ message: 'Forbidden' });
    expect((await operator.get(`/devices/${serialNumber}`)).status).toBe(404);
  });

  test('forbids temporary keys without their token', async () => {
    const { accessKeyId, secretAccessKey } = session;
    const { status } = await createHttpApi(outputs, { accessKeyId, secretAccessKey }).post('/devices', row);
    expect(status).toBe(403);
  });

  test.each<[keyof typeof outputs.personas, string, string]>([
    ['factory', 'GET', `/devices/${serialNumber}/claims`],
    ['factory', 'POST', '/claim-certificates'],
    ['auditor', 'POST', '/devices'],
    ['auditor', 'POST', '/claim-certificates'],
  ])('forbids the %s to %s %s', async (persona, method, path) => {
    const api = createHttpApi(outputs, outputs.personas[persona]);
    const { status, body } = await api.call(method, path, method === 'POST' ? { body: row } : {});
    expect([status, body]).toEqual([403, { message: 'Forbidden' }]);
    expect((await operator.get(`/devices/${serialNumber}`)).status).toBe(404);
  });
});
