import { beforeEach, describe, expect, it } from 'vitest';
import { ACCOUNT, code, iam, identities, may, openAccount, policy, role, run, trust, user } from './iam-world.ts';

beforeEach(openAccount);

describe('IAM refuses', () => {
  const document = policy('s:Do');

  it.each<[string, string, object, string]>([
    [
      'a second role of a name',
      'CreateRole',
      { RoleName: 'r', AssumeRolePolicyDocument: trust('*') },
      'EntityAlreadyExists',
    ],
    [
      'a trust that is no JSON',
      'CreateRole',
      { RoleName: 'x', AssumeRolePolicyDocument: '{' },
      'MalformedPolicyDocument',
    ],
    [
      'a trust that trusts nobody',
      'CreateRole',
      { RoleName: 'x', AssumeRolePolicyDocument: document },
      'MalformedPolicyDocument',
    ],
    ['a name with a space', 'CreateRole', { RoleName: 'a b', AssumeRolePolicyDocument: trust('*') }, 'ValidationError'],
    [
      'a name of 65',
      'CreateRole',
      { RoleName: 'a'.repeat(65), AssumeRolePolicyDocument: trust('*') },
      'ValidationError',
    ],
    [
      'a duration of a minute',
      'CreateRole',
      { RoleName: 'x', AssumeRolePolicyDocument: trust('*'), MaxSessionDuration: 60 },
      'ValidationError',
    ],
    ['an unknown role', 'GetRole', { RoleName: 'none' }, 'NoSuchEntity'],
    ['an unknown inline policy', 'GetRolePolicy', { RoleName: 'r', PolicyName: 'none' }, 'NoSuchEntity'],
    ['to delete one', 'DeleteRolePolicy', { RoleName: 'r', PolicyName: 'none' }, 'NoSuchEntity'],
    [
      'a policy with a principal',
      'PutRolePolicy',
      { RoleName: 'r', PolicyName: 'x', PolicyDocument: trust('*') },
      'MalformedPolicyDocument',
    ],
    [
      'an action of no service',
      'PutRolePolicy',
      { RoleName: 'r', PolicyName: 'x', PolicyDocument: policy('Do') },
      'MalformedPolicyDocument',
    ],
    [
      'to attach an AWS policy that is not known',
      'AttachRolePolicy',
      { RoleName: 'r', PolicyArn: 'arn:aws:iam::aws:policy/X' },
      'NoSuchEntity',
    ],
    ['to delete a role with a policy', 'DeleteRole', { RoleName: 'r' }, 'DeleteConflict'],
    ['to delete a policy in use', 'DeletePolicy', { PolicyArn: `arn:aws:iam::${ACCOUNT}:policy/m` }, 'DeleteConflict'],
    [
      'to delete the default version',
      'DeletePolicyVersion',
      { PolicyArn: `arn:aws:iam::${ACCOUNT}:policy/m`, VersionId: 'v1' },
      'DeleteConflict',
    ],
    ['to delete a user with a key', 'DeleteUser', { UserName: 'u' }, 'DeleteConflict'],
    ['an unknown user', 'CreateAccessKey', { UserName: 'none' }, 'NoSuchEntity'],
  ])('%s', (_, operation, input, expected) => {
    role('r', trust('*'), document);
    user('u');
    run(iam, 'CreatePolicy', { PolicyName: 'm', PolicyDocument: document });
    run(iam, 'AttachUserPolicy', { UserName: 'u', PolicyArn: `arn:aws:iam::${ACCOUNT}:policy/m` });
    expect(() => run(iam, operation, input)).toThrow(code(expected));
  });

  it('a third key and a sixth version', () => {
    user('u');
    run(iam, 'CreateAccessKey', { UserName: 'u' });
    expect(() => run(iam, 'CreateAccessKey', { UserName: 'u' })).toThrow(code('LimitExceeded', 409));
    const { Policy } = run(iam, 'CreatePolicy', { PolicyName: 'm', PolicyDocument: document });
    const version = { PolicyArn: Policy.Arn, PolicyDocument: document };
    for (let count = 2; count <= 5; count++) run(iam, 'CreatePolicyVersion', version);
    expect(() => run(iam, 'CreatePolicyVersion', version)).toThrow(code('LimitExceeded', 409));
  });
});

describe('IAM', () => {
  it('lets a new default version of a managed policy count at once', () => {
    const u = user('u');
    const { Policy } = run(iam, 'CreatePolicy', { PolicyName: 'm', PolicyDocument: policy('s:Old') });
    run(iam, 'AttachUserPolicy', { UserName: 'u', PolicyArn: Policy.Arn });
    const next = { PolicyArn: Policy.Arn, PolicyDocument: policy('s:New'), SetAsDefault: true };
    expect(run(iam, 'CreatePolicyVersion', next).PolicyVersion.VersionId).toBe('v2');
    expect([may(u, 's:Old'), may(u, 's:New')]).toEqual([false, true]);
    run(iam, 'SetDefaultPolicyVersion', { PolicyArn: Policy.Arn, VersionId: 'v1' });
    expect([may(u, 's:Old'), may(u, 's:New')]).toEqual([true, false]);
  });

  it('asks for an action on the very role, user or policy', () => {
    expect(iam.needs('CreateRole', { RoleName: 'r', Path: '/p/' })).toMatchObject([
      { action: 'iam:CreateRole', resource: `arn:aws:iam::${ACCOUNT}:role/p/r` },
    ]);
    const PolicyArn = 'arn:aws:iam::aws:policy/AdministratorAccess';
    expect(iam.needs('AttachUserPolicy', { UserName: 'u', PolicyArn })).toEqual([
      {
        action: 'iam:AttachUserPolicy',
        resource: `arn:aws:iam::${ACCOUNT}:user/u`,
        context: { 'iam:PolicyARN': PolicyArn },
      },
    ]);
    expect(iam.needs('ListRoles', {})).toMatchObject([{ action: 'iam:ListRoles', resource: '*' }]);
  });

  it('lists in pages', () => {
    for (const name of ['c', 'a', 'b']) role(name, trust('*'));
    const first = run(iam, 'ListRoles', { MaxItems: 2 });
    expect(first.Roles.map((one: { RoleName: string }) => one.RoleName)).toEqual(['a', 'b']);
    expect(run(iam, 'ListRoles', { Marker: first.Marker })).toMatchObject({
      Roles: [{ RoleName: 'c' }],
      IsTruncated: false,
    });
  });

  it('comes back to a snapshot', () => {
    const u = user('u', policy('s:Do'));
    const snapshot = iam.snapshot();
    run(iam, 'PutUserPolicy', { UserName: 'u', PolicyName: 'p0', PolicyDocument: policy('s:Other') });
    role('later', trust('*'));
    for (let again = 0; again < 2; again++) {
      iam.restore(snapshot);
      expect(identities.roles.size).toBe(0);
      expect(may(u, 's:Do')).toBe(true);
      role('later', trust('*'));
    }
  });
});
