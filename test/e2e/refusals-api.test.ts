import { CreateThingCommand } from '@aws-sdk/client-iot';
import { CreateStreamCommand } from '@aws-sdk/client-kinesis-video';
import { UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tellStandIn, untilStruck } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { announce, type Camera, newSerial } from '../camera-claim.ts';
import { makeDeviceKey } from '../device-key.ts';
import { readDevice } from '../device-records.ts';
import { type ApiAnswer, type ApiCall, createHttpApi } from '../http-api.ts';
import { announceWithKey, cameraOf, sayConnected } from '../https-camera.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import { type Description, type Operation, readDescription } from '../openapi.ts';
import { switchOffSchedules } from '../schedules.ts';
import { brokenRequests } from '../signing-requests.ts';
import { readStack } from '../stack-policies.ts';
import { switchOffStreamConsumers } from '../stream-consumers.ts';
import { credentialsOf } from './walks/camera.ts';

/** Every refusal that the API documents, brought about; and none comes that it does not document. */

vi.setConfig({ testTimeout: 120_000 });

let run: LocalRun;
let outputs: Outputs;
let description: Description;
let broken: string;
let operator: ReturnType<typeof createHttpApi>;
/** For each operation the codes that it has answered. */
const seen = new Map<string, Set<string>>();
/** A camera's own API, for the one route that nobody else may call. */
let camera: { serialNumber: string; api: ReturnType<typeof createHttpApi> };

beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
  await switchOffStreamConsumers(outputs);
  await switchOffSchedules(outputs);
  operator = createHttpApi(outputs, outputs.personas.operator);
  description = readDescription((await operator.get('/openapi.json')).body);
  broken = (await brokenRequests()).find(([what]) => what === 'of a broken signature')?.[1] ?? '';
  const made = await newCamera();
  camera = { serialNumber: made.serialNumber, api: createHttpApi(outputs, await credentialsOf(outputs, made)) };
});
afterAll(() => run.stop());

const inject = (...faults: object[]) => tellStandIn(outputs.aws, 'faults', { faults });
const apiOf = ({ operationId, isSigned }: Operation) =>
  operationId === 'connected' ? camera.api : isSigned ? operator : createHttpApi(outputs);
const the = (operationId: string): Operation => {
  const operation = description.operations.find((one) => one.operationId === operationId);
  if (!operation) throw new Error(`the API describes no ${operationId}`);
  return operation;
};
const NOBODY = { serialNumber: 'NOBODY-1', certificateId: 'ab'.repeat(32) };

/** Sends it, holds the answer against what is documented, and notes the code. */
async function provoke(operationId: string, code: string, more: ApiCall & { at?: string; query?: string } = {}) {
  const operation = the(operationId);
  const { at, query = '', ...call } = more;
  const names = { ...NOBODY, ...(at !== undefined && { serialNumber: at }) };
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: keyof typeof NOBODY) => names[name]) + query;
  const answer = await apiOf(operation).call(operation.method, path, call);
  note(operationId, answer);
  expect([operationId, answer.body.code]).toEqual([operationId, code]);
}

function note(operationId: string, { status, headers, body }: ApiAnswer): void {
  const { checkAnswer } = the(operationId);
  expect([operationId, ...checkAnswer(status, headers.get('content-type'), body)]).toEqual([operationId]);
  seen.set(operationId, (seen.get(operationId) ?? new Set()).add(body.code));
}

const body = (content: object) => ({ body: content });
const post = (path: string, content: object = {}) => operator.post(path, content);

async function announced(row: object = {}): Promise<string> {
  const serialNumber = newSerial();
  await announce(outputs, { serialNumber, ...row });
  return serialNumber;
}
async function newCamera(row: Parameters<typeof announceWithKey>[1] = {}): Promise<Camera> {
  const { serialNumber, certificateSigningRequest, privateKeyPem } = await announceWithKey(outputs, row);
  return cameraOf(await post(`/devices/${serialNumber}/provision`, { certificateSigningRequest }), privateKeyPem);
}
async function acted(serialNumber: string, ...acts: [name: string, content?: object][]): Promise<string> {
  for (const [name, content] of acts) {
    const { status } = await post(`/devices/${serialNumber}/${name}`, content);
    expect([name, status]).toEqual([name, name === 'provision' ? 201 : 200]);
  }
  return serialNumber;
}
/** An old unit that stays until the new one shows life; both are claimed. They have no stream of their own that AWS may still be making. */
async function replacing(): Promise<{ old: string; next: string }> {
  const streamMode = 'fixed';
  const [old, next] = [(await newCamera({ streamMode })).serialNumber, await announced({ streamMode })];
  await acted(old, ['replace', { by: next, keepUntilConnected: true }]);
  return { old, next: await acted(next, ['provision']) };
}

test('bodies, cursors and limits', async () => {
  for (const { operationId, requests, parameters } of description.operations) {
    if (requests.length > 0) {
      await provoke(operationId, 'invalid-json', { text: '{' });
      await provoke(operationId, 'invalid-request', body({ colour: 'red' }));
      await provoke(operationId, 'unsupported-media-type', { text: '{}', headers: { 'content-type': 'text/plain' } });
      await provoke(operationId, 'body-too-large', { text: JSON.stringify({ colour: 'x'.repeat(1_000_001) }) });
    }
    const isPosted = the(operationId).method === 'POST' ? body({}) : {};
    if (parameters.some(({ name }) => name === 'limit')) {
      await provoke(operationId, 'invalid-request', { ...isPosted, query: '?limit=0' });
      await provoke(operationId, 'invalid-cursor', { ...isPosted, query: '?cursor=nonsense' });
    }
    if (parameters.some(({ name }) => name === 'serialNumber')) {
      await provoke(operationId, 'invalid-request', { ...isPosted, at: 'CAM.1' });
    }
  }
});

test('devices and claim certificates that are not there', async () => {
  for (const { operationId, method, refusals } of description.operations) {
    const content = {
      replaceDevice: { by: newSerial() },
      approveClaim: { publicKeySha256: 'a'.repeat(64) },
      setReprovisioning: { policy: 'refuse' },
    };
    const sent = method === 'POST' ? body(content[operationId as keyof typeof content] ?? {}) : {};
    for (const code of ['device-not-found', 'claim-certificate-not-found']) {
      if (refusals.some((one) => one.code === code)) await provoke(operationId, code, sent);
    }
  }
});

test('versions that are no longer there', async () => {
  const at = (await newCamera()).serialNumber;
  for (const [act, more] of Object.entries({
    suspendDevice: {},
    resumeDevice: {},
    retireDevice: {},
    reopenDevice: {},
    replaceDevice: { by: newSerial() },
    approveClaim: { publicKeySha256: 'a'.repeat(64) },
    setReprovisioning: { policy: 'refuse' },
  })) {
    await provoke(act, 'version-conflict', { at, body: { ...more, version: 1 } });
  }
});

describe('the doors that make a device', () => {
  const certificateSigningRequest = async () => (await makeDeviceKey()).certificateSigningRequest;
  const ownKey = async () => body({ certificateSigningRequest: await certificateSigningRequest() });

  test('the camera’s', async () => {
    const stranger = { serialNumber: newSerial(), certificateSigningRequest: await certificateSigningRequest() };
    await provoke('claimOverHttps', 'denied', body(stranger));
    const unsigned = { ...stranger, certificateSigningRequest: broken };
    await provoke('claimOverHttps', 'invalid-certificate-request', body(unsigned));
    await provoke('connected', 'denied', body({ serialNumber: newSerial() }));
    await provoke('createClaimCertificate', 'invalid-certificate-request', body({ certificateSigningRequest: broken }));
  });

  test('the line’s', async () => {
    const provision = async (code: string, at: string, content?: ApiCall) =>
      provoke('provisionDevice', code, { at, ...(content ?? (await ownKey())) });
    const of = body({ certificateSigningRequest: broken });
    await provision('invalid-certificate-request', await announced(), of);
    await provision('device-suspended', await acted(await announced(), ['suspend']));
    await provision('device-retired', await acted(await announced(), ['retire']));
    await provision('key-mismatch', await announced({ publicKeySha256: 'ab'.repeat(32) }));
    const alive = await newCamera();
    expect((await sayConnected(outputs, alive)).status).toBe(204);
    await provision('device-active', alive.serialNumber);

    const [stream, thing, full] = [await announced(), await announced(), await announced()];
    const { iot, kinesisVideo } = awsClients(outputs, outputs.personas.admin);
    await kinesisVideo.send(new CreateStreamCommand({ StreamName: stream }));
    await provision('stream-taken', stream);
    await iot.send(new CreateThingCommand({ thingName: thing }));
    await provision('thing-taken', thing);
    await inject({ service: 'kinesisvideo', operation: 'CreateStream', kind: 'limit' });
    await provision('stream-limit', full);
    await inject();
    await acted(full, ['provision']);

    const restless = await announced();
    for (let n = 0; n < 25; n++) await acted(restless, ['provision']);
    await provision('too-many-certificates', restless);
  });

  test('the line’s, while somebody else writes each time', async () => {
    const at = await announced();
    await inject({ service: 'iot', operation: 'CreateThing', kind: 'delay', ms: 300 });
    let isOver = false;
    const refused = provoke('provisionDevice', 'version-conflict', { at, ...(await ownKey()) }).finally(() => {
      isOver = true;
    });
    await untilStruck(outputs.aws);
    for (let n = 0; !isOver; n++) await post('/devices', { devices: [{ serialNumber: at, model: `M${n}` }] });
    await refused;
    await inject();
  });
});

test('what does not fit the life of a device', async () => {
  const retired = await acted(await announced(), ['retire']);
  const suspended = await acted((await newCamera()).serialNumber, ['suspend']);
  const claimed = (await newCamera()).serialNumber;
  const registered = await announced();
  const key = body({ publicKeySha256: 'a'.repeat(64) });
  const by = (serialNumber: string) => body({ by: serialNumber });
  const { old, next } = await replacing();

  await provoke('suspendDevice', 'device-retired', { at: retired });
  await provoke('resumeDevice', 'device-retired', { at: retired });
  await provoke('setReprovisioning', 'device-retired', { at: retired, ...body({ policy: 'refuse' }) });
  await provoke('resumeDevice', 'device-not-suspended', { at: registered });
  await provoke('retireDevice', 'takeover-unfinished', { at: next, ...body({ streams: 'delete' }) });
  await provoke('reopenDevice', 'device-not-retired', { at: claimed });

  await provoke('replaceDevice', 'device-retired', { at: retired, ...by(registered) });
  await provoke('replaceDevice', 'device-unclaimed', { at: registered, ...by(await announced()) });
  await provoke('replaceDevice', 'device-replaced', { at: old, ...by(registered) });
  await provoke('replaceDevice', 'takeover-unfinished', { at: next, ...by(registered) });
  await provoke('replaceDevice', 'replacement-not-free', { at: claimed, ...by(suspended) });

  await provoke('approveClaim', 'claim-not-found', { at: claimed, ...body({ claimId: '2026-11-24T06:20:01.299Z#0' }) });
  await provoke('approveClaim', 'device-suspended', { at: suspended, ...key });
  await provoke('approveClaim', 'device-retired', { at: retired, ...key });
  await provoke('approveClaim', 'device-unclaimed', { at: registered, ...key });
  const pinned = await newCamera({ pinned: true });
  await provoke('approveClaim', 'key-mismatch', { at: pinned.serialNumber, ...key });

  // AWS fails half-way through a retirement.
  const unfinished = (await newCamera()).serialNumber;
  await inject({ service: 'iot', operation: 'UpdateCertificate', kind: 'kill', times: 1 });
  expect((await post(`/devices/${unfinished}/retire`)).status).toBe(500);
  await inject();
  await provoke('reopenDevice', 'cut-off-unfinished', { at: unfinished });
  expect(await readDevice(outputs, unfinished)).toMatchObject({ status: 'retired' });
});

test('AWS that is too busy for everybody, or fails', async () => {
  const { lambda } = awsClients(outputs, outputs.personas.admin);
  const { functionRoles, prefix } = await readStack(outputs);
  // What is left of a function's time it waits: five seconds show the same as 29 do.
  for (const name of functionRoles.keys()) {
    await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: `${prefix}${name}`, Timeout: 5 }));
  }
  const { certificateSigningRequest } = await makeDeviceKey();
  const requests: Record<string, object> = {
    announceDevices: { devices: [{ serialNumber: newSerial() }] },
    claimOverHttps: { serialNumber: newSerial(), certificateSigningRequest },
    connected: { serialNumber: camera.serialNumber },
    replaceDevice: { by: newSerial() },
    approveClaim: { publicKeySha256: 'a'.repeat(64) },
    setReprovisioning: { policy: 'refuse' },
  };
  const asking = description.operations.filter(({ operationId }) => operationId !== 'openapi');
  for (const [kind, code] of [
    ['throttle', 'busy'],
    ['error', 'internal'],
  ] as const) {
    await inject({ service: '*', operation: '*', kind });
    await Promise.all(
      asking.map(({ operationId, method }) =>
        provoke(operationId, code, method === 'POST' ? body(requests[operationId] ?? {}) : {}),
      ),
    );
    await inject();
  }
});

// The last.
test('are all that are documented', () => {
  for (const { operationId, refusals } of description.operations) {
    const documented = new Set(refusals.map(({ code }) => code));
    // The one that asks nobody cannot fail for AWS.
    if (operationId === 'openapi') documented.delete('internal');
    expect([operationId, ...(seen.get(operationId) ?? [])].toSorted()).toEqual([operationId, ...documented].toSorted());
  }
});
