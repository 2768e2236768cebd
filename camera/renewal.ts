import * as fs from 'node:fs';
import path from 'node:path';
import { StepFailed } from './failure.ts';
import type { Pending } from './fleet-provisioning.ts';
import { type Identity, type Place, readIfThere, renewedFile, saveProgress, writeSafely } from './identity.ts';
import { makeKey, publicKeySha256, readKey } from './keys.ts';

/**
 * How far the camera has come with the certificate that follows the one it has. It lies beside the identity, which goes on
 * working: a camera that loses power finds both, and the old one is not let go until the new one has done everything it must.
 */
export type Renewal = { keyFile: string; askedWith: string } & (
  | { stage: 'key' }
  | ({ stage: 'certificate' } & Pending)
  /** It may connect with it. Whether the backend has seen it live, the camera need not know: it shows itself again. */
  | ({ stage: 'registered' } & Place)
);

/** One that the camera may connect with. */
export type Registered = Extract<Renewal, { stage: 'registered' }>;

/** The one under way, if it is one of the certificate that the camera has, and its key is there. */
export function readRenewal(identity: Identity): Renewal | undefined {
  const text = readIfThere(renewalPath(identity));
  const current = certificateIdOf(identity);
  if (text === undefined || current === undefined) return undefined;
  try {
    const renewal: Renewal = JSON.parse(text);
    // One of an identity that is no more, as after a factory reset, or one that is over.
    if (renewal.askedWith !== current) return undefined;
    keyOf(identity, renewal);
    return renewal;
  } catch {
    // What cannot be read is begun anew: the identity beside it is whole.
    return undefined;
  }
}

export function saveRenewal(identity: Identity, renewal: Renewal): Renewal {
  writeSafely(renewalPath(identity), `${JSON.stringify(renewal, null, 2)}\n`);
  return renewal;
}

/** A key for the next certificate, on the disk before anything is asked for it. */
export function beginRenewal(identity: Identity): Renewal {
  const askedWith = certificateIdOf(identity);
  if (askedWith === undefined) throw new Error('only a registered camera has a certificate to renew');
  const privateKeyPem = makeKey();
  const keyFile = `renewed-${publicKeySha256(privateKeyPem).slice(0, 16)}.key`;
  writeSafely(path.join(identity.directory, keyFile), privateKeyPem);
  return saveRenewal(identity, { stage: 'key', keyFile, askedWith });
}

export function keyOf({ directory }: Identity, { keyFile }: Pick<Renewal, 'keyFile'>): string {
  const key = renewedFile.test(keyFile) ? readKey(path.join(directory, keyFile)) : undefined;
  if (key === undefined) throw new StepFailed('never', `${keyFile} is not there`);
  return key;
}

/** The new certificate is the camera's own from here on. One write decides; what is left of the old one goes after it. */
export function adopt(identity: Identity, { askedWith: _, stage: __, ...place }: Registered): void {
  saveProgress(identity, { stage: 'connected', ...place });
  tidy(identity);
}

/** The new certificate is dead. */
export function dropRenewal(identity: Identity): void {
  fs.rmSync(renewalPath(identity), { force: true });
  tidy(identity);
}

/**
 * Removes what belongs neither to the identity nor to a renewal of it: the key before, a renewal that is over. The key that the
 * camera was born with stays, whatever came after it. Only for whoever is alone in the directory.
 */
export function tidy(identity: Identity): void {
  const { directory, privateKeyPath, certificatePath, progress } = identity;
  const renewal = readRenewal(identity);
  if (renewal === undefined) fs.rmSync(renewalPath(identity), { force: true });
  const kept = [path.basename(privateKeyPath), path.basename(certificatePath), renewal?.keyFile];
  const isOver = (name: string) =>
    renewedFile.test(name) || (name === 'certificate.pem' && 'keyFile' in progress && progress.keyFile !== undefined);
  for (const name of fs.readdirSync(directory)) {
    if (isOver(name) && !kept.includes(name)) fs.rmSync(path.join(directory, name), { force: true });
  }
}

const certificateIdOf = ({ progress }: Identity): string | undefined =>
  progress.stage === 'registered' || progress.stage === 'connected' ? progress.certificateId : undefined;

const renewalPath = ({ directory }: Identity): string => path.join(directory, 'renewal.json');
