import { namesIn } from './functions.ts';
import type { Link } from './link.ts';
import type { Patient } from './patient.ts';
import type { PolicyDocument } from './policy-difference.ts';
import { lookAtRole } from './role.ts';
import type { Resource, Stack } from './stack.ts';

export const cameraRolesLink: Link<Patient> = {
  name: 'camera roles',
  asks: 'May the credential provider assume each camera role, and does it open the one stream of its camera, and nothing else?',
  subjects: (patient) =>
    cameraRoles(patient.stack).map((role) => ({
      subject: role.physicalId ?? role.logicalId,
      look: () => lookAtRole(patient, role, deniesSessions),
    })),
};

/** Those that a role alias stands for. */
export function cameraRoles(stack: Pick<Stack, 'ofType'>): Resource[] {
  const named = new Set(stack.ofType('AWS::IoT::RoleAlias').flatMap(({ properties }) => namesIn(properties.RoleArn)));
  return stack.ofType('AWS::IAM::Role').filter(({ logicalId }) => named.has(logicalId));
}

/** What cuts devices off: it denies single certificates' sessions, whose `aws:userid` is `<role id>:<certificate id>`, and opens nothing. */
export const deniesSessions = (document: PolicyDocument): boolean =>
  [document.Statement].flat().every(({ Effect, Condition = {} }) => {
    const users = [Condition.StringLike?.['aws:userid'] ?? []].flat().map(String);
    return Effect === 'Deny' && users.length > 0 && users.every((user) => /^(\*:)?[\w-]+$/.test(user));
  });
