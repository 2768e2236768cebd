import { isDeepStrictEqual } from 'node:util';
import { GetRolePolicyCommand, IAMClient, NoSuchEntityException, PutRolePolicyCommand } from '@aws-sdk/client-iam';

export const iam = new IAMClient({});

const policyName = 'denied-certificates';

/** No session is called so: a policy must have a statement, also where nobody is denied. */
const nobody = 'nobody';

const documentOf = (certificateIds: string[]) => {
  const users = certificateIds.length > 0 ? certificateIds.map((id) => `*:${id}`) : [nobody];
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Deny', Action: '*', Resource: '*', Condition: { StringLike: { 'aws:userid': users } } }],
  };
};

/**
 * The roles that cameras assume. The credential provider names a session after the certificate that it was issued for, so
 * `aws:userid` is `<role id>:<certificate id>`.
 */
export const rolesOf = (roleNames: string[]) => ({
  /** Denies everything to credentials that were issued with these certificates, and to no others. */
  async deny(certificateIds: string[]): Promise<void> {
    const PolicyDocument = JSON.stringify(documentOf(certificateIds));
    for (const RoleName of roleNames) {
      await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: policyName, PolicyDocument }));
    }
  },
});

/** For `reconcile`, which alone reads what is written there. */
export const roleLooksOf = (roleNames: string[]) => ({
  async areDenying(certificateIds: string[]): Promise<boolean> {
    const documents = await Promise.all(roleNames.map(denialsOf));
    return documents.every((document) =>
      // A role that has never denied anybody has no such policy, which is as good.
      document === undefined ? certificateIds.length === 0 : isDeepStrictEqual(document, documentOf(certificateIds)),
    );
  },
});

/** IAM percent-encodes the documents that it shows (GetRolePolicy). */
const denialsOf = async (RoleName: string): Promise<unknown> => {
  try {
    const { PolicyDocument = '' } = await iam.send(new GetRolePolicyCommand({ RoleName, PolicyName: policyName }));
    return JSON.parse(decodeURIComponent(PolicyDocument));
  } catch (error) {
    if (error instanceof NoSuchEntityException) return undefined;
    throw error;
  }
};
