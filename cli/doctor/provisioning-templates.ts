import { isDeepStrictEqual } from 'node:util';
import { DescribeProvisioningTemplateCommand } from '@aws-sdk/client-iot';
import { unlessAbsent } from './aws.ts';
import { broken, type Flaw, type Link } from './link.ts';
import type { Patient } from './patient.ts';
import { byAws } from './remedy.ts';

interface Properties {
  Description?: string;
  Enabled?: boolean;
  ProvisioningRoleArn: string;
  PreProvisioningHook?: { PayloadVersion?: string; TargetArn: string };
  TemplateBody: string;
}

export const provisioningTemplatesLink: Link<Patient> = {
  name: 'provisioning templates',
  asks: 'Is each template enabled, with its body, role and hook?',
  subjects: ({ stack, aws }) =>
    stack.ofType('AWS::IoT::ProvisioningTemplate').map(({ physicalId: templateName = '', properties }) => ({
      subject: templateName,
      async look() {
        const expected = (await stack.expected(properties)) as Properties;
        const { TemplateBody: templateBody, ProvisioningRoleArn: provisioningRoleArn } = expected;
        const hook = expected.PreProvisioningHook;
        const preProvisioningHook = hook && { payloadVersion: hook.PayloadVersion, targetArn: hook.TargetArn };
        const template = await unlessAbsent(aws.iot.send(new DescribeProvisioningTemplateCommand({ templateName })));
        if (!template) {
          const made = { templateName, templateBody, provisioningRoleArn, preProvisioningHook, enabled: true };
          return broken('there is no such template', byAws('iot', 'CreateProvisioningTemplate', made));
        }
        const update = (change: object) => byAws('iot', 'UpdateProvisioningTemplate', { templateName, ...change });
        const flaws: Flaw[] = [];
        if (!template.enabled && String(expected.Enabled) === 'true') {
          flaws.push({ says: 'it is disabled: no camera can claim through it', remedy: update({ enabled: true }) });
        }
        if (template.provisioningRoleArn !== provisioningRoleArn) {
          const says = `its provisioning role is ${template.provisioningRoleArn}, not ${provisioningRoleArn}`;
          flaws.push({ says, remedy: update({ provisioningRoleArn }) });
        }
        const actual = template.preProvisioningHook;
        if (hook && !actual) {
          flaws.push({
            says: 'it has no hook: whoever holds a claim certificate gets in',
            remedy: update({ preProvisioningHook }),
          });
        } else if (hook && actual?.targetArn !== hook.TargetArn) {
          flaws.push({
            says: `its hook is ${actual?.targetArn}, not ${hook.TargetArn}`,
            remedy: update({ preProvisioningHook }),
          });
        }
        if (!isDeepStrictEqual(JSON.parse(template.templateBody ?? 'null'), JSON.parse(templateBody))) {
          flaws.push({
            says: `its default version ${template.defaultVersionId} is not the body that was deployed`,
            remedy: byAws('iot', 'CreateProvisioningTemplateVersion', {
              templateName,
              templateBody,
              setAsDefault: true,
            }),
          });
        }
        return { flaws, note: `version ${template.defaultVersionId}` };
      },
    })),
};
