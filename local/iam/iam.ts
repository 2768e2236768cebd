import * as sdk from '@aws-sdk/client-iam';
import type { Clock } from '../clock.ts';
import type { Need } from '../policy.ts';
import { awsQuery } from '../protocol/query.ts';
import type { Service } from '../service.ts';
import type { IdentityStore } from './identities.ts';
import { policyOperations } from './policies.ts';
import { roleOperations } from './roles.ts';
import { userOperations } from './users.ts';

interface Named {
  RoleName?: string;
  UserName?: string;
  PolicyName?: string;
  PolicyArn?: string;
  Path?: string;
}

export function createIam({ identities, clock }: { identities: IdentityStore; clock: Clock }): Service {
  const arn = (kind: string, name: string, path = '/') => `arn:aws:iam::${identities.accountId}:${kind}${path}${name}`;

  return {
    name: 'iam',
    protocol: awsQuery({ schemas: sdk, xmlns: 'https://iam.amazonaws.com/doc/2010-05-08/' }),
    operations: {
      ...roleOperations({ identities, clock }),
      ...userOperations({ identities, clock }),
      ...policyOperations({ identities, clock }),
    },

    /** Service Authorization Reference, "AWS Identity and Access Management": each action has at most one kind of resource. */
    needs(operation, input): Need[] {
      const { RoleName, UserName, PolicyName, PolicyArn, Path } = input as Named;
      const context = PolicyArn === undefined ? {} : { 'iam:PolicyARN': PolicyArn };
      const resource =
        RoleName !== undefined
          ? (identities.roles.get(RoleName)?.arn ?? arn('role', RoleName, Path))
          : UserName !== undefined
            ? (identities.users.get(UserName)?.arn ?? arn('user', UserName, Path))
            : (PolicyArn ?? (PolicyName === undefined ? '*' : arn('policy', PolicyName, Path)));
      return [{ action: `iam:${operation}`, resource, context }];
    },

    snapshot: () => identities.snapshot(),
    restore: (snapshot) => identities.restore(snapshot),
  };
}
