import { claimSitting } from './claim.ts';
import type { Credentials } from './credentials.ts';
import { StepFailed } from './failure.ts';
import { httpsClaim, httpsOptions } from './https-claim.ts';
import { forgetHalfWritten, type Identity, openIdentity, type Place } from './identity.ts';
import { ensureKey, publicKeySha256, readKey } from './keys.ts';
import { live } from './life.ts';
import { alone } from './lock.ts';
import { type CameraOptions, read, renewTemplateName, type Tell, untilItWorks } from './options.ts';
import type { Acknowledgement } from './put-media.ts';
import { tidy } from './renewal.ts';
import { filmAs, type Self, selfOf } from './self.ts';

/** What a camera is once its first frame is in the cloud. */
export interface FirstLight extends Place {
  certificatePath: string;
  privateKeyPath: string;
  acknowledgements: Acknowledgement[];
}

/** From power-on to the first frame. Killed anywhere, the next call goes on where this one was; two at once are one and a StepFailed. */
export const firstBoot = (options: CameraOptions, tell: Tell): Promise<FirstLight> =>
  alone(options.directory, () => boot(options, tell));

/** Takes the next certificate now and films with it; with `seconds`, in the middle of a film. */
export const renewCertificate = (options: CameraOptions, tell: Tell): Promise<FirstLight> =>
  alone(options.directory, async () => {
    const { identity, place } = registered(options);
    tidyUp(identity);
    return lit(identity, await live(identity, place, { ...options, httpApi: undefined }, tell, true));
  });

async function boot(options: CameraOptions, tell: Tell): Promise<FirstLight> {
  const identity = openIdentity(options.directory, options.serialNumber, options.privateKeyPath);
  tidyUp(identity);
  takeKey(identity, options, tell);
  const place = placeOf(identity) ?? (await claim(identity, options, tell));
  return lit(identity, await live(identity, place, options, tell));
}

function tidyUp(identity: Identity): void {
  forgetHalfWritten(identity.directory);
  tidy(identity);
}

function lit(identity: Identity, acknowledgements: Acknowledgement[]): FirstLight {
  const { certificatePath, privateKeyPath } = identity;
  return { ...(placeOf(identity) as Place), certificatePath, privateKeyPath, acknowledgements };
}

/** Temporary AWS credentials of a camera that has been through its first boot. */
export async function cameraCredentials(options: CameraOptions, tell: Tell): Promise<Credentials> {
  return selfIn(options, tell).credentials();
}

/** Films into a stream, by default the camera's own. Into a neighbour's: StepFailed, with AWS's refusal in its words. */
export async function cameraStream(
  options: CameraOptions,
  streamName: string | undefined,
  tell: Tell,
): Promise<Acknowledgement[]> {
  const self = selfIn(options, tell);
  if (streamName !== undefined) self.producer.streamName = streamName;
  return filmAs(() => self, tell);
}

function selfIn(options: CameraOptions, tell: Tell): Self {
  const { identity, place } = registered(options);
  return selfOf(place, read(identity.privateKeyPath), options, tell);
}

/** The identity of a camera that has been through its first boot. */
export function registered(options: CameraOptions): { identity: Identity; place: Place } {
  const identity = openIdentity(options.directory, options.serialNumber, options.privateKeyPath);
  const place = placeOf(identity);
  if (place === undefined) throw new StepFailed('never', `${options.serialNumber} has no identity yet: boot it first`);
  return { identity, place };
}

function takeKey(identity: Identity, options: CameraOptions, tell: Tell): void {
  const { privateKeyPath, birthKeyPath } = identity;
  // Another key would not be that of its certificate.
  if (privateKeyPath !== birthKeyPath) read(privateKeyPath);
  if (options.keysByAws && readKey(privateKeyPath) === undefined) return;
  const { privateKeyPem, made } = ensureKey(privateKeyPath);
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
    renewTemplateName: renewTemplateName(options),
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

function placeOf({ progress }: Identity): Place | undefined {
  if (progress.stage !== 'registered' && progress.stage !== 'connected') return undefined;
  const { stage: _, ...place } = progress;
  return place;
}
