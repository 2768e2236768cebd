import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Operation } from '../service.ts';
import { byMarker, pageOf } from './pages.ts';
import { alreadyExists, checkInteger, checkText, notFound, ROLE_ALIAS, ROLE_ARN } from './refusals.ts';
import type { Registry, RoleAlias } from './registry.ts';

/** CreateRoleAlias: "900 seconds (15 minutes) to 43,200 seconds (12 hours). The default is 3600". */
const DURATION = { min: 900, max: 43_200, default: 3600 };
/** General Reference: "Maximum number of role aliases registered in your account", not adjustable. */
const MOST_ALIASES = 100;

export function roleAliasOperations({
  registry,
  clock,
}: {
  registry: Registry;
  clock: Clock;
}): Record<string, Operation> {
  return {
    // Neither role nor its MaxSessionDuration is looked at: the credentials provider finds out (contract of credentials.ts).
    CreateRoleAlias({ roleAlias, roleArn, credentialDurationSeconds = DURATION.default }) {
      checkText(roleAlias, 'roleAlias', ROLE_ALIAS);
      checkText(roleArn, 'roleArn', ROLE_ARN);
      checkDuration(credentialDurationSeconds);
      const existing = registry.roleAliases.get(roleAlias);
      if (existing) {
        const message = `RoleAlias cannot be created - already exists (name=${roleAlias})`;
        throw alreadyExists(message, roleAlias, existing.roleAliasArn);
      }
      if (registry.roleAliases.size >= MOST_ALIASES) {
        throw new AwsError('LimitExceededException', 410, `The maximum number of role aliases is ${MOST_ALIASES}`);
      }
      const now = clock.now();
      const alias: RoleAlias = {
        roleAlias,
        roleAliasArn: registry.arn(`rolealias/${roleAlias}`),
        roleArn,
        credentialDurationSeconds,
        creationDate: now,
        lastModifiedDate: now,
      };
      registry.roleAliases.set(roleAlias, alias);
      return { roleAlias, roleAliasArn: alias.roleAliasArn };
    },

    DescribeRoleAlias({ roleAlias }) {
      const { creationDate, lastModifiedDate, ...alias } = existingAlias(registry, roleAlias);
      return {
        roleAliasDescription: {
          ...alias,
          owner: registry.accountId,
          creationDate: new Date(creationDate),
          lastModifiedDate: new Date(lastModifiedDate),
        },
      };
    },

    UpdateRoleAlias({ roleAlias, roleArn, credentialDurationSeconds }) {
      if (roleArn !== undefined) checkText(roleArn, 'roleArn', ROLE_ARN);
      if (credentialDurationSeconds !== undefined) checkDuration(credentialDurationSeconds);
      const alias = existingAlias(registry, roleAlias);
      registry.roleAliases.set(roleAlias, {
        ...alias,
        roleArn: roleArn ?? alias.roleArn,
        credentialDurationSeconds: credentialDurationSeconds ?? alias.credentialDurationSeconds,
        lastModifiedDate: clock.now(),
      });
      return { roleAlias, roleAliasArn: alias.roleAliasArn };
    },

    DeleteRoleAlias({ roleAlias }) {
      existingAlias(registry, roleAlias);
      registry.roleAliases.delete(roleAlias);
      return {};
    },

    ListRoleAliases(input) {
      const { items, next } = pageOf(registry.roleAliases.keys(), (name) => name, byMarker(input));
      return { roleAliases: items, nextMarker: next };
    },
  };
}

function existingAlias(registry: Registry, roleAlias: unknown): RoleAlias {
  const alias = registry.roleAliases.get(checkText(roleAlias, 'roleAlias', ROLE_ALIAS));
  // The space is AWS's.
  if (!alias) throw notFound(`RoleAlias not found (name= ${roleAlias})`);
  return alias;
}

const checkDuration = (seconds: unknown) =>
  checkInteger(seconds, 'credentialDurationSeconds', DURATION.min, DURATION.max);
