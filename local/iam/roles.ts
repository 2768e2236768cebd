import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Operation } from '../service.ts';
import { checkTrustPolicy, encodeDocument } from './documents.ts';
import {
  alreadyExists,
  checkDeletable,
  checkName,
  finder,
  type Paging,
  page,
  pageOfHolders,
  policyOperations,
  type Tag,
  tagList,
  tagMap,
} from './entities.ts';
import type { Role } from './holders.ts';
import type { IdentityStore } from './identities.ts';
import { uniqueId } from './ids.ts';

interface RoleInput {
  RoleName: string;
  AssumeRolePolicyDocument: string;
  Path?: string;
  Description?: string;
  MaxSessionDuration?: number;
  Tags?: Tag[];
}

export function roleOperations({
  identities,
  clock,
}: {
  identities: IdentityStore;
  clock: Clock;
}): Record<string, Operation> {
  const find = finder('role', () => identities.roles);

  return {
    CreateRole({
      RoleName,
      AssumeRolePolicyDocument,
      Path = '/',
      Description,
      MaxSessionDuration = 3600,
      Tags,
    }: RoleInput) {
      checkName('roleName', RoleName, 64);
      checkDuration(MaxSessionDuration);
      checkTrustPolicy(AssumeRolePolicyDocument);
      if (identities.roles.has(RoleName)) throw alreadyExists(`Role with name ${RoleName} already exists.`);
      const role: Role = {
        roleName: RoleName,
        roleId: uniqueId('AROA'),
        arn: `arn:aws:iam::${identities.accountId}:role${Path}${RoleName}`,
        path: Path,
        createDate: clock.now(),
        trustPolicy: AssumeRolePolicyDocument,
        maxSessionDuration: MaxSessionDuration,
        inline: new Map(),
        attached: new Set(),
        tags: tagMap(Tags),
        ...(Description !== undefined && { description: Description }),
      };
      identities.roles.set(RoleName, role);
      return { Role: asOutput(role) };
    },

    GetRole: ({ RoleName }: RoleInput) => ({ Role: asOutput(find(RoleName)) }),

    ListRoles: (input: { PathPrefix?: string } & Paging) => pageOfHolders('Roles', identities.roles, input, asOutput),

    UpdateRole({ RoleName, Description, MaxSessionDuration }: RoleInput) {
      const role = find(RoleName);
      if (MaxSessionDuration !== undefined) {
        checkDuration(MaxSessionDuration);
        role.maxSessionDuration = MaxSessionDuration;
      }
      if (Description !== undefined) role.description = Description;
      return {};
    },

    UpdateAssumeRolePolicy({ RoleName, PolicyDocument }: { RoleName: string; PolicyDocument: string }) {
      const role = find(RoleName);
      checkTrustPolicy(PolicyDocument);
      role.trustPolicy = PolicyDocument;
    },

    DeleteRole({ RoleName }: RoleInput) {
      checkDeletable(find(RoleName));
      identities.roles.delete(RoleName);
    },

    // There are none here, and `aws iam delete-role` scripts ask first.
    ListInstanceProfilesForRole: (input: RoleInput) => {
      find(input.RoleName);
      return page('InstanceProfiles', [], {});
    },

    ...policyOperations({ identities, kind: 'Role', find }),
  };
}

/** IAM API reference, "CreateRole": MaxSessionDuration. */
function checkDuration(seconds: number): void {
  if (Number.isInteger(seconds) && seconds >= 3600 && seconds <= 43_200) return;
  throw new AwsError(
    'ValidationError',
    400,
    `1 validation error detected: Value '${seconds}' at 'maxSessionDuration' failed to satisfy constraint: ` +
      'Member must have value between 3600 and 43200',
  );
}

const asOutput = (role: Role) => ({
  Path: role.path,
  RoleName: role.roleName,
  RoleId: role.roleId,
  Arn: role.arn,
  CreateDate: new Date(role.createDate),
  AssumeRolePolicyDocument: encodeDocument(role.trustPolicy),
  Description: role.description,
  MaxSessionDuration: role.maxSessionDuration,
  ...(role.tags.size > 0 && { Tags: tagList(role.tags) }),
});
