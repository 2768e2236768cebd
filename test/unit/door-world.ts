import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as iotSdk from '@aws-sdk/client-iot';
import { CreateThingCommand, IoTClient } from '@aws-sdk/client-iot';
import * as kinesisVideoSdk from '@aws-sdk/client-kinesis-video';
import { expect } from 'vitest';
import { type Clock, createClock } from '../../local/clock.ts';
import { createDoor } from '../../local/door.ts';
import { createFaults, type Faults } from '../../local/faults.ts';
import { createIdentities, type Identity, type IdentityStore } from '../../local/iam/identities.ts';
import { createSts } from '../../local/iam/sts.ts';
import { restJson } from '../../local/protocol/rest-json.ts';
import type { Operation, Service } from '../../local/service.ts';

/** One door for each test, in front of services that do what the test says; a test file opens and closes it. */
export let clock: Clock;
export let faults: Faults;
export let identities: IdentityStore;
export let server: Server;
export let endpoint: string;
export let operations: Record<string, Operation>;
export let killed: string[];
/** The keys that functions sign with. */
export let running: Set<string>;

const service = (name: string, sdk: Record<string, unknown>, more: Partial<Service> = {}): Service => ({
  name,
  protocol: restJson({ schemas: sdk, errorMessageKey: name === 'kinesisvideo' ? 'Message' : 'message' }),
  operations,
  needs: (operation) => [{ action: `${name}:${operation}`, resource: 'arn:r' }],
  snapshot: () => undefined,
  restore: () => {},
  ...more,
});

/** Counts what comes in, and says so while it comes. */
const streaming: NonNullable<Service['streaming']> = {
  recognise: ({ path }) => (path === '/putMedia' ? { operation: 'PutMedia', input: {} } : undefined),
  async serve(_input, _call, request, response) {
    response.writeHead(200);
    let bytes = 0;
    for await (const chunk of request) {
      bytes += chunk.length;
      response.write(`${bytes}\n`);
    }
    response.end('end\n');
  },
};

export async function openDoor(): Promise<void> {
  clock = createClock();
  faults = createFaults({ clock });
  identities = createIdentities({ clock, accountId: '000000000000' });
  operations = { CreateThing: ({ thingName }) => ({ thingName }) };
  running = new Set();
  killed = [];
  const services = [
    service('iot', iotSdk),
    service('kinesisvideo', kinesisVideoSdk, { streaming }),
    createSts({ identities }),
  ];
  const door = createDoor({
    services,
    identities,
    clock,
    region: 'us-east-1',
    faults,
    extra: [
      async ({ path, body }) =>
        path === '/_own' ? { status: 200, headers: { 'x-own': 'yes' }, body: body.toString() } : undefined,
    ],
    functions: { runs: (accessKeyId) => running.has(accessKeyId), kill: (accessKeyId) => killed.push(accessKeyId) },
  });
  server = createServer(door).listen(0, '127.0.0.1');
  await once(server, 'listening');
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export function closeDoor(): void {
  server.closeAllConnections();
  server.close();
}

export const keysOf = ({ accessKeyId, secretAccessKey }: Identity) => ({ accessKeyId, secretAccessKey });
export const config = (more = {}) => ({
  endpoint,
  region: 'us-east-1',
  credentials: keysOf(identities.root),
  maxAttempts: 1,
  ...more,
});
export const createThing = (more = {}, thingName = 't') =>
  new IoTClient(config(more)).send(new CreateThingCommand({ thingName }));
export const named = (name: string, status?: number) =>
  expect.objectContaining({ name, ...(status && { $metadata: expect.objectContaining({ httpStatusCode: status }) }) });
