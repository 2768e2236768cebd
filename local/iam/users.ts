import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Call, Operation } from '../service.ts';
import {
  alreadyExists,
  checkDeletable,
  checkName,
  deleteConflict,
  finder,
  noSuchEntity,
  type Paging,
  page,
  pageOfHolders,
  policyOperations,
  type Tag,
  tagList,
  tagMap,
} from './entities.ts';
import type { User } from './holders.ts';
import type { IdentityStore } from './identities.ts';
import { accessKey, uniqueId } from './ids.ts';

interface UserInput {
  UserName?: string;
  Path?: string;
  Tags?: Tag[];
  AccessKeyId?: string;
}

/** IAM User Guide, "IAM and AWS STS quotas": access keys assigned to an IAM user. */
const KEYS_PER_USER = 2;

export function userOperations({
  identities,
  clock,
}: {
  identities: IdentityStore;
  clock: Clock;
}): Record<string, Operation> {
  const find = finder('user', () => identities.users);
  /** Without a name it is whoever asks (IAM API reference, "GetUser"). */
  const named = ({ UserName }: UserInput, { caller }: Call): User => {
    const own = caller.context['aws:username'];
    if (UserName === undefined && typeof own !== 'string') {
      throw new AwsError('ValidationError', 400, 'Must specify userName when calling with non-User credentials');
    }
    return find(UserName ?? (own as string));
  };

  return {
    CreateUser({ UserName = '', Path = '/', Tags }: UserInput) {
      checkName('userName', UserName, 64);
      if (identities.users.has(UserName)) throw alreadyExists(`User with name ${UserName} already exists.`);
      const user: User = {
        userName: UserName,
        userId: uniqueId('AIDA'),
        arn: `arn:aws:iam::${identities.accountId}:user${Path}${UserName}`,
        path: Path,
        createDate: clock.now(),
        inline: new Map(),
        attached: new Set(),
        tags: tagMap(Tags),
        keys: new Map(),
      };
      identities.users.set(UserName, user);
      return { User: asOutput(user) };
    },

    GetUser: (input: UserInput, call) => ({ User: asOutput(named(input, call)) }),

    ListUsers: (input: { PathPrefix?: string } & Paging) => pageOfHolders('Users', identities.users, input, asOutput),

    DeleteUser({ UserName = '' }: UserInput) {
      const user = find(UserName);
      if (user.keys.size > 0) throw deleteConflict('Cannot delete entity, must delete access keys first.');
      checkDeletable(user);
      identities.users.delete(UserName);
    },

    CreateAccessKey(input: UserInput, call) {
      const user = named(input, call);
      if (user.keys.size >= KEYS_PER_USER) {
        throw new AwsError('LimitExceeded', 409, `Cannot exceed quota for AccessKeysPerUser: ${KEYS_PER_USER}`);
      }
      const key = { ...accessKey('AKIA'), createDate: clock.now() };
      user.keys.set(key.accessKeyId, key);
      return {
        AccessKey: {
          UserName: user.userName,
          AccessKeyId: key.accessKeyId,
          Status: 'Active',
          SecretAccessKey: key.secretAccessKey,
          CreateDate: new Date(key.createDate),
        },
      };
    },

    ListAccessKeys(input: UserInput, call) {
      const { userName, keys } = named(input, call);
      const metadata = [...keys.values()].map(({ accessKeyId, createDate }) => ({
        UserName: userName,
        AccessKeyId: accessKeyId,
        Status: 'Active',
        CreateDate: new Date(createDate),
      }));
      return page('AccessKeyMetadata', metadata, {});
    },

    DeleteAccessKey(input: UserInput, call) {
      if (!named(input, call).keys.delete(input.AccessKeyId ?? '')) {
        throw noSuchEntity(`The Access Key with id ${input.AccessKeyId} cannot be found.`);
      }
    },

    ...policyOperations({ identities, kind: 'User', find }),
  };
}

const asOutput = (user: User) => ({
  Path: user.path,
  UserName: user.userName,
  UserId: user.userId,
  Arn: user.arn,
  CreateDate: new Date(user.createDate),
  ...(user.tags.size > 0 && { Tags: tagList(user.tags) }),
});
