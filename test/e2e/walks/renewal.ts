import { tellStandIn } from '../../admin.ts';
import { type Camera, newSerial } from '../../camera-claim.ts';
import { makeDeviceKey } from '../../device-key.ts';
import { createHttpApi } from '../../http-api.ts';
import type { Outputs } from '../../local-run.ts';
import { type Answer, connectDevice, type MqttDevice } from '../../mqtt-device.ts';
import { type ClaimDoor, inTime, type Mode, type Walk } from './claim.ts';
import type { presenceWalks } from './presence.ts';

/** A living camera asks, over its own certificate, for the one that follows it. */
export async function renewalWalks(
  outputs: Outputs,
  { claims, expectedSerial }: ClaimDoor,
  { showsLife }: Awaited<ReturnType<typeof presenceWalks>>,
): Promise<Record<string, Walk>> {
  const { certificateSigningRequest } = await makeDeviceKey();
  const operator = createHttpApi(outputs, outputs.personas.operator);

  async function alive(streamMode: Mode): Promise<Camera> {
    const camera = await claims(await expectedSerial({ streamMode }));
    await showsLife(camera, 15_000);
    return camera;
  }

  async function accepted(asked: Promise<Answer>, topic: string, patienceMs: number): Promise<Answer['content']> {
    const { outcome, content } = await inTime(asked, patienceMs, `silence on ${topic}`);
    if (outcome === 'accepted') return content;
    throw new Error(`rejected: ${content.statusCode} ${content.errorCode} ${content.errorMessage}`);
  }

  async function asItself<T>(camera: Camera, visit: (device: MqttDevice) => Promise<T>): Promise<T> {
    const device = await connectDevice(outputs, { clientId: camera.thingName, held: camera });
    try {
      return await visit(device);
    } finally {
      await device.close();
    }
  }

  async function certificate(device: MqttDevice, format: string, patienceMs: number): Promise<string> {
    const topic = `$aws/certificates/create-from-csr/${format}`;
    const content = await accepted(device.ask(topic, { certificateSigningRequest }), topic, patienceMs);
    return content.certificateOwnershipToken;
  }

  function registers(device: MqttDevice, format: string, token: string, SerialNumber: string, patienceMs: number) {
    const topic = `$aws/provisioning-templates/${outputs.claim.renewTemplateName}/provision/${format}`;
    const question = { certificateOwnershipToken: token, parameters: { SerialNumber } };
    return accepted(device.ask(topic, question), topic, patienceMs);
  }

  const renews =
    (mode: Mode, format: 'json' | 'cbor'): Walk =>
    async (patienceMs) => {
      const camera = await alive(mode);
      await asItself(camera, async (device) => {
        const token = await certificate(device, format, patienceMs);
        await registers(device, format, token, camera.serialNumber, patienceMs);
      });
    };

  return {
    'renews in JSON': renews('fixed', 'json'),
    'renews in CBOR': renews('fixed', 'cbor'),
    'renews a certificate-id identity': renews('certificate-id', 'json'),

    async 'renews, and the new stream is there already'(patienceMs) {
      const camera = await alive('certificate-id');
      await asItself(camera, async (device) => {
        const token = await certificate(device, 'json', patienceMs);
        const fault = { service: 'kinesisvideo', operation: 'CreateStream', kind: 'lost-answer', times: 1 };
        await tellStandIn(outputs.aws, 'faults', { faults: [fault] });
        const early = await registers(device, 'json', token, camera.serialNumber, patienceMs).then(
          () => 'accepted',
          ({ message }) => message,
        );
        await tellStandIn(outputs.aws, 'faults');
        if (!/^rejected: 403 /.test(early)) throw new Error(`before its stream was there: ${early}`);
        await registers(device, 'json', token, camera.serialNumber, patienceMs);
      });
    },

    async 'is refused a renewal, for the operator to see'(patienceMs) {
      const [camera, stranger] = [await alive('fixed'), newSerial()];
      await asItself(camera, async (device) => {
        const token = await certificate(device, 'json', patienceMs);
        const seen = await registers(device, 'json', token, stranger, patienceMs).then(
          () => 'nothing',
          ({ message }) => message,
        );
        if (!/^rejected: 403 /.test(seen)) throw new Error(`a stranger saw ${seen}`);
      });
      const { body } = await operator.get(`/devices/${stranger}/claims`);
      if (body.claims?.[0]?.door !== 'renewal') throw new Error('the refusal was not written down');
    },
  };
}
