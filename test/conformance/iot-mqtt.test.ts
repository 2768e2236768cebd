import { readFile } from 'node:fs/promises';
import { UpdateCertificateCommand } from '@aws-sdk/client-iot';
import { beforeAll, describe, expect, test } from 'vitest';
import { cloud, eventually, mqttDoor, onAws, unique } from '../cloud.ts';
import { makeSelfSigned } from '../device-key.ts';
import { type Broker, DEVICE_SDKS } from '../device-sdk.ts';
import { iotArns, type Made, makeCertificate, makePolicy } from '../fleet-provisioning.ts';
import { connectDevice, endOf, type MqttDevice } from '../mqtt-device.ts';

/**
 * The message broker, over mutual TLS in MQTT 3.1.1 and 5: what the IoT guide says ("MQTT", "Reserved topics") and, where it says nothing, what
 * the stand-in guesses. Makes two policies and two certificates of its own.
 */

const topics = unique('topic');
const OWN = unique('client');
let door: Awaited<ReturnType<typeof mqttDoor>>;
/** May connect as `OWN…`, and speak and hear below `topics`; may publish, but not hear, below `topics`/deaf. */
let held: Made;
/** May do everything, so that what it is refused is refused by the broker itself. */
let free: Made;

beforeAll(async () => {
  const [arn, found] = await Promise.all([iotArns(), mqttDoor()]);
  door = found;
  held = await makeCertificate(
    await makePolicy('own', [
      { Action: 'iot:Connect', Resource: arn(`client/${OWN}*`) },
      { Action: 'iot:Publish', Resource: arn(`topic/${topics}/*`) },
      { Action: 'iot:Receive', Resource: arn(`topic/${topics}/heard*`) },
      { Action: 'iot:Subscribe', Resource: arn(`topicfilter/${topics}/*`) },
    ]),
  );
  const actions = ['Connect', 'Publish', 'RetainPublish', 'Receive', 'Subscribe'].map((action) => `iot:${action}`);
  free = await makeCertificate(await makePolicy('free', [{ Action: actions, Resource: '*' }]));
  for (const certificate of [held, free]) await eventually(async () => (await connect(certificate)).close());
});

const newClientId = () => `${OWN}-${crypto.randomUUID().slice(0, 8)}`;
const connect = (certificate: Made, protocolVersion: 4 | 5 = 5, clientId = newClientId()) =>
  connectDevice(door, { clientId, held: certificate, protocolVersion });

/** The topics that come in, in order. */
function hear({ client }: MqttDevice) {
  const heard: string[] = [];
  client.on('message', (topic) => heard.push(topic));
  return heard;
}

describe.each([4, 5] as const)('over MQTT %d (4 is 3.1.1)', (protocolVersion) => {
  /** MQTT 5 says it in a DISCONNECT, 3.1.1 just hangs up. */
  const reason = (code: number) => (protocolVersion === 5 ? code : undefined);
  const session = (certificate = held, clientId?: string) => connect(certificate, protocolVersion, clientId);

  test('a client hears what is published where it subscribed', async () => {
    const device = await session();
    const message = new Promise((resolve) => device.client.once('message', (...heard) => resolve(heard.slice(0, 2))));
    expect(await device.client.subscribeAsync(`${topics}/heard/+`, { qos: 1 })).toMatchObject([{ qos: 1 }]);
    await device.client.publishAsync(`${topics}/heard/1`, 'hello', { qos: 1 });
    expect(await message).toEqual([`${topics}/heard/1`, Buffer.from('hello')]);
    await device.close();
  });

  test('port 443 is for who asks for MQTT in the TLS handshake', async () => {
    const { host, port } = door.mqtt;
    const device = await connectDevice(
      { ...door, mqtt: { host, port: onAws ? 443 : port } },
      { clientId: newClientId(), held, protocolVersion, ALPNProtocols: ['x-amzn-mqtt-ca'] },
    );
    await device.close();
  });

  test('# reaches all below, and not the level above', async () => {
    const device = await session(free);
    const heard = hear(device);
    await device.client.subscribeAsync(`${topics}/heard/tree/#`, { qos: 1 });
    const published = ['', '/leaf', '/leaf/vein'].map((level) => `${topics}/heard/tree${level}`);
    for (const topic of published) await device.client.publishAsync(topic, 'x', { qos: 1 });
    await eventually(async () => expect(heard).toContain(published[2]));
    await eventually(async () => expect(heard.toSorted()).toEqual(published.slice(1)));
    await device.close();
  });

  test('what iot:Receive does not allow does not come in', async () => {
    const device = await session();
    const heard = hear(device);
    await device.client.subscribeAsync(`${topics}/#`, { qos: 1 });
    for (const name of ['deaf', 'heard/marker']) await device.client.publishAsync(`${topics}/${name}`, 'x', { qos: 1 });
    await eventually(async () => expect(heard).toContain(`${topics}/heard/marker`));
    expect(heard).not.toContain(`${topics}/deaf`);
    await device.close();
  });

  test('a retained message is for who names its topic', async () => {
    const device = await session(free);
    const names = [1, 2].map((n) => `${topics}/heard/kept-${protocolVersion}-${n}`);
    for (const topic of names) await device.client.publishAsync(topic, 'kept', { qos: 1, retain: true });
    try {
      const late = await session(free);
      const retained: string[] = [];
      late.client.on('message', (topic, _payload, { retain }) => retain && retained.push(topic));
      await late.client.subscribeAsync(`${topics}/heard/+`, { qos: 1 });
      await late.client.subscribeAsync(names[1] as string, { qos: 1 });
      await eventually(async () => expect(retained).toEqual([names[1]]));
      await late.close();
    } finally {
      for (const topic of names) await device.client.publishAsync(topic, '', { qos: 1, retain: true });
      await device.close();
    }
  });

  test('of two clients with one id the older has to go', async () => {
    const clientId = newClientId();
    const older = await session(held, clientId);
    const newer = await eventually(() => session(held, clientId));
    expect(await endOf(older)).toBe(reason(0x8e));
    await newer.close();
  });

  test('a certificate that is missing, unknown or inactive opens nothing', async () => {
    const clientId = newClientId();
    await expect(connectDevice(door, { clientId, protocolVersion })).rejects.toThrow();
    const stranger = await makeSelfSigned();
    await expect(connectDevice(door, { clientId, held: stranger, protocolVersion })).rejects.toThrow();
    const { certificateId, ...inactive } = await makeCertificate(
      await makePolicy('idle', [{ Action: 'iot:*', Resource: '*' }]),
    );
    await cloud.iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
    await eventually(() =>
      expect(connectDevice(door, { clientId, held: inactive, protocolVersion })).rejects.toThrow(),
    );
  });

  test('guess: a CONNECT that no policy allows is refused with 5, or 0x87', async () => {
    await expect(session(held, unique('stranger'))).rejects.toMatchObject({
      name: 'ConnectRefused',
      code: protocolVersion === 5 ? 0x87 : 5,
    });
  });

  test('guess: a SUBSCRIBE that no policy allows gets 0x80, or 0x87, and the session goes on', async () => {
    const device = await session();
    const subscribed = device.client.subscribeAsync(`${unique('foreign')}/#`, { qos: 1 });
    const granted = [protocolVersion === 5 ? 0x87 : 0x80];
    await expect(subscribed).rejects.toMatchObject({ packet: { granted } });
    expect(await device.client.subscribeAsync(`${topics}/heard/#`, { qos: 1 })).toMatchObject([{ qos: 1 }]);
    await device.close();
  });

  test('guess: a PUBLISH that no policy allows gets 0x87 in MQTT 5, and ends the session in 3.1.1', async () => {
    const device = await session();
    const published = device.client.publishAsync(`${unique('foreign')}/x`, 'x', { qos: 1 });
    if (protocolVersion === 5) {
      await expect(published).rejects.toMatchObject({ code: 0x87 });
      await device.client.publishAsync(`${topics}/heard/1`, 'still here', { qos: 1 });
    } else {
      published.catch(() => {});
      await endOf(device);
    }
    await device.close();
  });

  test.each([
    '$aws/certificates/create/json',
    '$aws/provisioning-templates/any/provision/json',
    '$aws/things/any/shadow/get',
  ])('guess: a publish on %s that no policy allows ends the session with 0x87', async (topic) => {
    const device = await session();
    device.client.publishAsync(topic, '{}', { qos: 1 }).catch(() => {});
    expect(await endOf(device)).toBe(reason(0x87));
  });

  test.each(['$aws/certificates/create/json/accepted', '$aws/#'])(
    'guess: a subscription to %s that no policy allows ends the session with 0x87',
    async (filter) => {
      const device = await session();
      device.client.subscribeAsync(filter, { qos: 1 }).catch(() => {});
      expect(await endOf(device)).toBe(reason(0x87));
    },
  );

  test.each(['$aws/certificates/create', '$aws/certificates/create/xml', '$aws/events/presence/connected/any'])(
    'guess: a publish on %s, which nobody may, ends the session with 0x90',
    async (topic) => {
      const device = await session(free);
      device.client.publishAsync(topic, '{}', { qos: 1 }).catch(() => {});
      expect(await endOf(device)).toBe(reason(0x90));
    },
  );

  test("guess: a retained publish on one of AWS's own topics ends the session with 0x87", async () => {
    const device = await session(free);
    device.client.publishAsync('$aws/certificates/create/json', '{}', { qos: 1, retain: true }).catch(() => {});
    expect(await endOf(device)).toBe(reason(0x87));
  });
});

test('who comes and who goes is told to those who may hear it', async () => {
  const clientId = newClientId();
  const listener = await connect(free);
  // biome-ignore lint/suspicious/noExplicitAny: the test says what it expects of it
  const events: any[] = [];
  listener.client.on('message', (_topic, payload) => events.push(JSON.parse(payload.toString('utf8'))));
  for (const what of ['connected', 'disconnected'])
    await listener.client.subscribeAsync(`$aws/events/presence/${what}/${clientId}`, { qos: 1 });
  const device = await connect(held, 5, clientId);
  const { certificateId: principalIdentifier } = held;
  const of = {
    clientId,
    principalIdentifier,
    timestamp: expect.any(Number),
    sessionIdentifier: expect.any(String),
    versionNumber: expect.any(Number),
  };
  await eventually(async () => expect(events).toMatchObject([{ ...of, eventType: 'connected' }]));
  await device.client.endAsync();
  await eventually(async () =>
    expect(events[1]).toMatchObject({
      ...of,
      eventType: 'disconnected',
      clientInitiatedDisconnect: true,
      disconnectReason: 'CLIENT_INITIATED_DISCONNECT',
    }),
  );
  await listener.close();
});

describe.each(Object.entries(DEVICE_SDKS))("AWS's device SDK, %s", (name, sdk) => {
  let broker: Broker;
  beforeAll(async () => {
    broker = { ...door.mqtt, ca: await readFile(door.caPath, 'utf8') };
  });

  test('hears itself', async () => {
    const topic = `${topics}/heard/${crypto.randomUUID()}`;
    expect(await sdk.echo(broker, { held, clientId: newClientId() }, topic, 'hello')).toBe('hello');
  });

  test('guess: is told that it may not connect', async () => {
    const refused = sdk.connect(broker, { held, clientId: unique('stranger') });
    await expect(refused).rejects.toMatchObject(name.endsWith('MQTT 5') ? { reasonCode: 0x87 } : {});
  });
});
