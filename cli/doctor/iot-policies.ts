import { GetPolicyCommand } from '@aws-sdk/client-iot';
import { unlessAbsent } from './aws.ts';
import { broken, type Link, well } from './link.ts';
import type { Patient } from './patient.ts';
import { differences, type PolicyDocument, parsed } from './policy-difference.ts';
import { byAws } from './remedy.ts';

export const iotPoliciesLink: Link<Patient> = {
  name: 'IoT policies',
  asks: 'Do claim certificates and cameras carry policies that say what the template says?',
  subjects: ({ stack, aws }) =>
    stack.ofType('AWS::IoT::Policy').map(({ physicalId: policyName = '', properties }) => ({
      subject: policyName,
      async look() {
        const expected = (await stack.expected(properties.PolicyDocument)) as PolicyDocument;
        const policyDocument = JSON.stringify(expected);
        const policy = await unlessAbsent(aws.iot.send(new GetPolicyCommand({ policyName })));
        if (!policy)
          return broken('there is no such policy', byAws('iot', 'CreatePolicy', { policyName, policyDocument }));
        const said = differences(expected, parsed(policy.policyDocument));
        if (said.length === 0) return well(`version ${policy.defaultVersionId}`);
        return broken(
          `its default version ${policy.defaultVersionId} is not the template's: ${said.join('; ')}`,
          byAws('iot', 'CreatePolicyVersion', { policyName, policyDocument, setAsDefault: true }),
        );
      },
    })),
};
