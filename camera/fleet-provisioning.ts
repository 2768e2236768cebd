import { createPrivateKey, X509Certificate } from 'node:crypto';
import { decode, encode } from 'cbor-x';
import { StepFailed } from './failure.ts';
import type { DeviceConfiguration, Place } from './identity.ts';
import { signingRequest } from './keys.ts';
import type { Session } from './mqtt.ts';

export type Answer = Record<string, unknown>;

/** How it is asked, and what for. */
export interface AskOptions {
  what: 'claim' | 'renewal';
  format: 'json' | 'cbor';
  /** How long AWS may take for one answer. */
  answerMs: number;
}

/** A certificate that can do nothing yet, and for an hour the right to register it. */
export interface Pending {
  certificateId: string;
  certificatePem: string;
  ownershipToken: string;
  tokenExpiresAt: string;
}

/** AWS IoT gives a certificate's owner one hour to register it. We leave ourselves some of it. */
const tokenLifeMs = 55 * 60_000;

/** CreateCertificateFromCsr for a key of the camera's own. */
export async function certificateFor(
  session: Session,
  privateKeyPem: string,
  commonName: string,
  options: AskOptions,
): Promise<Pending> {
  const question = { certificateSigningRequest: await signingRequest(privateKeyPem, commonName) };
  return pendingFrom(
    await ask(session, `$aws/certificates/create-from-csr/${options.format}`, question, options),
    privateKeyPem,
  );
}

/** What an accepted answer holds, if it is for this key. */
export function pendingFrom(answer: Answer, privateKeyPem: string): Pending {
  const certificatePem = text(answer, 'certificatePem');
  if (!new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem))) {
    throw new StepFailed('again', 'the certificate that came is not for this key');
  }
  return {
    certificateId: text(answer, 'certificateId'),
    certificatePem,
    ownershipToken: text(answer, 'certificateOwnershipToken'),
    tokenExpiresAt: new Date(Date.now() + tokenLifeMs).toISOString(),
  };
}

export const isStillGood = ({ tokenExpiresAt }: Pending): boolean => Date.now() < Date.parse(tokenExpiresAt);

/** RegisterThing: the backend decides, the certificate becomes active, and the camera learns who it is. */
export async function registerThing(
  session: Session,
  { certificateId, certificatePem, ownershipToken }: Pending,
  templateName: string,
  parameters: Record<string, string>,
  options: AskOptions,
): Promise<Place> {
  const topic = `$aws/provisioning-templates/${templateName}/provision/${options.format}`;
  const answer = await ask(session, topic, { certificateOwnershipToken: ownershipToken, parameters }, options);
  return {
    certificateId,
    certificatePem,
    thingName: text(answer, 'thingName'),
    configuration: configurationFrom(answer),
    registeredAt: new Date().toISOString(),
  };
}

/**
 * One question, one answer. AWS IoT answers on two topics below the question's, and only to this connection; nothing
 * in the answer names the question, so there is one at a time, and after silence the connection is given up.
 */
export async function ask(session: Session, topic: string, question: object, options: AskOptions): Promise<Answer> {
  const { client, lost } = session;
  const { what, format, answerMs } = options;
  const replies = [`${topic}/accepted`, `${topic}/rejected`];
  const { promise: reply, resolve: onReply } = Promise.withResolvers<[topic: string, payload: Buffer]>();
  const silence = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => silence.reject(new StepFailed('again', `no answer on ${topic} within ${answerMs / 1000} s`)),
    answerMs,
  );
  const brokeOff = lost.catch((error: StepFailed) => {
    const hint = "if this goes on, the certificate's policy does not name exactly this topic";
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
    if (from.endsWith('/rejected')) throw rejection(content, what);
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
export function rejection(content: Answer, what: AskOptions['what']): StepFailed {
  const { statusCode, errorCode, errorMessage } = content;
  const words = `${statusCode} ${errorCode}: ${errorMessage}`;
  if (/OwnershipToken/.test(String(errorCode))) return new StepFailed('anew', words);
  if (statusCode === 403) return new StepFailed('denied', `the ${what} was denied (${words})`);
  if (statusCode === 409 || statusCode === 429 || Number(statusCode) >= 500) return new StepFailed('again', words);
  return new StepFailed('never', `the ${what} was not understood (${words})`);
}

// MQTT 5 says no in SUBACK and PUBACK; in 3.1.1 AWS IoT may just hang up. 0x97 is a quota, the rest is the policy.
function notAllowed(verb: string, topic: string) {
  return (error: Error & { code?: number }): never => {
    if (typeof error.code !== 'number' || error.code === 0x97)
      throw new StepFailed('again', `${topic}: ${error.message}`);
    throw new StepFailed('never', `this certificate may not ${verb} ${topic}: its policy must name exactly this topic`);
  };
}

export function text(answer: Answer, name: string): string {
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
