import { readFile } from 'node:fs/promises';
import { decode, encode } from 'cbor-x';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { Held } from './device-key.ts';

export interface Answer {
  outcome: 'accepted' | 'rejected';
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  content: any;
  payload: Buffer;
}

export interface MqttDevice {
  client: MqttClient;
  clientId: string;
  /** One of fleet provisioning's questions: subscribes, publishes, and waits for what comes. A Buffer is sent as it is. */
  ask(topic: string, question: object | Buffer): Promise<Answer>;
  /** Resolves when the broker has ended the session, with MQTT 5's reason if it gave one. */
  ended: Promise<{ reasonCode?: number }>;
  close(): Promise<void>;
}

/** The broker said no to a CONNECT; `code` is CONNACK's. */
export class ConnectRefused extends Error {
  override name = 'ConnectRefused' as const;
  readonly code: number;

  constructor(code: number) {
    super(`CONNECT was refused with code ${code}`);
    this.code = code;
  }
}

const DEADLINE_MS = 20_000;

/** The broker must end the session; resolves with MQTT 5's reason if it gave one. */
export async function endOf({ ended, clientId }: MqttDevice): Promise<number | undefined> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`the session of ${clientId} goes on`)), DEADLINE_MS);
  try {
    return (await Promise.race([ended, late.promise])).reasonCode;
  } finally {
    clearTimeout(timer);
  }
}

/** One MQTT session over mutual TLS, as bare as a device's: nothing is tried again. Throws ConnectRefused. */
export async function connectDevice(
  { mqtt: door, caPath }: { mqtt: { host: string; port: number }; caPath: string },
  {
    clientId,
    held,
    protocolVersion = 5,
    ...more
  }: { clientId: string; held?: Held | undefined; protocolVersion?: 4 | 5 } & IClientOptions,
): Promise<MqttDevice> {
  const client = mqtt.connect({
    protocol: 'mqtts',
    host: door.host,
    port: door.port,
    ca: await readFile(caPath),
    ...(held && { cert: held.certificatePem, key: held.privateKeyPem }),
    clientId,
    protocolVersion,
    clean: true,
    reconnectPeriod: 0,
    connectTimeout: DEADLINE_MS,
    ...more,
  });
  const end = Promise.withResolvers<{ reasonCode?: number }>();
  let farewell: { reasonCode?: number } = {};
  client.on('disconnect', ({ reasonCode }) => {
    if (reasonCode !== undefined) farewell = { reasonCode };
  });
  client.once('close', () => end.resolve(farewell));
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.on('error', (error: Error & { code?: unknown }) =>
      reject(typeof error.code === 'number' ? new ConnectRefused(error.code) : error),
    );
    client.once('close', () => reject(new Error('the connection was closed before CONNACK')));
  }).catch((error) => {
    client.end(true);
    throw error;
  });

  return {
    client,
    clientId,
    ended: end.promise,
    close: () => client.endAsync(true),

    async ask(topic, question) {
      const topics = [`${topic}/accepted`, `${topic}/rejected`];
      const reply = Promise.withResolvers<[string, Buffer]>();
      const listen = (from: string, payload: Buffer) => topics.includes(from) && reply.resolve([from, payload]);
      client.on('message', listen);
      const timer = setTimeout(() => reply.reject(new Error(`no answer on ${topic}`)), DEADLINE_MS);
      const lost = end.promise.then(({ reasonCode }) => {
        throw new Error(`the broker hung up over ${topic} (${reasonCode})`);
      });
      try {
        for (const filter of topics) await Promise.race([client.subscribeAsync(filter, { qos: 1 }), lost]);
        const isCbor = topic.endsWith('/cbor');
        const bytes = Buffer.isBuffer(question) ? question : isCbor ? encode(question) : JSON.stringify(question);
        await Promise.race([client.publishAsync(topic, bytes, { qos: 1 }), lost]);
        const [from, payload] = await Promise.race([reply.promise, lost]);
        return {
          outcome: from.endsWith('/accepted') ? 'accepted' : 'rejected',
          content: isCbor ? decode(payload) : JSON.parse(payload.toString('utf8')),
          payload,
        };
      } finally {
        lost.catch(() => {});
        clearTimeout(timer);
        client.off('message', listen);
      }
    },
  };
}
