import * as fs from 'node:fs';
import path from 'node:path';
import { claimSitting } from './claim.ts';
import { connect } from './connect.ts';
import { type Credentials, fetchCredentials, keepCredentials } from './credentials.ts';
import { StepFailed } from './failure.ts';
import { httpsClaim, sayConnected } from './https-claim.ts';
import {
  type DeviceConfiguration,
  forgetHalfWritten,
  type Identity,
  openIdentity,
  type Place,
  readIfThere,
} from './identity.ts';
import { ensureKey, publicKeySha256, readKey } from './keys.ts';
import { alone } from './lock.ts';
import { readAnnexB } from './media.ts';
import type { Session } from './mqtt.ts';
import type { Acknowledgement } from './put-media.ts';
import { retrying, settling } from './retry.ts';
import { stream } from './stream.ts';

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
  | { stage: 'waiting'; reason: string; waitMs: number };

export type Tell = (stage: Stage) => void;

/** What a camera is once its first frame is in the cloud. */
export interface FirstLight extends Place {
  certificatePath: string;
  privateKeyPath: string;
  acknowledgements: Acknowledgement[];
}

/** From power-on to the first frame. Killed anywhere, the next call goes on where this one was; two at once are one and a StepFailed. */
export const firstBoot = (options: CameraOptions, tell: Tell): Promise<FirstLight> =>
  alone(options.directory, () => boot(options, tell));

async function boot(options: CameraOptions, tell: Tell): Promise<FirstLight> {
  forgetHalfWritten(options.directory);
  const identity = openIdentity(options.directory, options.serialNumber, options.privateKeyPath);
  takeKey(identity, options, tell);
  const place = placeOf(identity) ?? (await claim(identity, options, tell));
  const session = options.httpApi === undefined ? await showLife(identity, place, options, tell) : undefined;
  try {
    const credentials = keysFor(identity, place, options, tell);
    await credentials();
    if (options.httpApi !== undefined) await showLifeOverHttps(identity, place, credentials, options, tell);
    const acknowledgements = await filmTo(place.configuration.streamName, place, credentials, options, tell);
    const { certificatePath, privateKeyPath } = identity;
    return { ...place, certificatePath, privateKeyPath, acknowledgements };
  } finally {
    await session?.close();
  }
}

/** Temporary AWS credentials of a camera that has been through its first boot. */
export async function cameraCredentials(options: CameraOptions, tell: Tell): Promise<Credentials> {
  const { identity, place } = registered(options);
  return keysFor(identity, place, options, tell)();
}

/** Films into a stream, by default the camera's own. Into a neighbour's: StepFailed, with AWS's refusal in its words. */
export async function cameraStream(
  options: CameraOptions,
  streamName: string | undefined,
  tell: Tell,
): Promise<Acknowledgement[]> {
  const { identity, place } = registered(options);
  const credentials = keysFor(identity, place, options, tell);
  return filmTo(streamName ?? place.configuration.streamName, place, credentials, options, tell);
}

/** The identity of a camera that has been through its first boot. */
export function registered(options: CameraOptions): { identity: Identity; place: Place } {
  const identity = openIdentity(options.directory, options.serialNumber, options.privateKeyPath);
  const place = placeOf(identity);
  if (place === undefined) throw new StepFailed('never', `${options.serialNumber} has no identity yet: boot it first`);
  return { identity, place };
}

function takeKey(identity: Identity, options: CameraOptions, tell: Tell): void {
  if (options.keysByAws && readKey(identity.privateKeyPath) === undefined) return;
  const { privateKeyPem, made } = ensureKey(identity.privateKeyPath);
  tell({ stage: 'key', made, publicKeySha256: publicKeySha256(privateKeyPem) });
  const { stage } = identity.progress;
  if (stage !== 'new') tell({ stage: 'resumed', at: stage });
}

async function claim(identity: Identity, options: CameraOptions, tell: Tell): Promise<Place> {
  if (options.httpApi !== undefined) {
    const request = httpsOptions(options, options.httpApi);
    await untilItWorks(() => httpsClaim(identity, request), options, tell);
    return claimed(identity, tell);
  }
  const sitting = {
    serialNumber: options.serialNumber,
    mqttEndpoint: options.mqttEndpoint,
    caPem: read(options.caPath),
    claimCertificatePem: read(options.claimCertificatePath),
    claimPrivateKeyPem: read(options.claimPrivateKeyPath),
    templateName: options.templateName,
    claimToken: options.claimToken,
    format: options.format ?? 'json',
    protocolVersion: options.protocolVersion ?? 5,
    answerMs: options.answerMs ?? 15_000,
  };
  const onStep = () => {
    const { progress } = identity;
    if (progress.stage === 'certificate') tell({ stage: 'certificate', certificateId: progress.certificateId });
  };
  await untilItWorks(() => claimSitting(identity, sitting, onStep), options, tell);
  return claimed(identity, tell);
}

function claimed(identity: Identity, tell: Tell): Place {
  const place = placeOf(identity) as Place;
  tell({ stage: 'thing', thingName: place.thingName, configuration: place.configuration });
  return place;
}

async function showLife(identity: Identity, place: Place, options: CameraOptions, tell: Tell): Promise<Session> {
  const door = {
    caPem: read(options.caPath),
    privateKeyPem: read(identity.privateKeyPath),
    protocolVersion: options.protocolVersion ?? 5,
  };
  const session = await untilItWorks(() => settling(place, () => connect(identity, place, door)), options, tell);
  tell({ stage: 'connected', clientId: place.thingName });
  return session;
}

async function showLifeOverHttps(
  identity: Identity,
  place: Place,
  credentials: () => Promise<Credentials>,
  options: CameraOptions & { httpApi?: string | undefined },
  tell: Tell,
): Promise<void> {
  const request = httpsOptions(options, options.httpApi ?? '');
  const say = async () => sayConnected(identity, place, await credentials(), request);
  await untilItWorks(() => settling(place, say), options, tell);
  tell({ stage: 'connected', clientId: place.thingName });
}

function httpsOptions({ serialNumber, claimToken, answerMs = 35_000 }: CameraOptions, httpApi: string) {
  return { serialNumber, claimToken, answerMs, api: httpApi.replace(/\/+$/, '') };
}

function keysFor(identity: Identity, place: Place, options: CameraOptions, tell: Tell): () => Promise<Credentials> {
  const door = {
    endpoint: place.configuration.credentialEndpoint,
    roleAlias: place.configuration.roleAlias,
    thingName: place.thingName,
    certificatePem: place.certificatePem,
    privateKeyPem: read(identity.privateKeyPath),
    caPem: read(options.caPath),
  };
  return keepCredentials(async () => {
    const credentials = await untilItWorks(() => settling(place, () => fetchCredentials(door)), options, tell);
    tell({ stage: 'credentials', expiration: credentials.expiration });
    return credentials;
  });
}

async function filmTo(
  streamName: string,
  place: Place,
  credentials: () => Promise<Credentials>,
  options: CameraOptions,
  tell: Tell,
): Promise<Acknowledgement[]> {
  const acknowledgements = await stream(
    { region: place.configuration.region, endpoint: options.kinesisVideoEndpoint, credentials },
    { streamName, clip: testClip(), seconds: options.seconds },
    (step) => untilItWorks(step, options, tell),
    ({ StreamARN: streamArn }) => tell({ stage: 'stream', streamName, streamArn }),
  );
  tell({ stage: 'acknowledged', streamName, acknowledgements });
  return acknowledgements;
}

/** clip.md says what it shows and how it was made. */
function testClip() {
  const file = path.join(import.meta.dirname, 'clip.h264');
  return readAnnexB(fs.readFileSync(file), { width: 640, height: 360, framesPerSecond: 15 });
}

function placeOf({ progress }: Identity): Place | undefined {
  if (progress.stage !== 'registered' && progress.stage !== 'connected') return undefined;
  const { stage: _, ...place } = progress;
  return place;
}

function untilItWorks<T>(step: () => Promise<T>, options: CameraOptions, tell: Tell): Promise<T> {
  const { patienceMs = 15 * 60_000, persistWhenDenied = false } = options;
  return retrying(step, { patienceMs, persistWhenDenied }, (wait) => tell({ stage: 'waiting', ...wait }));
}

function read(file: string): string {
  const content = readIfThere(file);
  if (content === undefined) throw new StepFailed('never', `${file} is not there`);
  return content;
}
