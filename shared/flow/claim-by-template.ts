import type { ClaimSettings } from '../domain/claim.ts';
import { type ReprovisioningPolicy, reprovisioningPolicies } from '../domain/device.ts';
import { type ClaimPorts, claim } from './claim.ts';
import { byTemplate, type TemplateAnswer, type TemplateRequest, type TemplateSettings } from './template.ts';

/** A claim through AWS's fleet provisioning. */
export const claimByTemplate = (
  request: TemplateRequest,
  ports: ClaimPorts,
  settings: ClaimSettings & TemplateSettings,
): Promise<TemplateAnswer> =>
  byTemplate(request, 'mqtt', ports, settings, (asked) => claim({ ...asked, door: 'mqtt' }, ports, settings));

/** A deployment's re-provisioning policy by its name; none leaves it to what is known of each device. */
export const reprovisioning = (name: string | undefined): ReprovisioningPolicy | undefined => {
  const policy = reprovisioningPolicies.find((one) => one === name);
  if (name && !policy) throw new Error(`no re-provisioning policy is called ${name}`);
  return policy;
};
