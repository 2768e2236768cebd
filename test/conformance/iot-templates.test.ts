import {
  AttachRolePolicyCommand,
  CreateRoleCommand,
  DeleteRoleCommand,
  DetachRolePolicyCommand,
} from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import { beforeAll, describe, expect, test } from 'vitest';
import { cloud, eventually, refusal, undo, unique } from '../cloud.ts';
import { makeDeviceKey } from '../device-key.ts';

/** Provisioning templates, their versions and claims, and RegisterThing over HTTP: statuses and codes of the API Reference. */

const notFound = { code: 'ResourceNotFoundException', status: 404 };
const invalid = { code: 'InvalidRequestException', status: 400 };
let provisioningRoleArn: string;

beforeAll(async () => {
  const RoleName = unique('role');
  const AssumeRolePolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'iot.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  });
  const { Role } = await cloud.iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
  undo(`role ${RoleName}`, () => cloud.iam.send(new DeleteRoleCommand({ RoleName })));
  const managed = { RoleName, PolicyArn: 'arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration' };
  await cloud.iam.send(new AttachRolePolicyCommand(managed));
  undo('managed policy', () => cloud.iam.send(new DetachRolePolicyCommand(managed)));
  provisioningRoleArn = Role?.Arn ?? '';
});

const body = (thingName: object | string = { Ref: 'SerialNumber' }) =>
  JSON.stringify({
    Parameters: { SerialNumber: { Type: 'String' }, 'AWS::IoT::Certificate::Id': { Type: 'String' } },
    Resources: {
      thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: thingName } },
      certificate: {
        Type: 'AWS::IoT::Certificate',
        Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'Active' },
      },
    },
  });

const create = (templateName: string, templateBody = body(), more = {}) =>
  eventually(() =>
    cloud.iot.send(
      new iot.CreateProvisioningTemplateCommand({ templateName, templateBody, provisioningRoleArn, ...more }),
    ),
  );
const createOnce = (templateName: string, templateBody: string) =>
  cloud.iot.send(new iot.CreateProvisioningTemplateCommand({ templateName, templateBody, provisioningRoleArn }));
const describeTemplate = (templateName: string) =>
  cloud.iot.send(new iot.DescribeProvisioningTemplateCommand({ templateName }));
const remove = (templateName: string) => cloud.iot.send(new iot.DeleteProvisioningTemplateCommand({ templateName }));

async function template(more = {}) {
  const templateName = unique('t'); // at most 36 characters
  undo(`template ${templateName}`, () => remove(templateName));
  await create(templateName, body(), more);
  return templateName;
}

describe('templates', () => {
  test('there, changed, and back', async () => {
    const templateName = await template({ description: 'first', enabled: true });
    expect(await describeTemplate(templateName)).toMatchObject({
      templateName,
      templateArn: expect.stringMatching(new RegExp(`:provisioningtemplate/${templateName}$`)),
      templateBody: body(),
      description: 'first',
      enabled: true,
      defaultVersionId: 1,
      type: 'FLEET_PROVISIONING',
      provisioningRoleArn,
      creationDate: expect.any(Date),
    });
    await cloud.iot.send(
      new iot.UpdateProvisioningTemplateCommand({ templateName, description: 'second', enabled: false }),
    );
    expect(await describeTemplate(templateName)).toMatchObject({ description: 'second', enabled: false });
    await remove(templateName);
    expect(await refusal(describeTemplate(templateName))).toMatchObject(notFound);
  });

  test('a name is taken once; an unknown one is not found', async () => {
    const templateName = await template();
    expect(await refusal(createOnce(templateName, body()))).toMatchObject({
      code: 'ResourceAlreadyExistsException',
      status: 409,
    });
    const nothing = unique('n');
    expect(await refusal(describeTemplate(nothing))).toMatchObject(notFound);
    expect(await refusal(remove(nothing))).toMatchObject(notFound);
    expect(
      await refusal(cloud.iot.send(new iot.CreateProvisioningClaimCommand({ templateName: nothing }))),
    ).toMatchObject(notFound);
  });

  test.each([
    ['not JSON', 'garbage'],
    ['without resources', '{}'],
    ['of more than 10,240 characters', body('x'.repeat(10_240))],
  ])('a body that is %s is an invalid request', async (_, templateBody) => {
    expect(await refusal(createOnce(unique('t'), templateBody))).toMatchObject(invalid);
  });
});

describe('versions', () => {
  const createVersion = (templateName: string, setAsDefault = false) =>
    cloud.iot.send(
      new iot.CreateProvisioningTemplateVersionCommand({ templateName, templateBody: body('fixed'), setAsDefault }),
    );
  const removeVersion = (templateName: string, versionId: number) =>
    cloud.iot.send(new iot.DeleteProvisioningTemplateVersionCommand({ templateName, versionId }));

  test('five at the most; the default one stays', async () => {
    const templateName = await template();
    expect(await createVersion(templateName, true)).toMatchObject({ versionId: 2, isDefaultVersion: true });
    expect(await describeTemplate(templateName)).toMatchObject({ defaultVersionId: 2, templateBody: body('fixed') });
    for (const versionId of [3, 4, 5]) expect(await createVersion(templateName)).toMatchObject({ versionId });
    expect(await refusal(createVersion(templateName))).toMatchObject({
      code: 'VersionsLimitExceededException',
      status: 409,
    });
    const { versions } = await cloud.iot.send(new iot.ListProvisioningTemplateVersionsCommand({ templateName }));
    expect(versions?.map(({ versionId }) => versionId).sort()).toEqual([1, 2, 3, 4, 5]);
    expect(await refusal(removeVersion(templateName, 2))).toMatchObject({
      code: 'DeleteConflictException',
      status: 409,
    });
    await removeVersion(templateName, 1);
    const first = new iot.DescribeProvisioningTemplateVersionCommand({ templateName, versionId: 1 });
    expect(await refusal(cloud.iot.send(first))).toMatchObject(notFound);
  });
});

test('a provisioning claim is good for five minutes, and in no list', async () => {
  const templateName = await template({ enabled: true });
  const claim = await cloud.iot.send(new iot.CreateProvisioningClaimCommand({ templateName }));
  expect(claim.keyPair?.PrivateKey).toContain('PRIVATE KEY');
  const secondsLeft = (Number(claim.expiration) - Date.now()) / 1000;
  expect(secondsLeft).toBeGreaterThan(200);
  expect(secondsLeft).toBeLessThanOrEqual(310);
  const { certificates } = await cloud.iot.send(
    new iot.ListCertificatesCommand({ pageSize: 250, ascendingOrder: false }),
  );
  expect(certificates?.map(({ certificateId }) => certificateId)).not.toContain(claim.certificateId);
});

describe('RegisterThing', () => {
  const withCsr = JSON.stringify({
    Parameters: { SerialNumber: { Type: 'String' }, CSR: { Type: 'String' } },
    Resources: {
      thing: {
        Type: 'AWS::IoT::Thing',
        Properties: { ThingName: { Ref: 'SerialNumber' }, AttributePayload: { maker: 'me' } },
      },
      certificate: {
        Type: 'AWS::IoT::Certificate',
        Properties: { CertificateSigningRequest: { Ref: 'CSR' }, Status: 'ACTIVE' },
      },
    },
  });
  const register = (parameters: Record<string, string>, templateBody = withCsr) =>
    cloud.iot.send(new iot.RegisterThingCommand({ templateBody, parameters }));

  test('makes what the template says, from a request', async () => {
    const thingName = unique('thing');
    const { certificateSigningRequest: CSR } = await makeDeviceKey();
    const { certificatePem, resourceArns } = await register({ SerialNumber: thingName, CSR });
    const principal = resourceArns?.certificate ?? '';
    const certificateId = principal.split('/')[1] ?? '';
    undo(`thing ${thingName}`, () => cloud.iot.send(new iot.DeleteThingCommand({ thingName })));
    undo(`certificate ${certificateId}`, () =>
      eventually(() => cloud.iot.send(new iot.DeleteCertificateCommand({ certificateId, forceDelete: true }))),
    );
    undo('status', () => cloud.iot.send(new iot.UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' })));
    undo('attachment', () => cloud.iot.send(new iot.DetachThingPrincipalCommand({ thingName, principal })));
    expect(certificatePem).toContain('BEGIN CERTIFICATE');
    expect(resourceArns?.thing).toMatch(new RegExp(`:thing/${thingName}$`));
    expect(await cloud.iot.send(new iot.DescribeThingCommand({ thingName }))).toMatchObject({
      attributes: { maker: 'me' },
    });
    await eventually(async () =>
      expect(await cloud.iot.send(new iot.ListThingPrincipalsCommand({ thingName }))).toMatchObject({
        principals: [principal],
      }),
    );
  });

  test('makes nothing if a parameter is missing or the request is none', async () => {
    const thingName = unique('thing');
    expect((await refusal(register({ SerialNumber: thingName }))).status).toBe(400);
    expect((await refusal(register({ SerialNumber: thingName, CSR: 'garbage' }))).status).toBe(400);
    expect(await refusal(cloud.iot.send(new iot.DescribeThingCommand({ thingName })))).toMatchObject(notFound);
  });
});
