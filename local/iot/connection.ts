import type { TLSSocket } from 'node:tls';
import type { IConnectPacket, IPublishPacket, Packet } from 'mqtt-packet';
import type { Authorization, Principal } from './authorization.ts';
import { encode, type ProtocolVersion, REASON } from './packets.ts';
import type { DisconnectReason } from './presence.ts';
import { topicMatches } from './topics.ts';

export interface Message {
  topic: string;
  payload: Buffer;
  qos: 0 | 1;
  retain: boolean;
  /** Of MQTT 5; they reach MQTT 5 subscribers as they came. */
  properties?: NonNullable<IPublishPacket['properties']>;
}

export interface Subscription {
  qos: 0 | 1;
  noLocal: boolean;
  retainAsPublished: boolean;
}

/** One accepted client, from its CONNACK to its end. */
export interface Connection {
  readonly clientId: string;
  readonly principal: Principal;
  readonly sessionId: string;
  readonly protocolVersion: ProtocolVersion;
  readonly keepAliveSeconds: number;
  readonly subscriptions: Map<string, Subscription>;
  readonly will: Message | undefined;
  readonly open: boolean;
  send(packet: Packet): void;
  /** To this client alone; false when it is gone, is not subscribed, or may not receive it: then the message is lost. */
  deliver(message: Message, from?: Connection): boolean;
  acknowledged(messageId: number): void;
  /** Something came from the client: its keep-alive starts again. */
  heard(): void;
  /** `code` is what MQTT 5 clients are told. */
  end(reason: DisconnectReason, code?: number, options?: { withoutWill?: boolean }): void;
}

/** General Reference, "AWS IoT Core message broker limits": keep-alive 30–1200 s; unacknowledged outbound publishes per client. */
const KEEP_ALIVE = { least: 30, most: 1200 };
const MOST_IN_FLIGHT = 100;
/** A client that reads nothing is let go before its backlog fills the memory. */
const LARGEST_BACKLOG = 16 * 1024 * 1024;
/** How long a client may take to read its last packet. */
const LINGER_MS = 5_000;

/**
 * Says no more, and hears out a client that is still sending: closed at once, what it has sent would be answered by a reset, which
 * can overtake the last packet on its way to it.
 */
export function hangUp(socket: TLSSocket): void {
  socket.end();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

interface Options {
  socket: TLSSocket;
  connect: IConnectPacket;
  clientId: string;
  principal: Principal;
  sessionId: string;
  authorization: Authorization;
  onEnd(connection: Connection, reason: DisconnectReason, will: Message | undefined): void;
}

export function openConnection(options: Options): Connection {
  const { socket, connect, clientId, principal, sessionId, authorization, onEnd } = options;
  const protocolVersion: ProtocolVersion = connect.protocolVersion === 5 ? 5 : 4;
  const subscriptions = new Map<string, Subscription>();
  const inFlight = new Set<number>();
  const waiting: Message[] = [];
  const mostInFlight = Math.min(connect.properties?.receiveMaximum ?? MOST_IN_FLIGHT, MOST_IN_FLIGHT);
  const largestPacket = connect.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
  // Zero, as MQTT's "never", is not offered: AWS takes the longest instead.
  const wanted = connect.keepalive || KEEP_ALIVE.most;
  const keepAliveSeconds = Math.min(Math.max(wanted, KEEP_ALIVE.least), KEEP_ALIVE.most);
  let open = true;
  let lastMessageId = 0;

  // On real time: it is about this socket, not about the world the clock tells of. [MQTT-3.1.2-24]
  const keepAlive = setTimeout(
    () => connection.end('MQTT_KEEP_ALIVE_TIMEOUT', REASON.keepAliveTimeout),
    keepAliveSeconds * 1500,
  ).unref();

  const nextMessageId = () => {
    do lastMessageId = (lastMessageId % 65_535) + 1;
    while (inFlight.has(lastMessageId)); // [MQTT-2.2.1-3]
    return lastMessageId;
  };

  const publish = ({ topic, payload, qos, retain, properties }: Message) => {
    const packet: IPublishPacket = { cmd: 'publish', topic, payload, qos, retain, dup: false };
    if (properties) packet.properties = properties;
    if (qos === 1) packet.messageId = nextMessageId();
    const bytes = encode(packet, protocolVersion);
    if (bytes.length > largestPacket) return; // [MQTT-3.1.2-25]
    if (packet.messageId !== undefined) inFlight.add(packet.messageId);
    write(bytes);
  };

  const write = (bytes: Buffer) => {
    if (!open) return;
    socket.write(bytes);
    if (socket.writableLength > LARGEST_BACKLOG) connection.end('CONNECTION_LOST');
  };

  const connection: Connection = {
    clientId,
    principal,
    sessionId,
    protocolVersion,
    keepAliveSeconds,
    subscriptions,
    will: willOf(connect, options),
    get open() {
      return open;
    },

    send: (packet) => write(encode(packet, protocolVersion)),

    deliver(message, from) {
      const matching = [...subscriptions].filter(
        ([filter, { noLocal }]) => topicMatches(filter, message.topic) && !(noLocal && from === connection),
      );
      if (!open || matching.length === 0) return false;
      if (!authorization.may(principal, clientId, 'iot:Receive', message.topic)) return false;
      // Overlapping filters: once, at the highest quality asked for. [MQTT-3.3.5-1]
      const best = Math.max(...matching.map(([, { qos }]) => qos));
      const qos = Math.min(best, message.qos) as 0 | 1;
      const retain =
        message.retain && (from === undefined || matching.some(([, { retainAsPublished }]) => retainAsPublished));
      if (qos === 1 && inFlight.size >= mostInFlight) waiting.push({ ...message, qos, retain });
      else publish({ ...message, qos, retain });
      return true;
    },

    acknowledged(messageId) {
      inFlight.delete(messageId);
      const next = waiting.shift();
      if (next) publish(next);
    },

    heard: () => void keepAlive.refresh(),

    end(reason, code, { withoutWill = false } = {}) {
      if (!open) return;
      if (code !== undefined && protocolVersion === 5) {
        connection.send({ cmd: 'disconnect', reasonCode: code });
      }
      open = false;
      clearTimeout(keepAlive);
      hangUp(socket);
      onEnd(connection, reason, withoutWill ? undefined : connection.will);
    },
  };
  return connection;
}

/** A will is a publish like any other: what the client may not publish, nobody publishes for it. */
function willOf({ will }: IConnectPacket, { authorization, principal, clientId }: Options): Message | undefined {
  if (!will || (will.qos ?? 0) > 1) return undefined;
  const may = (action: 'iot:Publish' | 'iot:RetainPublish') =>
    authorization.may(principal, clientId, action, will.topic);
  if (!may('iot:Publish') || (will.retain && !may('iot:RetainPublish'))) return undefined;
  const { willDelayInterval: _, ...properties } = will.properties ?? {};
  return {
    topic: will.topic,
    payload: Buffer.from(will.payload),
    qos: will.qos === 1 ? 1 : 0,
    retain: will.retain ?? false,
    properties,
  };
}
