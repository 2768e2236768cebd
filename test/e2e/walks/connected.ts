import { randomUUID } from 'node:crypto';
import { tellStandIn } from '../../admin.ts';
import { announce, type Camera, newSerial } from '../../camera-claim.ts';
import { makeDeviceKey } from '../../device-key.ts';
import { type ApiAnswer, createHttpApi } from '../../http-api.ts';
import type { Outputs } from '../../local-run.ts';
import { credentialsOf } from './camera.ts';
import type { Mode, Walk } from './claim.ts';
import { expectStatus } from './line.ts';

/** A camera that speaks no MQTT tells with its own credentials that it lives. */
export function connectedWalks(outputs: Outputs, prefix: string): Record<string, Walk> {
  const { aws, personas } = outputs;
  const factory = createHttpApi(outputs, personas.factory);
  const operator = createHttpApi(outputs, personas.operator);

  async function made(streamMode: Mode, channels: string[] = []): Promise<Camera> {
    const [serialNumber, { certificateSigningRequest, privateKeyPem }] = [newSerial(), await makeDeviceKey()];
    await announce(outputs, { serialNumber, streamMode, ...(channels.length > 0 && { channels }) });
    const order = { certificateSigningRequest };
    const body = await expectStatus(factory.post(`/devices/${serialNumber}/provision`, order), 201);
    const { connection, ...rest } = body;
    return { ...rest, privateKeyPem, configuration: connection };
  }

  async function says(camera: Camera, serialNumber = camera.serialNumber): Promise<ApiAnswer> {
    return createHttpApi(outputs, await credentialsOf(outputs, camera)).post('/connected', { serialNumber });
  }

  const lives =
    (mode: Mode): Walk =>
    async () => {
      await expectStatus(says(await made(mode)), 204);
    };

  const finished = async ({ serialNumber }: Camera) => {
    const { body } = await operator.get(`/devices/${serialNumber}`);
    if (!body.streams.every(({ state }: { state: string }) => state === 'made')) throw new Error('a stream is missing');
  };

  return {
    'thing-name camera says that it lives': lives('thing-name'),
    'certificate-id camera says that it lives': lives('certificate-id'),
    'fixed camera says that it lives': lives('fixed'),
    async 'camera says that it lives, and its channel is made'() {
      const camera = await made('thing-name', ['sub']);
      await expectStatus(says(camera), 204);
      await finished(camera);
    },
    async 'camera says that it lives, and its channel is there already'() {
      const camera = await made('thing-name', ['sub']);
      const fault = { service: 'kinesisvideo', operation: 'CreateStream', kind: 'lost-answer', times: 1 };
      await tellStandIn(aws, 'faults', { faults: [fault] });
      await expectStatus(says(camera), 204);
      await tellStandIn(aws, 'faults');
      await expectStatus(says(camera), 204);
      await finished(camera);
    },
    async 'camera says that it lives though it is suspended'() {
      const camera = await made('fixed');
      // On record, and nothing was done at AWS yet: its credentials are good.
      const fault = { service: 'iot', operation: 'UpdateCertificate', kind: 'kill', times: 1 };
      await tellStandIn(aws, 'faults', { faults: [fault] });
      await expectStatus(operator.post(`/devices/${camera.serialNumber}/suspend`, {}), 500);
      await tellStandIn(aws, 'faults');
      await expectStatus(says(camera), 403);
    },
    async 'camera says a number that is nobody’s'() {
      await expectStatus(says(await made('fixed'), `${prefix}${randomUUID()}`.slice(0, 60)), 403);
    },
  };
}
