import type { Identity, Place } from './identity.ts';
import { saveProgress } from './identity.ts';
import { openSession, type Session } from './mqtt.ts';

export interface ConnectOptions {
  caPem: string;
  privateKeyPem: string;
  protocolVersion: 4 | 5;
}

/**
 * Connects to AWS IoT with the camera's own certificate, as the thing it was made: the proof of life that the backend
 * waits for. Only now is the claim over and its token spent; until here, losing power costs nothing.
 */
export async function connect(identity: Identity, place: Place, options: ConnectOptions): Promise<Session> {
  const session = await openSession({
    endpoint: place.configuration.mqttEndpoint,
    clientId: place.thingName,
    certificatePem: place.certificatePem,
    ...options,
  });
  if (identity.progress.stage === 'registered') saveProgress(identity, { ...identity.progress, stage: 'connected' });
  return session;
}
