import { describe, expect, it } from 'vitest';
import { refusal as credentialRefusal, keepCredentials } from '../../camera/credentials.ts';
import { unreachable } from '../../camera/failure.ts';
import { rejection } from '../../camera/fleet-provisioning.ts';
import { refusal as videoRefusal } from '../../camera/kinesis-video.ts';

describe('a rejected claim', () => {
  it.each([
    [400, 'InvalidCertificateOwnershipToken', 'anew'],
    [400, 'InvalidParameters', 'never'],
    [403, 'AccessDenied', 'denied'],
    [404, 'ResourceNotFound', 'never'],
    [409, 'ResourceConflicts', 'again'],
    [429, 'Throttled', 'again'],
    [500, 'InternalFailure', 'again'],
  ])('%i %s: %s', (statusCode, errorCode, remedy) => {
    const failure = rejection({ statusCode, errorCode, errorMessage: 'words' }, 'claim');
    expect(failure).toMatchObject({ remedy, message: expect.stringContaining(`${statusCode} ${errorCode}: words`) });
  });
});

describe('a refusal of the credential provider', () => {
  const door = {
    endpoint: 'localhost:8443',
    roleAlias: 'alias',
    thingName: 'CAM-1',
    certificatePem: '',
    privateKeyPem: '',
    caPem: '',
  };

  it.each([
    [403, 'Certificate is invalid on this endpoint', 'denied', 'no longer active'],
    [403, 'Invalid thing name passed', 'denied', 'not attached to that thing'],
    [403, 'Access Denied', 'denied', 'iot:AssumeRoleWithCertificate'],
    [404, 'Role alias does not exist', 'never', 'case-sensitive'],
    [400, 'Unable to assume the role, or the role to assume does not exist', 'never', 'trust policy'],
    [
      400,
      'The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role',
      'never',
      'longer than its role',
    ],
    [400, 'Rate exceeded', 'again', 'Rate exceeded'],
    [429, 'Too many', 'again', 'Too many'],
    [503, '', 'again', '503'],
  ])('%i %s: %s', (status, message, remedy, words) => {
    const failure = credentialRefusal(status, JSON.stringify({ message }), door);
    expect(failure).toMatchObject({ remedy, message: expect.stringContaining(words) });
  });
});

describe('kept credentials', () => {
  const now = 1_795_000_000_000;
  const fetching = (lifeMs: number, clockOffsetMs = 0) => {
    let fetched = 0;
    const fetch = async () => ({
      accessKeyId: `A${++fetched}`,
      secretAccessKey: 's',
      sessionToken: 't',
      expiration: new Date(now + clockOffsetMs + lifeMs),
      clockOffsetMs,
    });
    return fetch;
  };

  it.each([0, 0.5, 1])('are asked for again in the last 1–20 % of their life (%f)', async (random) => {
    const credentials = keepCredentials(fetching(3_600_000), () => random);
    const early = 3_600_000 * (0.01 + 0.19 * random);
    await credentials(now);
    const renewAt = now + 3_600_000 - Math.max(early, 38_000);
    expect((await credentials(renewAt - 1)).accessKeyId).toBe('A1');
    expect((await credentials(renewAt)).accessKeyId).toBe('A2');
  });

  it('are kept as long by a camera that believes it is 1970', async () => {
    const credentials = keepCredentials(fetching(900_000, 56 * 365 * 86_400_000), () => 0.5);
    await credentials(now);
    expect((await credentials(now + 700_000)).accessKeyId).toBe('A1');
  });
});

describe('a refusal of Kinesis Video', () => {
  it.each([
    [403, 'AccessDeniedException', 'denied'],
    [403, 'ExpiredTokenException', 'again'],
    [404, 'ResourceNotFoundException', 'again'],
    [400, 'ClientLimitExceededException', 'again'],
    [400, 'ConnectionLimitExceededException:', 'again'],
    [400, 'InvalidArgumentException', 'never'],
    [500, 'InternalFailure', 'again'],
  ])('%i %s: %s', (status, name, remedy) => {
    const failure = videoRefusal('putMedia', status, name, '{"Message":"words"}');
    expect(failure).toMatchObject({ remedy, message: expect.stringContaining('words') });
  });
});

describe('a connection that fails', () => {
  it.each([
    ['ECONNREFUSED', 'again'],
    ['CERT_NOT_YET_VALID', 'again'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'never'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'never'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'denied'],
  ])('%s: %s', (code, remedy) => {
    expect(unreachable('host:1', Object.assign(new Error('why'), { code }))).toMatchObject({ remedy });
  });
});
