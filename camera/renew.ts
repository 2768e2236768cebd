import { X509Certificate } from 'node:crypto';
import { StepFailed } from './failure.ts';
import { type AskOptions, certificateFor, isStillGood, type Pending, registerThing } from './fleet-provisioning.ts';
import type { Identity, Place } from './identity.ts';
import type { Session } from './mqtt.ts';
import { beginRenewal, keyOf, type Registered, type Renewal, readRenewal, saveRenewal } from './renewal.ts';

export interface RenewOptions {
  templateName: string;
  format: 'json' | 'cbor';
  answerMs: number;
}

/**
 * One sitting over the camera's own session: a certificate for a key of its own, and RegisterThing at the renewal template.
 * After any failure the next sitting goes on from what is on the disk, exactly as after a loss of power.
 */
export async function renewalSitting(
  identity: Identity,
  session: () => Promise<Session>,
  { templateName, ...asked }: RenewOptions,
  onStep: (step: 'certificate' | 'registered', certificateId: string) => void,
): Promise<Registered> {
  const options: AskOptions = { ...asked, what: 'renewal' };
  let renewal = readRenewal(identity) ?? beginRenewal(identity);
  const { keyFile, askedWith } = renewal;
  if (renewal.stage === 'key' || (renewal.stage === 'certificate' && !isStillGood(renewal))) {
    const key = keyOf(identity, renewal);
    const pending = await certificateFor(await session(), key, identity.serialNumber, options);
    renewal = saveRenewal(identity, { stage: 'certificate', keyFile, askedWith, ...pending });
    onStep('certificate', pending.certificateId);
  }
  if (renewal.stage === 'certificate') {
    const place = await register(identity, await session(), renewal, templateName, options);
    renewal = saveRenewal(identity, {
      stage: 'registered',
      keyFile,
      askedWith,
      ...place,
      renewTemplateName: templateName,
    });
    onStep('registered', place.certificateId);
  }
  return renewal as Registered;
}

async function register(
  identity: Identity,
  session: Session,
  pending: Renewal & Pending,
  templateName: string,
  options: AskOptions,
): Promise<Place> {
  try {
    return await registerThing(session, pending, templateName, { SerialNumber: identity.serialNumber }, options);
  } catch (error) {
    // The token is spent (its answer was lost) or has run out: next sitting, new certificate, same key.
    if (error instanceof StepFailed && error.remedy === 'anew') {
      saveRenewal(identity, { stage: 'key', keyFile: pending.keyFile, askedWith: pending.askedWith });
    }
    throw error;
  }
}

/** A fleet that was built in one week shall not ask in one hour: each camera has its own moment in the last tenth of the time. */
const spread = 0.1;

/** When a certificate is to be renewed that may be so many days old: in ms of the cloud's clock, which wrote when it began. */
export function renewalDueAt(
  { certificateId, certificatePem }: Pick<Place, 'certificateId' | 'certificatePem'>,
  days: number,
): number {
  const share = Number.parseInt(certificateId.slice(0, 8), 16) / 0xffffffff;
  const begun = Date.parse(new X509Certificate(certificatePem).validFrom);
  return begun + days * 86_400_000 * (1 - spread * share);
}
