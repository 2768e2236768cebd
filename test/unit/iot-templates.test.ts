import {
  AttachPolicyCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateProvisioningClaimCommand,
  CreateProvisioningTemplateCommand,
  CreateProvisioningTemplateVersionCommand,
  CreateRoleAliasCommand,
  CreateThingCommand,
  CreateThingGroupCommand,
  CreateTopicRuleCommand,
  DescribeCertificateCommand,
  DescribeEndpointCommand,
  DescribeProvisioningTemplateCommand,
  DescribeRoleAliasCommand,
  GetTopicRuleCommand,
  ListCertificatesCommand,
  RegisterThingCommand,
  UpdateProvisioningTemplateCommand,
} from '@aws-sdk/client-iot';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { ACCOUNT, REGION } from './aws-door.ts';
import { DOCUMENT, openIot, ROLE, refused } from './iot-door.ts';

const { client: iot, door, empty, registry, newCertificate, clientOf } = await openIot();

afterAll(() => door.close());
beforeEach(empty);

test('a role alias has a duration of its range and one role', async () => {
  const create = (credentialDurationSeconds?: number) =>
    iot.send(new CreateRoleAliasCommand({ roleAlias: 'alias', roleArn: ROLE, credentialDurationSeconds }));
  await expect(create(899)).rejects.toMatchObject(refused('InvalidRequestException', 400));
  await create();
  await expect(create()).rejects.toMatchObject(refused('ResourceAlreadyExistsException', 409));
  const { roleAliasDescription } = await iot.send(new DescribeRoleAliasCommand({ roleAlias: 'alias' }));
  expect(roleAliasDescription).toMatchObject({ roleArn: ROLE, owner: ACCOUNT, credentialDurationSeconds: 3600 });
});

describe('provisioning templates', () => {
  const templateBody = JSON.stringify({
    Parameters: { SerialNumber: { Type: 'String' } },
    Resources: {
      thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: 'SerialNumber' } } },
      certificate: {
        Type: 'AWS::IoT::Certificate',
        Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' } },
      },
    },
  });
  const preProvisioningHook = { targetArn: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:hook` };
  const create = (body = templateBody) =>
    iot.send(
      new CreateProvisioningTemplateCommand({
        templateName: 'claim',
        templateBody: body,
        provisioningRoleArn: ROLE,
        enabled: true,
        preProvisioningHook,
      }),
    );
  const describeTemplate = () => iot.send(new DescribeProvisioningTemplateCommand({ templateName: 'claim' }));

  test('are kept as they were given', async () => {
    await create();
    await expect(create()).rejects.toMatchObject(refused('ResourceAlreadyExistsException', 409));
    expect(await describeTemplate()).toMatchObject({
      templateBody,
      enabled: true,
      defaultVersionId: 1,
      type: 'FLEET_PROVISIONING',
      preProvisioningHook: { ...preProvisioningHook, payloadVersion: '2020-04-01' },
    });
    await iot.send(new UpdateProvisioningTemplateCommand({ templateName: 'claim', removePreProvisioningHook: true }));
    expect(await describeTemplate()).not.toHaveProperty('preProvisioningHook');
  });

  test('have five versions at most', async () => {
    await create();
    const version = () =>
      iot.send(new CreateProvisioningTemplateVersionCommand({ templateName: 'claim', templateBody }));
    for (let n = 2; n <= 5; n += 1) await version();
    await expect(version()).rejects.toMatchObject(refused('VersionsLimitExceededException', 409));
  });

  test('of a fleet take no CSR', async () => {
    const body = templateBody.replace('CertificateId', 'CertificateSigningRequest');
    await expect(create(body)).rejects.toMatchObject(refused('InvalidRequestException', 400));
  });

  test('lend a trusted user a certificate for five minutes, in no list', async () => {
    await create();
    const claim = await iot.send(new CreateProvisioningClaimCommand({ templateName: 'claim' }));
    const certificateId = claim.certificateId ?? '';
    expect(registry.certificate(certificateId)).toMatchObject({
      status: 'ACTIVE',
      provisioningClaim: { templateName: 'claim' },
    });
    expect(claim.expiration?.getTime()).toBeCloseTo(door.clock.now() + 300_000, -4);
    expect((await iot.send(new ListCertificatesCommand({}))).certificates).toEqual([]);
    await expect(iot.send(new DescribeCertificateCommand({ certificateId }))).rejects.toMatchObject(
      refused('ResourceNotFoundException', 404),
    );
  });
});

describe('rules', () => {
  const create = (sql: string, actions: object[] = []) =>
    iot.send(new CreateTopicRuleCommand({ ruleName: 'r', topicRulePayload: { sql, actions: actions as [] } }));

  test('that the stand-in could not follow are refused when they are made', async () => {
    await expect(create('SELECT nonsense(')).rejects.toMatchObject(refused('SqlParseException', 400));
    await expect(create("SELECT * FROM 'a'", [{ sqs: { roleArn: ROLE, queueUrl: 'x' } }])).rejects.toMatchObject(
      refused('InvalidRequestException', 400),
    );
  });

  test('that are not there are forbidden to look at', async () => {
    await expect(iot.send(new GetTopicRuleCommand({ ruleName: 'r' }))).rejects.toMatchObject(
      refused('UnauthorizedException', 401),
    );
  });
});

test('endpoints are told by type', async () => {
  const endpoint = async (endpointType: string) =>
    (await iot.send(new DescribeEndpointCommand({ endpointType }))).endpointAddress;
  expect(await endpoint('iot:Data-ATS')).toBe('localhost:8883');
  expect(await endpoint('iot:CredentialProvider')).toBe('localhost:8443');
  await expect(endpoint('iot:Bogus')).rejects.toMatchObject(refused('InvalidRequestException', 400));
});

test('an operation that is not imitated is unknown', async () => {
  await expect(iot.send(new CreateThingGroupCommand({ thingGroupName: 'g' }))).rejects.toMatchObject({
    name: 'UnknownOperationException',
  });
});

describe('a caller', () => {
  const denied = (action: string, resource: string) => ({
    ...refused('AccessDeniedException', 403),
    message: expect.stringContaining(`is not authorized to perform: ${action} on resource: ${resource}`),
  });

  test('needs the action on the very resource', async () => {
    const only = {
      Effect: 'Allow',
      Action: 'iot:CreateThing',
      Resource: `arn:aws:iot:${REGION}:${ACCOUNT}:thing/mine-*`,
    };
    const user = clientOf('things', [only]);
    await user.send(new CreateThingCommand({ thingName: 'mine-1' }));
    await expect(user.send(new CreateThingCommand({ thingName: 'other' }))).rejects.toMatchObject(
      denied('iot:CreateThing', `arn:aws:iot:${REGION}:${ACCOUNT}:thing/other`),
    );
    await expect(user.send(new CreateKeysAndCertificateCommand({}))).rejects.toMatchObject(
      denied('iot:CreateKeysAndCertificate', '*'),
    );
  });

  test('attaches to certificates, by their ARN', async () => {
    const { certificateArn: target } = await newCertificate();
    await iot.send(new CreatePolicyCommand({ policyName: 'p', policyDocument: DOCUMENT }));
    const user = clientOf('attacher', [
      { Effect: 'Allow', Action: 'iot:AttachPolicy', Resource: registry.arn('policy/p') },
    ]);
    await expect(user.send(new AttachPolicyCommand({ policyName: 'p', target }))).rejects.toMatchObject(
      denied('iot:AttachPolicy', target),
    );
  });

  test('passes a role only where it may', async () => {
    const user = clientOf('aliases', [
      { Effect: 'Allow', Action: 'iot:CreateRoleAlias', Resource: '*' },
      {
        Effect: 'Allow',
        Action: 'iam:PassRole',
        Resource: ROLE,
        Condition: { StringEquals: { 'iam:PassedToService': 'credentials.iot.amazonaws.com' } },
      },
    ]);
    await user.send(new CreateRoleAliasCommand({ roleAlias: 'mine', roleArn: ROLE }));
    const other = `arn:aws:iam::${ACCOUNT}:role/admin`;
    await expect(user.send(new CreateRoleAliasCommand({ roleAlias: 'other', roleArn: other }))).rejects.toMatchObject(
      denied('iam:PassRole', other),
    );
  });

  test('of RegisterThing needs what it does, too', async () => {
    const { certificateId } = await newCertificate(false);
    const templateBody = JSON.stringify({
      Resources: {
        thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: 'cam' } },
        certificate: { Type: 'AWS::IoT::Certificate', Properties: { CertificateId: certificateId } },
      },
    });
    const user = clientOf('registrar', [{ Effect: 'Allow', Action: 'iot:RegisterThing', Resource: '*' }]);
    await expect(user.send(new RegisterThingCommand({ templateBody }))).rejects.toMatchObject(
      denied('iot:DescribeCertificate', registry.arn(`cert/${certificateId}`)),
    );
    const { resourceArns } = await iot.send(new RegisterThingCommand({ templateBody }));
    expect(resourceArns).toEqual({
      thing: registry.arn('thing/cam'),
      certificate: registry.arn(`cert/${certificateId}`),
    });
  });
});
