import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import { StepFailed } from './failure.ts';

/** Key and certificate of a renewal lie beside each other, called like the key. */
export const renewedFile = /^renewed-[0-9a-f]{16}\.(key|pem)$/;

/** What the backend tells a camera with its thing name: all it needs to connect and to stream. */
export interface DeviceConfiguration {
  region: string;
  mqttEndpoint: string;
  credentialEndpoint: string;
  roleAlias: string;
  streamName: string;
  /** Comma-separated, may be empty. */
  channels: string;
  renewAfterDays: string;
}

/**
 * How far the camera has come. Written before each step that cannot be taken back, so that a camera which loses power
 * at any moment goes on where it was.
 */
export type Progress =
  | { stage: 'new' }
  /** It holds a certificate that can do nothing yet, and for an hour the right to register it. */
  | {
      stage: 'certificate';
      certificateId: string;
      certificatePem: string;
      ownershipToken: string;
      /** Who asked for it. AWS does not say that its token is good for another client. */
      claimClientId: string;
      tokenExpiresAt: string;
    }
  | ({ stage: 'registered' } & Place)
  /** It has shown life with this certificate: the claim token is spent, a claim is over. */
  | ({ stage: 'connected' } & Place);

/** What the camera has become. */
export interface Place {
  certificateId: string;
  certificatePem: string;
  thingName: string;
  configuration: DeviceConfiguration;
  registeredAt: string;
  /** The provisioning template of its next certificate, if the camera was told. */
  renewTemplateName?: string;
  /** The file in its directory that holds a renewed certificate's key; absent: the key that the camera was born with. */
  keyFile?: string;
}

/** The camera's identity on disk: a directory that only its owner can read. */
export interface Identity {
  directory: string;
  serialNumber: string;
  /** The key that the camera was born with: what a manifest pins, and what a factory reset comes back with. */
  birthKeyPath: string;
  /** The key of the certificate that it has. */
  privateKeyPath: string;
  certificatePath: string;
  progress: Progress;
}

/** Opens the identity in `directory`, or begins one. `privateKeyPath` names a key that the factory has put elsewhere. */
export function openIdentity(directory: string, serialNumber: string, privateKeyPath?: string): Identity {
  fs.mkdirSync(directory, { recursive: true });
  fs.chmodSync(directory, 0o700);
  const identity: Identity = {
    directory,
    serialNumber,
    birthKeyPath: privateKeyPath ?? path.join(directory, 'private.key'),
    privateKeyPath: '',
    certificatePath: '',
    progress: { stage: 'new' },
  };
  takeProgress(identity, readProgress(directory, serialNumber));
  return identity;
}

function takeProgress(identity: Identity, progress: Progress): void {
  const { directory, birthKeyPath } = identity;
  const keyFile = 'keyFile' in progress ? progress.keyFile : undefined;
  identity.progress = progress;
  identity.privateKeyPath = keyFile === undefined ? birthKeyPath : path.join(directory, keyFile);
  identity.certificatePath = path.join(directory, keyFile?.replace(/\.key$/, '.pem') ?? 'certificate.pem');
  showCertificate(identity);
}

/** Removes what was being written when the power went: never renamed, so never part of the identity. Only for whoever is alone there. */
export function forgetHalfWritten(directory: string): void {
  for (const name of fs.readdirSync(directory)) {
    if (name.endsWith('.tmp')) fs.rmSync(path.join(directory, name), { force: true });
  }
}

/** The one commit point: after this returns, a restart finds the camera here. */
export function saveProgress(identity: Identity, progress: Progress): void {
  writeSafely(
    progressPath(identity.directory),
    `${JSON.stringify({ serialNumber: identity.serialNumber, ...progress }, null, 2)}\n`,
  );
  takeProgress(identity, progress);
}

/** Replaces a file so that at every moment either the old or the new content is there, whole and private. */
export function writeSafely(file: string, content: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = fs.openSync(temporary, 'w', 0o600);
  try {
    fs.writeSync(handle, content);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  fs.renameSync(temporary, file);
  // The rename itself is only on the disk once the directory is.
  const directory = fs.openSync(path.dirname(file), 'r');
  try {
    fs.fsyncSync(directory);
  } finally {
    fs.closeSync(directory);
  }
}

/** The certificate as a file, for kvssink and the C SDK. A copy: identity.json is what counts. */
function showCertificate({ progress, certificatePath }: Identity): void {
  if (progress.stage !== 'registered' && progress.stage !== 'connected') return;
  if (readIfThere(certificatePath) !== progress.certificatePem) writeSafely(certificatePath, progress.certificatePem);
}

function readProgress(directory: string, serialNumber: string): Progress {
  const file = progressPath(directory);
  const text = readIfThere(file);
  if (text === undefined) return { stage: 'new' };
  const { serialNumber: owner, ...progress } = parse(text, file);
  if (owner !== serialNumber) {
    throw new StepFailed('never', `${directory} holds the identity of ${owner}, not of ${serialNumber}`);
  }
  return progress;
}

function parse(text: string, file: string): Progress & { serialNumber: string } {
  try {
    const saved = JSON.parse(text);
    if (saved.stage !== 'new') new X509Certificate(saved.certificatePem);
    if (saved.keyFile !== undefined && !renewedFile.test(saved.keyFile)) throw new Error('its key is not one of ours');
    return saved;
  } catch (cause) {
    const message = `${file} cannot be read. Remove it to claim again: private.key beside it is what makes this the same camera`;
    throw new StepFailed('never', message, { cause });
  }
}

export function readIfThere(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const progressPath = (directory: string) => path.join(directory, 'identity.json');
