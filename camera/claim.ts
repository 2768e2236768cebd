import { createPrivateKey, randomUUID, X509Certificate } from 'node:crypto';
import { decode, encode } from 'cbor-x';
import { StepFailed } from './failure.ts';
import type { DeviceConfiguration, Identity } from './identity.ts';
import { saveProgress, writeSafely } from './identity.ts';
import { readKey, signingRequest } from './keys.ts';
import { openSession, type Session } from './mqtt.ts';

export interface ClaimOptions {
  serialNumber: string;
  mqttEndpoint: string;
  caPem: string;
  claimCertificatePem: string;
  claimPrivateKeyPem: string;
  templateName: string;
  claimToken?: string | undefined;
  format: 'json' | 'cbor';
  protocolVersion: 4 | 5;
  /** How long AWS may take for one answer. */
  answerMs: number;
}

/** AWS IoT gives a certificate's owner one hour to register it. We leave ourselves some of it. */
const tokenLifeMs = 55 * 60_000;

/**
 * One sitting at the claim door: a connection, a certificate unless the camera already holds one, and RegisterThing.
 * After any failure the next sitting goes on from what is on the disk, exactly as after a loss of power.
 */
export async function claimSitting(identity: Identity, options: ClaimOptions, onStep: () => void): Promise<void> {
  const { progress } = identity;
  const held =
    progress.stage === 'certificate' && Date.now() < Date.parse(progress.tokenExpiresAt) ? progress : undefined;
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
    await registerThing(session, identity, options);
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
  const privateKeyPem = readKey(identity.privateKeyPath);
  const answer =
    privateKeyPem === undefined
      ? await ask(session, `$aws/certificates/create/${options.format}`, {}, options)
      : await ask(
          session,
          `$aws/certificates/create-from-csr/${options.format}`,
          { certificateSigningRequest: await signingRequest(privateKeyPem, identity.serialNumber) },
          options,
        );
  const certificatePem = text(answer, 'certificatePem');
  const key = privateKeyPem ?? text(answer, 'privateKey');
  if (!new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(key))) {
    throw new StepFailed('again', 'the certificate that came is not for this key');
  }
  // A key that AWS made goes to the disk first: with it, every later attempt is made by the same camera.
  if (privateKeyPem === undefined) writeSafely(identity.privateKeyPath, key);
  saveProgress(identity, {
    stage: 'certificate',
    certificateId: text(answer, 'certificateId'),
    certificatePem,
    ownershipToken: text(answer, 'certificateOwnershipToken'),
    claimClientId,
    tokenExpiresAt: new Date(Date.now() + tokenLifeMs).toISOString(),
  });
}

/** RegisterThing: the backend decides, the certificate becomes active, and the camera learns who it is. */
async function registerThing(session: Session, identity: Identity, options: ClaimOptions): Promise<void> {
  const { progress } = identity;
  if (progress.stage !== 'certificate') return;
  const answer = await ask(
    session,
    `$aws/provisioning-templates/${options.templateName}/provision/${options.format}`,
    {
      certificateOwnershipToken: progress.ownershipToken,
      parameters: {
        SerialNumber: options.serialNumber,
        ...(options.claimToken !== undefined && { ClaimToken: options.claimToken }),
      },
    },
    options,
  );
  const { certificateId, certificatePem } = progress;
  saveProgress(identity, {
    stage: 'registered',
    certificateId,
    certificatePem,
    thingName: text(answer, 'thingName'),
    configuration: configurationFrom(answer),
    registeredAt: new Date().toISOString(),
  });
}

type Answer = Record<string, unknown>;

/**
 * One question, one answer. AWS IoT answers on two topics below the question's, and only to this connection; nothing
 * in the answer names the question, so there is one at a time, and after silence the connection is given up.
 */
async function ask(session: Session, topic: string, question: object, options: ClaimOptions): Promise<Answer> {
  const { client, lost } = session;
  const { format, answerMs } = options;
  const replies = [`${topic}/accepted`, `${topic}/rejected`];
  const { promise: reply, resolve: onReply } = Promise.withResolvers<[topic: string, payload: Buffer]>();
  const silence = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => silence.reject(new StepFailed('again', `no answer on ${topic} within ${answerMs / 1000} s`)),
    answerMs,
  );
  const brokeOff = lost.catch((error: StepFailed) => {
    const hint = "if this goes on, the claim certificate's policy does not name exactly this topic";
    throw new StepFailed(error.remedy, `${error.message}, asked on ${topic}: ${hint}`, { cause: error });
  });
  brokeOff.catch(() => {});
  const listen = (from: string, payload: Buffer) => replies.includes(from) && onReply([from, payload]);
  client.on('message', listen);
  try {
    // Subscribed before it asks: an answer that nobody listens for is gone.
    await Promise.race([
      client.subscribeAsync(replies, { qos: 1 }).catch(notAllowed('subscribe to', topic)),
      brokeOff,
      silence.promise,
    ]);
    const payload = format === 'cbor' ? encode(question) : JSON.stringify(question);
    const sent = client.publishAsync(topic, payload, { qos: 1 }).catch(notAllowed('publish to', topic));
    const unsent = sent.then(() => new Promise<never>(() => {}));
    const [from, answer] = await Promise.race([reply, unsent, brokeOff, silence.promise]);
    const content = parse(answer, format, from);
    if (from.endsWith('/rejected')) throw rejection(content);
    return content;
  } finally {
    clearTimeout(timer);
    client.off('message', listen);
  }
}

function parse(payload: Buffer, format: 'json' | 'cbor', topic: string): Answer {
  try {
    const content: unknown = format === 'cbor' ? decode(payload) : JSON.parse(payload.toString('utf8'));
    if (typeof content === 'object' && content !== null) return content as Answer;
  } catch {
    // falls through to the same words
  }
  throw new StepFailed('again', `the answer on ${topic} is not ${format.toUpperCase()}`);
}

/** AWS publishes no list of error codes: what to do follows from the class of the status code. */
export function rejection(content: Answer): StepFailed {
  const { statusCode, errorCode, errorMessage } = content;
  const words = `${statusCode} ${errorCode}: ${errorMessage}`;
  if (/OwnershipToken/.test(String(errorCode))) return new StepFailed('anew', words);
  if (statusCode === 403) return new StepFailed('denied', `the claim was denied (${words})`);
  if (statusCode === 409 || statusCode === 429 || Number(statusCode) >= 500) return new StepFailed('again', words);
  return new StepFailed('never', `the claim was not understood (${words})`);
}

// MQTT 5 says no in SUBACK and PUBACK; in 3.1.1 AWS IoT may just hang up. 0x97 is a quota, the rest is the claim policy.
function notAllowed(verb: string, topic: string) {
  return (error: Error & { code?: number }): never => {
    if (typeof error.code !== 'number' || error.code === 0x97)
      throw new StepFailed('again', `${topic}: ${error.message}`);
    throw new StepFailed(
      'never',
      `this claim certificate may not ${verb} ${topic}: its policy must name exactly this topic`,
    );
  };
}

function text(answer: Answer, name: string): string {
  const value = answer[name];
  if (typeof value !== 'string' || value === '') throw new StepFailed('again', `the answer has no ${name}`);
  return value;
}

function configurationFrom(answer: Answer): DeviceConfiguration {
  const given = (answer.deviceConfiguration ?? {}) as Partial<DeviceConfiguration>;
  for (const name of ['region', 'mqttEndpoint', 'credentialEndpoint', 'roleAlias', 'streamName'] as const) {
    if (!given[name]) throw new StepFailed('never', `the template's DeviceConfiguration gives no ${name}`);
  }
  return { channels: '', renewAfterDays: '', ...given } as DeviceConfiguration;
}
