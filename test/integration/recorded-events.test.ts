import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { DescribeCertificateCommand, ListAttachedPoliciesCommand } from '@aws-sdk/client-iot';
import { DescribeStreamCommand, ListTagsForStreamCommand } from '@aws-sdk/client-kinesis-video';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagedFunctions } from '../../bench/bundle.ts';
import { awsClients } from '../aws-clients.ts';
import { callFunction } from '../function-call.ts';
import { createHttpApi } from '../http-api.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';

// The events name devices and certificates of their own, so they get a stand-in of their own. They follow each other as in a camera's life.
let run: LocalRun;
let operator: ReturnType<typeof createHttpApi>;

beforeAll(async () => {
  run = await startLocalRun();
  operator = createHttpApi(run.outputs, run.outputs.personas.operator);
});
afterAll(() => run.stop());

const recorded = async (name: string) => JSON.parse(await readFile(`events/${name}.json`, 'utf8'));
const call = async (key: string, event: string | object) =>
  callFunction(run.outputs, key, typeof event === 'string' ? await recorded(event) : event);
const aws = () => awsClients(run.outputs, run.outputs.personas.admin);

test('each recorded event is one of a function, and says where its shape is from', async () => {
  const functions = (await packagedFunctions()).map(({ path }) => path.replace('functions/', ''));
  for (const file of await readdir('events')) {
    const name = file.replace(/\.json$/, '');
    expect(functions).toContain(name);
    expect((await recorded(name))._source).toMatch(/Guide/);
  }
});

describe('a life in recorded events', () => {
  test('announceDevices: two devices are created, and unchanged when they are announced again', async () => {
    const first = await call('announceDevices', 'announce-devices');
    expect(first).toMatchObject({ functionError: undefined, payload: { statusCode: 200 } });
    expect(first.payload.headers['content-type']).toBe('application/json');
    const results = (outcome: string) => ({
      results: ['CAM-0001', 'CAM-0002'].map((serialNumber) => ({ serialNumber, outcome })),
    });
    expect(JSON.parse(first.payload.body)).toEqual(results('created'));
    const second = await call('announceDevices', 'announce-devices');
    expect(JSON.parse(second.payload.body)).toEqual(results('unchanged'));

    const { body: device } = await operator.get('/devices/CAM-0001');
    expect(device).toMatchObject({ status: 'registered', batch: '42', model: 'A1', streamMode: 'thing-name' });
    const { requestContext } = await recorded('announce-devices');
    expect(device.history).toEqual([
      { at: device.registeredAt, by: requestContext.authorizer.iam.userArn, what: 'announced' },
    ]);
    expect((await operator.get('/devices/CAM-0002')).body).toMatchObject({ streamMode: 'certificate-id' });
  });

  test('provisioningHook: no, while the claim certificate is one that nobody knows', async () => {
    expect(await call('provisioningHook', 'provisioning-hook')).toEqual({
      functionError: undefined,
      payload: { allowProvisioning: false },
    });
    expect((await operator.get('/devices/CAM-0001')).body).toMatchObject({ status: 'registered', certificates: [] });
  });

  test('provisioningHook: yes, once the key is pinned; claimed, and the stream is there', async () => {
    const { certificatePem, certificateId } = await recorded('provisioning-hook');
    const spki = new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' });
    const publicKeySha256 = createHash('sha256').update(spki).digest('hex');
    const row = { serialNumber: 'CAM-0001', batch: '42', model: 'A1', publicKeySha256 };
    const { body } = await operator.post('/devices', { devices: [row] });
    expect(body).toEqual({ results: [{ serialNumber: 'CAM-0001', outcome: 'updated' }] });

    const { payload } = await call('provisioningHook', 'provisioning-hook');
    expect(payload).toEqual({
      allowProvisioning: true,
      parameterOverrides: {
        ClaimToken: '',
        ThingName: 'CAM-0001',
        ThingTypeName: 'firstlight-local-thing-name',
        Batch: '42',
        RoleAlias: 'firstlight-local-thing-name',
        StreamName: 'CAM-0001',
        Channels: '',
      },
    });
    expect((await operator.get('/devices/CAM-0001')).body).toMatchObject({
      status: 'claimed',
      certificates: [{ id: certificateId, publicKeySha256, state: 'allowed', door: 'mqtt' }],
    });
    const { kinesisVideo } = aws();
    const { StreamInfo } = await kinesisVideo.send(new DescribeStreamCommand({ StreamName: 'CAM-0001' }));
    expect(StreamInfo?.DataRetentionInHours).toBe(24);
    const { Tags } = await kinesisVideo.send(new ListTagsForStreamCommand({ StreamName: 'CAM-0001' }));
    expect(Tags).toEqual({ 'firstlight:registry': 'firstlight-local-devices', 'firstlight:device': 'CAM-0001' });
  });

  test('onPresence: the first connection is the proof of life', async () => {
    expect(await call('onPresence', 'on-presence')).toEqual({ functionError: undefined, payload: null });
    const { principalIdentifier } = await recorded('on-presence');
    const { body: device } = await operator.get('/devices/CAM-0001');
    expect(device).toMatchObject({
      status: 'active',
      certificates: [{ id: principalIdentifier, state: 'current' }],
      streams: [{ name: 'CAM-0001', state: 'made' }],
    });
    expect(device).not.toHaveProperty('dueAt');
  });

  test('onPresence: the same event once more changes nothing', async () => {
    const { body: before } = await operator.get('/devices/CAM-0001');
    expect((await call('onPresence', 'on-presence')).functionError).toBeUndefined();
    expect((await operator.get('/devices/CAM-0001')).body).toEqual(before);
  });

  test('reconcile: the schedule finds nothing to do', async () => {
    expect(await call('reconcile', 'reconcile')).toMatchObject({
      functionError: undefined,
      payload: { looked: 0, done: {}, failed: {}, complete: true },
    });
  });

  test('getDevice: the same as over the API', async () => {
    const { payload } = await call('getDevice', 'get-device');
    expect(payload.statusCode).toBe(200);
    expect(JSON.parse(payload.body)).toEqual((await operator.get('/devices/CAM-0001')).body);
  });

  test('listClaims: the refusal and the yes, the same as over the API', async () => {
    const { payload } = await call('listClaims', 'list-claims');
    expect(payload.statusCode).toBe(200);
    const answer = JSON.parse(payload.body);
    expect(answer.claims).toMatchObject([
      { outcome: 'granted', reason: 'pinned-key' },
      { outcome: 'refused', reason: 'claim-certificate-unknown' },
    ]);
    expect(answer).toEqual((await operator.get('/devices/CAM-0001/claims?limit=10')).body);
  });

  test('renewalHook: yes, asked for with the current certificate; both are the device’s, and the pin is as it was', async () => {
    const { body: before } = await operator.get('/devices/CAM-0001');
    const { payload } = await call('renewalHook', 'renewal-hook');
    expect(payload).toEqual({
      allowProvisioning: true,
      parameterOverrides: {
        ClaimToken: '',
        ThingName: 'CAM-0001',
        ThingTypeName: 'firstlight-local-thing-name',
        Batch: '42',
        RoleAlias: 'firstlight-local-thing-name',
        StreamName: 'CAM-0001',
        Channels: '',
      },
    });
    const { certificateId, claimCertificateId } = await recorded('renewal-hook');
    const { body: device } = await operator.get('/devices/CAM-0001');
    expect(device).toMatchObject({
      status: 'active',
      publicKeySha256: before.publicKeySha256,
      streams: before.streams,
      certificates: [
        { id: claimCertificateId, state: 'current' },
        { id: certificateId, state: 'allowed', door: 'renewal' },
      ],
    });
  });

  test('renewalHook: the same event once more says the same and changes nothing', async () => {
    const { body: before } = await operator.get('/devices/CAM-0001');
    expect((await call('renewalHook', 'renewal-hook')).payload.allowProvisioning).toBe(true);
    expect((await operator.get('/devices/CAM-0001')).body).toEqual(before);
  });

  test('createClaimCertificate: active, with the claim policy, and recorded for its batch without its key', async () => {
    const { payload } = await call('createClaimCertificate', 'create-claim-certificate');
    expect(payload.statusCode).toBe(201);
    expect(payload.headers['cache-control']).toBe('no-store');
    const made = JSON.parse(payload.body);
    expect(made).toMatchObject({ batch: '42', privateKey: expect.stringContaining('PRIVATE KEY') });
    const { iot, dynamoDb } = aws();
    const { certificateDescription } = await iot.send(
      new DescribeCertificateCommand({ certificateId: made.certificateId }),
    );
    expect(certificateDescription).toMatchObject({ status: 'ACTIVE', certificatePem: made.certificatePem });
    const { policies } = await iot.send(
      new ListAttachedPoliciesCommand({ target: certificateDescription?.certificateArn }),
    );
    expect(policies).toMatchObject([{ policyName: 'firstlight-local-claim' }]);
    const { Item } = await dynamoDb.send(
      new GetItemCommand({
        TableName: 'firstlight-local-claim-certificates',
        Key: { certificateId: { S: made.certificateId } },
      }),
    );
    expect(Item).toMatchObject({ batch: { S: '42' }, createdBy: { S: expect.stringContaining('user/operator') } });
    expect(JSON.stringify(Item)).not.toMatch(/PRIVATE|privateKey/);
  });

  test("endpoints: tells CloudFormation the account's own", async () => {
    const cloudFormation = await listen();
    const event = await recorded('endpoints');
    const answered = call('endpoints', { ...event, ResponseURL: cloudFormation.url });
    expect(await cloudFormation.body).toEqual({
      Status: 'SUCCESS',
      PhysicalResourceId: 'endpoints',
      StackId: event.StackId,
      RequestId: event.RequestId,
      LogicalResourceId: 'Endpoints',
      Data: {
        mqtt: `${run.outputs.mqtt.host}:${run.outputs.mqtt.port}`,
        credentials: `${run.outputs.credentials.host}:${run.outputs.credentials.port}`,
      },
    });
    expect(await answered).toEqual({ functionError: undefined, payload: null });
    cloudFormation.close();
  });
});

/** Where a custom resource puts its answer. */
async function listen() {
  const received = Promise.withResolvers<unknown>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    received.resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/answer`;
  return { url, body: received.promise, close: () => server.close() };
}
