import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Sha256 } from '@aws-crypto/sha256-js';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { GetUserCommand } from '@aws-sdk/client-iam';
import { DescribeThingCommand, IoTClient, ListThingsCommand } from '@aws-sdk/client-iot';
import { ListStreamsCommand } from '@aws-sdk/client-kinesis-video';
import { ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { claimCamera, newSerial } from '../camera-claim.ts';
import { askForCredentials } from '../credential-provider.ts';
import type { Keys } from '../http-api.ts';
import { lacking } from '../tools.ts';

const outputs = inject('outputs');
const { admin } = outputs.personas;
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

/** One call of each kind of protocol: REST-JSON, JSON 1.0, Query. */
const CALLS: [string, 'json' | 'dynamodb' | 'query', (keys: Keys, clockOffset?: number) => Promise<unknown>][] = [
  ['iot', 'json', (keys, offset) => awsClients(outputs, keys, offset).iot.send(new ListThingsCommand({}))],
  [
    'kinesisvideo',
    'json',
    (keys, offset) => awsClients(outputs, keys, offset).kinesisVideo.send(new ListStreamsCommand({})),
  ],
  ['lambda', 'json', (keys, offset) => awsClients(outputs, keys, offset).lambda.send(new ListFunctionsCommand({}))],
  [
    'dynamodb',
    'dynamodb',
    (keys, offset) =>
      awsClients(outputs, keys, offset).dynamoDb.send(
        new GetItemCommand({ TableName: 'firstlight-local-devices', Key: { serialNumber: { S: 'x' } } }),
      ),
  ],
  ['sts', 'query', (keys, offset) => awsClients(outputs, keys, offset).sts.send(new GetCallerIdentityCommand({}))],
  ['iam', 'query', (keys, offset) => awsClients(outputs, keys, offset).iam.send(new GetUserCommand({}))],
];

/** Query services call the same errors by other names; DynamoDB answers 400 (its API reference, "Error codes"). */
const NAMES = {
  json: { signature: 'InvalidSignatureException', key: 'UnrecognizedClientException', status: 403 },
  dynamodb: { signature: 'InvalidSignatureException', key: 'UnrecognizedClientException', status: 400 },
  query: { signature: 'SignatureDoesNotMatch', key: 'InvalidClientTokenId', status: 403 },
};

describe.each(CALLS)('%s', (_, protocol, call) => {
  const { signature, key, status } = NAMES[protocol];
  const refused = (name: string, message: RegExp) => ({
    name,
    message: expect.stringMatching(message),
    $metadata: expect.objectContaining({ httpStatusCode: status }),
  });

  test('answers the right keys', async () => {
    await call(admin);
  });

  test('refuses a wrong secret', async () => {
    const wrong = { ...admin, secretAccessKey: `${admin.secretAccessKey.slice(0, -1)}!` };
    await expect(call(wrong)).rejects.toMatchObject(refused(signature, /does not match the signature you provided/));
  });

  test('refuses an unknown key', async () => {
    await expect(call({ ...admin, accessKeyId: 'AKIAIOSFODNN7EXAMPLE' })).rejects.toMatchObject(
      refused(key, /security token included in the request is invalid/),
    );
  });

  test('refuses temporary keys without their session token, with a wrong one, and lasting keys with one', async () => {
    const { accessKeyId, secretAccessKey, sessionToken } = session;
    for (const keys of [
      { accessKeyId, secretAccessKey },
      { accessKeyId, secretAccessKey, sessionToken: `${sessionToken.slice(0, -1)}!` },
      { ...admin, sessionToken },
    ]) {
      await expect(call(keys)).rejects.toMatchObject(refused(key, /security token included in the request is invalid/));
    }
  });

  test('refuses a clock that is an hour off, and names both times', async () => {
    await expect(call(admin, -HOUR)).rejects.toMatchObject(
      refused(
        signature,
        /^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)$/,
      ),
    );
    await expect(call(admin, HOUR)).rejects.toMatchObject(
      refused(signature, /^Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z/),
    );
    await call(admin, -4 * 60_000);
    await call(admin, 4 * 60_000);
  });
});

test("an AWS client whose clock is off corrects itself by the answer's Date", async () => {
  const { aws, region } = outputs;
  const iot = new IoTClient({ endpoint: aws, region, credentials: admin, systemClockOffset: -HOUR, maxAttempts: 3 });
  expect((await iot.send(new ListThingsCommand({}))).things).toBeDefined();
});

/** One CreateThing, signed, then changed on its way. */
async function createThing(change: (request: { path: string; headers: Record<string, string>; body: string }) => void) {
  const thingName = newSerial();
  const url = new URL(outputs.aws);
  const body = JSON.stringify({ attributePayload: { attributes: { colour: 'red' } } });
  const signer = new SignatureV4({ service: 'iot', region: outputs.region, credentials: admin, sha256: Sha256 });
  const { headers } = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    path: `/things/${thingName}`,
    headers: { host: url.host, 'content-type': 'application/json' },
    body,
  });
  const request = { path: `/things/${thingName}`, headers, body };
  change(request);
  const response = await fetch(new URL(request.path, url), {
    method: 'POST',
    headers: request.headers,
    body: request.body,
  });
  const { iot } = awsClients(outputs, admin);
  const made = await iot.send(new DescribeThingCommand({ thingName })).catch(() => undefined);
  return { status: response.status, errorType: response.headers.get('x-amzn-errortype'), made: made !== undefined };
}

test.each<[string, Parameters<typeof createThing>[0], number, string]>([
  ['no signature', ({ headers }) => void delete headers.authorization, 403, 'MissingAuthenticationTokenException'],
  [
    'another scheme',
    ({ headers }) => void Object.assign(headers, { authorization: 'Bearer x' }),
    400,
    'IncompleteSignatureException',
  ],
  [
    'a signature cut short',
    ({ headers }) => void Object.assign(headers, { authorization: headers.authorization?.split(', Signature')[0] }),
    400,
    'IncompleteSignatureException',
  ],
  [
    'another body',
    (request) => void Object.assign(request, { body: request.body.replace('red', 'blue') }),
    403,
    'InvalidSignatureException',
  ],
  [
    'another path',
    (request) => void Object.assign(request, { path: `${request.path}x` }),
    403,
    'InvalidSignatureException',
  ],
  [
    'another query',
    (request) => void Object.assign(request, { path: `${request.path}?a=b` }),
    403,
    'InvalidSignatureException',
  ],
  [
    'another region',
    ({ headers }) =>
      void Object.assign(headers, { authorization: headers.authorization?.replace(outputs.region, 'mars-east-1') }),
    403,
    'InvalidSignatureException',
  ],
  [
    'another service',
    ({ headers }) =>
      void Object.assign(headers, { authorization: headers.authorization?.replace('/iot/', '/kinesisvideo/') }),
    403,
    'InvalidSignatureException',
  ],
])('a request with %s is refused and does nothing', async (_, change, status, errorType) => {
  const answer = await createThing(change);
  expect([answer.status, answer.errorType]).toEqual([status, errorType]);
  expect(answer.made).toBe(false);
});

test('and as it was signed it is done', async () => {
  const answer = await createThing(() => {});
  expect(answer).toMatchObject({ status: 200, made: true });
});

const run = promisify(execFile);
const noCurl = lacking('signing by curl', 'curl --aws-sigv4');
const noCli = lacking('signing by the AWS CLI', 'the AWS CLI');

test.skipIf(noCurl)('curl signs, with the right secret and a wrong one', async () => {
  const curl = async (secret: string) => {
    const { stdout } = await run('curl', [
      '--silent',
      '--aws-sigv4',
      `aws:amz:${outputs.region}:iot`,
      '--user',
      `${admin.accessKeyId}:${secret}`,
      '--write-out',
      '\n%{http_code}',
      `${outputs.aws}/things`,
    ]);
    const [, body = '', status] = /^(.*)\n(\d+)$/s.exec(stdout) ?? [];
    return { status, body: JSON.parse(body) };
  };
  expect(await curl(admin.secretAccessKey)).toMatchObject({ status: '200', body: { things: expect.any(Array) } });
  expect(await curl('wrong')).toEqual({
    status: '403',
    body: { message: expect.stringContaining('does not match the signature you provided') },
  });
});

test.skipIf(noCli)('the AWS CLI signs, with the right secret and a wrong one', async () => {
  const cli = (secret: string, token?: string) =>
    run('aws', ['iot', 'list-things', '--endpoint-url', outputs.aws, '--region', outputs.region, '--output', 'json'], {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        AWS_ACCESS_KEY_ID: admin.accessKeyId,
        AWS_SECRET_ACCESS_KEY: secret,
        AWS_MAX_ATTEMPTS: '1',
        ...(token && { AWS_SESSION_TOKEN: token }),
      },
    });
  expect(JSON.parse((await cli(admin.secretAccessKey)).stdout)).toEqual({ things: expect.any(Array) });
  await expect(cli('wrong')).rejects.toMatchObject({
    stderr: expect.stringContaining('(InvalidSignatureException)'),
  });
  await expect(cli(admin.secretAccessKey, 'none')).rejects.toMatchObject({
    stderr: expect.stringContaining('(UnrecognizedClientException)'),
  });
});
