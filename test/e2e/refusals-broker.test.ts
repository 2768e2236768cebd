import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { type Camera, claimCamera, newSerial, openClaim, takeCertificate } from '../camera-claim.ts';
import { freeCertificate } from '../claim-certificates.ts';
import { connectDevice, type MqttDevice } from '../mqtt-device.ts';

const outputs = inject('outputs');
const VERSIONS = [4, 5] as const;
const CREATE = '$aws/certificates/create/json';

let camera: Camera;
let neighbour: Camera;
/** Hears every topic but AWS's own. */
let listener: MqttDevice;
const heard = new Set<string>();

beforeAll(async () => {
  camera = await claimCamera(outputs, { serialNumber: newSerial() });
  neighbour = await claimCamera(outputs, { serialNumber: newSerial() });
  listener = await connectDevice(outputs, { clientId: newSerial(), held: await freeCertificate(outputs) });
  listener.client.on('message', (topic) => void heard.add(topic));
  await listener.client.subscribeAsync('#', { qos: 1 });
});
afterAll(async () => {
  await listener.close();
  await claimCamera(outputs, { serialNumber: newSerial() });
});

const asCamera = (protocolVersion: 4 | 5) =>
  connectDevice(outputs, { clientId: camera.thingName, held: camera, protocolVersion });

/** What was sent before a marker has been heard when that is, or never will be. */
async function isHeard(topic: string): Promise<boolean> {
  const sender = await asCamera(5);
  const marker = `firstlight/${camera.thingName}/${randomUUID()}`;
  await sender.client.publishAsync(marker, 'x', { qos: 1 });
  await sender.close();
  await vi.waitFor(() => expect(heard).toContain(marker), { timeout: 10_000 });
  return heard.has(topic);
}

describe.each(VERSIONS)('over MQTT %d (4 is 3.1.1)', (protocolVersion) => {
  /** MQTT 5 says it in a DISCONNECT, 3.1.1 just hangs up. */
  const reason = (code: number) => (protocolVersion === 5 ? code : undefined);

  /** MQTT 5 says no in PUBACK and goes on; 3.1.1 has no such word and hangs up [MQTT-3.3.5-2]. */
  async function expectNoPublish(topic: string, retain = false) {
    const session = await asCamera(protocolVersion);
    const sent = session.client.publishAsync(topic, 'x', { qos: 1, retain });
    if (protocolVersion === 5) {
      await expect(sent).rejects.toMatchObject({ code: 0x87 });
    } else {
      sent.catch(() => {});
      expect((await session.ended).reasonCode).toBeUndefined();
    }
    await session.close();
    expect(await isHeard(topic)).toBe(false);
  }

  test('a camera publishes on its own topics', async () => {
    const session = await asCamera(protocolVersion);
    const topic = `firstlight/${camera.thingName}/${randomUUID()}`;
    await session.client.publishAsync(topic, 'x', { qos: 1 });
    await session.close();
    expect(await isHeard(topic)).toBe(true);
  });

  test('a foreign topic is not published', async () => {
    await expectNoPublish(`firstlight/${neighbour.thingName}/${randomUUID()}`);
    await expectNoPublish('somewhere/else');
    await expectNoPublish('firstlight/x');
  });

  test('nothing is retained', async () => {
    const topic = `firstlight/${camera.thingName}/${randomUUID()}`;
    await expectNoPublish(topic, true);
    const late = await asCamera(protocolVersion);
    const first = new Promise((resolve) => late.client.once('message', (_topic, payload) => resolve(String(payload))));
    await late.client.subscribeAsync(topic, { qos: 1 });
    await late.client.publishAsync(topic, 'the first that it gets', { qos: 1 });
    expect(await first).toBe('the first that it gets');
    await late.close();
  });

  test("AWS's own topics take no retained message: the session ends", async () => {
    const session = await openClaim(outputs, { protocolVersion });
    session.client.publishAsync(CREATE, '{}', { qos: 1, retain: true }).catch(() => {});
    expect((await session.ended).reasonCode).toBe(reason(0x87));
  });

  test.each([
    '$aws/certificates/create/xml',
    '$aws/certificates/create',
    '$aws/provisioning-templates/another/provision/json',
    `${CREATE}/accepted`,
    '$aws/events/presence/connected/x',
    '$aws/rules/x/y',
  ])("a claim client's publish on %s ends the session", async (topic) => {
    const session = await openClaim(outputs, { protocolVersion });
    session.client.publishAsync(topic, '{}', { qos: 1 }).catch(() => {});
    expect((await session.ended).reasonCode).toBe(reason(0x87));
  });

  test.each(['#', '+', '+/+/+', 'firstlight/#', 'firstlight/+/state', 'somewhere/else'])(
    'a camera may not subscribe to %s',
    async (filter) => {
      const session = await asCamera(protocolVersion);
      await expect(session.client.subscribeAsync(filter, { qos: 1 })).rejects.toThrow();
      await expect(session.client.subscribeAsync(filter, { qos: 0 })).rejects.toThrow();
      // It is still there, and hears nothing of what it was refused.
      let got = 0;
      session.client.on('message', () => void got++);
      await session.client.subscribeAsync(`firstlight/${camera.thingName}/own/#`, { qos: 1 });
      await listener.client.publishAsync(`firstlight/${neighbour.thingName}/state`, 'x', { qos: 1 });
      const own = new Promise<string>((resolve) => session.client.once('message', (topic) => resolve(topic)));
      await listener.client.publishAsync(`firstlight/${camera.thingName}/own/1`, 'x', { qos: 1 });
      expect(await own).toBe(`firstlight/${camera.thingName}/own/1`);
      expect(got).toBe(1);
      await session.close();
    },
  );

  test.each([
    '$aws/#',
    '$aws/certificates/#',
    '$aws/certificates/create/+/accepted',
    '$aws/certificates/create/json/+',
    '$aws/provisioning-templates/+/provision/json/accepted',
    '$aws/events/#',
  ])("a claim client's subscription to %s ends the session", async (filter) => {
    const session = await openClaim(outputs, { protocolVersion });
    session.client.subscribeAsync(filter, { qos: 1 }).catch(() => {});
    expect((await session.ended).reasonCode).toBe(reason(0x87));
  });

  test('a claim client neither hears nor speaks on cameras’ topics', async () => {
    const session = await openClaim(outputs, { protocolVersion });
    await expect(session.client.subscribeAsync('#', { qos: 1 })).rejects.toThrow();
    await expect(session.client.subscribeAsync('firstlight/#', { qos: 1 })).rejects.toThrow();
    const sent = session.client.publishAsync(`firstlight/${camera.thingName}/state`, 'x', { qos: 1 });
    if (protocolVersion === 5) await expect(sent).rejects.toMatchObject({ code: 0x87 });
    else sent.catch(() => {});
    if (protocolVersion === 4) await session.ended;
    await session.close();
  });

  test('one device hears nothing of another’s answers', async () => {
    const [mine, other] = [await openClaim(outputs, { protocolVersion }), await openClaim(outputs)];
    let got = 0;
    other.client.on('message', () => void got++);
    for (const kind of ['accepted', 'rejected']) {
      await other.client.subscribeAsync(`$aws/certificates/create-from-csr/json/${kind}`, { qos: 1 });
    }
    await takeCertificate(mine);
    await takeCertificate(other);
    expect(got).toBe(1);
    await Promise.all([mine.close(), other.close()]);
  });
});
