import { AwsError } from '../error.ts';
import type { Operation } from '../service.ts';
import { checkIdentityPolicy, encodeDocument } from './documents.ts';
import type { Holder } from './holders.ts';
import type { IdentityStore } from './identities.ts';

/** What roles and users share: how they are found, listed and deleted, names, tags, pages, and the policies they hold. */

export const noSuchEntity = (message: string) => new AwsError('NoSuchEntity', 404, message);
export const alreadyExists = (message: string) => new AwsError('EntityAlreadyExists', 409, message);
export const deleteConflict = (message: string) => new AwsError('DeleteConflict', 409, message);

/** Throws AwsError ValidationError unless it is a name that IAM takes (IAM API reference, "CreateRole": RoleName). */
export function checkName(member: string, name: string, longest: number): void {
  if (/^[\w+=,.@-]+$/.test(name) && name.length <= longest) return;
  const constraint =
    name.length > longest
      ? `Member must have length less than or equal to ${longest}`
      : 'Member must satisfy regular expression pattern: [\\w+=,.@-]+';
  throw new AwsError(
    'ValidationError',
    400,
    `1 validation error detected: Value '${name}' at '${member}' failed to satisfy constraint: ${constraint}`,
  );
}

export interface Tag {
  Key: string;
  Value: string;
}

export const tagMap = (tags: readonly Tag[] = []) => new Map(tags.map(({ Key, Value }) => [Key, Value]));
export const tagList = (tags: ReadonlyMap<string, string>): Tag[] => [...tags].map(([Key, Value]) => ({ Key, Value }));

export interface Paging {
  Marker?: string;
  MaxItems?: number;
}

/** One page of a list: `{ [member]: items, IsTruncated, Marker? }`; a marker is where the next page begins. */
export function page<T>(
  member: string,
  items: readonly T[],
  { Marker, MaxItems = 100 }: Paging,
): Record<string, unknown> {
  const start = Number(Marker ?? 0);
  if (!Number.isInteger(start) || start < 0) throw new AwsError('ValidationError', 400, 'Invalid Marker.');
  const end = start + MaxItems;
  const more = end < items.length;
  return { [member]: items.slice(start, end), IsTruncated: more, ...(more && { Marker: String(end) }) };
}

/** By their names. Throws AwsError NoSuchEntity. */
export function finder<H extends Holder>(kind: 'role' | 'user', holders: () => ReadonlyMap<string, H>) {
  return (name: string): H => {
    const holder = holders().get(name);
    if (!holder) throw noSuchEntity(`The ${kind} with name ${name} cannot be found.`);
    return holder;
  };
}

/** `ListRoles` and `ListUsers`: by name, and of a path if one is asked for. */
export function pageOfHolders<H extends Holder>(
  member: string,
  holders: ReadonlyMap<string, H>,
  { PathPrefix = '/', ...paging }: { PathPrefix?: string } & Paging,
  asOutput: (holder: H) => object,
) {
  const found = [...holders].filter(([, { path }]) => path.startsWith(PathPrefix));
  const sorted = found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, holder]) => asOutput(holder));
  return page(member, sorted, paging);
}

/** Throws AwsError DeleteConflict while it holds policies. */
export function checkDeletable({ attached, inline }: Holder): void {
  if (attached.size > 0) throw deleteConflict('Cannot delete entity, must detach all policies first.');
  if (inline.size > 0) throw deleteConflict('Cannot delete entity, must delete policies first.');
}

/** `PutRolePolicy`, `AttachUserPolicy` … for one kind of holder, whose name is in the input as `<kind>Name`. */
export function policyOperations<H extends Holder>({
  identities,
  kind,
  find,
}: {
  identities: IdentityStore;
  kind: 'Role' | 'User';
  /** Throws AwsError NoSuchEntity. */
  find: (name: string) => H;
}): Record<string, Operation> {
  interface Input {
    RoleName: string;
    UserName: string;
    PolicyName: string;
    PolicyDocument: string;
    PolicyArn: string;
  }
  const holder = (input: Input) => find(input[`${kind}Name`]);
  const noInline = (name: string) =>
    noSuchEntity(`The ${kind.toLowerCase()} policy with name ${name} cannot be found.`);

  return {
    [`Put${kind}Policy`]: (input: Input) => {
      const { inline } = holder(input);
      checkName('policyName', input.PolicyName, 128);
      checkIdentityPolicy(input.PolicyDocument);
      inline.set(input.PolicyName, input.PolicyDocument);
    },
    [`Get${kind}Policy`]: (input: Input) => {
      const document = holder(input).inline.get(input.PolicyName);
      if (document === undefined) throw noInline(input.PolicyName);
      return { ...input, PolicyDocument: encodeDocument(document) };
    },
    [`List${kind}Policies`]: (input: Input & Paging) =>
      page('PolicyNames', [...holder(input).inline.keys()].sort(), input),
    [`Delete${kind}Policy`]: (input: Input) => {
      if (!holder(input).inline.delete(input.PolicyName)) throw noInline(input.PolicyName);
    },
    [`Attach${kind}Policy`]: (input: Input) => {
      const { attached } = holder(input);
      if (!identities.managed.has(input.PolicyArn)) {
        throw noSuchEntity(`Policy ${input.PolicyArn} does not exist or is not attachable.`);
      }
      attached.add(input.PolicyArn);
    },
    [`Detach${kind}Policy`]: (input: Input) => {
      if (!holder(input).attached.delete(input.PolicyArn)) {
        throw noSuchEntity(`Policy ${input.PolicyArn} was not found.`);
      }
    },
    [`ListAttached${kind}Policies`]: (input: Input & Paging) => {
      const policies = [...holder(input).attached].flatMap((arn) => identities.managed.get(arn) ?? []);
      return page(
        'AttachedPolicies',
        policies.map(({ policyName, arn }) => ({ PolicyName: policyName, PolicyArn: arn })),
        input,
      );
    },
    [`Tag${kind}`]: (input: Input & { Tags: Tag[] }) => {
      const { tags } = holder(input);
      for (const { Key, Value } of input.Tags) tags.set(Key, Value);
    },
    [`Untag${kind}`]: (input: Input & { TagKeys: string[] }) => {
      const { tags } = holder(input);
      for (const key of input.TagKeys) tags.delete(key);
    },
    [`List${kind}Tags`]: (input: Input & Paging) => page('Tags', tagList(holder(input).tags), input),
  };
}
