import { setTimeout as sleep } from 'node:timers/promises';
import { StepFailed } from './failure.ts';
import { httpsOptions, sayConnected } from './https-claim.ts';
import { type Identity, type Place, saveProgress } from './identity.ts';
import type { Session } from './mqtt.ts';
import { type CameraOptions, read, renewTemplateName, type Tell, untilItWorks } from './options.ts';
import type { Acknowledgement } from './put-media.ts';
import { renewalDueAt, renewalSitting } from './renew.ts';
import { adopt, dropRenewal, keyOf, type Registered, readRenewal } from './renewal.ts';
import { backOff, settling, slow } from './retry.ts';
import { filmAs, openAs, reachAs, type Self, selfOf } from './self.ts';

/** A camera that is awake. */
interface Camera {
  identity: Identity;
  options: CameraOptions;
  tell: Tell;
  self: Self;
  /** What `self` is by, while that is not the camera's own yet. */
  renewal?: Registered;
  /** Over MQTT, as its thing; a camera that shows life over HTTPS has none. */
  session?: Session;
}

/**
 * What a camera does once it has an identity: shows life, gets credentials, films, and meanwhile takes the next certificate when it
 * is time, or at once if `renewNow`. The one before is let go of when the new one has brought a fragment home, and not earlier:
 * killed anywhere, the next call goes on where this one was.
 */
export async function live(
  identity: Identity,
  place: Place,
  options: CameraOptions,
  tell: Tell,
  renewNow = false,
): Promise<Acknowledgement[]> {
  const self = selfOf(place, read(identity.privateKeyPath), options, tell);
  const camera: Camera = { identity, options, tell, self };
  try {
    if (options.httpApi === undefined) await showLife(camera);
    await camera.self.credentials();
    if (options.httpApi !== undefined) await showLifeOverHttps(camera, options.httpApi);
    return await (options.seconds === undefined ? filmAndRenew(camera, renewNow) : renewWhileFilming(camera, renewNow));
  } finally {
    await camera.session?.close();
  }
}

/**
 * Connects as the camera's thing: the proof of life that the backend waits for. Only now is a claim over and its token spent; until
 * here, losing power costs nothing. With a renewed certificate on the disk it is that one's, unless that is dead.
 */
async function showLife(camera: Camera): Promise<void> {
  const { identity, options, tell, self } = camera;
  const renewal = readRenewal(identity);
  const next =
    renewal?.stage === 'registered'
      ? { renewal, self: selfOf(renewal, keyOf(identity, renewal), options, tell) }
      : undefined;
  let failures = 0;
  const connect = async (): Promise<Session> => {
    if (!next) return settling(self.place, () => openAs(self));
    try {
      const session = await settling(next.renewal, () => openAs(next.self));
      Object.assign(camera, next);
      return session;
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      const isDead = error.remedy === 'denied';
      // A network that fails says nothing about a certificate: only if it goes on failing has the one before a try.
      if (!isDead && ++failures % 4 !== 0) throw error;
      const session = await settling(self.place, () => openAs(self));
      if (isDead) dropRenewal(identity);
      tell({ stage: 'renewal-postponed', reason: error.message });
      return session;
    }
  };
  camera.session = await untilItWorks(connect, options, tell);
  tell({ stage: 'connected', clientId: camera.self.place.thingName });
  const { progress } = identity;
  if (progress.stage === 'registered') saveProgress(identity, { ...progress, stage: 'connected' });
}

async function showLifeOverHttps({ identity, options, tell, self }: Camera, httpApi: string): Promise<void> {
  const request = httpsOptions(options, httpApi);
  const say = async () => sayConnected(identity, self.place, await self.credentials(), request);
  await untilItWorks(() => settling(self.place, say), options, tell);
  tell({ stage: 'connected', clientId: self.place.thingName });
}

const film = (camera: Camera): Promise<Acknowledgement[]> =>
  filmAs(
    () => camera.self,
    camera.tell,
    () => takeOver(camera),
  );

/** Nothing live that could be disturbed: the first frame waits for no renewal. */
async function filmAndRenew(camera: Camera, renewNow: boolean): Promise<Acknowledgement[]> {
  if (renewNow) {
    await renew(camera);
    return film(camera);
  }
  const acknowledgements = await film(camera);
  if ((await dueInMs(camera)) > 0) return acknowledgements;
  try {
    await renew(camera);
    return [...acknowledgements, ...(await film(camera))];
  } catch (error) {
    postpone(camera, error);
    return acknowledgements;
  }
}

async function renewWhileFilming(camera: Camera, renewNow: boolean): Promise<Acknowledgement[]> {
  const ended = new AbortController();
  const filming = film(camera).finally(() => ended.abort());
  const renewing = renewNow ? renew(camera) : renewInTime(camera, ended.signal);
  // Whichever fails, the other is brought to its end: a film is not broken off for a renewal, nor a renewal in the middle.
  const [filmed, renewed] = await Promise.allSettled([filming, renewing]);
  if (filmed.status === 'rejected') throw filmed.reason;
  if (renewed.status === 'rejected') throw renewed.reason;
  // What came too late to bring a fragment home has found its stream all the same.
  takeOver(camera);
  return filmed.value;
}

const longestSleepMs = 24 * 3_600_000;

/** Renews whenever it is time; after a failure it asks again, slowly, and films on meanwhile. */
async function renewInTime(camera: Camera, ended: AbortSignal): Promise<void> {
  for (let failures = 0; ; ) {
    try {
      const waitMs = failures > 0 ? backOff(failures - 1, slow) : await dueInMs(camera);
      const slept = sleep(Math.min(Math.max(waitMs, 0), longestSleepMs), true, { signal: ended });
      if (!(await slept.catch(() => false))) return;
      if (waitMs > longestSleepMs) continue;
      await renew(camera);
      failures = 0;
    } catch (error) {
      failures++;
      postpone(camera, error);
    }
  }
}

function postpone({ tell }: Camera, error: unknown): void {
  if (!(error instanceof StepFailed)) throw error;
  tell({ stage: 'renewal-postponed', reason: error.message });
}

/** How long this certificate may still be used, by the cloud's clock; the camera's own may be anywhere. */
async function dueInMs({ self: { place, credentials }, options, session }: Camera): Promise<number> {
  const days = options.renewAfterDays ?? Number(place.configuration.renewAfterDays);
  // The next one is asked for over MQTT.
  if (!session || !(days > 0)) return Number.POSITIVE_INFINITY;
  const { clockOffsetMs } = await credentials();
  return renewalDueAt(place, days) - (Date.now() + clockOffsetMs);
}

/** Make before break: the next certificate is there, connected, has credentials and finds its stream before the film changes over to it. */
async function renew(camera: Camera): Promise<void> {
  const { identity, tell, self } = camera;
  // A camera that lost power in the middle of it has woken up with the new one.
  if (camera.renewal) return;
  // Who waits for an operator's word waits for it with the certificate that works.
  const options = { ...camera.options, persistWhenDenied: false };
  tell({ stage: 'renewal', step: 'begun', certificateId: self.place.certificateId });
  const { format = 'json', answerMs = 15_000 } = options;
  const asked = { templateName: renewTemplateOf(camera), format, answerMs };
  const sitting = () =>
    renewalSitting(
      identity,
      () => ownSession(camera),
      asked,
      (step, certificateId) => tell({ stage: 'renewal', step, certificateId }),
    );
  const renewal = await untilItWorks(sitting, options, tell);
  const next = selfOf(renewal, keyOf(identity, renewal), options, tell);
  await changeSession(camera, next);
  await next.credentials();
  await reachAs(next, tell);
  next.options = camera.options;
  Object.assign(camera, { self: next, renewal });
  self.producer.over.abort();
}

function renewTemplateOf({ options, self: { place } }: Camera): string {
  const templateName = renewTemplateName(options) ?? place.renewTemplateName;
  if (templateName !== undefined) return templateName;
  throw new StepFailed('never', 'nobody has told this camera at which provisioning template it renews its certificate');
}

/** The session of the certificate that the camera has, opened again if it broke. */
async function ownSession(camera: Camera): Promise<Session> {
  const { session, self } = camera;
  if (session?.client.connected) return session;
  await session?.close();
  camera.session = await openAs(self);
  return camera.session;
}

/** The client id is the same, so AWS ends the session before. Where the new certificate is refused and the old one is not, it is dead. */
async function changeSession(camera: Camera, next: Self): Promise<void> {
  const { identity, session: before, tell } = camera;
  const { place, options } = next;
  try {
    camera.session = await untilItWorks(() => settling(place, () => openAs(next)), options, tell);
  } catch (error) {
    const isDead = error instanceof StepFailed && error.remedy === 'denied' && before?.client.connected;
    if (isDead) dropRenewal(identity);
    throw error;
  }
  await before?.close();
  tell({ stage: 'renewal', step: 'connected', certificateId: place.certificateId });
}

/** The new certificate is the camera's own from here on. */
function takeOver(camera: Camera): void {
  const { renewal, identity, tell } = camera;
  if (!renewal) return;
  adopt(identity, renewal);
  delete camera.renewal;
  tell({ stage: 'renewal', step: 'done', certificateId: renewal.certificateId });
}
