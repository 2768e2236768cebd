import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Operation } from '../service.ts';
import { checkIdentityPolicy, encodeDocument } from './documents.ts';
import {
  alreadyExists,
  checkName,
  deleteConflict,
  noSuchEntity,
  type Paging,
  page,
  type Tag,
  tagList,
  tagMap,
} from './entities.ts';
import type { IdentityStore } from './identities.ts';
import { uniqueId } from './ids.ts';
import type { ManagedPolicy } from './managed-policies.ts';

interface PolicyInput {
  PolicyName: string;
  PolicyArn: string;
  PolicyDocument: string;
  Path?: string;
  Description?: string;
  Tags?: Tag[];
  VersionId: string;
  SetAsDefault?: boolean;
}

/** IAM User Guide, "IAM and AWS STS quotas": versions of a managed policy. */
const VERSIONS = 5;

/** Managed policies: the account's own, and AWS's as far as they are known here. */
export function policyOperations({
  identities,
  clock,
}: {
  identities: IdentityStore;
  clock: Clock;
}): Record<string, Operation> {
  const find = (arn: string): ManagedPolicy => {
    const policy = identities.managed.get(arn);
    if (!policy) throw noSuchEntity(`Policy ${arn} was not found.`);
    return policy;
  };
  const findOwn = (arn: string): ManagedPolicy => {
    const policy = find(arn);
    if (arn.startsWith('arn:aws:iam::aws:'))
      throw new AwsError('AccessDenied', 403, 'AWS managed policies are read-only.');
    return policy;
  };
  const findVersion = (policy: ManagedPolicy, id: string) => {
    const version = policy.versions.find(({ versionId }) => versionId === id);
    if (!version) throw noSuchEntity(`Policy ${policy.arn} version ${id} does not exist or is not attachable.`);
    return version;
  };
  const holders = (arn: string) =>
    [...identities.roles.values(), ...identities.users.values()].filter(({ attached }) => attached.has(arn));
  const makeDefault = (policy: ManagedPolicy, id: string) => {
    for (const version of policy.versions) version.isDefaultVersion = version.versionId === id;
    policy.updateDate = clock.now();
  };

  const asOutput = (policy: ManagedPolicy) => ({
    PolicyName: policy.policyName,
    PolicyId: policy.policyId,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: policy.versions.find(({ isDefaultVersion }) => isDefaultVersion)?.versionId,
    AttachmentCount: holders(policy.arn).length,
    PermissionsBoundaryUsageCount: 0,
    IsAttachable: true,
    Description: policy.description,
    CreateDate: new Date(policy.createDate),
    UpdateDate: new Date(policy.updateDate),
    ...(policy.tags.size > 0 && { Tags: tagList(policy.tags) }),
  });

  return {
    CreatePolicy({ PolicyName, PolicyDocument, Path = '/', Description, Tags }: PolicyInput) {
      checkName('policyName', PolicyName, 128);
      checkIdentityPolicy(PolicyDocument);
      const arn = `arn:aws:iam::${identities.accountId}:policy${Path}${PolicyName}`;
      if (identities.managed.has(arn))
        throw alreadyExists(`A policy called ${PolicyName} already exists. Duplicate names are not allowed.`);
      const now = clock.now();
      const policy: ManagedPolicy = {
        policyName: PolicyName,
        policyId: uniqueId('ANPA'),
        arn,
        path: Path,
        createDate: now,
        updateDate: now,
        lastVersion: 1,
        versions: [{ versionId: 'v1', document: PolicyDocument, isDefaultVersion: true, createDate: now }],
        tags: tagMap(Tags),
        ...(Description !== undefined && { description: Description }),
      };
      identities.managed.set(arn, policy);
      return { Policy: asOutput(policy) };
    },

    GetPolicy: ({ PolicyArn }: PolicyInput) => ({ Policy: asOutput(find(PolicyArn)) }),

    ListPolicies: (input: { Scope?: string; PathPrefix?: string; OnlyAttached?: boolean } & Paging) =>
      page(
        'Policies',
        [...identities.managed.values()]
          .filter(({ arn }) => {
            if (input.Scope === undefined || input.Scope === 'All') return true;
            return (input.Scope === 'AWS') === arn.startsWith('arn:aws:iam::aws:');
          })
          .filter(({ path }) => path.startsWith(input.PathPrefix ?? '/'))
          .filter(({ arn }) => !input.OnlyAttached || holders(arn).length > 0)
          .map(asOutput),
        input,
      ),

    DeletePolicy({ PolicyArn }: PolicyInput) {
      const policy = findOwn(PolicyArn);
      if (holders(PolicyArn).length > 0) throw deleteConflict('Cannot delete a policy attached to entities.');
      if (policy.versions.length > 1)
        throw deleteConflict(
          "This policy has more than one version. Before you delete a policy, you must delete the policy's versions.",
        );
      identities.managed.delete(PolicyArn);
    },

    CreatePolicyVersion({ PolicyArn, PolicyDocument, SetAsDefault = false }: PolicyInput) {
      const policy = findOwn(PolicyArn);
      checkIdentityPolicy(PolicyDocument);
      if (policy.versions.length >= VERSIONS) {
        throw new AwsError(
          'LimitExceeded',
          409,
          'A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.',
        );
      }
      const version = {
        versionId: `v${++policy.lastVersion}`,
        document: PolicyDocument,
        isDefaultVersion: false,
        createDate: clock.now(),
      };
      policy.versions.push(version);
      if (SetAsDefault) makeDefault(policy, version.versionId);
      return { PolicyVersion: asVersion(version) };
    },

    GetPolicyVersion({ PolicyArn, VersionId }: PolicyInput) {
      const version = findVersion(find(PolicyArn), VersionId);
      return { PolicyVersion: { ...asVersion(version), Document: encodeDocument(version.document) } };
    },

    ListPolicyVersions: (input: PolicyInput & Paging) =>
      page('Versions', find(input.PolicyArn).versions.map(asVersion).reverse(), input),

    SetDefaultPolicyVersion({ PolicyArn, VersionId }: PolicyInput) {
      const policy = findOwn(PolicyArn);
      makeDefault(policy, findVersion(policy, VersionId).versionId);
    },

    DeletePolicyVersion({ PolicyArn, VersionId }: PolicyInput) {
      const policy = findOwn(PolicyArn);
      const version = findVersion(policy, VersionId);
      if (version.isDefaultVersion) throw deleteConflict('Cannot delete the default version of a policy.');
      policy.versions = policy.versions.filter((other) => other !== version);
    },
  };
}

const asVersion = ({ versionId, isDefaultVersion, createDate }: ManagedPolicy['versions'][number]) => ({
  VersionId: versionId,
  IsDefaultVersion: isDefaultVersion,
  CreateDate: new Date(createDate),
});
