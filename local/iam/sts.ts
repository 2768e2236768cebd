import * as sdk from '@aws-sdk/client-sts';
import { AwsError } from '../error.ts';
import { awsQuery } from '../protocol/query.ts';
import type { Call, Service } from '../service.ts';
import type { IdentityStore } from './identities.ts';

export function createSts({ identities }: { identities: IdentityStore }): Service {
  return {
    name: 'sts',
    protocol: awsQuery({ schemas: sdk, xmlns: 'https://sts.amazonaws.com/doc/2011-06-15/' }),

    operations: {
      GetCallerIdentity: (_input: unknown, { caller }) => ({
        UserId: caller.userId,
        Account: caller.accountId,
        Arn: caller.arn,
      }),

      AssumeRole(input: { RoleArn: string; RoleSessionName: string; DurationSeconds?: number }, call) {
        const { RoleArn, RoleSessionName, DurationSeconds = 3600 } = input;
        if (!/^[\w+=,.@-]{2,64}$/.test(RoleSessionName)) throw invalid('roleSessionName', RoleSessionName);
        if (DurationSeconds < 900 || DurationSeconds > 43_200) throw invalid('durationSeconds', DurationSeconds);
        if (call.caller === identities.root) {
          throw new AwsError('AccessDenied', 403, 'Roles may not be assumed by root accounts.');
        }
        checkCaller(RoleArn, call);
        try {
          const session = identities.assumeRole({
            roleArn: RoleArn,
            principal: { AWS: call.caller.arn },
            sessionName: RoleSessionName,
            durationSeconds: DurationSeconds,
            trustContext: identities.contextOf(call.caller),
          });
          return {
            Credentials: {
              AccessKeyId: session.accessKeyId,
              SecretAccessKey: session.secretAccessKey,
              SessionToken: session.sessionToken,
              Expiration: new Date(session.expiration),
            },
            AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn },
          };
        } catch (error) {
          // Who may not assume a role does not learn whether there is one (IAM User Guide, "I can't assume a role").
          if (error instanceof AwsError && error.code === 'NoSuchEntity') throw denied(RoleArn, call);
          throw error;
        }
      },
    },

    // Both look after themselves: one needs no permission (STS API reference, "GetCallerIdentity"), the other may have it from the trust policy.
    needs: () => [],
    snapshot: () => undefined,
    restore: () => {},
  };

  /**
   * A trust policy that names the caller is enough; one that names the account leaves it to the caller's own policies
   * (IAM User Guide, "Principal": AWS account principals). A Deny in those is final in either case.
   */
  function checkCaller(roleArn: string, call: Call): void {
    const decision = identities.decide(call.caller, { action: 'sts:AssumeRole', resource: roleArn });
    if (decision === 'allowed') return;
    if (decision === 'explicitDeny' || !namesCaller(roleArn, call)) throw denied(roleArn, call);
  }

  function namesCaller(roleArn: string, { caller }: Call): boolean {
    const role = [...identities.roles.values()].find(({ arn }) => arn === roleArn);
    const own = [caller.arn, identities.contextOf(caller)['aws:PrincipalArn']];
    const statements = role ? [JSON.parse(role.trustPolicy).Statement].flat() : [];
    return statements.some(({ Principal }) => [Principal?.AWS ?? []].flat().some((name) => own.includes(name)));
  }
}

const denied = (roleArn: string, { caller }: Call) =>
  new AwsError(
    'AccessDenied',
    403,
    `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
  );

const invalid = (member: string, value: unknown) =>
  new AwsError(
    'ValidationError',
    400,
    `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint`,
  );
