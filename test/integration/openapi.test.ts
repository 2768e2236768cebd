import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { askForCredentials } from '../credential-provider.ts';
import type { Held } from '../device-key.ts';
import { callFunction } from '../function-call.ts';
import { type ApiAnswer, createHttpApi } from '../http-api.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';
import { type Description, type Operation, readDescription } from '../openapi.ts';
import { until } from '../until.ts';

// The examples name devices of their own, so they get a stand-in of their own.
let run: LocalRun;
let operator: ReturnType<typeof createHttpApi>;
let description: Description;

beforeAll(async () => {
  run = await startLocalRun();
  operator = createHttpApi(run.outputs, run.outputs.personas.operator);
  const { status, headers, body } = await operator.get('/openapi.json');
  expect({ status, contentType: headers.get('content-type') }).toEqual({
    status: 200,
    contentType: 'application/json',
  });
  description = readDescription(body);
});
afterAll(() => run.stop());

const the = (operationId: string): Operation => {
  const operation = description.operations.find((one) => one.operationId === operationId);
  if (!operation) throw new Error(`the API describes no ${operationId}`);
  return operation;
};

/** The path with the values of its parameters: the ones given, else the documented examples. */
function urlOf({ path, parameters }: Operation, given: Record<string, string> = {}): string {
  const parameterOf = (name: string) => given[name] ?? String(parameters.find((one) => one.name === name)?.example);
  const query = parameters.filter((one) => one.in === 'query' && one.example !== undefined);
  const search = new URLSearchParams(Object.fromEntries(query.map(({ name }) => [name, parameterOf(name)]))).toString();
  return path.replace(/\{(\w+)\}/g, (_, name) => parameterOf(name)) + (search && `?${search}`);
}

const contentTypeOf = ({ headers }: ApiAnswer) => headers.get('content-type');

/** Members and types, all the way down; of a list each kind of item once. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return [...new Set(value.map((item) => JSON.stringify(shapeOf(item))))].sort();
  if (value === null || typeof value !== 'object') return typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, inner]) => [name, shapeOf(inner)])
      .sort(),
  );
}

test('the routes that are deployed are the routes that are described, signed where it says so', async () => {
  const template = JSON.parse(await readFile('.serverless/cloudformation-template-update-stack.json', 'utf8'));
  const deployed = Object.values<{ Type: string; Properties: { RouteKey: string; AuthorizationType?: string } }>(
    template.Resources,
  )
    .filter(({ Type }) => Type === 'AWS::ApiGatewayV2::Route')
    .map(({ Properties }) => `${Properties.RouteKey} ${Properties.AuthorizationType ?? 'NONE'}`);
  const described = description.operations.map(
    ({ method, path, isSigned }) => `${method} ${path} ${isSigned ? 'AWS_IAM' : 'NONE'}`,
  );
  expect(described.sort()).toEqual(deployed.sort());
});

test('the recorded event is answered with the same', async () => {
  const event = JSON.parse(await readFile('events/openapi.json', 'utf8'));
  const { payload } = await callFunction(run.outputs, 'openapi', event);
  expect(JSON.parse(payload.body)).toEqual(description.document);
});

describe('each documented example, sent as it stands', () => {
  const answered: Record<string, ApiAnswer[]> = {};

  /** Sends the examples of one operation, one after the other, and holds the answers against what is documented. */
  async function replay(operationId: string, api: ReturnType<typeof createHttpApi>, given?: Record<string, string>) {
    const operation = the(operationId);
    const { method, requests, answers, status, checkAnswer } = operation;
    const sent = requests.length > 0 ? requests : [{ name: 'answer', value: undefined }];
    answered[operationId] = [];
    for (const { name, value } of sent) {
      const answer = await api.call(method, urlOf(operation, given), value === undefined ? {} : { body: value });
      answered[operationId].push(answer);
      expect(answer, `${operationId}, ${name}`).toMatchObject({ status: Number(status) });
      expect(checkAnswer(answer.status, contentTypeOf(answer), answer.body), name).toEqual([]);
      const documented = answers.find((one) => one.name === name);
      if (documented) expect(shapeOf(answer.body), name).toEqual(shapeOf(documented.value));
    }
    return answered[operationId].map(({ body }) => body);
  }

  test('a line announces, and makes a device; the camera shows life', async () => {
    const factory = createHttpApi(run.outputs, run.outputs.personas.factory);
    await replay('announceDevices', factory);
    const { certificatePem, privateKey, thingName, connection } = (await replay('provisionDevice', factory)).at(-1);
    const held = { certificatePem, privateKeyPem: privateKey };
    const { body } = await askForCredentials(run.outputs, { held, roleAlias: connection.roleAlias, thingName });
    await replay('connected', createHttpApi(run.outputs, body.credentials));
    await replay('getDevice', factory);
  });

  test('cameras claim over HTTPS, unsigned', async () => {
    await replay('claimOverHttps', createHttpApi(run.outputs));
  });

  test('a claim certificate opens a device, refuses another camera, and is disabled', async () => {
    const [made] = await replay('createClaimCertificate', operator);
    const held = { certificatePem: made.certificatePem, privateKeyPem: made.privateKey };
    expect([await claimOverMqtt(held), await claimOverMqtt(held)]).toEqual(['accepted', 'rejected']);
    await replay('listClaims', operator);
    // The registry's stream counts and lists it, a moment behind.
    await until('the claim to be counted', async () => {
      const { body } = await operator.get('/claim-certificates');
      return body.claimCertificates.some((one: { opened: number }) => one.opened === 1);
    });
    await replay('listClaimCertificates', operator);
    // The link of the answer says where its id goes.
    const { disable } = the('createClaimCertificate').links;
    expect(disable).toEqual(
      expect.objectContaining({
        operationId: 'disableClaimCertificate',
        parameters: { certificateId: '$response.body#/certificateId' },
      }),
    );
    await replay('disableClaimCertificate', operator, { certificateId: made.certificateId });
    await replay('createProvisioningClaim', operator);
  });

  test('ops asks what there is and how much of it', async () => {
    await replay('listDevices', operator);
    await replay('stats', operator);
  });

  test('ops suspends and resumes, approves a key, replaces, retires and reopens', async () => {
    await operator.post('/devices', { devices: [{ serialNumber: 'CAM-0005' }] });
    for (const act of [
      'suspendDevice',
      'resumeDevice',
      'approveClaim',
      'setReprovisioning',
      'replaceDevice',
      'retireDevice',
      'reopenDevice',
    ]) {
      await replay(act, operator);
    }
  });

  test('none was left out', async () => {
    await replay('openapi', operator);
    expect(Object.keys(answered).sort()).toEqual(description.operations.map(({ operationId }) => operationId).sort());
  });

  async function claimOverMqtt(held: Held): Promise<string> {
    const device = await openClaim(run.outputs, { held });
    try {
      const { ownershipToken } = await takeCertificate(device);
      const parameters = { SerialNumber: 'CAM-0004' };
      return (await registerThing(device, run.outputs.claim.templateName, ownershipToken, parameters)).outcome;
    } finally {
      await device.close();
    }
  }
});

describe('each persona', () => {
  const nobodysCertificate = '0'.repeat(64);
  const given = { serialNumber: 'NOBODY-1', certificateId: nobodysCertificate };
  test('is let in where the description says so, and nowhere else', async () => {
    for (const persona of ['factory', 'operator', 'auditor'] as const) {
      const api = createHttpApi(run.outputs, run.outputs.personas[persona]);
      for (const operation of description.operations.filter(({ isSigned }) => isSigned)) {
        // Nothing comes of it: no body is JSON, no device is there.
        const change = operation.method === 'POST' ? { text: '{' } : {};
        const answer = await api.call(operation.method, urlOf(operation, given), change);
        const { description: words } = description.document.paths[operation.path][operation.method.toLowerCase()];
        const isTold = new RegExp(`Open to: .*\\b${persona}\\b`).test(words);
        expect(answer.body.message === 'Forbidden', `${persona} at ${operation.operationId}`).toBe(!isTold);
        expect(operation.checkAnswer(answer.status, contentTypeOf(answer), answer.body)).toEqual([]);
      }
    }
  });
});
