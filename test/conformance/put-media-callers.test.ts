import {
  CreateRoleCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { beforeAll, describe, expect, test } from 'vitest';
import { cloud, eventually, undo, unique } from '../cloud.ts';
import type { Keys } from '../http-api.ts';
import { type Asked, callersKeys, type MediaStream, makeStream, open, openIn, types, WHOLE } from '../media-streams.ts';
import { cluster, END_OF_FRAGMENT, head } from '../unit/matroska.ts';

/**
 * Who may PutMedia and who is refused (Kinesis Video Streams guide, API_dataplane_PutMedia). Makes two streams and a role; the caller must be
 * somebody who may assume a role, so no root user.
 */

let as: Keys;
let own: MediaStream;
let neighbours: MediaStream;
/** May put media to `own`, and nothing else; the same session every time, under new keys. */
let cameraKeys: () => Promise<Keys>;

beforeAll(async () => {
  as = await callersKeys();
  [own, neighbours] = await Promise.all([makeStream(1), makeStream(1)]);
  cameraKeys = await makeCamera(own);
});

async function makeCamera({ name }: MediaStream): Promise<() => Promise<Keys>> {
  const { Account } = await cloud.sts.send(new GetCallerIdentityCommand({}));
  const RoleName = unique('camera');
  const document = (statement: object) =>
    JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });
  const trust = document({ Principal: { AWS: `arn:aws:iam::${Account}:root` }, Action: 'sts:AssumeRole' });
  const { Role } = await cloud.iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: trust }));
  undo(`role ${RoleName}`, () => cloud.iam.send(new DeleteRoleCommand({ RoleName })));
  const policy = { RoleName, PolicyName: 'one-stream' };
  const Resource = `arn:aws:kinesisvideo:*:*:stream/${name}/*`;
  const PolicyDocument = document({ Action: 'kinesisvideo:PutMedia', Resource });
  await cloud.iam.send(new PutRolePolicyCommand({ ...policy, PolicyDocument }));
  undo('role policy', () => cloud.iam.send(new DeleteRolePolicyCommand(policy)));
  return async () => {
    const assume = new AssumeRoleCommand({ RoleArn: Role?.Arn, RoleSessionName: 'camera' });
    const { Credentials } = await eventually(() => cloud.sts.send(assume));
    const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = Credentials ?? {};
    return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  };
}

async function refused(asked: Partial<Asked>) {
  const upload = await open({ stream: own, as, ...asked });
  upload.send(head());
  return upload.refusal();
}

const invalid = { status: 400, code: 'InvalidArgumentException' };

test('an unknown stream is not found', async () => {
  const notFound = { status: 404, code: 'ResourceNotFoundException' };
  const name = unique('nothing');
  expect(await refused({ named: { name } })).toMatchObject(notFound);
  expect(await refused({ named: { arn: own.arn.replace(own.name, name) } })).toMatchObject(notFound);
});

describe('an invalid argument is', () => {
  test.each<[string, Asked['headers']]>([
    ['no stream', { 'x-amzn-stream-name': undefined }],
    ['a name that is none', { 'x-amzn-stream-name': 'a/b' }],
    ['no timecode type', { 'x-amzn-fragment-timecode-type': undefined }],
    ['an unknown timecode type', { 'x-amzn-fragment-timecode-type': 'SOMETIMES' }],
  ])('%s', async (_, headers) => {
    expect(await refused({ headers })).toMatchObject(invalid);
  });

  test('a name and an ARN', async () => {
    expect(await refused({ headers: { 'x-amzn-stream-arn': own.arn } })).toMatchObject(invalid);
  });
});

test('a wrong secret is a wrong signature', async () => {
  expect(await refused({ as: { ...as, secretAccessKey: 'wrong' } })).toMatchObject({
    status: 403,
    code: 'InvalidSignatureException',
  });
});

describe('a camera', () => {
  test('films on its own stream, by name and by ARN', async () => {
    const camera = await cameraKeys();
    for (const named of [{ name: own.name }, { arn: own.arn }]) {
      const upload = await openIn({ stream: own, as: camera, named }, head(), cluster(Date.now()));
      upload.end();
      expect(types(await upload.rest())).toBe(WHOLE);
    }
  });

  test("guess: gets 403 on its neighbour's, as in AWS's logs, and not the 401 of the page", async () => {
    const { status, code, message } = await refused({ as: await cameraKeys(), stream: neighbours });
    expect({ status, code }).toEqual({ status: 403, code: 'AccessDeniedException' });
    expect(message).toMatch(
      /:assumed-role\/.+\/camera is not authorized to perform: kinesisvideo:PutMedia on resource: /,
    );
  });

  test('is one connection', async () => {
    const camera = await cameraKeys();
    const upload = await openIn({ stream: own, as: camera }, head(), cluster(Date.now()));
    await upload.next();
    for (const second of [camera, as]) {
      expect(await refused({ as: second })).toMatchObject({ status: 400, code: 'ConnectionLimitExceededException' });
    }
    upload.end();
    expect(types(await upload.rest())).toBe('RECEIVED PERSISTED');
  });

  test('guess: but the same session under new keys is let in beside it, as when credentials are renewed', async () => {
    const start = Date.now();
    const old = await openIn({ stream: own, as: await cameraKeys() }, head(), cluster(start));
    await old.next();
    const renewed = await open({ stream: own, as: await cameraKeys() });
    renewed.send(head(), cluster(start + 2000));
    expect(await renewed.next()).toMatchObject({ EventType: 'BUFFERING', FragmentTimecode: start + 2000 });
    old.send(END_OF_FRAGMENT);
    old.end();
    expect(types(await old.rest())).toBe('RECEIVED PERSISTED');
    renewed.end();
    expect(types(await renewed.rest())).toBe('RECEIVED PERSISTED');
  });
});
