import https from 'node:https';
import { StepFailed, unreachable } from './failure.ts';

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration: Date;
  /** The cloud's time minus the camera's. A camera without a clock battery signs with this. */
  clockOffsetMs: number;
}

export interface CredentialDoor {
  /** `host` or `host:port`. */
  endpoint: string;
  roleAlias: string;
  thingName: string;
  certificatePem: string;
  privateKeyPem: string;
  caPem: string;
}

/** One exchange of the certificate for temporary AWS credentials, at AWS IoT's credential provider. */
export async function fetchCredentials(door: CredentialDoor): Promise<Credentials> {
  const address = `https://${door.endpoint}`;
  const { status, date, body } = await get(address, door);
  if (status !== 200) throw refusal(status, body, door);
  const { credentials } = parse(body, address);
  return {
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    sessionToken: credentials.sessionToken,
    expiration: new Date(credentials.expiration),
    clockOffsetMs: offsetFrom(date),
  };
}

function get(address: string, door: CredentialDoor): Promise<{ status: number; date?: string; body: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(unreachable(address, error));
    const request = https.get(
      `${address}/role-aliases/${encodeURIComponent(door.roleAlias)}/credentials`,
      {
        cert: door.certificatePem,
        key: door.privateKeyPem,
        ca: door.caPem,
        agent: false,
        timeout: 10_000,
        // Without this header the credentials come, and may do nothing: ${credentials-iot:ThingName} stays empty.
        headers: { 'x-amzn-iot-thingname': door.thingName },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('error', fail);
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const { date } = response.headers;
          const body = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, body, ...(date !== undefined && { date }) });
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer within 10 s')));
    request.on('error', fail);
  });
}

/** The provider's refusals, in the order it checks (observed by awslabs), and what each means for this camera. */
const meanings: [message: string, meaning: string][] = [
  ['Certificate is invalid on this endpoint', 'the certificate is not registered, or no longer active'],
  [
    'Invalid thing name passed',
    'the certificate is not attached to that thing (the thing name goes here, not the stream name)',
  ],
  ['Access Denied', 'no policy on the certificate allows iot:AssumeRoleWithCertificate on this role alias'],
  ['Role alias does not exist', 'the role alias is misspelt (it is case-sensitive) or was deleted'],
  [
    'Unable to assume the role',
    "the alias's role is gone, or its trust policy does not let credentials.iot.amazonaws.com in",
  ],
  ['exceeds the MaxSessionDuration', 'the alias gives credentials for longer than its role allows'],
];

export function refusal(status: number, body: string, { roleAlias, thingName }: CredentialDoor): StepFailed {
  const message = messageIn(body);
  const meaning = meanings.find(([start]) => message.includes(start))?.[1];
  const words = `no credentials for ${thingName} through ${roleAlias}: ${status} ${message}${meaning ? `: ${meaning}` : ''}`;
  if (status === 403) return new StepFailed('denied', words);
  if (status === 429 || status >= 500 || /rate exceeded/i.test(message)) return new StepFailed('again', words);
  return new StepFailed('never', words);
}

function messageIn(body: string): string {
  try {
    return String(JSON.parse(body).message);
  } catch {
    return body.slice(0, 200);
  }
}

function parse(
  body: string,
  address: string,
): { credentials: Record<keyof Omit<Credentials, 'clockOffsetMs'>, string> } {
  try {
    const content = JSON.parse(body);
    if (content.credentials.accessKeyId && !Number.isNaN(Date.parse(content.credentials.expiration))) return content;
  } catch {
    // falls through to the same words
  }
  throw new StepFailed('again', `${address}: the answer holds no credentials`);
}

function offsetFrom(date: string | undefined): number {
  const cloud = Date.parse(date ?? '');
  const offset = cloud - Date.now();
  // The header has whole seconds: a clock this close is right.
  return Number.isNaN(cloud) || Math.abs(offset) < 2000 ? 0 : offset;
}

/**
 * Gives the same credentials until they are about to run out. Each camera asks at another moment (the last 1–20 % of
 * their life, as the KVS SDK does), never with less than 38 s left.
 */
export function keepCredentials(fetch: () => Promise<Credentials>, random: () => number = Math.random) {
  let kept: { credentials: Credentials; renewAt: number } | undefined;
  return async function credentials(now = Date.now()): Promise<Credentials> {
    if (kept !== undefined && now < kept.renewAt) return kept.credentials;
    const fresh = await fetch();
    const lifeMs = fresh.expiration.getTime() - (now + fresh.clockOffsetMs);
    const early = Math.max(lifeMs * (0.01 + 0.19 * random()), 38_000);
    kept = { credentials: fresh, renewAt: now + lifeMs - early };
    return fresh;
  };
}
