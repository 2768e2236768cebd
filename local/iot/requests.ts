import type { IPublishPacket, ISubscribePacket, IUnsubscribePacket, Packet } from 'mqtt-packet';
import type { Authorization } from './authorization.ts';
import type { Connection, Message, Subscription } from './connection.ts';
import { LARGEST_PAYLOAD, REASON } from './packets.ts';
import type { Presence } from './presence.ts';
import { isReserved, isShared, isTopicFilter, isTopicName } from './topics.ts';

export interface Publish {
  topic: string;
  payload: Buffer;
  connection: Connection;
}

/** What AWS does itself on a topic beginning `$aws/`; undefined when the topic is none of its own. */
export type Reserved = (publish: Publish) => Promise<void> | undefined;

interface Floor {
  authorization: Authorization;
  presence: Presence;
  reserved: Reserved;
  retained: Map<string, Message>;
  route(message: Message, from: Connection): void;
  /** Basic Ingest: past the subscribers, to the rules alone. */
  ingest(message: Message, from: Connection): void;
}

/** General Reference, "AWS IoT Core message broker limits". */
const MOST_FILTERS = 8;
const MOST_SUBSCRIPTIONS = 50;

/** Answers one packet of an accepted client. */
export function answer(packet: Packet, connection: Connection, floor: Floor): void {
  connection.heard();
  // The status is asked at every request: the handshake is long past and TLS sessions are resumed.
  if (!floor.authorization.usable(connection.principal.certificateId)) {
    connection.end('AUTH_ERROR', REASON.notAuthorized);
    return;
  }
  switch (packet.cmd) {
    case 'publish':
      publish(packet, connection, floor);
      break;
    case 'subscribe':
      subscribe(packet, connection, floor);
      break;
    case 'unsubscribe':
      unsubscribe(packet, connection, floor);
      break;
    case 'puback':
      connection.acknowledged(packet.messageId ?? 0);
      break;
    case 'pingreq':
      connection.send({ cmd: 'pingresp' }); // [MQTT-3.12.4-1]
      break;
    case 'disconnect':
      // A normal goodbye takes the will along, any other of MQTT 5's reasons does not. [MQTT-3.14.4-3]
      connection.end('CLIENT_INITIATED_DISCONNECT', undefined, { withoutWill: (packet.reasonCode ?? 0) === 0 });
      break;
    default:
      // A second CONNECT [MQTT-3.1.0-2], a packet only servers send, QoS 2's, AUTH.
      connection.end('CLIENT_ERROR', REASON.protocolError);
  }
}

interface Refusal {
  code: number;
  reason: 'AUTH_ERROR' | 'CLIENT_ERROR';
  /** Ends the connection even where a negative PUBACK could say it. */
  ends: boolean;
}

function publish(packet: IPublishPacket, connection: Connection, floor: Floor): void {
  const { topic, retain, properties, messageId = 0 } = packet;
  const v5 = connection.protocolVersion === 5;
  // IoT guide, "AWS IoT differences from MQTT specifications": QoS 2 gets no answer. MQTT 5 was told Maximum QoS 1.
  if (packet.qos === 2 && !v5) return;

  const message: Message = {
    topic,
    payload: Buffer.from(packet.payload),
    qos: packet.qos === 0 ? 0 : 1,
    retain,
    ...(properties && { properties }),
  };
  const refusal = refusalOfPublish(packet, message, connection, floor);
  const work =
    refusal || !isReserved(topic) || isIngest(topic) ? undefined : floor.reserved({ ...message, connection });
  if (refusal || (isReserved(topic) && !isIngest(topic) && !work)) {
    const { code, reason, ends } = refusal ?? { code: REASON.badTopicName, reason: 'AUTH_ERROR' as const, ends: true };
    // MQTT 3.1.1 has no negative PUBACK and QoS 0 has none at all: "close the Network Connection". [MQTT-3.3.5-2]
    if (ends || !v5 || packet.qos === 0) connection.end(reason, code);
    else connection.send({ cmd: 'puback', messageId, reasonCode: code });
    return;
  }
  if (packet.qos === 1) connection.send({ cmd: 'puback', messageId, reasonCode: REASON.success });
  if (work) {
    work.catch((error) => {
      process.stderr.write(`mqtt ${topic}: ${error instanceof Error ? error.stack : String(error)}\n`);
    });
  } else if (isIngest(topic)) floor.ingest(message, connection);
  else floor.route(message, connection);
}

const isIngest = (topic: string) => topic.startsWith('$aws/rules/');

function refusalOfPublish(
  { qos, properties }: IPublishPacket,
  { topic, retain, payload }: Message,
  { principal, clientId }: Connection,
  { authorization }: Floor,
): Refusal | undefined {
  // "Reserved topics": an operation on them that is not allowed or not there ends the connection.
  const reserved = isReserved(topic);
  if (qos === 2) return { code: REASON.qosNotSupported, reason: 'CLIENT_ERROR', ends: true }; // [MQTT-3.2.2-11]
  if (properties?.topicAlias !== undefined) {
    return { code: REASON.topicAliasInvalid, reason: 'CLIENT_ERROR', ends: true }; // [MQTT-3.2.2-18]
  }
  // "Lifecycle events", CLIENT_ERROR: a payload over the limit ends the connection.
  if (payload.length > LARGEST_PAYLOAD) return { code: REASON.packetTooLarge, reason: 'CLIENT_ERROR', ends: true };
  if (!isTopicName(topic)) return { code: REASON.badTopicName, reason: 'CLIENT_ERROR', ends: reserved };
  // "Reserved topics" cannot be published with RETAIN.
  if (reserved && retain) return { code: REASON.notAuthorized, reason: 'CLIENT_ERROR', ends: true };
  const may = (action: 'iot:Publish' | 'iot:RetainPublish') => authorization.may(principal, clientId, action, topic);
  if (!may('iot:Publish') || (retain && !may('iot:RetainPublish'))) {
    return { code: REASON.notAuthorized, reason: 'AUTH_ERROR', ends: reserved };
  }
  return undefined;
}

function subscribe(packet: ISubscribePacket, connection: Connection, floor: Floor): void {
  const { subscriptions } = connection;
  const v5 = connection.protocolVersion === 5;
  // IoT guide, "AWS IoT differences from MQTT specifications": QoS 2 gets no SUBACK. MQTT 5 grants what there is. [MQTT-3.8.4-8]
  if (!v5 && packet.subscriptions.some(({ qos }) => qos === 2)) return;

  const granted: { filter: string; isNew: boolean; retainHandling: number }[] = [];
  const codes: number[] = [];
  for (const { topic: filter, qos, nl = false, rap = false, rh = 0 } of packet.subscriptions) {
    const refusal = refusalOf(filter, packet.subscriptions.length);
    if (refusal === REASON.notAuthorized && isReserved(filter)) {
      connection.end('AUTH_ERROR', REASON.notAuthorized); // "Reserved topics", as in publish
      return;
    }
    if (refusal !== undefined) {
      codes.push(v5 ? refusal : 0x80); // MQTT 3.1.1 §3.9.3 knows one failure
      continue;
    }
    const subscription: Subscription = { qos: qos === 0 ? 0 : 1, noLocal: nl, retainAsPublished: rap };
    granted.push({ filter, isNew: !subscriptions.has(filter), retainHandling: rh });
    subscriptions.set(filter, subscription);
    codes.push(subscription.qos);
  }
  connection.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: codes });

  if (granted.length > 0)
    floor.presence.subscriptions(
      connection,
      'subscribed',
      granted.map(({ filter }) => filter),
    );
  for (const { filter, isNew, retainHandling } of granted) {
    // MQTT 5 §3.8.3.1, Retain Handling
    if (retainHandling === 2 || (retainHandling === 1 && !isNew)) continue;
    // IoT guide, "AWS IoT differences from MQTT specifications": a filter with a wildcard gets no retained message.
    const message = floor.retained.get(filter);
    if (message) connection.deliver(message);
  }

  function refusalOf(filter: string, count: number): number | undefined {
    if (count > MOST_FILTERS) return REASON.quotaExceeded;
    if (isShared(filter)) return REASON.sharedSubscriptionsNotSupported;
    if (!isTopicFilter(filter)) return REASON.badTopicFilter;
    if (!floor.authorization.may(connection.principal, connection.clientId, 'iot:Subscribe', filter)) {
      return REASON.notAuthorized;
    }
    return subscriptions.size >= MOST_SUBSCRIPTIONS && !subscriptions.has(filter) ? REASON.quotaExceeded : undefined;
  }
}

function unsubscribe(packet: IUnsubscribePacket, connection: Connection, floor: Floor): void {
  const codes = packet.unsubscriptions.map((filter) =>
    connection.subscriptions.delete(filter) ? REASON.success : REASON.noSubscriptionExisted,
  );
  connection.send({ cmd: 'unsuback', messageId: packet.messageId ?? 0, granted: codes });
  floor.presence.subscriptions(connection, 'unsubscribed', packet.unsubscriptions);
}
