import { setTimeout as sleep } from 'node:timers/promises';
import mqtt, { type MqttClient } from 'mqtt';
import { StepFailed, unreachable } from './failure.ts';

export interface MqttDoor {
  /** `host` or `host:port`. */
  endpoint: string;
  clientId: string;
  certificatePem: string;
  privateKeyPem: string;
  caPem: string;
  protocolVersion: 4 | 5;
}

/** A connected session. Whatever waits for an answer also waits for `lost`, which rejects when the connection breaks. */
export interface Session {
  client: MqttClient;
  lost: Promise<never>;
  close(): Promise<void>;
}

/** The port of AWS IoT's MQTT over mutual TLS. On 443 it takes MQTT only with this ALPN name. */
const defaultPort = 8883;
const alpnOn443 = 'x-amzn-mqtt-ca';

/** Connects once. The caller decides whether and when to try again. */
export async function openSession(door: MqttDoor): Promise<Session> {
  const { hostname, port } = splitEndpoint(door.endpoint, defaultPort);
  const address = `mqtts://${hostname}:${port}`;
  const client = mqtt.connect({
    protocol: 'mqtts',
    host: hostname,
    port,
    clientId: door.clientId,
    cert: door.certificatePem,
    key: door.privateKeyPem,
    ca: door.caPem,
    protocolVersion: door.protocolVersion,
    clean: true,
    keepalive: 60,
    connectTimeout: 10_000,
    // One attempt, one session: after a break nothing of the old conversation may be taken for an answer.
    reconnectPeriod: 0,
    resubscribe: false,
    ...(port === 443 && { ALPNProtocols: [alpnOn443] }),
  });
  const lost = Promise.withResolvers<never>();
  // Nobody may be waiting at the moment it breaks.
  lost.promise.catch(() => {});
  const connected = new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.on('error', (error) => reject(refusal(address, error)));
    client.once('close', () => reject(unreachable(address, new Error('the connection was closed'))));
  });
  client.on('disconnect', ({ reasonCode }) => lost.reject(farewell(address, reasonCode)));
  client.on('error', (error) => lost.reject(unreachable(address, error)));
  client.on('close', () => lost.reject(unreachable(address, new Error('the connection was closed'))));
  try {
    await connected;
  } catch (error) {
    client.end(true);
    throw error;
  }
  return { client, lost: lost.promise, close: () => close(client, lost.promise) };
}

/** Says goodbye, unless the other side has hung up, and waits no longer than a moment for it. */
async function close(client: MqttClient, lost: Promise<never>): Promise<void> {
  const late = new AbortController();
  const goodbye = client.endAsync().catch(() => {});
  await Promise.race([goodbye, lost, sleep(1000, undefined, late)]).catch(() => {});
  late.abort();
  client.end(true);
}

/** `host:port` or `host`, as AWS gives it, into its parts. */
function splitEndpoint(endpoint: string, otherwise: number): { hostname: string; port: number } {
  const { hostname, port } = new URL(`tcp://${endpoint}`);
  return { hostname: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? otherwise : Number(port) };
}

// 3.1.1: 2 is a bad client id, 4 and 5 are refusals, and AWS IoT is known to answer 7. MQTT 5: 0x85, 0x86, 0x87, 0x8a.
const refusedByConnack = new Set([2, 4, 5, 7, 0x85, 0x86, 0x87, 0x8a]);

function refusal(address: string, error: Error & { code?: number | string }): StepFailed {
  if (typeof error.code !== 'number') return unreachable(address, error);
  if (!refusedByConnack.has(error.code)) return new StepFailed('again', `${address}: ${error.message}`);
  return new StepFailed(
    'denied',
    `${address} refused the connection (${error.message || `code ${error.code}`}): the certificate is not active, or its policy does not allow this client id`,
  );
}

/** MQTT 5 says why it hangs up. */
function farewell(address: string, reasonCode = 0): StepFailed {
  if (reasonCode === 0x87) return new StepFailed('denied', `${address} hung up: not authorized`);
  if (reasonCode === 0x8e) return new StepFailed('again', `${address} hung up: another session uses this client id`);
  return new StepFailed('again', `${address} hung up (reason code 0x${reasonCode.toString(16)})`);
}
