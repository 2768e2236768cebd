import { GetRoleCommand } from '@aws-sdk/client-iam';
import { DescribeRoleAliasCommand } from '@aws-sdk/client-iot';
import { unlessAbsent } from './aws.ts';
import { broken, type Flaw, type Link } from './link.ts';
import type { Patient } from './patient.ts';
import { byAws } from './remedy.ts';

interface Properties {
  RoleArn: string;
  CredentialDurationSeconds?: number | string;
}

/** CreateRoleAlias: "The default is 3600". */
const DEFAULT_SECONDS = 3600;

export const roleAliasesLink: Link<Patient> = {
  name: 'role aliases',
  asks: 'Does each alias give credentials of its role, for no longer than that role allows?',
  subjects: ({ stack, aws }) =>
    stack.ofType('AWS::IoT::RoleAlias').map(({ physicalId: roleAlias = '', properties }) => ({
      subject: roleAlias,
      async look() {
        const expected = (await stack.expected(properties)) as Properties;
        const { RoleArn: roleArn } = expected;
        const credentialDurationSeconds = Number(expected.CredentialDurationSeconds ?? DEFAULT_SECONDS);
        const whole = { roleAlias, roleArn, credentialDurationSeconds };
        const answer = await unlessAbsent(aws.iot.send(new DescribeRoleAliasCommand({ roleAlias })));
        const actual = answer?.roleAliasDescription;
        if (!actual) return broken('there is no such role alias', byAws('iot', 'CreateRoleAlias', whole));
        const flaws: Flaw[] = [];
        const seconds = actual.credentialDurationSeconds ?? DEFAULT_SECONDS;
        if (actual.roleArn !== roleArn) {
          flaws.push({
            says: `it gives credentials of ${actual.roleArn}, not of ${roleArn}`,
            remedy: byAws('iot', 'UpdateRoleAlias', { roleAlias, roleArn }),
          });
        }
        if (seconds !== credentialDurationSeconds) {
          flaws.push({
            says: `its credentials live ${seconds} s, not ${credentialDurationSeconds}`,
            remedy: byAws('iot', 'UpdateRoleAlias', { roleAlias, credentialDurationSeconds }),
          });
        }
        const RoleName = roleArn.slice(roleArn.lastIndexOf('/') + 1);
        const role = await unlessAbsent(aws.iam.send(new GetRoleCommand({ RoleName })));
        const longest = role?.Role?.MaxSessionDuration ?? DEFAULT_SECONDS;
        if (role && seconds > longest) {
          flaws.push({
            says: `it asks for ${seconds} s, and its role allows ${longest}: the credential provider refuses every camera`,
            remedy: byAws('iot', 'UpdateRoleAlias', {
              roleAlias,
              credentialDurationSeconds: Math.min(longest, credentialDurationSeconds),
            }),
          });
        }
        return { flaws, note: `${seconds} s` };
      },
    })),
};
