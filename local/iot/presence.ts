import type { Clock } from '../clock.ts';
import type { Principal } from './authorization.ts';
import type { Registry } from './registry.ts';

/** Why a connection ended (IoT guide, "Lifecycle events"). */
export type DisconnectReason =
  | 'AUTH_ERROR'
  | 'CLIENT_INITIATED_DISCONNECT'
  | 'CLIENT_ERROR'
  | 'CONNECTION_LOST'
  | 'DUPLICATE_CLIENTID'
  | 'MQTT_KEEP_ALIVE_TIMEOUT'
  | 'SERVER_ERROR'
  | 'SERVER_INITIATED_DISCONNECT'
  | 'API_INITIATED_DISCONNECT';

interface Client {
  clientId: string;
  principal: Principal;
  sessionId: string;
}

export interface Presence {
  connected(client: Client): void;
  disconnected(client: Client, reason: DisconnectReason): void;
  connectFailed(client: Client): void;
  subscriptions(client: Client, eventType: 'subscribed' | 'unsubscribed', topics: readonly string[]): void;
  /** Versions count from the start again. */
  forget(): void;
}

/** Tells who comes and goes (IoT guide, "Lifecycle events": on by default, not to be switched off). */
export function createPresence({
  registry,
  clock,
  publish,
}: {
  registry: Registry;
  clock: Clock;
  publish: (topic: string, payload: Buffer) => void;
}): Presence {
  const versions = new Map<string, number>();

  const tell = (kind: string, { clientId, principal, sessionId }: Client, members: Record<string, unknown>) => {
    // "Client IDs that contain # or + do not receive lifecycle events."
    if (/[#+]/.test(clientId)) return;
    const found = registry.thingOf(principal.certificateId, clientId);
    const event = {
      clientId,
      // "thingName will only be included if the client is connecting using the exclusive thing feature."
      ...(found?.type === 'EXCLUSIVE_THING' && { thingName: found.thing.thingName }),
      timestamp: clock.now(),
      sessionIdentifier: sessionId,
      principalIdentifier: principal.certificateId,
      ...members,
    };
    publish(`$aws/events/${kind}/${clientId}`, Buffer.from(JSON.stringify(event)));
  };

  return {
    connected(client) {
      const versionNumber = (versions.get(client.clientId) ?? -1) + 1;
      versions.set(client.clientId, versionNumber);
      const ipAddress = client.principal.sourceIp;
      tell('presence/connected', client, { eventType: 'connected', ipAddress, versionNumber });
    },
    disconnected(client, disconnectReason) {
      tell('presence/disconnected', client, {
        eventType: 'disconnected',
        clientInitiatedDisconnect: disconnectReason === 'CLIENT_INITIATED_DISCONNECT',
        disconnectReason,
        versionNumber: versions.get(client.clientId) ?? 0,
      });
    },
    connectFailed(client) {
      const connectFailureReason = 'AUTHORIZATION_FAILED';
      tell('presence/connect_failed', client, { eventType: 'connect_failed', connectFailureReason });
    },
    subscriptions(client, eventType, topics) {
      tell(`subscriptions/${eventType}`, client, { eventType, topics });
    },
    forget: () => versions.clear(),
  };
}
