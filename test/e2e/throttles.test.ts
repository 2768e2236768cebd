import { randomBytes } from 'node:crypto';
import { UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { announce, type Camera, newSerial } from '../camera-claim.ts';
import { makeDeviceKey } from '../device-key.ts';
import { type ApiAnswer, createHttpApi } from '../http-api.ts';
import { announceWithKey, cameraOf, claimOverHttps } from '../https-camera.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import { switchOffSchedules } from '../schedules.ts';
import { readStack } from '../stack-policies.ts';
import { switchOffStreamConsumers } from '../stream-consumers.ts';
import { describeWorld } from '../world.ts';
import { credentialsOf } from './walks/camera.ts';

vi.setConfig({ testTimeout: 120_000 });

let run: LocalRun;
let outputs: Outputs;
beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
  await switchOffStreamConsumers(outputs);
  await switchOffSchedules(outputs);
});
afterEach(() => tellStandIn(outputs.aws, 'faults'));
afterAll(() => run.stop());

const inject = (...faults: object[]) => tellStandIn(outputs.aws, 'faults', { faults });
const as = (persona: 'factory' | 'operator' | 'auditor') => createHttpApi(outputs, outputs.personas[persona]);

/** A request that is ready, and can be sent again. */
type Ready = () => Promise<ApiAnswer>;

async function announced(row: { channels?: string[] } = {}): Promise<string> {
  const serialNumber = newSerial();
  await announce(outputs, { serialNumber, ...row });
  return serialNumber;
}
async function made(row: { channels?: string[] } = {}): Promise<Camera> {
  const { serialNumber, certificateSigningRequest, privateKeyPem } = await announceWithKey(outputs, row);
  const order = { certificateSigningRequest };
  return cameraOf(await as('factory').post(`/devices/${serialNumber}/provision`, order), privateKeyPem);
}
const act = (serialNumber: string, name: string, body: object = {}): Ready => {
  return () => as('operator').post(`/devices/${serialNumber}/${name}`, body);
};
async function acted(serialNumber: string, name: string): Promise<void> {
  const { status } = await act(serialNumber, name)();
  expect([name, status]).toEqual([name, 200]);
}

const DEVICE = ['dynamodb GetItem', 'dynamodb UpdateItem'];
const MAKE = [
  'dynamodb UpdateItem',
  'iot CreateThing',
  'kinesisvideo CreateStream',
  'iot CreateCertificateFromCsr',
  'iot AttachThingPrincipal',
  'iot AttachPolicy',
];
const DENY = ['dynamodb Scan', 'iam PutRolePolicy', 'iot UpdateCertificate'];
const SILENCE = [...DEVICE, ...DENY, 'dynamodb PutItem', 'iotdata DeleteConnection'];
const REMOVE = [
  ...SILENCE,
  'iot DescribeCertificate',
  'iot DetachPolicy',
  'iot DetachThingPrincipal',
  'iot DeleteCertificate',
  'iot DescribeThing',
  'kinesisvideo ListTagsForStream',
];

/** What each route asks of AWS on its straight path, and a request that goes that way. */
const ROUTES: Record<string, { asks: string[]; status: number; prepare(): Promise<Ready> }> = {
  'POST /devices': {
    asks: ['dynamodb BatchGetItem', 'dynamodb PutItem', 'dynamodb UpdateItem'],
    status: 200,
    async prepare() {
      const devices = [{ serialNumber: newSerial(), publicKeySha256: randomBytes(32).toString('hex') }];
      return () => as('factory').post('/devices', { devices });
    },
  },
  'GET /devices': { asks: ['dynamodb Query'], status: 200, prepare: async () => () => as('auditor').get('/devices') },
  'GET /devices/{serialNumber}': {
    asks: ['dynamodb GetItem'],
    status: 200,
    async prepare() {
      const serialNumber = await announced();
      return () => as('auditor').get(`/devices/${serialNumber}`);
    },
  },
  'GET /devices/{serialNumber}/claims': {
    asks: ['dynamodb GetItem', 'dynamodb Query'],
    status: 200,
    async prepare() {
      const serialNumber = await announced();
      return () => as('auditor').get(`/devices/${serialNumber}/claims`);
    },
  },
  'POST /devices/{serialNumber}/provision': {
    asks: ['dynamodb GetItem', ...MAKE],
    status: 201,
    async prepare() {
      const { serialNumber, certificateSigningRequest } = await announceWithKey(outputs);
      return () => as('factory').post(`/devices/${serialNumber}/provision`, { certificateSigningRequest });
    },
  },
  'POST /claims': {
    asks: ['dynamodb BatchGetItem', ...MAKE],
    status: 201,
    async prepare() {
      const device = await announceWithKey(outputs, { pinned: true });
      return () => claimOverHttps(outputs, device);
    },
  },
  'POST /connected': {
    asks: [...DEVICE, 'kinesisvideo CreateStream'],
    status: 204,
    async prepare() {
      const camera = await made({ channels: ['sub'] });
      const { serialNumber } = camera;
      const api = createHttpApi(outputs, await credentialsOf(outputs, camera));
      return () => api.post('/connected', { serialNumber });
    },
  },
  'POST /claim-certificates': {
    asks: ['iot CreateKeysAndCertificate', 'dynamodb PutItem', 'iot AttachPolicy'],
    status: 201,
    prepare: async () => () => as('operator').post('/claim-certificates', {}),
  },
  'GET /claim-certificates': {
    asks: ['dynamodb Scan', 'dynamodb BatchGetItem'],
    status: 200,
    prepare: async () => () => as('auditor').get('/claim-certificates'),
  },
  'POST /claim-certificates/{certificateId}/disable': {
    asks: [
      'dynamodb UpdateItem',
      'dynamodb Query',
      'dynamodb BatchGetItem',
      'iot DescribeCertificate',
      'iot UpdateCertificate',
      'iot DetachPolicy',
    ],
    status: 200,
    async prepare() {
      const { certificateSigningRequest } = await makeDeviceKey();
      const { body } = await as('operator').post('/claim-certificates', { certificateSigningRequest });
      return () => as('operator').post(`/claim-certificates/${body.certificateId}/disable`, {});
    },
  },
  'POST /provisioning-claims': {
    asks: ['iot CreateProvisioningClaim', 'dynamodb PutItem'],
    status: 201,
    prepare: async () => () => as('factory').post('/provisioning-claims', {}),
  },
  'GET /stats': { asks: ['dynamodb Query'], status: 200, prepare: async () => () => as('auditor').get('/stats') },
  'GET /openapi.json': { asks: [], status: 200, prepare: async () => () => as('auditor').get('/openapi.json') },
  'POST /devices/{serialNumber}/suspend': {
    asks: SILENCE,
    status: 200,
    prepare: async () => act((await made()).serialNumber, 'suspend'),
  },
  'POST /devices/{serialNumber}/resume': {
    asks: [...DEVICE, ...DENY, 'dynamodb DeleteItem'],
    status: 200,
    async prepare() {
      const { serialNumber } = await made();
      await acted(serialNumber, 'suspend');
      return act(serialNumber, 'resume');
    },
  },
  'POST /devices/{serialNumber}/retire': {
    asks: [...REMOVE, 'iot DeleteThing', 'kinesisvideo DescribeStream', 'kinesisvideo DeleteStream'],
    status: 200,
    prepare: async () => act((await made()).serialNumber, 'retire', { streams: 'delete' }),
  },
  'POST /devices/{serialNumber}/reopen': {
    asks: DEVICE,
    status: 200,
    async prepare() {
      const serialNumber = await announced();
      await acted(serialNumber, 'retire');
      return act(serialNumber, 'reopen');
    },
  },
  'POST /devices/{serialNumber}/replace': {
    asks: [...REMOVE, 'iot UpdateThing', 'kinesisvideo TagStream'],
    status: 200,
    prepare: async () => act((await made()).serialNumber, 'replace', { by: await announced() }),
  },
  'POST /devices/{serialNumber}/approve-claim': {
    asks: DEVICE,
    status: 200,
    prepare: async () => act((await made()).serialNumber, 'approve-claim', { publicKeySha256: 'a'.repeat(64) }),
  },
  'POST /devices/{serialNumber}/reprovisioning': {
    asks: DEVICE,
    status: 200,
    prepare: async () => act((await made()).serialNumber, 'reprovisioning', { policy: 'refuse' }),
  },
};

const faultOf = (ask: string, more: object = {}) => {
  const [service, operation] = ask.split(' ');
  return { service, operation, kind: 'throttle', ...more };
};

/** No certificate has power that no record knows, and no claim certificate is on offer that nobody got. */
async function expectNothingHalfMade(): Promise<void> {
  const world = await describeWorld(outputs);
  const idOf = (arn: unknown) => String(arn).replace(/^.*\//, '');
  const known = JSON.stringify([world.devices, world.claimCertificates]);
  const powerful = [world.devicePolicyTargets, world.claimPolicyTargets].flat().map(idOf);
  expect(powerful.filter((id) => !known.includes(id))).toEqual([]);
  const offered = (world.claimCertificates as Record<string, { S?: string }>[]).filter(
    ({ kind, disabledAt }) => kind?.S !== 'installer' && !disabledAt,
  );
  expect(offered.map(({ certificateId }) => certificateId?.S).filter((id) => !powerful.includes(`${id}`))).toEqual([]);
}

test('every route of the API is here', async () => {
  const { body } = await as('auditor').get('/openapi.json');
  const routes = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(Object.keys(ROUTES).sort()).toEqual(routes.sort());
});

describe('throttled at each step, so often that the SDK itself gives up', () => {
  test.each(Object.entries(ROUTES))('%s answers all the same', async (_, { asks, status, prepare }) => {
    // A few steps at a time: what the SDK waits before it gives up counts as well.
    for (let first = 0; first < asks.length; first += 5) {
      const call = await prepare();
      await inject(...asks.slice(first, first + 5).map((ask) => faultOf(ask, { times: 3 })));
      expect((await call()).status).toBe(status);
      await tellStandIn(outputs.aws, 'faults');
    }
  });
});

describe('throttled for longer than there is time', () => {
  // The rest of a function's time is what it spends on waiting: five seconds show the same as 29 do.
  beforeAll(async () => {
    const { lambda } = awsClients(outputs, outputs.personas.admin);
    const { functionRoles, prefix } = await readStack(outputs);
    for (const name of functionRoles.keys()) {
      await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: `${prefix}${name}`, Timeout: 5 }));
    }
  });

  const asks = [...new Set(Object.values(ROUTES).flatMap((route) => route.asks))].sort();

  test.each(asks)(
    'at %s, each route that needs it is busy and says when to come back; then it goes on',
    async (ask) => {
      const routes = Object.entries(ROUTES).filter(([, route]) => route.asks.includes(ask));
      const calls = await Promise.all(routes.map(([, { prepare }]) => prepare()));
      await inject(faultOf(ask));
      const answers = await Promise.all(calls.map((call) => call()));
      expect(answers.map(({ status, body }, n) => [routes[n]?.[0], status, body.code])).toEqual(
        routes.map(([route]) => [route, 503, 'busy']),
      );
      for (const { headers } of answers) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      await tellStandIn(outputs.aws, 'faults');
      await expectNothingHalfMade();
      const again = await Promise.all(calls.map((call) => call()));
      expect(again.map(({ status }, n) => [routes[n]?.[0], status])).toEqual(
        routes.map(([route, { status }]) => [route, status]),
      );
    },
  );
});
