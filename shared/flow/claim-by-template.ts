import type { ClaimSettings } from '../domain/claim.ts';
import { readClaimParameters } from '../domain/claim-parameters.ts';
import { type ReprovisioningPolicy, reprovisioningPolicies, type StreamMode } from '../domain/device.ts';
import { certificateKeySha256 } from '../keys.ts';
import { type ClaimPorts, claim, type RefusedAnswer, refused } from './claim.ts';

/** RegisterThing as the hook is told of it. */
export type TemplateClaim = {
  parameters: Record<string, unknown>;
  certificateId: string;
  certificatePem: string;
  claimCertificateId?: string;
  clientId?: string;
};

export type TemplateSettings = ClaimSettings & {
  fixedStream?: string | undefined;
  roleAliases: Record<StreamMode, string>;
  thingTypes: Record<StreamMode, string>;
};

/** `parameters`: all of the template's but the device's own. */
export type TemplateAnswer = { allow: true; parameters: Record<string, string> } | RefusedAnswer;

/** A claim through AWS's fleet provisioning: what the template is to make of it, or why nothing. */
export const claimByTemplate = async (
  { parameters, ...asked }: TemplateClaim,
  ports: ClaimPorts,
  settings: TemplateSettings,
): Promise<TemplateAnswer> => {
  const { certificatePem, ...described } = asked;
  const read = readClaimParameters(parameters);
  if ('refusal' in read) {
    const { refusal: reason, ...where } = read;
    const publicKeySha256 = certificateKeySha256(certificatePem);
    const at = ports.now().toISOString();
    return refused({ ...described, ...where, door: 'mqtt', publicKeySha256, reason, at }, false, false, ports);
  }
  const answer = await claim({ ...asked, ...read, door: 'mqtt' }, ports, settings);
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

/** A deployment's re-provisioning policy by its name; none leaves it to what is known of each device. */
export const reprovisioning = (name: string | undefined): ReprovisioningPolicy | undefined => {
  const policy = reprovisioningPolicies.find((one) => one === name);
  if (name && !policy) throw new Error(`no re-provisioning policy is called ${name}`);
  return policy;
};
