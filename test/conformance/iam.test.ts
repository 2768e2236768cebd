import * as iam from '@aws-sdk/client-iam';
import { describe, expect, test } from 'vitest';
import { cloud, eventually, refusal, undo, unique } from '../cloud.ts';

/** Identity and Access Management: statuses and codes of the IAM API Reference. */

const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
});
const DOCUMENT = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }],
});
const taken = { code: 'EntityAlreadyExistsException', status: 409 };
const unknown = { code: 'NoSuchEntityException', status: 404 };
const inUse = { code: 'DeleteConflictException', status: 409 };
const malformed = { code: 'MalformedPolicyDocumentException', status: 400 };

const createRole = (RoleName: string, AssumeRolePolicyDocument = TRUST, more = {}) =>
  cloud.iam.send(new iam.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument, ...more }));
const deleteRole = (RoleName: string) => cloud.iam.send(new iam.DeleteRoleCommand({ RoleName }));

async function role(more = {}) {
  const RoleName = unique('role');
  undo(`role ${RoleName}`, () => deleteRole(RoleName));
  const { Role } = await createRole(RoleName, TRUST, more);
  return { RoleName, RoleArn: Role?.Arn ?? '' };
}

describe('roles', () => {
  test('there, changed, described', async () => {
    const { RoleName, RoleArn } = await role({ MaxSessionDuration: 7200 });
    expect(RoleArn).toMatch(new RegExp(`^arn:aws:iam::\\d{12}:role/${RoleName}$`));
    const { Role } = await eventually(() => cloud.iam.send(new iam.GetRoleCommand({ RoleName })));
    expect(Role).toMatchObject({ RoleName, Arn: RoleArn, Path: '/', MaxSessionDuration: 7200 });
    // Documents come back URL-encoded (GetRole).
    expect(JSON.parse(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? ''))).toEqual(JSON.parse(TRUST));
    const other = TRUST.replace('lambda', 'iot');
    await cloud.iam.send(new iam.UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument: other }));
    await eventually(async () => {
      const again = await cloud.iam.send(new iam.GetRoleCommand({ RoleName }));
      expect(JSON.parse(decodeURIComponent(again.Role?.AssumeRolePolicyDocument ?? ''))).toEqual(JSON.parse(other));
    });
  });

  test('a name is taken once; an unknown one is unknown', async () => {
    const { RoleName } = await role();
    expect(await refusal(createRole(RoleName))).toMatchObject(taken);
    const nothing = unique('nothing');
    expect(await refusal(cloud.iam.send(new iam.GetRoleCommand({ RoleName: nothing })))).toMatchObject(unknown);
    expect(await refusal(deleteRole(nothing))).toMatchObject(unknown);
  });

  test.each([
    ['not JSON', 'garbage'],
    ['without a principal', DOCUMENT],
    ['an effect of its own', TRUST.replace('Allow', 'Perhaps')],
  ])('a trust policy that is %s is malformed', async (_, document) => {
    expect(await refusal(createRole(unique('role'), document))).toMatchObject(malformed);
  });

  test('an inline policy keeps its role', async () => {
    const { RoleName } = await role();
    const PolicyName = 'inline';
    const remove = () => cloud.iam.send(new iam.DeleteRolePolicyCommand({ RoleName, PolicyName }));
    undo('inline policy', remove);
    const put = (PolicyDocument: string) =>
      cloud.iam.send(new iam.PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument }));
    expect(await refusal(put('garbage'))).toMatchObject(malformed);
    await put(DOCUMENT);
    expect(await cloud.iam.send(new iam.ListRolePoliciesCommand({ RoleName }))).toMatchObject({
      PolicyNames: [PolicyName],
    });
    const got = await cloud.iam.send(new iam.GetRolePolicyCommand({ RoleName, PolicyName }));
    expect(JSON.parse(decodeURIComponent(got.PolicyDocument ?? ''))).toEqual(JSON.parse(DOCUMENT));
    expect(await refusal(deleteRole(RoleName))).toMatchObject(inUse);
    await remove();
    expect(await refusal(cloud.iam.send(new iam.GetRolePolicyCommand({ RoleName, PolicyName })))).toMatchObject(
      unknown,
    );
    await deleteRole(RoleName);
  });
});

describe('managed policies', () => {
  test('AWS’s own are known by their ARN', async () => {
    const PolicyArn = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole';
    expect(await cloud.iam.send(new iam.GetPolicyCommand({ PolicyArn }))).toMatchObject({
      Policy: { PolicyName: 'AWSLambdaBasicExecutionRole', IsAttachable: true },
    });
    expect(
      await refusal(cloud.iam.send(new iam.GetPolicyCommand({ PolicyArn: 'arn:aws:iam::aws:policy/Nothing' }))),
    ).toMatchObject(unknown);
  });

  test('an attached one stays, and keeps its role', async () => {
    const { RoleName } = await role();
    const PolicyName = unique('policy');
    const create = (PolicyDocument = DOCUMENT) =>
      cloud.iam.send(new iam.CreatePolicyCommand({ PolicyName, PolicyDocument }));
    expect(await refusal(create('garbage'))).toMatchObject(malformed);
    const { Policy } = await create();
    const PolicyArn = Policy?.Arn ?? '';
    const remove = () => cloud.iam.send(new iam.DeletePolicyCommand({ PolicyArn }));
    undo(`policy ${PolicyName}`, remove);
    expect(await refusal(create())).toMatchObject(taken);
    const attachment = { RoleName, PolicyArn };
    const detach = () => cloud.iam.send(new iam.DetachRolePolicyCommand(attachment));
    await eventually(() => cloud.iam.send(new iam.AttachRolePolicyCommand(attachment)));
    undo('attachment', detach);
    expect(await cloud.iam.send(new iam.ListAttachedRolePoliciesCommand({ RoleName }))).toMatchObject({
      AttachedPolicies: [{ PolicyName, PolicyArn }],
    });
    expect(await refusal(remove())).toMatchObject(inUse);
    expect(await refusal(deleteRole(RoleName))).toMatchObject(inUse);
    await detach();
    expect(await refusal(detach())).toMatchObject(unknown);
    await eventually(remove);
  });
});

describe('users', () => {
  test('keys keep their user', async () => {
    const UserName = unique('user');
    const remove = () => cloud.iam.send(new iam.DeleteUserCommand({ UserName }));
    undo(`user ${UserName}`, remove);
    await cloud.iam.send(new iam.CreateUserCommand({ UserName }));
    expect(await refusal(cloud.iam.send(new iam.CreateUserCommand({ UserName })))).toMatchObject(taken);
    const { AccessKey } = await cloud.iam.send(new iam.CreateAccessKeyCommand({ UserName }));
    const { AccessKeyId = '' } = AccessKey ?? {};
    undo('access key', () => cloud.iam.send(new iam.DeleteAccessKeyCommand({ UserName, AccessKeyId })));
    expect(AccessKeyId).toMatch(/^AKIA[A-Z0-9]{16}$/);
    expect(await cloud.iam.send(new iam.ListAccessKeysCommand({ UserName }))).toMatchObject({
      AccessKeyMetadata: [{ AccessKeyId, Status: 'Active' }],
    });
    expect(await refusal(remove())).toMatchObject(inUse);
  });
});
