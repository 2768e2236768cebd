import { AwsError } from '../error.ts';
import { type PolicyDocument, parsePolicy, type Statement } from '../policy.ts';

/** What IAM takes as a policy, and how it refuses the rest (IAM User Guide, "Grammar of the IAM JSON policy language"). */

const malformed = (message: string) => new AwsError('MalformedPolicyDocument', 400, message);

/** Throws AwsError unless the text may be a role's trust policy. */
export function checkTrustPolicy(text: string): void {
  for (const statement of statementsOf(text)) {
    if (statement.Principal === undefined) throw malformed('Missing required field Principal');
    if (statement.Resource !== undefined || statement.NotResource !== undefined) {
      throw malformed('Has prohibited field Resource');
    }
  }
}

/** Throws AwsError unless the text may be a policy of a user or a role. */
export function checkIdentityPolicy(text: string): void {
  for (const statement of statementsOf(text)) {
    if (statement.Principal !== undefined) throw malformed('Policy document should not specify a principal.');
    if (statement.Resource === undefined && statement.NotResource === undefined) {
      throw malformed('Policy statement must contain resources.');
    }
    const actions = [statement.Action ?? statement.NotAction ?? []].flat();
    const vendorless = actions.find((action) => action !== '*' && !action.includes(':'));
    if (vendorless !== undefined) {
      throw malformed('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
    }
  }
}

function statementsOf(text: string): Statement[] {
  let document: PolicyDocument;
  try {
    document = parsePolicy(text);
  } catch (error) {
    throw malformed((error as Error).message);
  }
  return [document.Statement].flat();
}

/** Policies travel percent-encoded in IAM's answers (IAM API reference, "GetRolePolicy"). */
export const encodeDocument = (text: string) => encodeURIComponent(text);
