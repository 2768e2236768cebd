import * as fs from 'node:fs';
import path from 'node:path';
import { type Credentials, fetchCredentials, keepCredentials } from './credentials.ts';
import type { Place } from './identity.ts';
import { readAnnexB } from './media.ts';
import { openSession, type Session } from './mqtt.ts';
import { type CameraOptions, read, type Tell, untilItWorks } from './options.ts';
import type { Acknowledgement } from './put-media.ts';
import { settling } from './retry.ts';
import { type Heard, type Producer, reach, stream } from './stream.ts';

/** An identity as the camera uses it: to connect, to get credentials, to film. */
export interface Self {
  place: Place;
  privateKeyPem: string;
  credentials: () => Promise<Credentials>;
  producer: Producer;
  /** How patient it is. */
  options: CameraOptions;
}

export function selfOf(place: Place, privateKeyPem: string, options: CameraOptions, tell: Tell): Self {
  const { region, credentialEndpoint: endpoint, roleAlias, streamName } = place.configuration;
  const { thingName, certificatePem } = place;
  const door = { endpoint, roleAlias, thingName, certificatePem, privateKeyPem, caPem: read(options.caPath) };
  const credentials = keepCredentials(async () => {
    const fresh = await untilItWorks(() => settling(place, () => fetchCredentials(door)), self.options, tell);
    tell({ stage: 'credentials', expiration: fresh.expiration });
    return fresh;
  });
  const producer: Producer = {
    door: { region, endpoint: options.kinesisVideoEndpoint, credentials },
    streamName,
    over: new AbortController(),
  };
  const self: Self = { place, privateKeyPem, credentials, producer, options };
  return self;
}

/** Connects to AWS IoT as the camera's thing: a sign that this certificate lives. */
export const openAs = ({ place, privateKeyPem, options }: Self): Promise<Session> =>
  openSession({
    endpoint: place.configuration.mqttEndpoint,
    clientId: place.thingName,
    certificatePem: place.certificatePem,
    privateKeyPem,
    caPem: read(options.caPath),
    protocolVersion: options.protocolVersion ?? 5,
  });

/** Whoever is to film then, in words and in order. */
export async function filmAs(
  selfNow: () => Self,
  tell: Tell,
  onAcknowledged: (self: Self) => void = () => {},
): Promise<Acknowledgement[]> {
  const { options } = selfNow();
  const heard: Heard = {
    ...hearing(tell),
    onAcknowledged: (producer) => {
      if (producer === selfNow().producer) onAcknowledged(selfNow());
    },
  };
  const retry = <T>(step: () => Promise<T>) => untilItWorks(step, selfNow().options, tell);
  const film = { clip: testClip(), seconds: options.seconds };
  const acknowledgements = await stream(() => selfNow().producer, film, retry, heard);
  tell({ stage: 'acknowledged', streamName: selfNow().producer.streamName, acknowledgements });
  return acknowledgements;
}

/** Makes sure, before it films, that it could. */
export const reachAs = ({ producer, options }: Self, tell: Tell) =>
  reach(producer, (step) => untilItWorks(step, options, tell), hearing(tell));

const hearing = (tell: Tell): Heard => ({
  onActive: ({ streamName }, { StreamARN: streamArn }) => tell({ stage: 'stream', streamName, streamArn }),
});

/** clip.md says what it shows and how it was made. */
function testClip() {
  const file = path.join(import.meta.dirname, 'clip.h264');
  return readAnnexB(fs.readFileSync(file), { width: 640, height: 360, framesPerSecond: 15 });
}
