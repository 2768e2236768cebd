import {
  CreateRoleCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  PutRolePolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { beforeAll, describe, expect, test } from 'vitest';
import { cloud, credentialDoor, eventually, refusal, settings, undo, unique } from '../cloud.ts';
import { askForCredentials, type ProviderAnswer } from '../credential-provider.ts';
import { type Held, makeSelfSigned } from '../device-key.ts';

/**
 * The credential provider, in the order and the words that awslabs measured against AWS (aws-iot-core-credential-provider-session-helper,
 * docs/dev_notes.md): a request with two faults is refused for the first.
 */

const roleAlias = unique('alias');
const missingAlias = unique('missing');
const longAlias = unique('long');
const RoleName = unique('role');
const thingName = unique('thing');
let door: Awaited<ReturnType<typeof credentialDoor>>;
let held: Held & { certificateId: string; certificateArn: string };
let aliasArns: string[];

const trust = (Service: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service }, Action: 'sts:AssumeRole' }],
  });

async function certificate(status: 'ACTIVE' | 'INACTIVE' | 'REVOKED') {
  const made = await cloud.iot.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: status === 'ACTIVE' }));
  const { certificateId = '', certificateArn = '', certificatePem = '', keyPair } = made;
  const update = (newStatus: iot.CertificateStatus) =>
    cloud.iot.send(new iot.UpdateCertificateCommand({ certificateId, newStatus }));
  undo(`certificate ${certificateId}`, async () => {
    await update('INACTIVE');
    await cloud.iot.send(new iot.DeleteCertificateCommand({ certificateId, forceDelete: true }));
  });
  if (status === 'REVOKED') await update(status);
  return { certificateId, certificateArn, certificatePem, privateKeyPem: keyPair?.PrivateKey ?? '' };
}

async function alias(name: string, credentialDurationSeconds: number, roleArn: string): Promise<string> {
  const input = { roleAlias: name, roleArn, credentialDurationSeconds };
  const { roleAliasArn = '' } = await cloud.iot.send(new iot.CreateRoleAliasCommand(input));
  undo(`role alias ${name}`, () => cloud.iot.send(new iot.DeleteRoleAliasCommand({ roleAlias: name })));
  return roleAliasArn;
}

beforeAll(async () => {
  door = await credentialDoor();
  const { Role } = await cloud.iam.send(
    new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: trust('credentials.iot.amazonaws.com') }),
  );
  undo(`role ${RoleName}`, () => cloud.iam.send(new DeleteRoleCommand({ RoleName })));
  const roleArn = Role?.Arn ?? '';
  const arn = await eventually(() => alias(roleAlias, 900, roleArn));
  await alias(longAlias, 7200, roleArn); // longer than the role's MaxSessionDuration, an hour
  aliasArns = [roleAlias, missingAlias, longAlias].map((name) => arn.replace(roleAlias, name));

  held = await certificate('ACTIVE');
  await cloud.iot.send(new iot.CreateThingCommand({ thingName }));
  undo(`thing ${thingName}`, () => cloud.iot.send(new iot.DeleteThingCommand({ thingName })));
  const attachment = { thingName, principal: held.certificateArn };
  await cloud.iot.send(new iot.AttachThingPrincipalCommand(attachment));
  undo('attachment', () => cloud.iot.send(new iot.DetachThingPrincipalCommand(attachment)));
});

const ask = (asked: Partial<Parameters<typeof askForCredentials>[1]> = {}) =>
  askForCredentials(door, { held, roleAlias, thingName, ...asked });

async function answers(
  expected: { status: number; message?: string },
  asked: Parameters<typeof ask>[0] = {},
): Promise<ProviderAnswer> {
  return eventually(async () => {
    const answer = await ask(asked);
    const { status, body } = answer;
    expect({ status, message: body.message }).toEqual({ message: undefined, ...expected });
    return answer;
  });
}

const badCertificate = { status: 403, message: 'Certificate is invalid on this endpoint' };

describe('a certificate that is not good here is refused first', () => {
  test.each(['INACTIVE', 'REVOKED'] as const)('%s', async (status) => {
    const bad = await certificate(status);
    const { errorType } = await answers(badCertificate, { held: bad, thingName: 'another', roleAlias: missingAlias });
    expect(errorType).toMatch(/^AccessDeniedException/);
  });

  test('unregistered', async () => {
    await answers(badCertificate, { held: await makeSelfSigned() });
  });

  test('none', async () => {
    await answers(badCertificate, { held: undefined });
  });
});

test('then a thing that is not the certificate’s, there or not', async () => {
  const wrongThing = { status: 403, message: 'Invalid thing name passed' };
  await answers(wrongThing, { thingName: unique('nothing'), roleAlias: missingAlias });
  const other = unique('other');
  await cloud.iot.send(new iot.CreateThingCommand({ thingName: other }));
  undo(`thing ${other}`, () => cloud.iot.send(new iot.DeleteThingCommand({ thingName: other })));
  await answers(wrongThing, { thingName: other });
});

test('then a certificate that no policy allows this alias, there or not', async () => {
  await answers({ status: 403, message: 'Access Denied' });
  await answers({ status: 403, message: 'Access Denied' }, { roleAlias: missingAlias });
});

describe('with a policy', () => {
  const policyName = unique('policy');

  beforeAll(async () => {
    const policyDocument = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'iot:AssumeRoleWithCertificate', Resource: aliasArns }],
    });
    await cloud.iot.send(new iot.CreatePolicyCommand({ policyName, policyDocument }));
    undo(`policy ${policyName}`, () => eventually(() => cloud.iot.send(new iot.DeletePolicyCommand({ policyName }))));
    const attachment = { policyName, target: held.certificateArn };
    await cloud.iot.send(new iot.AttachPolicyCommand(attachment));
    undo('policy attachment', () => cloud.iot.send(new iot.DetachPolicyCommand(attachment)));
  });

  test('then an alias that is not there', async () => {
    await answers({ status: 404, message: 'Role alias does not exist' }, { roleAlias: missingAlias });
    // Aliases are case-sensitive.
    await answers({ status: 403, message: 'Access Denied' }, { roleAlias: roleAlias.toUpperCase() });
  });

  test('then a session that the role does not allow', async () => {
    await answers(
      {
        status: 400,
        message: 'The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role',
      },
      { roleAlias: longAlias },
    );
  });

  test('and then credentials that every AWS client can hold', async () => {
    const { body } = await answers({ status: 200 });
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = body.credentials;
    expect(accessKeyId).toMatch(/^A[A-Z0-9]{15,127}$/);
    expect(secretAccessKey.length).toBeLessThanOrEqual(128);
    // The KVS producer SDK takes no longer token, and an expiration of exactly twenty characters.
    expect(sessionToken.length).toBeLessThanOrEqual(2048);
    expect(expiration).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const secondsLeft = (Date.parse(expiration) - Date.now()) / 1000;
    expect(secondsLeft).toBeGreaterThan(800);
    expect(secondsLeft).toBeLessThan(960);
    const device = new STSClient({ ...settings, credentials: { accessKeyId, secretAccessKey, sessionToken } });
    expect(await device.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: expect.stringContaining(`:assumed-role/${RoleName}/${held.certificateId}`),
    });
  });

  test('what they may do follows the thing’s name, which is there only with the header', async () => {
    const PolicyName = 'things-name';
    const PolicyDocument = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 'iot:DescribeThing',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: AWS's policy variable.
          Resource: 'arn:aws:iot:*:*:thing/${credentials-iot:ThingName}',
        },
      ],
    });
    await cloud.iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument }));
    undo('role policy', () => cloud.iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName })));
    const describeWith = async ({ body }: ProviderAnswer) => {
      const { accessKeyId, secretAccessKey, sessionToken } = body.credentials;
      const device = new iot.IoTClient({ ...settings, credentials: { accessKeyId, secretAccessKey, sessionToken } });
      return device.send(new iot.DescribeThingCommand({ thingName }));
    };
    await eventually(async () => expect(await describeWith(await ask())).toMatchObject({ thingName }));
    const bare = await askForCredentials(door, { held, roleAlias });
    expect(bare.status).toBe(200);
    expect(await refusal(describeWith(bare))).toMatchObject({ status: 403 });
  });

  test('but not by a role that does not trust the provider', async () => {
    await cloud.iam.send(
      new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument: trust('lambda.amazonaws.com') }),
    );
    await answers({ status: 400, message: 'Unable to assume the role, or the role to assume does not exist' });
  });
});
