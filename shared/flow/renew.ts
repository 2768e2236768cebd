import type { ClaimRefusal } from '../domain/claim.ts';
import { type Device, streamNameFor } from '../domain/device.ts';
import { decideRenewal, withdrawRenewal } from '../domain/renewal.ts';
import { certificateKeySha256 } from '../keys.ts';
import { type RefusePorts, refused } from './refuse.ts';
import {
  type Asked,
  byTemplate,
  type Decided,
  type TemplateAnswer,
  type TemplateRequest,
  type TemplateSettings,
} from './template.ts';

export interface RenewPorts extends RefusePorts {
  registry: RefusePorts['registry'] & {
    read(serialNumber: string): Promise<Device | undefined>;
    /** False if the device is no longer the one that was read. */
    save(before: Device, after: Device): Promise<boolean>;
  };
  streams: {
    make(name: string, serialNumber: string): Promise<'made' | 'exists' | 'late' | 'limit'>;
    isOurs(name: string, serialNumber: string): Promise<boolean>;
  };
  now(): Date;
}

/** A rival write is another sign of life or an operator's: after so many in a row the camera may ask again. */
const mostTries = 3;

/** A camera that asks, over its own certificate, for the next one. */
export const renewByTemplate = (
  request: TemplateRequest,
  ports: RenewPorts,
  settings: TemplateSettings,
): Promise<TemplateAnswer> => byTemplate(request, 'renewal', ports, settings, (asked) => renew(asked, ports, settings));

/** Decides a renewal, writes the yes under the version it was decided on, and has a stream of its own made before it says so. */
const renew = async (
  { certificatePem, claimToken: _, ...asked }: Asked,
  ports: RenewPorts,
  { fixedStream }: TemplateSettings,
): Promise<Decided> => {
  const { registry, now } = ports;
  const attempt = { ...asked, publicKeySha256: certificateKeySha256(certificatePem) };
  const refuse = (reason: ClaimRefusal, announced: boolean, contested = false) =>
    refused({ ...attempt, door: 'renewal', reason, at: now().toISOString() }, announced, contested, ports);

  for (let tries = 0; tries < mostTries; tries++) {
    const known = await registry.read(attempt.serialNumber);
    const decision = decideRenewal(known, attempt, now());
    if (!decision.allow) return refuse(decision.reason, known !== undefined, decision.contested);
    const { device } = decision;
    if (!decision.repeated && known && !(await registry.save(known, device))) continue;

    const reason = await streamProblem(device, attempt.certificateId, ports);
    if (!reason) return { allow: true, device, streamName: streamNameFor(device, attempt.certificateId, fixedStream) };
    // Nothing is lost: the camera keeps the certificate it has, and asks again.
    if (!decision.repeated && known) await registry.save(device, withdrawRenewal(known, device, reason, now()));
    return refuse(reason, true);
  }
  return refuse('raced', true);
};

/** Only in `certificate-id` mode has a new certificate a stream of its own. A camera that changed over to a late one would lose pictures. */
const streamProblem = async (
  { streamMode, streams: listed, serialNumber }: Device,
  name: string,
  { streams }: RenewPorts,
): Promise<ClaimRefusal | undefined> => {
  if (streamMode !== 'certificate-id') return undefined;
  if (listed.some((one) => one.name === name && one.state === 'made')) return undefined;
  switch (await streams.make(name, serialNumber)) {
    case 'made':
      return undefined;
    case 'exists':
      return (await streams.isOurs(name, serialNumber)) ? undefined : 'stream-taken';
    case 'limit':
      return 'stream-limit';
    case 'late':
      return 'stream-late';
  }
};
