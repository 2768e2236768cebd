import { CreateRoleCommand, DeleteRoleCommand } from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import { beforeAll, describe, expect, test } from 'vitest';
import { cloud, eventually, refusal, undo, unique } from '../cloud.ts';
import { makeDeviceKey } from '../device-key.ts';

/** IoT policies and role aliases: statuses and codes of the API Reference. */

const DOCUMENT = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }],
});
const notFound = { code: 'ResourceNotFoundException', status: 404 };
const conflict = { code: 'ResourceAlreadyExistsException', status: 409 };

describe('policies', () => {
  const create = (policyName: string, policyDocument = DOCUMENT) =>
    cloud.iot.send(new iot.CreatePolicyCommand({ policyName, policyDocument }));
  const remove = (policyName: string) => cloud.iot.send(new iot.DeletePolicyCommand({ policyName }));
  const createVersion = (policyName: string, policyDocument = DOCUMENT, setAsDefault = false) =>
    cloud.iot.send(new iot.CreatePolicyVersionCommand({ policyName, policyDocument, setAsDefault }));
  const removeVersion = (policyName: string, policyVersionId: string) =>
    cloud.iot.send(new iot.DeletePolicyVersionCommand({ policyName, policyVersionId }));

  const policy = async () => {
    const policyName = unique('policy');
    undo(`policy ${policyName}`, () => remove(policyName));
    await create(policyName);
    return policyName;
  };

  test('a name is taken once', async () => {
    const policyName = await policy();
    expect(await refusal(create(policyName))).toMatchObject(conflict);
    expect(await cloud.iot.send(new iot.GetPolicyCommand({ policyName }))).toMatchObject({
      policyDocument: DOCUMENT,
      defaultVersionId: '1',
    });
  });

  test.each([
    ['not JSON', 'garbage'],
    ['without statements', '{"Version":"2012-10-17"}'],
    ['an effect of its own', DOCUMENT.replace('Allow', 'Perhaps')],
  ])('a document that is %s is malformed', async (_, document) => {
    const malformed = { code: 'MalformedPolicyException', status: 400 };
    expect(await refusal(create(unique('policy'), document))).toMatchObject(malformed);
    expect(await refusal(createVersion(await policy(), document))).toMatchObject(malformed);
  });

  test('an unknown one is not found', async () => {
    const policyName = unique('nothing');
    expect(await refusal(cloud.iot.send(new iot.GetPolicyCommand({ policyName })))).toMatchObject(notFound);
    expect(await refusal(remove(policyName))).toMatchObject(notFound);
    expect(await refusal(createVersion(policyName))).toMatchObject(notFound);
  });

  test('has five versions at the most, and loses the default one last', async () => {
    const policyName = await policy();
    for (const version of ['2', '3', '4', '5']) {
      undo(`version ${version} of ${policyName}`, () => removeVersion(policyName, version));
      expect(await createVersion(policyName)).toMatchObject({ policyVersionId: version, isDefaultVersion: false });
    }
    expect(await refusal(createVersion(policyName))).toMatchObject({
      code: 'VersionsLimitExceededException',
      status: 409,
    });
    expect(await refusal(remove(policyName))).toMatchObject({ code: 'DeleteConflictException', status: 409 });
    const { code } = await refusal(removeVersion(policyName, '1'));
    expect(code).toMatch(/^(InvalidRequest|DeleteConflict)Exception$/);
  });

  test('is attached once or twice alike, and keeps itself and its certificate from being deleted', async () => {
    const policyName = await policy();
    const { certificateSigningRequest } = await makeDeviceKey();
    const made = await cloud.iot.send(new iot.CreateCertificateFromCsrCommand({ certificateSigningRequest }));
    const { certificateId = '', certificateArn: target = '' } = made;
    const removeCertificate = (forceDelete = false) =>
      cloud.iot.send(new iot.DeleteCertificateCommand({ certificateId, forceDelete }));
    undo(`certificate ${certificateId}`, () => removeCertificate(true));
    await cloud.iot.send(new iot.AttachPolicyCommand({ policyName, target }));
    await cloud.iot.send(new iot.AttachPolicyCommand({ policyName, target }));
    await eventually(async () =>
      expect(await cloud.iot.send(new iot.ListAttachedPoliciesCommand({ target }))).toMatchObject({
        policies: [{ policyName }],
      }),
    );
    expect(await cloud.iot.send(new iot.ListTargetsForPolicyCommand({ policyName }))).toMatchObject({
      targets: [target],
    });
    const inUse = { code: 'DeleteConflictException', status: 409 };
    expect(await refusal(remove(policyName))).toMatchObject(inUse);
    expect(await refusal(removeCertificate())).toMatchObject(inUse);
    // forceDelete overrides policies, nothing else (DeleteCertificate).
    await removeCertificate(true);
    await eventually(() => remove(policyName));
  });

  test('an unknown one is not attached', async () => {
    const { certificateSigningRequest } = await makeDeviceKey();
    const made = await cloud.iot.send(new iot.CreateCertificateFromCsrCommand({ certificateSigningRequest }));
    const { certificateId = '', certificateArn: target = '' } = made;
    undo(`certificate ${certificateId}`, () => cloud.iot.send(new iot.DeleteCertificateCommand({ certificateId })));
    const attach = new iot.AttachPolicyCommand({ policyName: unique('nothing'), target });
    expect(await refusal(cloud.iot.send(attach))).toMatchObject(notFound);
  });
});

describe('role aliases', () => {
  let roleArn: string;

  beforeAll(async () => {
    const RoleName = unique('role');
    const AssumeRolePolicyDocument = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Principal: { Service: 'credentials.iot.amazonaws.com' }, Action: 'sts:AssumeRole' },
      ],
    });
    const { Role } = await cloud.iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
    undo(`role ${RoleName}`, () => cloud.iam.send(new DeleteRoleCommand({ RoleName })));
    roleArn = Role?.Arn ?? '';
  });

  const create = (roleAlias: string, credentialDurationSeconds?: number) =>
    cloud.iot.send(
      new iot.CreateRoleAliasCommand({
        roleAlias,
        roleArn,
        ...(credentialDurationSeconds !== undefined && { credentialDurationSeconds }),
      }),
    );
  const remove = (roleAlias: string) => cloud.iot.send(new iot.DeleteRoleAliasCommand({ roleAlias }));

  test('there, changed, and back', async () => {
    const roleAlias = unique('alias');
    undo(`role alias ${roleAlias}`, () => remove(roleAlias));
    expect(await create(roleAlias)).toMatchObject({
      roleAlias,
      roleAliasArn: expect.stringMatching(new RegExp(`:rolealias/${roleAlias}$`)),
    });
    expect(await refusal(create(roleAlias))).toMatchObject(conflict);
    await cloud.iot.send(new iot.UpdateRoleAliasCommand({ roleAlias, credentialDurationSeconds: 900 }));
    expect(await cloud.iot.send(new iot.DescribeRoleAliasCommand({ roleAlias }))).toMatchObject({
      roleAliasDescription: { roleAlias, roleArn, credentialDurationSeconds: 900 },
    });
    await remove(roleAlias);
    expect(await refusal(remove(roleAlias))).toMatchObject(notFound);
    expect(await refusal(cloud.iot.send(new iot.DescribeRoleAliasCommand({ roleAlias })))).toMatchObject(notFound);
  });

  test.each([10, 899, 43_201])('%d seconds are out of range', async (seconds) => {
    expect(await refusal(create(unique('alias'), seconds))).toMatchObject({
      code: 'InvalidRequestException',
      status: 400,
    });
  });
});
