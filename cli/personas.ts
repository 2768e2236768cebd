import { AttachUserPolicyCommand, CreateAccessKeyCommand, CreateUserCommand, IAMClient } from '@aws-sdk/client-iam';
import type { Keys } from './api.ts';
import type { Persona } from './outputs.ts';

/** ARNs of the stack's managed policies, by who carries them. */
export type PersonaPolicies = Record<Exclude<Persona, 'admin'>, string[]>;

/** Makes one IAM user for each role on the API, as an administrator would, and gives it keys. */
export async function createPersonas({
  aws,
  region,
  admin,
  policies,
}: {
  aws: string;
  region: string;
  admin: Keys;
  policies: PersonaPolicies;
}): Promise<Record<Persona, Keys>> {
  // A copy: the SDK writes notes of its own into the credentials it is given.
  const iam = new IAMClient({ endpoint: aws, region, credentials: { ...admin } });
  const persona = async (UserName: string, policyArns: string[]): Promise<Keys> => {
    await iam.send(new CreateUserCommand({ UserName }));
    for (const PolicyArn of policyArns) await iam.send(new AttachUserPolicyCommand({ UserName, PolicyArn }));
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
    return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
  };
  try {
    return {
      admin,
      factory: await persona('factory', policies.factory),
      operator: await persona('operator', policies.operator),
      auditor: await persona('auditor', policies.auditor),
    };
  } finally {
    iam.destroy();
  }
}
