import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Credentials } from './credentials.ts';
import { StepFailed, unreachable } from './failure.ts';
import { type DeviceConfiguration, type Identity, type Place, saveProgress } from './identity.ts';
import { readKey, signingRequest } from './keys.ts';
import { signedHeaders } from './sign.ts';

export interface HttpsClaimOptions {
  serialNumber: string;
  /** Firstlight's HTTP API. */
  api: string;
  claimToken?: string | undefined;
  /** How long the API may take for one answer; it may make things for half a minute. */
  answerMs: number;
}

/** What a camera asks with, and how patiently: the API may make things for half a minute. */
export const httpsOptions = (
  {
    serialNumber,
    claimToken,
    answerMs = 35_000,
  }: Omit<HttpsClaimOptions, 'api' | 'answerMs'> & { answerMs?: number | undefined },
  httpApi: string,
): HttpsClaimOptions => ({ serialNumber, claimToken, answerMs, api: httpApi.replace(/\/+$/, '') });

/**
 * The claim of a camera whose network blocks MQTT: its own key, one request, and all it needs in the answer. Nobody signs
 * the request, so it works only with a pinned key or a claim token. Asked again with the same key it gives the same answer.
 */
export async function httpsClaim(identity: Identity, options: HttpsClaimOptions): Promise<void> {
  const privateKeyPem = readKey(identity.privateKeyPath);
  if (privateKeyPem === undefined) throw new StepFailed('never', 'a camera that claims over HTTPS brings its own key');
  const answer = await post(`${options.api}/claims`, options.answerMs, {
    serialNumber: options.serialNumber,
    certificateSigningRequest: await signingRequest(privateKeyPem, identity.serialNumber),
    ...(options.claimToken !== undefined && { claimToken: options.claimToken }),
  });
  const { certificateId, certificatePem, thingName, connection } = answer as Connection;
  if (!new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem))) {
    throw new StepFailed('again', 'the certificate that came is not for this key');
  }
  const { region, mqttEndpoint, credentialEndpoint, roleAlias, streamName, channels } = connection;
  saveProgress(identity, {
    stage: 'registered',
    certificateId,
    certificatePem,
    thingName,
    configuration: { region, mqttEndpoint, credentialEndpoint, roleAlias, streamName, channels, renewAfterDays: '' },
    registeredAt: new Date().toISOString(),
  });
}

type Connection = {
  certificateId: string;
  certificatePem: string;
  thingName: string;
  connection: Omit<DeviceConfiguration, 'renewAfterDays'>;
};

/** Proof of life without MQTT: said with the camera's own first credentials, whose session is named after its certificate. */
export async function sayConnected(
  identity: Identity,
  place: Place,
  credentials: Credentials,
  { serialNumber, api, answerMs }: HttpsClaimOptions,
): Promise<void> {
  const url = new URL(`${api}/connected`);
  const body = JSON.stringify({ serialNumber });
  const { region } = place.configuration;
  const { host: _, ...headers } = await signedHeaders(
    url,
    { 'content-type': 'application/json' },
    { region, credentials, body, service: 'execute-api' },
  );
  await send(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(answerMs) });
  if (identity.progress.stage === 'registered') saveProgress(identity, { ...identity.progress, stage: 'connected' });
}

async function post(address: string, answerMs: number, question: object): Promise<unknown> {
  const answer = await send(new URL(address), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(question),
    signal: AbortSignal.timeout(answerMs),
  });
  try {
    return JSON.parse(answer);
  } catch (cause) {
    throw new StepFailed('again', `${address} did not answer in JSON`, { cause });
  }
}

async function send(url: URL, request: RequestInit): Promise<string> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, request);
    status = response.status;
    text = await response.text();
  } catch (error) {
    throw unreachable(url.origin, (error as Error).cause ?? error);
  }
  if (status === 200 || status === 201 || status === 204) return text;
  // 403 is all that a denied camera learns; 429 and 5xx pass.
  if (status === 403) throw new StepFailed('denied', `${url.pathname} was denied (403)`);
  if (status === 429 || status >= 500) throw new StepFailed('again', `${url.pathname} answered ${status}`);
  throw new StepFailed('never', `${url.pathname} answered ${status}: ${text}`);
}
