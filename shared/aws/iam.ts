import { IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';

export const iam = new IAMClient({});

const policyName = 'denied-certificates';

/** No session is called so: a policy must have a statement, also where nobody is denied. */
const nobody = 'nobody';

/**
 * The roles that cameras assume. The credential provider names a session after the certificate that it was issued for, so
 * `aws:userid` is `<role id>:<certificate id>`.
 */
export const rolesOf = (roleNames: string[]) => ({
  /** Denies everything to credentials that were issued with these certificates, and to no others. */
  async deny(certificateIds: string[]): Promise<void> {
    const users = certificateIds.length > 0 ? certificateIds.map((id) => `*:${id}`) : [nobody];
    const PolicyDocument = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Action: '*', Resource: '*', Condition: { StringLike: { 'aws:userid': users } } }],
    });
    for (const RoleName of roleNames) {
      await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: policyName, PolicyDocument }));
    }
  },
});
