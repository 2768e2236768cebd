import { randomUUID } from 'node:crypto';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { IConnackPacket, IConnectPacket } from 'mqtt-packet';
import type { Clock } from '../clock.ts';
import { createAuthorization, type Principal, principalOf } from './authorization.ts';
import { type Connection, hangUp, type Message, openConnection } from './connection.ts';
import { createPacketReader, encode, LARGEST_PACKET, type ProtocolVersion, REASON, RETURN_CODE } from './packets.ts';
import { createPresence, type DisconnectReason } from './presence.ts';
import type { Registry } from './registry.ts';
import { answer, type Reserved } from './requests.ts';

export interface Broker {
  server: Server;
  /** As AWS itself or an API caller does: to whoever is subscribed and may receive it, and to the rules. */
  publish(topic: string, payload: Buffer): void;
  /** False when nobody is connected by that client id. */
  disconnect(clientId: string, reason?: DisconnectReason, options?: { withoutWill?: boolean }): boolean;
  /** Drops every client and what the broker remembers of them. */
  closeAll(): void;
  /** Resolves when AWS has done what clients asked of it on reserved topics, whether they still listen or not. */
  idle(): Promise<void>;
}

interface Options {
  registry: Registry;
  tls: { cert: string; key: string };
  clock: Clock;
  reserved: Reserved;
  /** Every message that was published, lifecycle events among them: what rules select from. */
  onEvent(topic: string, payload: Buffer, clientId?: string): void;
}

/** A client that says nothing after its handshake is let go. */
const CONNECT_WITHIN_MS = 10_000;
/** General Reference, "AWS IoT Core message broker limits": client id of 128 bytes. */
const LONGEST_CLIENT_ID = 128;

export function createBroker({ registry, tls, clock, reserved, onEvent }: Options): Broker {
  const authorization = createAuthorization({ registry, clock });
  const live = new Map<string, Connection>();
  const sockets = new Set<TLSSocket>();
  const retained = new Map<string, Message>();

  const route = (message: Message, from?: Connection) => {
    if (message.retain) {
      // An empty payload takes the retained message away. [MQTT-3.3.1-6]
      if (message.payload.length === 0) retained.delete(message.topic);
      else retained.set(message.topic, message);
    }
    for (const connection of live.values()) connection.deliver(from ? message : { ...message, retain: false }, from);
    onEvent(message.topic, message.payload, from?.clientId);
  };
  const publish = (topic: string, payload: Buffer) => route({ topic, payload, qos: 1, retain: false });
  const ingest = (message: Message, from: Connection) => onEvent(message.topic, message.payload, from.clientId);
  const presence = createPresence({ registry, clock, publish });
  const underWay = new Set<Promise<void>>();
  const askAws: Reserved = (publish) => {
    const work = reserved(publish);
    if (!work) return undefined;
    underWay.add(work);
    const done = () => void underWay.delete(work);
    work.then(done, done);
    return work;
  };
  const floor = { authorization, presence, reserved: askAws, retained, route, ingest };

  let closing = false;
  const onEnd = (connection: Connection, reason: DisconnectReason, will: Message | undefined) => {
    if (live.get(connection.clientId) === connection) live.delete(connection.clientId);
    if (closing) return; // the world they would tell it to ends as well
    if (will) route(will, connection);
    presence.disconnected(connection, reason);
  };

  const accept = (socket: TLSSocket, connect: IConnectPacket, principal: Principal | undefined) => {
    const protocolVersion: ProtocolVersion = connect.protocolVersion === 5 ? 5 : 4;
    // AWS names a client that names itself nothing. [MQTT-3.1.3-6]
    const assigned = connect.clientId === '' && connect.clean ? `$GEN/${randomUUID()}` : undefined;
    const clientId = assigned ?? connect.clientId;
    const sessionId = randomUUID();

    const refuse = (reasonCode: number) => {
      const connack: IConnackPacket = { cmd: 'connack', sessionPresent: false };
      if (protocolVersion === 5) connack.reasonCode = reasonCode;
      else connack.returnCode = RETURN_CODE[reasonCode] ?? 3;
      socket.write(encode(connack, protocolVersion));
      hangUp(socket); // [MQTT-3.2.2-5]
      return undefined;
    };
    if (connect.protocolVersion === 3) return refuse(REASON.unsupportedProtocolVersion);
    if (clientId === '' || Buffer.byteLength(clientId) > LONGEST_CLIENT_ID) return refuse(REASON.badClientId);
    if (!principal || !authorization.may(principal, clientId, 'iot:Connect', clientId)) {
      if (principal) presence.connectFailed({ clientId, principal, sessionId });
      return refuse(REASON.notAuthorized);
    }

    live.get(clientId)?.end('DUPLICATE_CLIENTID', REASON.sessionTakenOver); // [MQTT-3.1.4-3]
    const connection = openConnection({ socket, connect, clientId, principal, sessionId, authorization, onEnd });
    live.set(clientId, connection);
    connection.send(
      protocolVersion === 4
        ? { cmd: 'connack', returnCode: 0, sessionPresent: false }
        : { cmd: 'connack', reasonCode: 0, sessionPresent: false, properties: terms(connection, assigned) },
    );
    presence.connected(connection);
    return connection;
  };

  const serve = (socket: TLSSocket) => {
    sockets.add(socket);
    const principal = principalOf(socket);
    let connection: Connection | undefined;
    const patience = setTimeout(() => socket.destroy(), CONNECT_WITHIN_MS).unref();
    const read = createPacketReader({
      onPacket(packet) {
        if (socket.destroyed || (connection && !connection.open)) return;
        if (connection) return answer(packet, connection, floor);
        clearTimeout(patience);
        if (packet.cmd !== 'connect') return void socket.destroy(); // [MQTT-3.1.0-1]
        connection = accept(socket, packet, principal);
        if (!connection) socket.removeAllListeners('data').resume();
      },
      onBroken(code) {
        if (connection) connection.end('CLIENT_ERROR', code);
        else socket.destroy();
      },
    });
    socket.setNoDelay(true);
    socket.on('data', read);
    socket.on('error', () => {}); // what follows it is 'close'
    socket.on('close', () => {
      clearTimeout(patience);
      sockets.delete(socket);
      connection?.end('CONNECTION_LOST');
    });
  };

  const server = createServer({
    cert: tls.cert,
    key: tls.key,
    requestCert: true,
    // IoT guide, "Client authentication": a certificate is known by being registered, not by its chain.
    rejectUnauthorized: false,
    // Asked for on 443, tolerated on 8883, where the device SDK offers it as well.
    ALPNProtocols: ['x-amzn-mqtt-ca', 'mqtt'],
  });
  server.on('secureConnection', serve);
  server.on('tlsClientError', (_, socket) => socket.destroy());

  registry.changes.on('certificate', (certificateId) => {
    for (const connection of live.values()) {
      const affected = connection.principal.certificateId === certificateId;
      // UpdateCertificate: devices of a certificate that leaves ACTIVE are disconnected.
      if (affected && !authorization.usable(certificateId)) connection.end('AUTH_ERROR', REASON.notAuthorized);
    }
  });

  return {
    server,
    publish,
    disconnect(clientId, reason = 'API_INITIATED_DISCONNECT', options = {}) {
      const connection = live.get(clientId);
      connection?.end(reason, REASON.administrativeAction, options);
      return connection !== undefined;
    },
    closeAll() {
      closing = true;
      for (const connection of live.values()) connection.end('SERVER_INITIATED_DISCONNECT', REASON.serverShuttingDown);
      closing = false;
      for (const socket of sockets) socket.destroySoon();
      retained.clear();
      presence.forget();
    },
    async idle() {
      await Promise.allSettled(underWay);
    },
  };
}

/** What MQTT 5 clients are told of the broker's limits (IoT guide, "MQTT 5 supported features"). Nothing here outlives its connection. */
function terms(connection: Connection, assigned: string | undefined): NonNullable<IConnackPacket['properties']> {
  return {
    sessionExpiryInterval: 0,
    receiveMaximum: 100,
    maximumQoS: 1,
    retainAvailable: true,
    maximumPacketSize: LARGEST_PACKET,
    topicAliasMaximum: 0,
    wildcardSubscriptionAvailable: true,
    subscriptionIdentifiersAvailable: false,
    sharedSubscriptionAvailable: false,
    serverKeepAlive: connection.keepAliveSeconds,
    ...(assigned !== undefined && { assignedClientIdentifier: assigned }),
  };
}
