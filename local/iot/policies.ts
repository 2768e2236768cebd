import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import { parsePolicy } from '../policy.ts';
import type { Operation } from '../service.ts';
import { byMarker, pageOf } from './pages.ts';
import { alreadyExists, checkText, invalid, notFound, POLICY_NAME } from './refusals.ts';
import type { Certificate, Policy, Registry } from './registry.ts';
import { certificateAt } from './thing-principals.ts';
import { leftOf, rightOf, tie, untie } from './ties.ts';

/** General Reference: "Maximum policy document size … 2048 characters (excluding white space)". */
const LONGEST_DOCUMENT = 2048;
/** General Reference: "Maximum number of policies that can be attached to a certificate". */
const MOST_PER_TARGET = 10;
/** General Reference: "Maximum number of named policy versions". */
const MOST_VERSIONS = 5;

export interface PolicyDeps {
  registry: Registry;
  clock: Clock;
}

export function policyOperations({ registry, clock }: PolicyDeps): Record<string, Operation> {
  return {
    CreatePolicy({ policyName, policyDocument }) {
      checkText(policyName, 'policyName', POLICY_NAME);
      checkDocument(policyDocument);
      const existing = registry.policies.get(policyName);
      if (existing) {
        const message = `Policy cannot be created - name already exists (name=${policyName})`;
        throw alreadyExists(message, policyName, existing.policyArn);
      }
      const { policyArn } = createPolicy({ registry, clock }, policyName, policyDocument);
      return { policyName, policyArn, policyDocument, policyVersionId: '1' };
    },

    GetPolicy({ policyName }) {
      const policy = existingPolicy(registry, policyName);
      const version = policy.versions.find(({ isDefaultVersion }) => isDefaultVersion);
      return {
        policyName,
        policyArn: policy.policyArn,
        policyDocument: version?.document,
        defaultVersionId: version?.versionId,
        creationDate: new Date(policy.creationDate),
        lastModifiedDate: new Date(policy.lastModifiedDate),
        generationId: policy.generationId,
      };
    },

    DeletePolicy({ policyName }) {
      const policy = existingPolicy(registry, policyName);
      const reason = (why: string) => `${why} (name=${policyName})`;
      if (rightOf(registry.policyTargets, policyName).size > 0) {
        throw conflict(reason('The policy cannot be deleted as the policy is attached to one or more principals'));
      }
      if (policy.versions.length > 1) {
        throw conflict(reason('Cannot delete the policy because it has one or more policy versions attached to it'));
      }
      registry.policies.delete(policyName);
      return {};
    },

    ListPolicies(input) {
      return policyPage(registry.policies.values(), input);
    },

    AttachPolicy({ policyName, target }) {
      existingPolicy(registry, policyName);
      const certificate = certificateAtTarget(registry, target);
      checkPolicyCount(registry, certificate, [policyName]);
      tie(registry.policyTargets, policyName, certificate.certificateArn, true);
      return {};
    },

    DetachPolicy({ policyName, target }) {
      checkText(policyName, 'policyName', POLICY_NAME);
      checkText(target, 'target');
      // DetachPolicy models no ResourceNotFoundException: what is not attached is detached.
      untie(registry.policyTargets, policyName, target);
      return {};
    },

    ListAttachedPolicies({ target, recursive: _recursive, ...input }) {
      const { certificateArn } = certificateAtTarget(registry, target);
      const names = leftOf(registry.policyTargets, certificateArn).keys();
      return policyPage(
        [...names].flatMap((name) => registry.policies.get(name) ?? []),
        input,
      );
    },

    ListTargetsForPolicy({ policyName, ...input }) {
      existingPolicy(registry, policyName);
      const targets = rightOf(registry.policyTargets, policyName).keys();
      const { items, next } = pageOf(targets, (target) => target, byMarker(input));
      return { targets: items, nextMarker: next };
    },

    CreatePolicyVersion({ policyName, policyDocument, setAsDefault = false }) {
      checkText(policyName, 'policyName', POLICY_NAME);
      checkDocument(policyDocument);
      const policy = existingPolicy(registry, policyName);
      if (policy.versions.length >= MOST_VERSIONS) {
        const message = `The policy ${policyName} already has the maximum number of versions (${MOST_VERSIONS})`;
        throw new AwsError('VersionsLimitExceededException', 409, message);
      }
      policy.lastVersion += 1;
      const versionId = String(policy.lastVersion);
      policy.versions.push({ versionId, document: policyDocument, isDefaultVersion: false, createDate: clock.now() });
      policy.lastModifiedDate = clock.now();
      if (setAsDefault) makeDefault(policy, versionId);
      const { policyArn } = policy;
      return { policyArn, policyDocument, policyVersionId: versionId, isDefaultVersion: setAsDefault };
    },

    GetPolicyVersion({ policyName, policyVersionId }) {
      const policy = existingPolicy(registry, policyName);
      const { document, isDefaultVersion, createDate } = existingVersion(policy, policyVersionId);
      return {
        policyArn: policy.policyArn,
        policyName,
        policyDocument: document,
        policyVersionId,
        isDefaultVersion,
        creationDate: new Date(createDate),
        lastModifiedDate: new Date(createDate),
        generationId: policy.generationId,
      };
    },

    ListPolicyVersions({ policyName }) {
      const { versions } = existingPolicy(registry, policyName);
      const shown = versions.map(({ versionId, isDefaultVersion, createDate }) => {
        return { versionId, isDefaultVersion, createDate: new Date(createDate) };
      });
      return { policyVersions: shown.reverse() };
    },

    SetDefaultPolicyVersion({ policyName, policyVersionId }) {
      const policy = existingPolicy(registry, policyName);
      makeDefault(policy, existingVersion(policy, policyVersionId).versionId);
      policy.lastModifiedDate = clock.now();
      return {};
    },

    DeletePolicyVersion({ policyName, policyVersionId }) {
      const policy = existingPolicy(registry, policyName);
      const version = existingVersion(policy, policyVersionId);
      if (version.isDefaultVersion) throw invalid('Cannot delete the default version of a policy');
      policy.versions = policy.versions.filter((other) => other !== version);
      return {};
    },
  };
}

export function checkDocument(document: unknown): void {
  const text = checkText(document, 'policyDocument', { max: 404_600 });
  const size = text.replace(/\s/g, '').length;
  if (size > LONGEST_DOCUMENT)
    throw malformed(`the document has ${size} characters, at most ${LONGEST_DOCUMENT} are allowed`);
  let statements: unknown;
  try {
    statements = parsePolicy(text).Statement;
  } catch (error) {
    throw malformed((error as Error).message);
  }
  for (const statement of [statements].flat() as Record<string, unknown>[]) {
    // IoT guide, "AWS IoT Core policies": a statement has Effect, Action, Resource; whom it is for is what it is attached to.
    if (statement.Principal !== undefined) throw malformed('Principal is not allowed.');
    if (statement.Resource === undefined) throw malformed('A statement needs a Resource.');
  }
}

export function createPolicy({ registry, clock }: PolicyDeps, policyName: string, document: string): Policy {
  const now = clock.now();
  const policy: Policy = {
    policyName,
    policyArn: registry.arn(`policy/${policyName}`),
    generationId: randomUUID(),
    creationDate: now,
    lastModifiedDate: now,
    versions: [{ versionId: '1', document, isDefaultVersion: true, createDate: now }],
    lastVersion: 1,
  };
  registry.policies.set(policyName, policy);
  return policy;
}

export function existingPolicy(registry: Registry, policyName: unknown): Policy {
  const policy = registry.policies.get(checkText(policyName, 'policyName', POLICY_NAME));
  if (!policy) throw notFound(`Policy not found (name=${policyName})`);
  return policy;
}

/** Throws AwsError LimitExceededException 410 when these would be too many for one certificate; those it has already count once. */
export function checkPolicyCount(
  registry: Registry,
  { certificateArn }: Pick<Certificate, 'certificateArn'>,
  policyNames: readonly string[],
): void {
  const all = new Set([...leftOf(registry.policyTargets, certificateArn).keys(), ...policyNames]);
  if (all.size > MOST_PER_TARGET) {
    const message = `The maximum number of policies attached to ${certificateArn} is ${MOST_PER_TARGET}`;
    throw new AwsError('LimitExceededException', 410, message);
  }
}

function certificateAtTarget(registry: Registry, target: unknown): Certificate {
  checkText(target, 'target');
  // AWS takes thing groups too; the stand-in has none.
  if (/^arn:aws[^:]*:iot:[^:]*:\d{12}:thinggroup\//.test(target as string)) throw notFound();
  return certificateAt(registry, target);
}

function existingVersion({ policyName, versions }: Policy, versionId: unknown) {
  checkText(versionId, 'policyVersionId', { pattern: /^[0-9]+$/ });
  const version = versions.find((other) => other.versionId === versionId);
  if (!version) throw notFound(`Policy version ${versionId} of ${policyName} not found`);
  return version;
}

function makeDefault({ versions }: Policy, versionId: string): void {
  for (const version of versions) version.isDefaultVersion = version.versionId === versionId;
}

function policyPage(policies: Iterable<Policy>, input: Parameters<typeof byMarker>[0]) {
  const { items, next } = pageOf(policies, ({ policyName }) => policyName, byMarker(input));
  return { policies: items.map(({ policyName, policyArn }) => ({ policyName, policyArn })), nextMarker: next };
}

const malformed = (message: string) =>
  new AwsError('MalformedPolicyException', 400, `Policy document is malformed: ${message}`);
const conflict = (message: string) => new AwsError('DeleteConflictException', 409, message);
