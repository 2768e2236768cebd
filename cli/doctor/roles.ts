import { functionsOnTheWay, namesIn } from './functions.ts';
import type { Link } from './link.ts';
import type { Patient } from './patient.ts';
import { lookAtRole } from './role.ts';
import type { Stack } from './stack.ts';

export const rolesLink: Link<Patient> = {
  name: 'roles',
  asks: 'May AWS IoT make things with its role, and the functions do their work with theirs?',
  subjects: (patient) =>
    rolesOnTheWay(patient.stack).map((role) => ({
      subject: role.physicalId ?? role.logicalId,
      look: () => lookAtRole(patient, role),
    })),
};

function rolesOnTheWay(stack: Stack) {
  const named = new Set([
    ...stack
      .ofType('AWS::IoT::ProvisioningTemplate')
      .flatMap(({ properties }) => namesIn(properties.ProvisioningRoleArn)),
    ...functionsOnTheWay(stack).flatMap(({ properties }) => namesIn(properties.Role)),
  ]);
  return stack.ofType('AWS::IAM::Role').filter(({ logicalId }) => named.has(logicalId));
}
