import {
  GetRoleCommand,
  GetRolePolicyCommand,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
} from '@aws-sdk/client-iam';
import { unlessAbsent } from './aws.ts';
import { broken, type Flaw, type Look } from './link.ts';
import type { Patient } from './patient.ts';
import { differences, type PolicyDocument, parsed } from './policy-difference.ts';
import { byAws } from './remedy.ts';
import type { Resource } from './stack.ts';

interface Properties {
  AssumeRolePolicyDocument: PolicyDocument;
  ManagedPolicyArns?: string[];
  Policies?: { PolicyName: string; PolicyDocument: PolicyDocument }[];
}

/**
 * Whether a role is as the template says: who may assume it, and what it may then do. `isKnown`: what may be written to it beside that
 * while it is deployed.
 */
export async function lookAtRole(
  { stack, aws }: Patient,
  { physicalId, properties }: Resource,
  isKnown: (document: PolicyDocument) => boolean = () => false,
): Promise<Look> {
  const RoleName = physicalId ?? '';
  const [expected, role] = await Promise.all([
    stack.expected(properties) as Promise<Properties>,
    unlessAbsent(aws.iam.send(new GetRoleCommand({ RoleName }))),
  ]);
  const trust = JSON.stringify(expected.AssumeRolePolicyDocument);
  if (!role) {
    return broken('there is no such role', byAws('iam', 'CreateRole', { RoleName, AssumeRolePolicyDocument: trust }));
  }
  const flaws: Flaw[] = [];
  const said = differences(expected.AssumeRolePolicyDocument, parsed(role.Role?.AssumeRolePolicyDocument));
  if (said.length > 0) {
    flaws.push({
      says: `its trust policy is not the template's: ${said.join('; ')}`,
      remedy: byAws('iam', 'UpdateAssumeRolePolicy', { RoleName, PolicyDocument: trust }),
    });
  }
  const [attached, inline] = await Promise.all([
    flawsOfAttached(aws, RoleName, expected.ManagedPolicyArns ?? []),
    flawsOfInline(aws, RoleName, expected.Policies ?? [], isKnown),
  ]);
  return { flaws: [...flaws, ...attached, ...inline] };
}

async function flawsOfAttached(aws: Patient['aws'], RoleName: string, expected: string[]): Promise<Flaw[]> {
  const { AttachedPolicies = [] } = await aws.iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
  const actual = AttachedPolicies.map(({ PolicyArn = '' }) => PolicyArn);
  return [
    ...expected
      .filter((arn) => !actual.includes(arn))
      .map((PolicyArn) => ({
        says: `${PolicyArn} is not attached to it`,
        remedy: byAws('iam', 'AttachRolePolicy', { RoleName, PolicyArn }),
      })),
    ...actual
      .filter((arn) => !expected.includes(arn))
      .map((PolicyArn) => ({
        says: `${PolicyArn} is attached to it, which the template does not say`,
        remedy: byAws('iam', 'DetachRolePolicy', { RoleName, PolicyArn }),
      })),
  ];
}

async function flawsOfInline(
  aws: Patient['aws'],
  RoleName: string,
  expected: NonNullable<Properties['Policies']>,
  isKnown: (document: PolicyDocument) => boolean,
): Promise<Flaw[]> {
  const documents = await inlinePoliciesOf(aws, RoleName);
  const flaws: Flaw[] = [];
  for (const { PolicyName, PolicyDocument } of expected) {
    const remedy = byAws('iam', 'PutRolePolicy', {
      RoleName,
      PolicyName,
      PolicyDocument: JSON.stringify(PolicyDocument),
    });
    const actual = documents.get(PolicyName);
    documents.delete(PolicyName);
    if (!actual) {
      flaws.push({ says: `it has no policy ${PolicyName}: it may do nothing of it`, remedy });
      continue;
    }
    const said = differences(PolicyDocument, actual);
    if (said.length > 0)
      flaws.push({ says: `its policy ${PolicyName} is not the template's: ${said.join('; ')}`, remedy });
  }
  for (const [PolicyName, document] of documents) {
    if (isKnown(document)) continue;
    flaws.push({
      says: `it has a policy ${PolicyName}, which the template does not say`,
      remedy: byAws('iam', 'DeleteRolePolicy', { RoleName, PolicyName }),
    });
  }
  return flaws;
}

/** Inline policies of a role by their names. */
export async function inlinePoliciesOf(aws: Patient['aws'], RoleName: string): Promise<Map<string, PolicyDocument>> {
  const { PolicyNames = [] } = await aws.iam.send(new ListRolePoliciesCommand({ RoleName }));
  const documents = PolicyNames.map(async (PolicyName) => {
    const { PolicyDocument } = await aws.iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
    return [PolicyName, parsed(PolicyDocument)] as const;
  });
  return new Map(await Promise.all(documents));
}
