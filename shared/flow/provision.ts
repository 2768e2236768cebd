import type { ClaimRefusal } from '../domain/claim.ts';
import { connectionOf, type Deployment } from '../domain/connection.ts';
import { Failure, type FailureCode } from '../domain/failure.ts';
import type { Pin } from '../domain/pin.ts';
import type { RefusedClaim } from '../domain/refusal.ts';
import { proveSigningRequest } from '../signing-request.ts';
import { type Made, type MakePorts, type MakeSettings, make } from './make.ts';
import { pinnedElsewhere } from './pin.ts';

export type ProvisionPorts = MakePorts & {
  claims: { record(claim: RefusedClaim, announced: boolean): Promise<void> };
  pins: { find(publicKeySha256: string): Promise<Pin | undefined> };
};

/** The line vouches for a device that it has in its hands: no token is asked for, a pinned key counts all the same. */
export const provision = async (
  {
    serialNumber,
    certificateSigningRequest,
    by,
  }: { serialNumber: string; certificateSigningRequest?: string; by: string },
  ports: ProvisionPorts,
  settings: MakeSettings & { deployment: Deployment },
) => {
  const proven = certificateSigningRequest === undefined ? undefined : proveSigningRequest(certificateSigningRequest);
  const publicKeySha256 = proven?.publicKeySha256;
  const answer = await make(
    {
      serialNumber,
      door: 'line',
      by,
      prove: () => 'none',
      async pinnedElsewhere() {
        const pin = publicKeySha256 === undefined ? undefined : await ports.pins.find(publicKeySha256);
        return pinnedElsewhere(pin, serialNumber, ports.registry.read);
      },
      ...(proven && { certificateSigningRequest: proven.pem, publicKeySha256: proven.publicKeySha256 }),
    },
    ports,
    settings,
  );
  if (answer.made) return connectionAnswer(answer, settings.deployment);
  const { reason, announced } = answer;
  const at = ports.now().toISOString();
  const claim: RefusedClaim = { serialNumber, at, door: 'line', reason, ...(publicKeySha256 && { publicKeySha256 }) };
  await ports.claims.record(claim, announced);
  throw new Failure(codeOf[reason] ?? 'version-conflict', wordsOf[reason] ?? reason);
};

export const connectionAnswer = ({ device, certificate }: Made, deployment: Deployment) => ({
  serialNumber: device.serialNumber,
  thingName: device.thingName,
  certificateId: certificate.certificateId,
  certificatePem: certificate.certificatePem,
  ...(certificate.privateKey && { privateKey: certificate.privateKey }),
  connection: connectionOf(device, certificate.certificateId, deployment),
});

const codeOf: Partial<Record<ClaimRefusal, FailureCode>> = {
  'unknown-serial': 'device-not-found',
  suspended: 'device-suspended',
  retired: 'device-retired',
  'key-mismatch': 'key-mismatch',
  'already-claimed': 'device-active',
  'approval-needed': 'device-active',
  'stream-taken': 'stream-taken',
  'stream-limit': 'stream-limit',
  'thing-taken': 'thing-taken',
  'too-many-certificates': 'too-many-certificates',
  raced: 'version-conflict',
};

const wordsOf: Partial<Record<ClaimRefusal, string>> = {
  'unknown-serial': 'no device of this serial number was announced',
  suspended: 'the device is suspended',
  retired: 'the device is retired',
  'key-mismatch': 'the manifest pins another key to this device, or this key to another device',
  'already-claimed': 'the device has shown life: a new certificate needs the key it has, or an operator',
  'approval-needed': 'the device has shown life: a new certificate needs an operator',
  'stream-taken': 'the stream of this name is somebody else’s',
  'stream-limit': 'the account holds as many streams as it may',
  'thing-taken': 'the thing of this name is somebody else’s',
  'too-many-certificates': 'the device holds as many certificates as it may; reconcile takes the old ones away',
  raced: 'somebody else was changing this device; try again',
};
