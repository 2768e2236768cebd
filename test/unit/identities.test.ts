// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how policies write a variable.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Identity } from '../../local/iam/identities.ts';
import {
  ACCOUNT,
  assume,
  CAMERAS,
  clock,
  code,
  iam,
  identities,
  may,
  openAccount,
  policy,
  role,
  run,
  sts,
  trust,
  user,
} from './iam-world.ts';

beforeEach(openAccount);

describe('a user', () => {
  it('may what its policies say as they stand now', () => {
    const u = user('u', policy('iot:Describe*'));
    expect(may(u, 'iot:DescribeThing')).toBe(true);
    expect(may(u, 'iot:CreateThing')).toBe(false);
    run(iam, 'AttachUserPolicy', { UserName: 'u', PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' });
    expect(may(u, 'iot:CreateThing')).toBe(true);
    run(iam, 'PutUserPolicy', { UserName: 'u', PolicyName: 'no', PolicyDocument: policy('iot:*', '*', 'Deny') });
    expect(may(u, 'iot:DescribeThing')).toBe(false);
  });

  it('is told who, what, where and why not, in AWS’s sentence', () => {
    const u = user('u', policy('s:Denied', '*', 'Deny'));
    expect(() => identities.authorize(u, [{ action: 's:Do', resource: 'arn:r' }])).toThrow(
      `User: arn:aws:iam::${ACCOUNT}:user/u is not authorized to perform: s:Do on resource: arn:r because no identity-based policy allows the s:Do action`,
    );
    expect(() => identities.authorize(u, [{ action: 's:Denied', resource: 'arn:r' }])).toThrow(
      / with an explicit deny in an identity-based policy$/,
    );
  });

  it('must be allowed every need', () => {
    const u = user('u', policy('s:A'));
    const needs = [
      { action: 's:A', resource: 'x' },
      { action: 's:B', resource: 'x' },
    ];
    expect(() => identities.authorize(u, needs)).toThrow(/s:B/);
    expect(() => identities.authorize(u, [])).not.toThrow();
  });

  it('is gone with its key', () => {
    const u = user('u');
    run(iam, 'DeleteAccessKey', { UserName: 'u', AccessKeyId: u.accessKeyId });
    expect(identities.find(u.accessKeyId)).toBeUndefined();
  });

  it('is known to conditions by name, id, ARN, account and time', () => {
    const u = user('u');
    expect(identities.contextOf(u)).toMatchObject({
      'aws:username': 'u',
      'aws:userid': u.userId,
      'aws:PrincipalArn': u.arn,
      'aws:PrincipalAccount': ACCOUNT,
      'aws:EpochTime': expect.stringMatching(/^\d{10}$/),
      'aws:CurrentTime': expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });
});

describe('a role session', () => {
  it('may what the role may, with its own keys in conditions and variables', () => {
    const arn = role('cam', trust(CAMERAS), policy('kinesisvideo:PutMedia', 'arn:s/${credentials-iot:ThingName}/*'));
    const session = assume(arn, { sessionContext: { 'credentials-iot:ThingName': 'a' } });
    expect(may(session, 'kinesisvideo:PutMedia', 'arn:s/a/1')).toBe(true);
    expect(may(session, 'kinesisvideo:PutMedia', 'arn:s/b/1')).toBe(false);
    expect(may(assume(arn), 'kinesisvideo:PutMedia', 'arn:s/a/1')).toBe(false);
  });

  it('can be cut off by its user id', () => {
    const deny = policy('*', '*', 'Deny', { StringLike: { 'aws:userid': '*:bad' } });
    const arn = role('cam', trust(CAMERAS), policy('s:Do'), deny);
    expect(may(assume(arn, { sessionName: 'good' }), 's:Do')).toBe(true);
    expect(may(assume(arn, { sessionName: 'bad' }), 's:Do')).toBe(false);
  });

  it('looks as AWS’s do, and fits what the KVS producer SDK can hold', () => {
    const session = assume(role('cam', trust(CAMERAS)), { sessionName: 'a'.repeat(64) });
    expect(session.accessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(session.secretAccessKey).toHaveLength(40);
    expect(session.sessionToken.length).toBeLessThanOrEqual(2048);
    expect(session.arn).toBe(`arn:aws:sts::${ACCOUNT}:assumed-role/cam/${'a'.repeat(64)}`);
    expect(session.userId).toMatch(/^AROA[A-Z2-7]{17}:a{64}$/);
    expect(session.expiration % 1000).toBe(0);
    expect(identities.find(session.accessKeyId)).toEqual(session);
    expect(identities.contextOf(session)['aws:PrincipalArn']).toBe(`arn:aws:iam::${ACCOUNT}:role/cam`);
  });

  it('loses its power with the role, also when another takes the name', () => {
    const arn = role('cam', trust(CAMERAS), policy('s:Do'));
    const session = assume(arn);
    run(iam, 'DeleteRolePolicy', { RoleName: 'cam', PolicyName: 'p0' });
    run(iam, 'DeleteRole', { RoleName: 'cam' });
    expect(may(session, 's:Do')).toBe(false);
    role('cam', trust(CAMERAS), policy('s:Do'));
    expect(may(session, 's:Do')).toBe(false);
  });

  it('is still known when it has ended, and forgotten after a day', () => {
    const arn = role('cam', trust(CAMERAS));
    const session = assume(arn);
    clock.advance(3601);
    assume(arn);
    expect(identities.find(session.accessKeyId)).toBeDefined();
    clock.advance(86_400);
    assume(arn);
    expect(identities.find(session.accessKeyId)).toBeUndefined();
  });
});

describe('assuming a role', () => {
  it('wants the role, its trust, and a duration it grants, in this order', () => {
    expect(() => assume(`arn:aws:iam::${ACCOUNT}:role/none`)).toThrow(code('NoSuchEntity', 404));
    const lambdas = role('l', trust({ Service: 'lambda.amazonaws.com' }));
    expect(() => assume(lambdas, { durationSeconds: 7200 })).toThrow(code('AccessDenied', 403));
    expect(() => assume(role('c', trust(CAMERAS)), { durationSeconds: 7200 })).toThrow(code('ValidationError', 400));
  });

  it('meets the conditions of the trust', () => {
    const arn = role('c', trust(CAMERAS, { StringEquals: { 'aws:SourceAccount': ACCOUNT } }));
    expect(() => assume(arn)).toThrow(code('AccessDenied'));
    expect(() => assume(arn, { trustContext: { 'aws:SourceAccount': ACCOUNT } })).not.toThrow();
  });

  const bySts = (caller: Identity, RoleArn: string) =>
    run(sts, 'AssumeRole', { RoleArn, RoleSessionName: 'me' }, caller);

  it('by a user: the trust names it, or trusts the account and its own policies allow it', () => {
    const [plain, able] = [user('plain'), user('able', policy('sts:AssumeRole'))];
    const barred = user('barred', policy('sts:AssumeRole', '*', 'Deny'));
    const root = role('r', trust({ AWS: `arn:aws:iam::${ACCOUNT}:root` }));
    const named = role('n', trust({ AWS: [plain.arn, barred.arn] }));
    expect(bySts(able, root).AssumedRoleUser.Arn).toBe(`arn:aws:sts::${ACCOUNT}:assumed-role/r/me`);
    expect(() => bySts(plain, root)).toThrow(code('AccessDenied', 403));
    expect(bySts(plain, named).Credentials.AccessKeyId).toMatch(/^ASIA/);
    expect(() => bySts(barred, named)).toThrow(code('AccessDenied'));
    expect(() => bySts(able, named)).toThrow(code('AccessDenied'));
  });

  it('by a session that the trust names by its role', () => {
    const first = role('first', trust(CAMERAS));
    const second = role('second', trust({ AWS: first }));
    expect(bySts(assume(first), second).AssumedRoleUser.Arn).toContain('assumed-role/second/me');
  });

  it('tells a caller nothing about a role that is not there, and the root nothing at all', () => {
    const able = user('able', policy('sts:AssumeRole'));
    expect(() => bySts(able, `arn:aws:iam::${ACCOUNT}:role/none`)).toThrow(code('AccessDenied', 403));
    expect(() => bySts(identities.root, role('r', trust({ AWS: '*' })))).toThrow(code('AccessDenied', 403));
  });

  it('who one is needs no permission', () => {
    const u = user('u');
    expect(sts.needs('GetCallerIdentity', {})).toEqual([]);
    expect(run(sts, 'GetCallerIdentity', {}, u)).toEqual({ UserId: u.userId, Account: ACCOUNT, Arn: u.arn });
  });
});
