import { StepFailed } from './failure.ts';
import { type DeviceConfiguration, readIfThere } from './identity.ts';
import type { Acknowledgement } from './put-media.ts';
import { retrying } from './retry.ts';

export interface CameraOptions {
  serialNumber: string;
  /** Where the camera keeps who it is. */
  directory: string;
  /** `host` or `host:port`. */
  mqttEndpoint: string;
  caPath: string;
  claimCertificatePath: string;
  claimPrivateKeyPath: string;
  templateName: string;
  /** Where it asks for its next certificate; by convention `<service>-<stage>-renew`, so a claim template's name tells it. */
  renewTemplateName?: string | undefined;
  /** Instead of what the backend told it with its identity. */
  renewAfterDays?: number | undefined;
  /** Firstlight's HTTP API: claim and show life over HTTPS, without MQTT and without a claim certificate. */
  httpApi?: string | undefined;
  /** Kept until proof of life: a claim may have to be made again. */
  claimToken?: string | undefined;
  /** A key that the factory has put on the camera, elsewhere than in `directory`. */
  privateKeyPath?: string | undefined;
  /** Let AWS make the key, if the camera has none yet. Such a key has travelled; prefer the camera's own. */
  keysByAws?: boolean | undefined;
  format?: 'json' | 'cbor' | undefined;
  /** 4 is MQTT 3.1.1. */
  protocolVersion?: 4 | 5 | undefined;
  /** A stand-in's URL; AWS's own if left out. */
  kinesisVideoEndpoint?: string | undefined;
  /** How long to film, live. Left out: three seconds, sent at once. */
  seconds?: number | undefined;
  /** How long a step may go on failing. A camera on a wall has all the time in the world; a terminal has not. */
  patienceMs?: number | undefined;
  /** Ask again after a denial, at first after about a minute, later hourly. */
  persistWhenDenied?: boolean | undefined;
  /** How long the cloud may take for one MQTT answer. */
  answerMs?: number | undefined;
}

/** What happened on the way. */
export type Stage =
  | { stage: 'key'; made: boolean; publicKeySha256: string }
  | { stage: 'resumed'; at: 'certificate' | 'registered' | 'connected' }
  | { stage: 'certificate'; certificateId: string }
  | { stage: 'thing'; thingName: string; configuration: DeviceConfiguration }
  | { stage: 'connected'; clientId: string }
  | { stage: 'credentials'; expiration: Date }
  | { stage: 'stream'; streamName: string; streamArn: string }
  | { stage: 'acknowledged'; streamName: string; acknowledgements: Acknowledgement[] }
  | { stage: 'waiting'; reason: string; waitMs: number }
  | { stage: 'renewal'; step: 'begun' | 'certificate' | 'registered' | 'connected' | 'done'; certificateId: string }
  /** It goes on with the certificate it has; `waitMs`: until it tries again. */
  | { stage: 'renewal-postponed'; reason: string; waitMs?: number };

export type Tell = (stage: Stage) => void;

/** The claim template's name with another ending, unless it was told. */
export const renewTemplateName = ({ renewTemplateName: told, templateName }: CameraOptions): string | undefined =>
  told ?? (templateName.endsWith('-claim') ? templateName.replace(/claim$/, 'renew') : undefined);

export function untilItWorks<T>(step: () => Promise<T>, options: CameraOptions, tell: Tell): Promise<T> {
  const { patienceMs = 15 * 60_000, persistWhenDenied = false } = options;
  return retrying(step, { patienceMs, persistWhenDenied }, (wait) => tell({ stage: 'waiting', ...wait }));
}

export function read(file: string): string {
  const content = readIfThere(file);
  if (content === undefined) throw new StepFailed('never', `${file} is not there`);
  return content;
}
