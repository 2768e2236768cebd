import { randomUUID } from 'node:crypto';
import { StepFailed } from './failure.ts';
import {
  type AskOptions,
  ask,
  certificateFor,
  isStillGood,
  type Pending,
  pendingFrom,
  registerThing,
  text,
} from './fleet-provisioning.ts';
import { type Identity, saveProgress, writeSafely } from './identity.ts';
import { readKey } from './keys.ts';
import { openSession, type Session } from './mqtt.ts';

export interface ClaimOptions {
  serialNumber: string;
  mqttEndpoint: string;
  caPem: string;
  claimCertificatePem: string;
  claimPrivateKeyPem: string;
  templateName: string;
  /** Where the camera will ask for its next certificate. */
  renewTemplateName?: string | undefined;
  claimToken?: string | undefined;
  format: 'json' | 'cbor';
  protocolVersion: 4 | 5;
  /** How long AWS may take for one answer. */
  answerMs: number;
}

/**
 * One sitting at the claim door: a connection, a certificate unless the camera already holds one, and RegisterThing.
 * After any failure the next sitting goes on from what is on the disk, exactly as after a loss of power.
 */
export async function claimSitting(identity: Identity, options: ClaimOptions, onStep: () => void): Promise<void> {
  const { progress } = identity;
  const held = progress.stage === 'certificate' && isStillGood(progress) ? progress : undefined;
  // All cameras of a batch share the claim certificate: with one client id they would throw each other out.
  const claimClientId = held?.claimClientId ?? `claim-${randomUUID()}`;
  const session = await openSession({
    endpoint: options.mqttEndpoint,
    clientId: claimClientId,
    certificatePem: options.claimCertificatePem,
    privateKeyPem: options.claimPrivateKeyPem,
    caPem: options.caPem,
    protocolVersion: options.protocolVersion,
  });
  try {
    if (held === undefined) {
      await takeCertificate(session, identity, claimClientId, options);
      onStep();
    }
    await register(session, identity, options);
    onStep();
  } catch (error) {
    // The token is spent (its answer was lost) or has run out: next sitting, new certificate, same key.
    if (error instanceof StepFailed && error.remedy === 'anew') saveProgress(identity, { stage: 'new' });
    throw error;
  } finally {
    await session.close();
  }
}

/** CreateCertificateFromCsr for the camera's own key, or CreateKeysAndCertificate when it has none. */
async function takeCertificate(session: Session, identity: Identity, claimClientId: string, options: ClaimOptions) {
  const ownKey = readKey(identity.privateKeyPath);
  const how = { ...options, what: 'claim' as const };
  const pending =
    ownKey === undefined
      ? await keysAndCertificate(session, identity, how)
      : await certificateFor(session, ownKey, identity.serialNumber, how);
  saveProgress(identity, { stage: 'certificate', ...pending, claimClientId });
}

async function keysAndCertificate(session: Session, identity: Identity, options: AskOptions): Promise<Pending> {
  const answer = await ask(session, `$aws/certificates/create/${options.format}`, {}, options);
  const privateKeyPem = text(answer, 'privateKey');
  const pending = pendingFrom(answer, privateKeyPem);
  // A key that AWS made goes to the disk first: with it, every later attempt is made by the same camera.
  writeSafely(identity.privateKeyPath, privateKeyPem);
  return pending;
}

async function register(session: Session, identity: Identity, options: ClaimOptions): Promise<void> {
  const { progress } = identity;
  if (progress.stage !== 'certificate') return;
  const { serialNumber, templateName, renewTemplateName, claimToken } = options;
  const parameters = { SerialNumber: serialNumber, ...(claimToken !== undefined && { ClaimToken: claimToken }) };
  const place = await registerThing(session, progress, templateName, parameters, { ...options, what: 'claim' });
  saveProgress(identity, { stage: 'registered', ...place, ...(renewTemplateName && { renewTemplateName }) });
}
