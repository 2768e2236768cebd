import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import type { MqttClient } from 'mqtt';
import { generate } from 'mqtt-packet';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Certificate } from '../../local/iot/registry.ts';
import { untie } from '../../local/iot/ties.ts';
import { granted, type Held, type IotWorld, next, startIotWorld } from './iot-world.ts';

let world: IotWorld;
let claim: Held;
let camera: Held;

beforeAll(async () => {
  world = await startIotWorld();
  claim = await world.certificate({ policy: 'claim' });
  camera = await world.certificate({ policy: 'device' });
  world.addThing('cam-a');
  world.attach(camera.certificateId, 'cam-a');
});
afterAll(() => world.stop());
afterEach(() => world.disconnectAll());

const closed = (client: MqttClient) => next(client, 'close');
const eventsOf = (kind: string) => world.events.filter(({ topic }) => topic.startsWith(`$aws/events/${kind}/`));
const VERSIONS = [4, 5] as const;
const update = (held: Held, status: Certificate['status']) => {
  const certificate = world.registry.certificate(held.certificateId) as Certificate;
  world.registry.putCertificate({ ...certificate, status });
};

describe.each(VERSIONS)('CONNECT, MQTT protocol version %i', (protocolVersion) => {
  const notAuthorized = protocolVersion === 4 ? 5 : 0x87;

  test.each(['INACTIVE', 'REVOKED', 'PENDING_ACTIVATION', 'PENDING_TRANSFER'] as const)(
    'refuses a certificate that is %s',
    async (status) => {
      const held = await world.certificate({ policy: 'claim', status });
      const attempt = world.connected(held, 'claim-1', { protocolVersion });
      await expect(attempt).rejects.toMatchObject({ code: notAuthorized });
    },
  );

  test('refuses no certificate and one that nobody registered', async () => {
    const attempt = world.connected(undefined, 'claim-1', { protocolVersion });
    await expect(attempt).rejects.toMatchObject({ code: notAuthorized });
    const held = await world.certificate({ policy: 'claim' });
    world.registry.deleteCertificate(held.certificateId);
    const second = world.connected(held, 'claim-1', { protocolVersion });
    await expect(second).rejects.toMatchObject({ code: notAuthorized });
  });

  test('refuses a certificate without a policy', async () => {
    const bare = world.connected(await world.certificate(), 'claim-1', { protocolVersion });
    await expect(bare).rejects.toMatchObject({ code: notAuthorized });
  });

  test('refuses a claim certificate as a camera, and tells of it', async () => {
    const attempt = world.connected(claim, 'cam-a', { protocolVersion });
    await expect(attempt).rejects.toMatchObject({ code: notAuthorized });
    expect(eventsOf('presence/connect_failed')).toMatchObject([
      {
        topic: '$aws/events/presence/connect_failed/cam-a',
        payload: { eventType: 'connect_failed', connectFailureReason: 'AUTHORIZATION_FAILED' },
      },
    ]);
  });

  test('accepts a device only as its own thing', async () => {
    await expect(world.connected(camera, 'cam-b', { protocolVersion })).rejects.toMatchObject({ code: notAuthorized });
    await world.connected(camera, 'cam-a', { protocolVersion });
  });

  test('refuses a client id over 128 bytes', async () => {
    const attempt = world.connected(claim, `claim-${'x'.repeat(123)}`, { protocolVersion });
    await expect(attempt).rejects.toMatchObject({ code: protocolVersion === 4 ? 2 : 0x85 });
    await world.connected(claim, `claim-${'x'.repeat(122)}`, { protocolVersion });
  });
});

test('ALPN x-amzn-mqtt-ca is taken', async () => {
  await world.connected(camera, 'cam-a', { ALPNProtocols: ['x-amzn-mqtt-ca'] });
});

describe('presence', () => {
  test('tells of coming and going', async () => {
    const client = await world.connected(camera, 'cam-a');
    await client.endAsync();
    await expect.poll(() => eventsOf('presence/disconnected')).toHaveLength(1);
    const [connected] = eventsOf('presence/connected');
    expect(connected).toEqual({
      topic: '$aws/events/presence/connected/cam-a',
      payload: {
        clientId: 'cam-a',
        thingName: 'cam-a',
        timestamp: expect.any(Number),
        eventType: 'connected',
        sessionIdentifier: expect.any(String),
        principalIdentifier: camera.certificateId,
        ipAddress: '127.0.0.1',
        versionNumber: expect.any(Number),
      },
    });
    const [disconnected] = eventsOf('presence/disconnected');
    expect(disconnected?.payload).toMatchObject({
      sessionIdentifier: connected?.payload.sessionIdentifier,
      versionNumber: connected?.payload.versionNumber,
      clientInitiatedDisconnect: true,
      disconnectReason: 'CLIENT_INITIATED_DISCONNECT',
    });
  });

  test('names no thing that is not exclusive', async () => {
    const held = await world.certificate({ policy: 'device' });
    world.addThing('shared');
    world.attach(held.certificateId, 'shared', 'NON_EXCLUSIVE_THING');
    await world.connected(held, 'shared');
    expect(eventsOf('presence/connected')[0]?.payload).not.toHaveProperty('thingName');
  });

  test('tells of subscriptions', async () => {
    const client = await world.connected(camera, 'cam-a');
    await granted(client, ['cameras/cam-a/x', 'cameras/cam-b/x']);
    await client.unsubscribeAsync('cameras/cam-a/x');
    expect(eventsOf('subscriptions').map(({ topic, payload }) => [topic, payload.topics])).toEqual([
      ['$aws/events/subscriptions/subscribed/cam-a', ['cameras/cam-a/x']],
      ['$aws/events/subscriptions/unsubscribed/cam-a', ['cameras/cam-a/x']],
    ]);
  });

  test('a newer client of the same id takes over', async () => {
    const older = await world.connected(camera, 'cam-a', { protocolVersion: 5 });
    const told = next(older, 'disconnect');
    const newer = await world.connected(camera, 'cam-a');
    expect((await told)[0]).toMatchObject({ reasonCode: 0x8e });
    expect(eventsOf('presence').map(({ payload }) => payload.disconnectReason ?? payload.eventType)).toEqual([
      'connected',
      'DUPLICATE_CLIENTID',
      'connected',
    ]);
    expect(newer.connected).toBe(true);
  });

  test('a lost connection is told as such', async () => {
    const client = await world.connected(camera, 'cam-a');
    client.stream.destroy();
    await expect
      .poll(() => eventsOf('presence/disconnected')[0]?.payload)
      .toMatchObject({ disconnectReason: 'CONNECTION_LOST', clientInitiatedDisconnect: false });
  });
});

describe.each(VERSIONS)('messages, MQTT protocol version %i', (protocolVersion) => {
  let client: MqttClient;
  beforeEach(async () => {
    client = await world.connected(camera, 'cam-a', { protocolVersion });
  });

  test('reach who subscribed', async () => {
    await client.subscribeAsync('cameras/cam-a/+', { qos: 1 });
    const message = next(client, 'message');
    await client.publishAsync('cameras/cam-a/x', 'hello', { qos: 1 });
    expect((await message).slice(0, 2)).toEqual(['cameras/cam-a/x', Buffer.from('hello')]);
  });

  test('come from AWS to who may receive them', async () => {
    world.putPolicy('deaf', [{ Effect: 'Allow', Action: ['iot:Connect', 'iot:Subscribe'], Resource: '*' }]);
    const deaf = await world.connected(await world.certificate({ policy: 'deaf' }), 'deaf', { protocolVersion });
    let heard = 0;
    deaf.on('message', () => heard++);
    await deaf.subscribeAsync('cameras/cam-a/x', { qos: 1 });
    await client.subscribeAsync('cameras/cam-a/x', { qos: 1 });
    const message = next(client, 'message');
    world.broker.publish('cameras/cam-a/x', Buffer.from('hi'));
    await message;
    await deaf.unsubscribeAsync('cameras/cam-a/x');
    expect(heard).toBe(0);
  });

  test('to a foreign topic are refused', async () => {
    if (protocolVersion === 4) {
      const end = closed(client);
      client.publish('cameras/cam-b/x', 'mine', { qos: 1 });
      await end;
      expect(eventsOf('presence/disconnected')[0]?.payload).toMatchObject({ disconnectReason: 'AUTH_ERROR' });
    } else {
      await expect(client.publishAsync('cameras/cam-b/x', 'mine', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
      expect(client.connected).toBe(true);
      const told = next(client, 'disconnect');
      client.publish('cameras/cam-b/x', 'mine', { qos: 0 });
      expect((await told)[0]).toMatchObject({ reasonCode: 0x87 });
    }
  });

  test.each(['cameras/cam-b/x', '#', 'cameras/#', 'cameras/+/x', '+/+/+'])(
    'subscribing to %s is refused',
    async (filter) => {
      expect(await granted(client, filter)).toEqual([protocolVersion === 4 ? 0x80 : 0x87]);
      expect(client.connected).toBe(true);
    },
  );

  test.each(['$aws/#', '$aws/things/cam-a/jobs/notify', '$aws/certificates/create/json/accepted'])(
    'a reserved topic it may not have, %s, ends the connection',
    async (filter) => {
      const end = closed(client);
      client.subscribe(filter, { qos: 1 });
      await end;
      const again = await world.connected(camera, 'cam-a', { protocolVersion });
      const second = closed(again);
      again.publish(filter.replace('#', 'x'), '{}', { qos: 1 });
      await second;
    },
  );

  test('a reserved topic that is not there ends the connection, and so does RETAIN on one that is', async () => {
    world.putPolicy('wide', [{ Effect: 'Allow', Action: 'iot:*', Resource: '*' }]);
    const held = await world.certificate({ policy: 'wide' });
    for (const [topic, retain] of [
      ['$aws/certificates/create', false],
      ['$aws/things/cam-a/shadow/get', false],
      ['$aws/events/presence/connected/cam-a', false],
      ['$aws/certificates/create/json', true],
    ] as const) {
      const wide = await world.connected(held, 'wide', { protocolVersion });
      const end = closed(wide);
      wide.publish(topic, '{}', { qos: 1, retain });
      await end;
    }
  });

  test('may hold 128 KB and no byte more', async () => {
    await client.publishAsync('cameras/cam-a/x', Buffer.alloc(128 * 1024), { qos: 1 });
    for (const size of [128 * 1024 + 1, 1024 * 1024]) {
      const end = closed(client);
      client.publish('cameras/cam-a/x', Buffer.alloc(size), { qos: 1 });
      await end;
      client = await world.connected(camera, 'cam-a', { protocolVersion });
    }
    expect(eventsOf('presence/disconnected').at(-1)?.payload).toMatchObject({ disconnectReason: 'CLIENT_ERROR' });
  });

  test('nine filters at once are too many, and so is a 51st subscription', async () => {
    const filters = Array.from({ length: 51 }, (_, i) => `cameras/cam-a/${i}`);
    const tooMany = protocolVersion === 4 ? 0x80 : 0x97;
    expect(await granted(client, filters.slice(0, 9))).toEqual(Array(9).fill(tooMany));
    for (let i = 0; i < 48; i += 8) expect(await granted(client, filters.slice(i, i + 8))).toEqual(Array(8).fill(1));
    expect(await granted(client, filters.slice(48, 51))).toEqual([1, 1, tooMany]);
  });

  test('a will is sent for who vanishes, not for who says goodbye, and only where it could publish', async () => {
    const watcherPolicy = [{ Effect: 'Allow', Action: 'iot:*', Resource: '*' }];
    world.putPolicy('watcher', watcherPolicy);
    const watcher = await world.connected(await world.certificate({ policy: 'watcher' }), 'watcher');
    const heard: string[] = [];
    watcher.on('message', (topic) => heard.push(topic));
    await watcher.subscribeAsync('cameras/#', { qos: 1 });
    const vanish = async (topic: string, goodbye: boolean) => {
      const will = { topic, payload: Buffer.from('gone'), qos: 1 as const, retain: false };
      const willing = await world.connected(camera, 'cam-a', { protocolVersion, will });
      world.events.length = 0;
      if (goodbye) await willing.endAsync();
      else willing.stream.destroy();
      await expect.poll(() => eventsOf('presence/disconnected')).toHaveLength(1);
    };
    await vanish('cameras/cam-a/goodbye', true);
    await vanish('cameras/cam-b/will', false);
    await vanish('cameras/cam-a/will', false);
    await expect.poll(() => heard).toEqual(['cameras/cam-a/will']);
  });

  test('are retained for who may', async () => {
    world.putPolicy('wide', [{ Effect: 'Allow', Action: 'iot:*', Resource: '*' }]);
    const wide = await world.connected(await world.certificate({ policy: 'wide' }), 'wide', { protocolVersion });
    for (const topic of ['notes/a', 'notes/b']) await wide.publishAsync(topic, 'kept', { qos: 1, retain: true });
    const message = next(wide, 'message');
    await wide.subscribeAsync('notes/#', { qos: 1 }); // A wildcard gets none that were there before.
    await wide.subscribeAsync('notes/b', { qos: 1 });
    expect((await message)[2]).toMatchObject({ topic: 'notes/b', retain: true, payload: Buffer.from('kept') });
    for (const topic of ['notes/a', 'notes/b']) await wide.publishAsync(topic, '', { qos: 1, retain: true });
  });
});

describe('power taken away', () => {
  test('leaving ACTIVE drops the session and refuses the next, coming back lets it in', async () => {
    const held = await world.certificate({ policy: 'claim' });
    const client = await world.connected(held, 'claim-power', { protocolVersion: 5 });
    const told = next(client, 'disconnect');
    update(held, 'INACTIVE');
    expect((await told)[0]).toMatchObject({ reasonCode: 0x87 });
    await expect(world.connected(held, 'claim-power')).rejects.toMatchObject({ code: 5 });
    update(held, 'ACTIVE');
    await world.connected(held, 'claim-power');
  });

  test('deleting the certificate drops the session', async () => {
    const held = await world.certificate({ policy: 'claim' });
    const client = await world.connected(held, 'claim-power');
    const end = closed(client);
    world.registry.deleteCertificate(held.certificateId);
    await end;
  });

  test('detaching the policy refuses what comes next', async () => {
    const held = await world.certificate({ policy: 'claim' });
    const client = await world.connected(held, 'claim-power');
    untie(world.registry.policyTargets, 'claim', world.registry.arn(`cert/${held.certificateId}`));
    const end = closed(client);
    client.publish('$aws/certificates/create/json', '{}', { qos: 1 });
    await end;
  });

  test('DeleteConnection ends a client by its id', async () => {
    const client = await world.connected(camera, 'cam-a', { protocolVersion: 5 });
    const told = next(client, 'disconnect');
    expect(world.broker.disconnect('cam-a')).toBe(true);
    expect((await told)[0]).toMatchObject({ reasonCode: 0x98 });
    expect(eventsOf('presence/disconnected')[0]?.payload).toMatchObject({
      disconnectReason: 'API_INITIATED_DISCONNECT',
    });
    expect(world.broker.disconnect('cam-a')).toBe(false);
  });
});

describe('nonsense on the wire', () => {
  const hello = generate({
    cmd: 'connect',
    clientId: 'claim-wire',
    protocolVersion: 4,
    protocolId: 'MQTT',
    clean: true,
  });
  const hello5 = generate({
    cmd: 'connect',
    clientId: 'claim-wire',
    protocolVersion: 5,
    protocolId: 'MQTT',
    clean: true,
  });

  test.each<[string, Buffer[]]>([
    ['HTTP', [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')]],
    ['a ping first', [Buffer.from([0xc0, 0])]],
    ['a giant', [hello, Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(1000)]],
    ['a length without an end', [hello, Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff])]],
    ['a publish cut short', [hello, Buffer.from([0x32, 0x02, 0x00, 0x40])]],
    ['a subscribe of nothing', [hello, Buffer.from([0x82, 0x02, 0x00, 0x01])]],
    ['wrong flags', [hello, Buffer.from([0x80, 0x00])]],
    ['an unknown property', [hello5, Buffer.from([0x30, 0x06, 0x00, 0x01, 0x61, 0x02, 0x7f, 0x00])]],
    ['two CONNECTs', [hello, hello]],
    ['a CONNACK', [hello, Buffer.from([0x20, 0x02, 0x00, 0x00])]],
    ['QoS 2 acknowledgements', [hello, Buffer.from([0x62, 0x02, 0x00, 0x01])]],
    ['noise', [hello, Buffer.from([0xf7]), randomBytes(2000)]],
  ])('%s ends the connection and nothing else', async (_, chunks) => {
    const socket = connectTls({
      host: '127.0.0.1',
      port: world.port,
      ca: world.issuer.caPem,
      cert: claim.certificatePem,
      key: claim.privateKey,
    });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    const end = once(socket, 'close');
    for (const chunk of chunks) socket.write(chunk);
    socket.resume();
    await end;
    await world.connected(claim, 'claim-after');
  });

  test('a giant is told so, though it reads only once it has sent all', async () => {
    const socket = connectTls({
      host: '127.0.0.1',
      port: world.port,
      ca: world.issuer.caPem,
      cert: claim.certificatePem,
      key: claim.privateKey,
    });
    await once(socket, 'secureConnect');
    socket.write(hello5);
    socket.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]));
    const all = Array.from({ length: 16 }, () => {
      return new Promise<void>((resolve, reject) => {
        socket.write(Buffer.alloc(1 << 20), (error) => (error ? reject(error) : resolve()));
      });
    });
    await Promise.all(all);
    // CONNACK, DISCONNECT with 0x95
    expect(Buffer.concat(await socket.toArray()).toString('hex')).toMatch(/^20.*e0029500$/);
  });

  test('noise of a thousand kinds', async () => {
    for (let i = 0; i < 40; i++) {
      const socket = connectTls({
        host: '127.0.0.1',
        port: world.port,
        rejectUnauthorized: false,
        cert: claim.certificatePem,
        key: claim.privateKey,
      });
      socket.on('error', () => {});
      await once(socket, 'secureConnect');
      socket.write(i % 2 ? hello : hello5);
      for (let n = 0; n < 25; n++) {
        const body = randomBytes(n);
        socket.write(Buffer.concat([Buffer.from([randomBytes(1).readUInt8(0), body.length]), body]));
      }
      socket.end();
      socket.resume();
      await once(socket, 'close');
    }
    await world.connected(claim, 'claim-after');
  });

  test('a client that only opens a socket holds nothing up', async () => {
    const socket = connectTls({ host: '127.0.0.1', port: world.port, rejectUnauthorized: false });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    socket.destroy();
    await world.connected(claim, 'claim-after');
  });
});
