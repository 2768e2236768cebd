import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  certificateContextOf,
  createAuthorization,
  type IotAction,
  type Principal,
} from '../../local/iot/authorization.ts';
import { openConnection } from '../../local/iot/connection.ts';
import { type Held, type IotWorld, startIotWorld } from './iot-world.ts';

const variable = (name: string) => `$\{${name}}`;

let world: IotWorld;
let held: Held;
let principal: Principal;

beforeAll(async () => {
  world = await startIotWorld();
  held = await world.certificate({ policy: 'test', subject: 'CN=cam-a, OU=one, OU=two, O=*' });
  principal = {
    certificateId: held.certificateId,
    sourceIp: '127.0.0.1',
    certificateContext: certificateContextOf(new X509Certificate(held.certificatePem)),
  };
});
afterAll(() => world.stop());

const may = (statement: Record<string, unknown>, clientId: string, action: IotAction, topic: string) => {
  world.putPolicy('test', [{ Effect: 'Allow', Action: '*', ...statement }]);
  world.attachPolicy('test', held.certificateId);
  return createAuthorization(world).may(principal, clientId, action, topic);
};

describe('thing variables', () => {
  const thing = { Resource: `arn:aws:iot:us-east-1:000000000000:client/${variable('iot:Connection.Thing.ThingName')}` };
  const attached = { Resource: '*', Condition: { Bool: { 'iot:Connection.Thing.IsAttached': ['true'] } } };

  test('resolve to nothing for a stranger', () => {
    world.addThing('cam-a');
    expect(may(thing, 'cam-a', 'iot:Connect', 'cam-a')).toBe(false);
    expect(may(attached, 'cam-a', 'iot:Connect', 'cam-a')).toBe(false);
  });

  test('need the client id of the thing where the attachment is not exclusive', () => {
    world.addThing('cam-a', { batch: 'b1' }, 'thing-name');
    world.attach(held.certificateId, 'cam-a', 'NON_EXCLUSIVE_THING');
    expect(may(thing, 'cam-a', 'iot:Connect', 'cam-a')).toBe(true);
    expect(may(thing, 'other', 'iot:Connect', 'cam-a')).toBe(false);
    expect(may(attached, 'other', 'iot:Connect', 'other')).toBe(false);
  });

  test('resolve whatever the client id where it is', () => {
    world.attach(held.certificateId, 'cam-a', 'EXCLUSIVE_THING');
    expect(may(thing, 'other', 'iot:Connect', 'cam-a')).toBe(true);
    expect(may(attached, 'other', 'iot:Connect', 'other')).toBe(true);
  });

  test('know type and attributes', () => {
    const type = variable('iot:Connection.Thing.ThingTypeName');
    const batch = variable('iot:Connection.Thing.Attributes[batch]');
    const Resource = `arn:aws:iot:us-east-1:000000000000:topic/${type}/${batch}`;
    expect(may({ Resource }, 'cam-a', 'iot:Publish', 'thing-name/b1')).toBe(true);
    expect(may({ Resource }, 'cam-a', 'iot:Publish', 'thing-name/b2')).toBe(false);
  });
});

describe('certificate variables', () => {
  test.each<[string, string, boolean]>([
    ['iot:Certificate.Subject.CommonName', 'cam-a', true],
    ['iot:Certificate.Subject.OrganizationalUnit', 'one', true],
    ['iot:Certificate.Subject.OrganizationalUnit.1', 'two', true],
    ['iot:Certificate.Subject.Organization', '*', false], // a wildcard must not widen a policy
    ['iot:Certificate.Issuer.CommonName', 'Firstlight local CA', true],
    ['iot:Certificate.Subject.Country', '', false],
    ['iot:ClientId', 'cam-a', true],
    ['aws:SourceIp', '127.0.0.1', true],
  ])('%s', (name, value, resolved) => {
    const Resource = `arn:aws:iot:us-east-1:000000000000:topic/${variable(name)}`;
    expect(may({ Resource }, 'cam-a', 'iot:Publish', value)).toBe(resolved);
  });
});

test('MQTT wildcards are text in a policy', () => {
  const Resource = 'arn:aws:iot:us-east-1:000000000000:topicfilter/cameras/+/x';
  expect(may({ Resource }, 'cam-a', 'iot:Subscribe', 'cameras/+/x')).toBe(true);
  expect(may({ Resource }, 'cam-a', 'iot:Subscribe', 'cameras/a/x')).toBe(false);
  expect(may({ Resource: Resource.replace('+', '*') }, 'cam-a', 'iot:Subscribe', 'cameras/#')).toBe(false);
});

test('each action has its own kind of resource', () => {
  const Resource = 'arn:aws:iot:us-east-1:000000000000:topic/x';
  expect(may({ Resource }, 'cam-a', 'iot:Publish', 'x')).toBe(true);
  expect(may({ Resource }, 'cam-a', 'iot:Receive', 'x')).toBe(true);
  expect(may({ Resource }, 'cam-a', 'iot:Subscribe', 'x')).toBe(false);
  expect(may({ Resource }, 'cam-a', 'iot:Connect', 'x')).toBe(false);
});

test('a certificate past its end is good for nothing', () => {
  const late = { ...world.clock, now: () => Date.parse('2050-01-01T00:00:00Z') };
  expect(createAuthorization({ registry: world.registry, clock: late }).usable(held.certificateId)).toBeUndefined();
});

test.each([
  [60, 60],
  [5, 30],
  [0, 1200],
  [5000, 1200],
])('keep-alive %i: silence ends the connection after one and a half times %i s', (keepalive, seconds) => {
  vi.useFakeTimers();
  try {
    const ended: string[] = [];
    const socket = { write: () => true, writableLength: 0, end: () => {}, destroy: () => {} };
    const connection = openConnection({
      socket: socket as never,
      connect: { cmd: 'connect', clientId: 'cam-a', protocolVersion: 5, keepalive },
      clientId: 'cam-a',
      principal,
      sessionId: 's',
      authorization: createAuthorization(world),
      onEnd: (_, reason) => ended.push(reason),
    });
    expect(connection.keepAliveSeconds).toBe(seconds);
    vi.advanceTimersByTime(seconds * 1000);
    connection.heard();
    vi.advanceTimersByTime(seconds * 1500 - 1);
    expect(ended).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ended).toEqual(['MQTT_KEEP_ALIVE_TIMEOUT']);
  } finally {
    vi.useRealTimers();
  }
});
