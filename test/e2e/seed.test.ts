import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';
import {
  CERTIFICATE_ID,
  GET_TOKEN,
  GET_TOKEN_WITHOUT_THING,
  PUT_PERMISSION,
  permission,
  TRUST,
  WITH_TOKEN,
} from '../seed-page.ts';
import { openShell, type Ran, type Shell } from '../shell.ts';
import { lacking } from '../tools.ts';

/**
 * "Controlling access to Kinesis Video Streams resources using AWS IoT" (Kinesis Video Streams guide, how-iot), command by command as the page
 * has them, with the AWS CLI, jq and curl. Only where the profile `default` points is ours.
 */

// seed-sdk.test.ts walks the page by SDK all the same.
const lack = lacking('the seed page by the AWS CLI', 'bash', 'curl', 'jq', 'the AWS CLI');

/** Each command starts a Python; on a busy machine that takes seconds. */
const timeout = 300_000;

const LISTS = [
  'iot list-things',
  'iot list-thing-types',
  'iot list-certificates',
  'iot list-policies',
  'iot list-role-aliases',
  'iam list-roles',
  'kinesisvideo list-streams',
];

describe.skipIf(lack)('the seed page by the AWS CLI', { timeout }, () => {
  let run: LocalRun;
  let shell: Shell;
  let before: string[];

  beforeAll(async () => {
    run = await startLocalRun();
    shell = await openShell(run.outputs);
    before = await everything();
  }, timeout);
  afterAll(async () => {
    await shell?.close();
    await run?.stop();
  });

  const everything = () => Promise.all(LISTS.map((list) => shell.runs(`aws ${list}`)));
  const json = async (command: string) => JSON.parse(await shell.runs(command));
  const file = (name: string) => readFile(join(shell.folder, name), 'utf8');
  /** The commands one after the other, as somebody would paste them. */
  const inTurn = async (...commands: string[]) => {
    for (const command of commands) await shell.runs(command);
  };
  const token = async () => JSON.parse(await file('token.json'));
  const denied = ({ code, stderr }: Ran, action: string) => {
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain('AccessDeniedException');
    expect(stderr).toContain(`is not authorized to perform: ${action}`);
  };

  test('step 1: a thing type and a thing', async () => {
    await inTurn(
      'aws --profile default iot create-thing-type --thing-type-name kvs_example_camera > iot-thing-type.json',
      'aws --profile default  iot create-thing --thing-name kvs_example_camera_stream --thing-type-name kvs_example_camera > iot-thing.json',
    );
    expect(JSON.parse(await file('iot-thing-type.json'))).toEqual({
      thingTypeName: 'kvs_example_camera',
      thingTypeArn: expect.stringMatching(/^arn:aws:iot:us-east-1:\d{12}:thingtype\/kvs_example_camera$/),
      thingTypeId: expect.any(String),
    });
    expect(JSON.parse(await file('iot-thing.json'))).toMatchObject({ thingName: 'kvs_example_camera_stream' });
  });

  test('step 2: a role, its permissions, a role alias, a policy', async () => {
    await shell.write('iam-policy-document.json', TRUST);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: AWS's policy variable.
    await shell.write('iam-permission-document.json', permission('${credentials-iot:ThingName}'));
    await inTurn(
      "aws --profile default iam create-role --role-name KVSCameraCertificateBasedIAMRole --assume-role-policy-document 'file://iam-policy-document.json' > iam-role.json",
      PUT_PERMISSION,
      "aws --profile default iot create-role-alias --role-alias KvsCameraIoTRoleAlias --role-arn $(jq --raw-output '.Role.Arn' iam-role.json) --credential-duration-seconds 3600 > iot-role-alias.json",
      `cat > iot-policy-document.json <<EOF
{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "iot:AssumeRoleWithCertificate"
            ],
            "Resource": "$(jq --raw-output '.roleAliasArn' iot-role-alias.json)"
        }
    ]
}
EOF`,
      "aws --profile default iot create-policy --policy-name KvsCameraIoTPolicy --policy-document 'file://iot-policy-document.json'",
    );
    const { Role } = JSON.parse(await file('iam-role.json'));
    expect(Role).toMatchObject({
      RoleName: 'KVSCameraCertificateBasedIAMRole',
      AssumeRolePolicyDocument: JSON.parse(TRUST),
    });
    expect(JSON.parse(await file('iot-role-alias.json'))).toEqual({
      roleAlias: 'KvsCameraIoTRoleAlias',
      roleAliasArn: expect.stringMatching(/:rolealias\/KvsCameraIoTRoleAlias$/),
    });
  });

  test('step 3: a certificate that holds the policy and belongs to the thing', async () => {
    await inTurn(
      'aws --profile default iot create-keys-and-certificate --set-as-active --certificate-pem-outfile certificate.pem --public-key-outfile public.pem.key --private-key-outfile private.pem.key > certificate',
      "aws --profile default iot attach-policy --policy-name KvsCameraIoTPolicy --target $(jq --raw-output '.certificateArn' certificate)",
      "aws --profile default iot attach-thing-principal --thing-name kvs_example_camera_stream --principal $(jq --raw-output '.certificateArn' certificate)",
      'aws --profile default iot describe-endpoint --endpoint-type iot:CredentialProvider --output text > iot-credential-provider.txt',
    );
    // The page gets AWS's own CA here: curl --silent 'https://www.amazontrust.com/repository/SFSRootCAG2.pem' --output cacert.pem
    // It is the one command that cannot be run without a network, and the stand-in's certificates are signed by another CA.
    await copyFile(run.outputs.caPath, join(shell.folder, 'cacert.pem'));
    const { host, port } = run.outputs.credentials;
    expect((await file('iot-credential-provider.txt')).trim()).toBe(`${host}:${port}`);
    expect(await shell.runs('openssl x509 -in certificate.pem -noout -subject || true')).toContain(
      'AWS IoT Certificate',
    );
  });

  test("step 4: the credentials work, on the thing's stream", async () => {
    await inTurn(
      'aws kinesisvideo create-stream --data-retention-in-hours 24 --stream-name kvs_example_camera_stream',
      GET_TOKEN,
    );
    expect(await token()).toEqual({
      credentials: {
        accessKeyId: expect.stringMatching(/^A/),
        secretAccessKey: expect.any(String),
        sessionToken: expect.any(String),
        expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
    });
    const { StreamInfo } = await json(
      `${WITH_TOKEN} aws kinesisvideo describe-stream --stream-name kvs_example_camera_stream`,
    );
    expect(StreamInfo).toMatchObject({ StreamName: 'kvs_example_camera_stream', DataRetentionInHours: 24 });
    expect(await json(`${WITH_TOKEN} aws sts get-caller-identity`)).toMatchObject({
      Arn: expect.stringMatching(/:assumed-role\/KVSCameraCertificateBasedIAMRole\/[0-9a-f]{64}$/),
    });
  });

  test("not for another thing's stream, and for nothing that the page does not allow", async () => {
    await shell.runs('aws kinesisvideo create-stream --stream-name another_camera_stream');
    denied(
      await shell.tries(`${WITH_TOKEN} aws kinesisvideo describe-stream --stream-name another_camera_stream`),
      'kinesisvideo:DescribeStream',
    );
    denied(
      await shell.tries(`${WITH_TOKEN} aws kinesisvideo create-stream --stream-name kvs_example_camera_stream_2`),
      'kinesisvideo:CreateStream',
    );
    denied(await shell.tries(`${WITH_TOKEN} aws iot list-things`), 'iot:ListThings');
  });

  test('without the thing-name header the credentials open no stream', async () => {
    await shell.runs(GET_TOKEN_WITHOUT_THING);
    denied(
      await shell.tries(`${WITH_TOKEN} aws kinesisvideo describe-stream --stream-name kvs_example_camera_stream`),
      'kinesisvideo:DescribeStream',
    );
    await shell.runs(GET_TOKEN.replace('thingname:kvs_example_camera_stream', 'thingname:another_camera'));
    expect(await token()).toEqual({ message: 'Invalid thing name passed' });
  });

  test('an inactive certificate gets no credentials', async () => {
    const update = `${CERTIFICATE_ID}aws iot update-certificate --certificate-id $CERTIFICATE_ID --new-status`;
    await inTurn(`${update} INACTIVE`, GET_TOKEN);
    expect(await token()).toEqual({ message: 'Certificate is invalid on this endpoint' });
    await inTurn(`${update} ACTIVE`, GET_TOKEN);
    expect(await token()).toHaveProperty('credentials');
  });

  test('the certificate id as the name of the stream', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: AWS's policy variable.
    await shell.write('iam-permission-document.json', permission('${credentials-iot:AwsCertificateId}'));
    await inTurn(
      PUT_PERMISSION,
      `${CERTIFICATE_ID}aws kinesisvideo create-stream --data-retention-in-hours 24 --stream-name $CERTIFICATE_ID`,
      GET_TOKEN,
    );
    const { certificateId } = JSON.parse(await file('certificate'));
    const { StreamInfo } = await json(
      `${CERTIFICATE_ID}${WITH_TOKEN} aws kinesisvideo describe-stream --stream-name \${CERTIFICATE_ID}`,
    );
    expect(StreamInfo.StreamName).toBe(certificateId);
    denied(
      await shell.tries(`${WITH_TOKEN} aws kinesisvideo describe-stream --stream-name kvs_example_camera_stream`),
      'kinesisvideo:DescribeStream',
    );
    // Its value is always there, with the header or without.
    await shell.runs(GET_TOKEN_WITHOUT_THING);
    await shell.runs(
      `${CERTIFICATE_ID}${WITH_TOKEN} aws kinesisvideo describe-stream --stream-name \${CERTIFICATE_ID}`,
    );
  });

  test('a hard-coded name of the stream', async () => {
    await shell.write('iam-permission-document.json', permission('YourStreamName'));
    await inTurn(
      PUT_PERMISSION,
      'aws kinesisvideo create-stream --data-retention-in-hours 24 --stream-name YourStreamName',
      GET_TOKEN,
    );
    const { StreamInfo } = await json(`${WITH_TOKEN} aws kinesisvideo describe-stream --stream-name YourStreamName`);
    expect(StreamInfo.StreamName).toBe('YourStreamName');
    denied(
      await shell.tries(
        `${CERTIFICATE_ID}${WITH_TOKEN} aws kinesisvideo describe-stream --stream-name $CERTIFICATE_ID`,
      ),
      'kinesisvideo:DescribeStream',
    );
  });

  test('all of it can be looked at', async () => {
    const { certificateArn, certificateId } = JSON.parse(await file('certificate'));
    const look = async (command: string, expected: unknown) =>
      expect(await json(`aws ${command}`)).toMatchObject(expected as object);
    await Promise.all([
      look('iot describe-thing --thing-name kvs_example_camera_stream', { thingTypeName: 'kvs_example_camera' }),
      look('iot describe-thing-type --thing-type-name kvs_example_camera', {
        thingTypeMetadata: { deprecated: false },
      }),
      look('iot list-thing-principals --thing-name kvs_example_camera_stream', { principals: [certificateArn] }),
    ]);
    await Promise.all([
      look(`iot list-principal-things --principal ${certificateArn}`, { things: ['kvs_example_camera_stream'] }),
      look(`iot describe-certificate --certificate-id ${certificateId}`, {
        certificateDescription: { certificateArn, status: 'ACTIVE' },
      }),
      look(`iot list-attached-policies --target ${certificateArn}`, {
        policies: [{ policyName: 'KvsCameraIoTPolicy' }],
      }),
    ]);
    await Promise.all([
      look('iot list-targets-for-policy --policy-name KvsCameraIoTPolicy', { targets: [certificateArn] }),
      look('iot get-policy --policy-name KvsCameraIoTPolicy', { defaultVersionId: '1' }),
      look('iot describe-role-alias --role-alias KvsCameraIoTRoleAlias', {
        roleAliasDescription: { credentialDurationSeconds: 3600 },
      }),
    ]);
    await Promise.all([
      look('iam get-role --role-name KVSCameraCertificateBasedIAMRole', { Role: { MaxSessionDuration: 3600 } }),
      look('iam list-role-policies --role-name KVSCameraCertificateBasedIAMRole', {
        PolicyNames: ['KVSCameraIAMPolicy'],
      }),
      look('iam get-role-policy --role-name KVSCameraCertificateBasedIAMRole --policy-name KVSCameraIAMPolicy', {
        PolicyDocument: JSON.parse(permission('YourStreamName')),
      }),
    ]);
  });

  test('and all of it can be taken back, with nothing left behind', async () => {
    await shell.runs('aws iot deprecate-thing-type --thing-type-name kvs_example_camera');
    const deprecatedAt = Date.now();
    const certificate = "$(jq --raw-output '.certificateArn' certificate)";
    await inTurn(
      `aws iot detach-thing-principal --thing-name kvs_example_camera_stream --principal ${certificate}`,
      `aws iot detach-policy --policy-name KvsCameraIoTPolicy --target ${certificate}`,
      `${CERTIFICATE_ID}aws iot update-certificate --certificate-id $CERTIFICATE_ID --new-status INACTIVE`,
      `${CERTIFICATE_ID}aws iot delete-certificate --certificate-id $CERTIFICATE_ID`,
      'aws iot delete-policy --policy-name KvsCameraIoTPolicy',
      'aws iot delete-role-alias --role-alias KvsCameraIoTRoleAlias',
      'aws iam delete-role-policy --role-name KVSCameraCertificateBasedIAMRole --policy-name KVSCameraIAMPolicy',
      'aws iam delete-role --role-name KVSCameraCertificateBasedIAMRole',
      'aws iot delete-thing --thing-name kvs_example_camera_stream',
      ...['kvs_example_camera_stream', 'another_camera_stream', 'YourStreamName', '$CERTIFICATE_ID'].map(
        (stream) =>
          `${CERTIFICATE_ID}aws kinesisvideo delete-stream --stream-arn $(aws kinesisvideo describe-stream --stream-name ${stream} | jq --raw-output '.StreamInfo.StreamARN')`,
      ),
    );
    // A type can be deleted five minutes after its deprecation (DeprecateThingType). The CLI signs with the real time, which may be less than
    // five minutes off: the rest has passed while the commands above ran.
    const rest = Math.max(0, 301 - Math.floor((Date.now() - deprecatedAt) / 1000));
    await tellStandIn(run.outputs.aws, 'clock', { advanceSeconds: rest });
    await shell.runs('aws iot delete-thing-type --thing-type-name kvs_example_camera');
    // A stream is DELETING for a moment.
    await vi.waitFor(async () => expect(await everything()).toEqual(before), { timeout: 60_000 });
    const gone = await shell.tries('aws iot describe-thing --thing-name kvs_example_camera_stream');
    expect(gone.stderr).toContain('ResourceNotFoundException');
  });
});
