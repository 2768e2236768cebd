import {
  type ClaimAttempt,
  type ClaimCertificate,
  type ClaimRefusal,
  type ClaimSettings,
  decideClaim,
  withdrawClaim,
} from '../domain/claim.ts';
import { type Device, streamNameFor } from '../domain/device.ts';
import { noteLateStream } from '../domain/life.ts';
import type { Pin } from '../domain/pin.ts';
import { certificateKeySha256, proveClaimToken } from '../keys.ts';
import { pinnedElsewhere } from './pin.ts';
import { type RefusedAnswer, type RefusePorts, refused } from './refuse.ts';

export interface ClaimPorts extends RefusePorts {
  registry: RefusePorts['registry'] & {
    find(
      serialNumber: string,
      claimCertificateId?: string | undefined,
      publicKeySha256?: string,
    ): Promise<{ device?: Device; claimCertificate?: ClaimCertificate; pin?: Pin }>;
    /** False if the device is no longer the one that was read. */
    save(before: Device | undefined, after: Device): Promise<boolean>;
  };
  claimCertificates: { countRefusal(certificateId: string, at: string): Promise<void> };
  streams: {
    make(name: string, serialNumber: string): Promise<'made' | 'exists' | 'late' | 'limit'>;
    isOurs(name: string, serialNumber: string): Promise<boolean>;
  };
  now(): Date;
}

/** What a device asks with, whichever door it came through. */
export type ClaimRequest = {
  serialNumber: string;
  claimToken?: string;
  certificateId: string;
  certificatePem: string;
  door: ClaimAttempt['door'];
  claimCertificateId?: string;
  clientId?: string;
};

export type ClaimAnswer = { allow: true; device: Device; streamName: string } | RefusedAnswer;

/** A loser of one race is decided by what the winner wrote; only twins of its own (one key, tried again) can make it lose twice. */
const mostTries = 3;

/** Decides a claim, writes the yes under the version it was decided on, and has the stream made before it says so. */
export const claim = async (
  request: ClaimRequest,
  ports: ClaimPorts,
  settings: ClaimSettings & { fixedStream?: string | undefined },
): Promise<ClaimAnswer> => {
  const { claimToken, certificatePem, ...asked } = request;
  const publicKeySha256 = certificateKeySha256(certificatePem);
  const refuse = (reason: ClaimRefusal, announced: boolean, contested = false) =>
    refused({ ...asked, publicKeySha256, reason, at: ports.now().toISOString() }, announced, contested, ports);

  // A rival may write between our reading and our writing: then the fresh record decides.
  for (let attempt = 0; attempt < mostTries; attempt++) {
    const {
      device: known,
      claimCertificate,
      pin,
    } = await ports.registry.find(request.serialNumber, request.claimCertificateId, publicKeySha256);
    const token = proveClaimToken(claimToken, known?.claimTokenSha256);
    const pinnedTo = await pinnedElsewhere(pin, request.serialNumber, async (other) => {
      return (await ports.registry.find(other)).device;
    });
    const attempted: ClaimAttempt = { ...asked, publicKeySha256, token, pinnedTo };
    const decision = decideClaim(known, claimCertificate, attempted, ports.now(), settings);
    if (!decision.allow) return refuse(decision.reason, known !== undefined, decision.contested);
    if (!decision.repeated && !(await ports.registry.save(known, decision.device))) continue;

    const { device } = decision;
    const reason = await settleStream(device, request.certificateId, ports);
    if (reason) {
      if (known && !decision.repeated) {
        await ports.registry.save(device, withdrawClaim(known, device, reason, ports.now()));
      }
      return refuse(reason, true);
    }
    const streamName = streamNameFor(device, request.certificateId, settings.fixedStream);
    return { allow: true, device, streamName };
  }
  return refuse('raced', true);
};

/** Sees to it that the stream is there or noted as late; otherwise the reason why there can be no yes. */
const settleStream = async (
  device: Device,
  certificateId: string,
  { registry, streams, now }: ClaimPorts,
): Promise<ClaimRefusal | undefined> => {
  const name = device.streamMode === 'certificate-id' ? certificateId : device.thingName;
  const stream = device.streams.find((one) => one.name === name);
  if (!stream || stream.state === 'made') return undefined;
  if (stream.state === 'taken') return 'stream-taken';

  const outcome = await streams.make(name, device.serialNumber);
  if (outcome === 'limit') return 'stream-limit';
  // Ours only if it carries our tag: "making" says that we asked for it, not that we got it.
  if (outcome === 'exists') return (await streams.isOurs(name, device.serialNumber)) ? undefined : 'stream-taken';
  if (outcome === 'late' && stream.state === 'making') {
    return (await registry.save(device, noteLateStream(device, name, now()))) ? undefined : 'raced';
  }
  return undefined;
};
