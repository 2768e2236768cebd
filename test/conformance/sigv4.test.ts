import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteRoleCommand,
  DeleteUserCommand,
} from '@aws-sdk/client-iam';
import { IoTClient, ListThingsCommand } from '@aws-sdk/client-iot';
import { KinesisVideoClient, ListStreamsCommand } from '@aws-sdk/client-kinesis-video';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { beforeAll, describe, expect, test } from 'vitest';
import { cloud, eventually, refusal, settings, undo, unique } from '../cloud.ts';
import type { Keys } from '../http-api.ts';

/** Signature Version 4: who is turned away at the door, by each service in its own words. */

let good: Keys;
beforeAll(async () => {
  const { accessKeyId, secretAccessKey, sessionToken } = await cloud.sts.config.credentials();
  good = { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
});

type Options = { credentials: Keys; systemClockOffset?: number };
type Call = () => Promise<unknown>;

/** A client of each service, and one harmless call. */
const CALLERS = {
  iot: (options: Options): Call => {
    const client = new IoTClient({ ...settings, maxAttempts: 1, ...options });
    return () => client.send(new ListThingsCommand({}));
  },
  kinesisvideo: (options: Options): Call => {
    const client = new KinesisVideoClient({ ...settings, maxAttempts: 1, ...options });
    return () => client.send(new ListStreamsCommand({}));
  },
  dynamodb: (options: Options): Call => {
    const client = new DynamoDBClient({ ...settings, maxAttempts: 1, ...options });
    return () => client.send(new ListTablesCommand({}));
  },
  sts: (options: Options): Call => {
    const client = new STSClient({ ...settings, maxAttempts: 1, ...options });
    return () => client.send(new GetCallerIdentityCommand({}));
  },
};
type Service = keyof typeof CALLERS;
const SERVICES = Object.keys(CALLERS) as Service[];

const REFUSALS = {
  iot: { unknown: ['UnrecognizedClientException', 403], badSignature: ['InvalidSignatureException', 403] },
  kinesisvideo: { unknown: ['UnrecognizedClientException', 403], badSignature: ['InvalidSignatureException', 403] },
  dynamodb: { unknown: ['UnrecognizedClientException', 400], badSignature: ['InvalidSignatureException', 400] },
  sts: { unknown: ['InvalidClientTokenId', 403], badSignature: ['SignatureDoesNotMatch', 403] },
} as const;

const refused = ([code, status]: readonly [string, number]) => ({ code, status });

describe.each(SERVICES)('%s', (service) => {
  const { unknown, badSignature } = REFUSALS[service];
  const caller = CALLERS[service];
  const call = (options: Options) => caller(options)();

  test('takes the right signature', async () => {
    await call({ credentials: { ...good } });
  });

  test('an unknown key', async () => {
    const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: good.secretAccessKey };
    expect(await refusal(call({ credentials }))).toMatchObject(refused(unknown));
  });

  test('a wrong secret', async () => {
    const credentials = { ...good, secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
    expect(await refusal(call({ credentials }))).toMatchObject(refused(badSignature));
  });

  test.each([-3600_000, 3600_000])('a clock that is %d ms off', async (systemClockOffset) => {
    const answer = await refusal(call({ credentials: { ...good }, systemClockOffset }));
    expect(answer).toMatchObject(refused(badSignature));
    expect(answer.message).toMatch(/^Signature (expired|not yet current)/);
  });

  test('the answer tells an SDK the time', async () => {
    const again = caller({ credentials: { ...good }, systemClockOffset: -3600_000 });
    expect(await refusal(again())).toMatchObject(refused(badSignature));
    await again();
  });
});

describe('temporary credentials', () => {
  let session: Required<Keys>;

  beforeAll(async () => {
    const UserName = unique('user');
    const RoleName = unique('role');
    const { User } = await cloud.iam.send(new CreateUserCommand({ UserName }));
    undo(`user ${UserName}`, () => cloud.iam.send(new DeleteUserCommand({ UserName })));
    const { AccessKey } = await cloud.iam.send(new CreateAccessKeyCommand({ UserName }));
    const { AccessKeyId: accessKeyId = '', SecretAccessKey: secretAccessKey = '' } = AccessKey ?? {};
    undo('access key', () => cloud.iam.send(new DeleteAccessKeyCommand({ UserName, AccessKeyId: accessKeyId })));
    const AssumeRolePolicyDocument = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: User?.Arn }, Action: 'sts:AssumeRole' }],
    });
    const { Role } = await eventually(() =>
      cloud.iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument })),
    );
    undo(`role ${RoleName}`, () => cloud.iam.send(new DeleteRoleCommand({ RoleName })));
    const sts = new STSClient({ ...settings, credentials: { accessKeyId, secretAccessKey } });
    // A trust policy that names the caller is enough.
    const { Credentials } = await eventually(() =>
      sts.send(new AssumeRoleCommand({ RoleArn: Role?.Arn, RoleSessionName: 'conformance' })),
    );
    session = {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    };
  });

  test('say who they are, and may do nothing that their role may not', async () => {
    expect(
      await new STSClient({ ...settings, credentials: session }).send(new GetCallerIdentityCommand({})),
    ).toMatchObject({ Arn: expect.stringMatching(/:assumed-role\/.+\/conformance$/) });
    expect(await refusal(CALLERS.iot({ credentials: session })())).toMatchObject({ status: 403 });
    expect(await refusal(CALLERS.dynamodb({ credentials: session })())).toMatchObject({
      code: 'AccessDeniedException',
      status: 400,
    });
  });

  test.each(SERVICES)('%s: without their token they are nobody’s', async (service) => {
    const { sessionToken: _, ...credentials } = session;
    const call = (keys: Keys) => CALLERS[service]({ credentials: keys })();
    const { unknown } = REFUSALS[service];
    expect(await refusal(call(credentials))).toMatchObject(refused(unknown));
    expect(await refusal(call({ ...credentials, sessionToken: 'another' }))).toMatchObject(refused(unknown));
  });
});

test('nobody is asked to sign', async () => {
  const endpoint = 'endpoint' in settings ? settings.endpoint : `https://iot.${settings.region}.amazonaws.com`;
  const answer = await fetch(`${endpoint}/things`);
  expect(answer.status).toBe(403);
  expect(answer.headers.get('x-amzn-errortype')).toMatch(/^MissingAuthenticationTokenException/);
});
