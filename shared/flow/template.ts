import { readClaimParameters } from '../domain/claim-parameters.ts';
import type { Device, Door, StreamMode } from '../domain/device.ts';
import { certificateKeySha256 } from '../keys.ts';
import { type RefusedAnswer, type RefusePorts, refused } from './refuse.ts';

/** RegisterThing as the hook is told of it. */
export type TemplateRequest = {
  parameters: Record<string, unknown>;
  certificateId: string;
  certificatePem: string;
  claimCertificateId?: string;
  clientId?: string;
};

export type TemplateSettings = {
  fixedStream?: string | undefined;
  roleAliases: Record<StreamMode, string>;
  thingTypes: Record<StreamMode, string>;
};

/** `parameters`: all of the template's but the device's own. */
export type TemplateAnswer = { allow: true; parameters: Record<string, string> } | RefusedAnswer;

/** A yes or a no, whatever the template makes of it. */
export type Decided = { allow: true; device: Device; streamName: string } | RefusedAnswer;

export type Asked = Omit<TemplateRequest, 'parameters'> & { serialNumber: string; claimToken?: string };

/** What a provisioning template is to make of a device, or why nothing. */
export const byTemplate = async (
  { parameters, ...asked }: TemplateRequest,
  door: Door,
  ports: RefusePorts & { now(): Date },
  settings: TemplateSettings,
  decide: (asked: Asked) => Promise<Decided>,
): Promise<TemplateAnswer> => {
  const { certificatePem, ...described } = asked;
  const read = readClaimParameters(parameters);
  if ('refusal' in read) {
    const { refusal: reason, ...where } = read;
    const publicKeySha256 = certificateKeySha256(certificatePem);
    const at = ports.now().toISOString();
    return refused({ ...described, ...where, door, publicKeySha256, reason, at }, false, false, ports);
  }
  const answer = await decide({ ...asked, ...read });
  if (!answer.allow) return answer;
  const { device, streamName } = answer;
  return {
    allow: true,
    // Each one, even where the template's default would do: what the device sent must never be what counts.
    parameters: {
      ClaimToken: '',
      ThingName: device.thingName,
      ThingTypeName: settings.thingTypes[device.streamMode],
      // AWS takes an empty attribute for "remove it"; no batch is called so.
      Batch: device.batch ?? '-',
      RoleAlias: settings.roleAliases[device.streamMode],
      StreamName: streamName,
      Channels: device.channels.join(','),
    },
  };
};
