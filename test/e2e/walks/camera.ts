import { DescribeStreamCommand, GetDataEndpointCommand, TagStreamCommand } from '@aws-sdk/client-kinesis-video';
import { awsClients } from '../../aws-clients.ts';
import type { Camera } from '../../camera-claim.ts';
import { askForCredentials } from '../../credential-provider.ts';
import type { Keys } from '../../http-api.ts';
import type { Outputs } from '../../local-run.ts';
import { connectDevice } from '../../mqtt-device.ts';
import { putMedia } from '../../put-media.ts';
import { footage } from '../../unit/matroska.ts';
import { until } from '../../until.ts';
import { inTime, type Mode, type Walk } from './claim.ts';

export async function credentialsOf(outputs: Outputs, camera: Camera): Promise<Keys> {
  const { thingName, configuration } = camera;
  const { roleAlias } = configuration;
  const { status, body } = await askForCredentials(outputs, { held: camera, roleAlias, thingName });
  if (status !== 200) throw new Error(`no credentials: ${status} ${body.message}`);
  const { accessKeyId, secretAccessKey, sessionToken } = body.credentials;
  return { accessKeyId, secretAccessKey, sessionToken };
}

/** What a KVS producer does with its credentials, one call each. */
export function streamWalks(outputs: Outputs, keys: Keys): Record<string, (StreamName: string) => Promise<unknown>> {
  const { kinesisVideo } = awsClients(outputs, keys);
  return {
    DescribeStream: (StreamName) => kinesisVideo.send(new DescribeStreamCommand({ StreamName })),
    TagStream: (StreamName) => kinesisVideo.send(new TagStreamCommand({ StreamName, Tags: { lens: '6 mm' } })),
    GetDataEndpoint: (StreamName) =>
      kinesisVideo.send(new GetDataEndpointCommand({ StreamName, APIName: 'PUT_MEDIA' })),
    async PutMedia(StreamName) {
      const { status, text, acknowledgements } = await putMedia(
        outputs,
        keys,
        { name: StreamName },
        footage(1, Date.now()),
      );
      if (status !== 200) throw new Error(`PutMedia: ${status} ${text}`);
      if (!acknowledgements.some(({ EventType }) => EventType === 'PERSISTED'))
        throw new Error('nothing was PERSISTED');
    },
  };
}

/** The walks of cameras that have their identity already: one for each stream mode, the first with a channel. */
export async function cameraWalks(outputs: Outputs, cameras: Record<Mode, Camera>): Promise<Record<string, Walk>> {
  const walks: Record<string, Walk> = {};
  const streams: [mode: Mode, what: string, name: string][] = Object.entries(cameras).map(([mode, camera]) => [
    mode as Mode,
    'stream',
    camera.configuration.streamName,
  ]);
  const { thingName, configuration } = cameras['thing-name'];
  streams.push(['thing-name', 'channel', `${thingName}.${configuration.channels}`]);

  for (const [mode, what, name] of streams) {
    const camera = cameras[mode];
    await untilStreamActive(outputs, name);
    const calls = streamWalks(outputs, await credentialsOf(outputs, camera));
    for (const [action, call] of Object.entries(calls))
      walks[`${mode} camera: ${action} on its ${what}`] = () => call(name);
    walks[`${mode} camera asks for credentials`] = () => credentialsOf(outputs, camera);
  }

  walks['talks on its own topics'] = async (patienceMs) => {
    const camera = cameras['thing-name'];
    const { client, close, ended } = await connectDevice(outputs, { clientId: thingName, held: camera });
    try {
      const topic = `firstlight/${thingName}/walk`;
      const heard = new Promise((resolve) => client.once('message', resolve));
      const lost = ended.then(({ reasonCode }) => {
        throw new Error(`the broker hung up (${reasonCode})`);
      });
      const told = (async () => {
        await client.subscribeAsync(topic, { qos: 1 }).catch(() => {
          throw new Error('it may not subscribe');
        });
        await client.publishAsync(topic, 'light', { qos: 1 }).catch(() => {
          throw new Error('it may not publish');
        });
        await heard;
      })();
      lost.catch(() => {});
      await inTime(Promise.race([told, lost]), patienceMs, 'it hears nothing');
    } finally {
      await close();
    }
  };
  return walks;
}

export async function untilStreamActive(outputs: Outputs, StreamName: string): Promise<void> {
  const { kinesisVideo } = awsClients(outputs, outputs.personas.admin);
  await until(`${StreamName} to be ACTIVE`, async () => {
    const { StreamInfo } = await kinesisVideo.send(new DescribeStreamCommand({ StreamName }));
    return StreamInfo?.Status === 'ACTIVE';
  });
}
