import { DescribeStreamCommand, KinesisVideoClient } from '@aws-sdk/client-kinesis-video';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AwsError } from '../../local/error.ts';
import {
  clock,
  closeDoor,
  config,
  createThing,
  endpoint,
  identities,
  named,
  openDoor,
  operations,
} from './door-world.ts';

beforeEach(openDoor);
afterEach(closeDoor);

describe('the door', () => {
  it('lets a call through to the service that it is signed for', async () => {
    expect(await createThing()).toMatchObject({ thingName: 't', $metadata: { requestId: expect.any(String) } });
    expect(await new STSClient(config()).send(new GetCallerIdentityCommand({}))).toMatchObject({
      Account: '000000000000',
    });
  });

  it('refuses in the words of the service', async () => {
    const wrong = { credentials: { ...identities.root, secretAccessKey: 'x' } };
    await expect(createThing(wrong)).rejects.toEqual(named('InvalidSignatureException', 403));
    await expect(new STSClient(config(wrong)).send(new GetCallerIdentityCommand({}))).rejects.toEqual(
      named('SignatureDoesNotMatch', 403),
    );
    const unknown = { credentials: { accessKeyId: 'AKIA', secretAccessKey: 'x' } };
    await expect(createThing(unknown)).rejects.toEqual(named('UnrecognizedClientException', 403));
    await expect(new STSClient(config(unknown)).send(new GetCallerIdentityCommand({}))).rejects.toEqual(
      named('InvalidClientTokenId', 403),
    );
  });

  it('asks IAM before anything is done', async () => {
    identities.users.set('u', {
      userName: 'u',
      userId: 'AIDA',
      arn: 'arn:aws:iam::000000000000:user/u',
      path: '/',
      createDate: 0,
      inline: new Map(),
      attached: new Set(),
      tags: new Map(),
      keys: new Map([['AKIAU', { accessKeyId: 'AKIAU', secretAccessKey: 's', createDate: 0 }]]),
    });
    const run = vi.fn();
    operations.CreateThing = run;
    const credentials = { accessKeyId: 'AKIAU', secretAccessKey: 's' };
    await expect(createThing({ credentials })).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringMatching(/iot:CreateThing on resource: arn:r/),
    });
    expect(run).not.toHaveBeenCalled();
  });

  it('says that an operation or a service is not there', async () => {
    await expect(new KinesisVideoClient(config()).send(new DescribeStreamCommand({ StreamName: 's' }))).rejects.toEqual(
      named('UnknownOperationException', 404),
    );
  });

  it('passes on what the operation refuses, and makes a bug AWS’s 500 with one line for the log', async () => {
    operations.CreateThing = () => {
      throw new AwsError('ResourceAlreadyExistsException', 409, 'There.', { resourceId: 'i' });
    };
    await expect(createThing()).rejects.toMatchObject({ name: 'ResourceAlreadyExistsException', resourceId: 'i' });

    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    operations.CreateThing = () => Promise.reject(new TypeError('a bug'));
    await expect(createThing()).rejects.toEqual(named('InternalFailure', 500));
    expect(log).toHaveBeenCalledOnce();
    log.mockRestore();
    operations.CreateThing = () => ({});
    await expect(createThing()).resolves.toBeDefined();
  });

  it('tells the stand-in’s time, so that a client can set its own', async () => {
    clock.advance(3600);
    await expect(createThing()).rejects.toEqual(named('InvalidSignatureException', 403));
    await expect(createThing({ maxAttempts: 2 })).resolves.toMatchObject({ thingName: 't' });
    const answer = await fetch(`${endpoint}/`);
    expect(Math.abs(Date.parse(answer.headers.get('date') ?? '') - clock.now())).toBeLessThan(2000);
  });

  it('serves its own paths unsigned, and nothing else', async () => {
    const own = await fetch(`${endpoint}/_own`, { method: 'POST', body: 'hello' });
    expect([own.status, own.headers.get('x-own'), await own.text()]).toEqual([200, 'yes', 'hello']);
    const other = await fetch(`${endpoint}/things/x`);
    expect(other.status).toBe(403);
    expect(other.headers.get('x-amzn-errortype')).toBe('MissingAuthenticationTokenException');
    const form = await fetch(`${endpoint}/`, {
      method: 'POST',
      body: new URLSearchParams({ Action: 'GetCallerIdentity' }),
    });
    expect(await form.text()).toContain('<Code>MissingAuthenticationToken</Code>');
  });
});
