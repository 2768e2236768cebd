import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ClaimCertificate } from '../../shared/domain/claim.ts';
import type { Device } from '../../shared/domain/device.ts';
import type { RefusedClaim } from '../../shared/domain/refusal.ts';
import { type ClaimPorts, type ClaimRequest, claim } from '../../shared/flow/claim.ts';
import { claimByTemplate, reprovisioning } from '../../shared/flow/claim-by-template.ts';
import { certificateKeySha256, claimTokenSha256 } from '../../shared/keys.ts';

const certificateOf = async () => {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  x509.cryptoProvider.set(webcrypto as never);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    keys,
    signingAlgorithm: algorithm,
    name: 'CN=x',
  });
  return made.toString('pem');
};

const keys = await Promise.all(Array.from({ length: 20 }, certificateOf));
const [first, second] = keys as [string, string];
const token = '0123456789abcdef'.repeat(2);
const settings = { openClaims: false };

/** A registry, claims and streams in memory, which remember what was asked of them. */
const world = (change: Partial<Device> = {}) => {
  const calls: string[] = [];
  const devices = new Map<string, Device>();
  const certificates = new Map<string, ClaimCertificate>([
    ['batch', { certificateId: 'batch', createdAt: '', createdBy: '' }],
  ]);
  const refusals: (RefusedClaim & { announced: boolean })[] = [];
  const contested: string[] = [];
  const counted: string[] = [];
  const foreign = new Set<string>();
  const made = new Map<string, string>();
  let streamAnswer: 'made' | 'late' | 'limit' | Error = 'made';
  devices.set('CAM-1', {
    serialNumber: 'CAM-1',
    version: 1,
    status: 'registered',
    thingName: 'CAM-1',
    streamMode: 'thing-name',
    channels: [],
    registeredAt: '2026-11-24T07:00:00.000Z',
    certificates: [],
    streams: [],
    history: [],
    ...change,
  });
  const ports: ClaimPorts = {
    registry: {
      async find(serialNumber, claimCertificateId) {
        calls.push('find');
        const device = devices.get(serialNumber);
        const claimCertificate = claimCertificateId === undefined ? undefined : certificates.get(claimCertificateId);
        return { ...(device && { device }), ...(claimCertificate && { claimCertificate }) };
      },
      async save(before, after) {
        calls.push('save');
        if (devices.get(after.serialNumber)?.version !== before?.version) return false;
        devices.set(after.serialNumber, after);
        return true;
      },
      async contest(serialNumber, reason) {
        contested.push(`${serialNumber} ${reason}`);
      },
    },
    claimCertificates: {
      async countRefusal(certificateId) {
        counted.push(certificateId);
      },
    },
    claims: {
      async record(refusal, announced) {
        refusals.push({ ...refusal, announced });
      },
    },
    streams: {
      async make(name, serialNumber) {
        calls.push('make');
        if (streamAnswer instanceof Error) throw streamAnswer;
        if (foreign.has(name) || made.has(name)) return 'exists';
        if (streamAnswer === 'made') made.set(name, serialNumber);
        return streamAnswer;
      },
      async isOurs(name, serialNumber) {
        calls.push('isOurs');
        return made.get(name) === serialNumber;
      },
    },
    now: () => new Date('2026-11-24T08:00:00Z'),
  };
  const answerStreams = (answer: typeof streamAnswer) => {
    streamAnswer = answer;
  };
  const device = () => devices.get('CAM-1') as Device;
  return { ports, calls, devices, refusals, contested, counted, foreign, made, answerStreams, device };
};

const request = (change: Partial<ClaimRequest> = {}): ClaimRequest => ({
  serialNumber: 'CAM-1',
  certificateId: 'c1',
  certificatePem: first,
  door: 'mqtt',
  claimCertificateId: 'batch',
  ...change,
});

let here: ReturnType<typeof world>;
beforeEach(() => {
  here = world();
});

const ask = (change: Partial<ClaimRequest> = {}) => claim(request(change), here.ports, settings);

describe('claim', () => {
  it('takes one read, one write and one stream on the straight path, and two calls where the stream is fixed', async () => {
    expect(await ask()).toMatchObject({ allow: true, streamName: 'CAM-1' });
    expect(here.calls).toEqual(['find', 'save', 'make']);
    here = world({ streamMode: 'fixed' });
    expect(await claim(request(), here.ports, { ...settings, fixedStream: 'lobby' })).toMatchObject({
      streamName: 'lobby',
    });
    expect(here.calls).toEqual(['find', 'save']);
  });

  it('answers the same certificate the same and writes nothing', async () => {
    const answer = await ask();
    const version = here.device().version;
    expect(await ask()).toEqual(answer);
    expect(here.device().version).toBe(version);
  });

  it('admits the pinned key, and the token, and writes down every refusal', async () => {
    here = world({ publicKeySha256: certificateKeySha256(second) });
    expect(await ask()).toEqual({ allow: false, reason: 'key-mismatch' });
    expect(await ask({ certificatePem: second })).toMatchObject({ allow: true });
    here = world({ claimTokenSha256: claimTokenSha256(token) });
    expect(await ask()).toEqual({ allow: false, reason: 'token-missing' });
    expect(await ask({ claimToken: `${token}x` })).toEqual({ allow: false, reason: 'token-invalid' });
    expect(await ask({ serialNumber: 'NOBODY', claimToken: token })).toEqual({
      allow: false,
      reason: 'unknown-serial',
    });
    expect(await ask({ claimToken: token })).toMatchObject({ allow: true });
    expect(here.refusals.map(({ serialNumber, reason, announced }) => [serialNumber, reason, announced])).toEqual([
      ['CAM-1', 'token-missing', true],
      ['CAM-1', 'token-invalid', true],
      ['NOBODY', 'unknown-serial', false],
    ]);
    expect(JSON.stringify([here.refusals, [...here.devices]])).not.toContain(token);
  });

  it('of twenty keys at once admits exactly one', async () => {
    const asked = keys.map((certificatePem, index) => ask({ certificatePem, certificateId: `c${index}` }));
    const answers = await Promise.all(asked);
    expect(answers.filter(({ allow }) => allow)).toHaveLength(1);
    expect(answers.flatMap((answer) => (answer.allow ? [] : [answer.reason]))).toEqual(
      Array(19).fill('already-claimed'),
    );
    expect(here.device().certificates).toHaveLength(1);
    expect(here.contested).toHaveLength(19);
  });

  it('stands by its refusal when it cannot be written down', async () => {
    here.ports.claims.record = async () => {
      throw new Error('the table is gone');
    };
    expect(await ask({ serialNumber: 'NOBODY' })).toEqual({
      allow: false,
      reason: 'unknown-serial',
      unrecorded: 'Error',
    });
  });
});

describe('a claim whose answer was lost', () => {
  it('goes on with the same key and another certificate, on the stream that is there', async () => {
    await ask();
    expect(await ask({ certificateId: 'c2' })).toMatchObject({ allow: true, streamName: 'CAM-1' });
    expect(here.device().certificates.map(({ id, state }) => [id, state])).toEqual([
      ['c1', 'allowed'],
      ['c2', 'allowed'],
    ]);
  });

  it('goes on after the hook died between its write and the stream', async () => {
    here.answerStreams(new Error('killed'));
    await expect(ask()).rejects.toThrow('killed');
    here.answerStreams('made');
    expect(await ask()).toMatchObject({ allow: true });
    expect([...here.made.keys()]).toEqual(['CAM-1']);
  });

  it('goes on when the write was done and its answer lost', async () => {
    const { save } = here.ports.registry;
    let isLost = true;
    here.ports.registry.save = async (before, after) => {
      const isSaved = await save(before, after);
      const wasLost = isLost;
      isLost = false;
      return wasLost ? false : isSaved;
    };
    expect(await ask()).toMatchObject({ allow: true });
    expect(here.device().certificates).toHaveLength(1);
  });
});

describe('the stream of a claim', () => {
  it('that could not be made in time is noted as pending and due, and the camera may go on', async () => {
    here.answerStreams('late');
    expect(await ask()).toMatchObject({ allow: true });
    expect(here.device()).toMatchObject({ streams: [{ state: 'pending' }], dueAt: '2026-11-24T08:00:00.000Z' });
    expect(here.device().history).toHaveLength(1);
  });

  it('that is somebody else’s is refused, and the device is as it was', async () => {
    here.foreign.add('CAM-1');
    expect(await ask()).toEqual({ allow: false, reason: 'stream-taken' });
    expect(here.device()).toMatchObject({ status: 'registered', certificates: [], streams: [] });
    expect(await ask()).toEqual({ allow: false, reason: 'stream-taken' });
    here.foreign.clear();
    expect(await ask()).toMatchObject({ allow: true });
  });

  it('is refused where the account has no more', async () => {
    here.answerStreams('limit');
    expect(await ask()).toEqual({ allow: false, reason: 'stream-limit' });
    expect(here.device().status).toBe('registered');
  });
});

describe('a claim through the template', () => {
  const names = { 'thing-name': 'tn', 'certificate-id': 'ci', fixed: 'fx' };
  const templateSettings = { ...settings, roleAliases: names, thingTypes: names };
  const asked = (parameters: Record<string, unknown>) =>
    claimByTemplate({ ...request(), parameters }, here.ports, templateSettings);

  it('sets every parameter of the template but the serial number', async () => {
    here = world({ batch: '42', channels: ['sub', 'audio'] });
    expect(await asked({ SerialNumber: 'CAM-1', ClaimToken: '' })).toEqual({
      allow: true,
      parameters: {
        ClaimToken: '',
        ThingName: 'CAM-1',
        ThingTypeName: 'tn',
        Batch: '42',
        RoleAlias: 'tn',
        StreamName: 'CAM-1',
        Channels: 'sub,audio',
      },
    });
  });

  it('refuses what is no serial number, and any parameter that is not the device’s, and writes that down', async () => {
    for (const SerialNumber of [undefined, '', 'x'.repeat(129), 'a/b', 'a b', 7]) {
      expect(await asked({ SerialNumber })).toEqual({ allow: false, reason: 'invalid-serial' });
    }
    expect(await asked({ SerialNumber: 'CAM-1', ThingName: 'CAM-2' })).toEqual({
      allow: false,
      reason: 'parameter-not-allowed',
    });
    expect(here.refusals.map(({ serialNumber, sent }) => [serialNumber, sent])).toEqual([
      ['#invalid', undefined],
      ['#invalid', ''],
      ['#invalid', 'x'.repeat(129)],
      ['#invalid', 'a/b'],
      ['#invalid', 'a b'],
      ['#invalid', undefined],
      ['CAM-1', undefined],
    ]);
    expect(here.device().status).toBe('registered');
  });

  it('knows the re-provisioning policies by name', () => {
    expect(reprovisioning(undefined)).toBeUndefined();
    expect(reprovisioning('refuse')).toBe('refuse');
    expect(() => reprovisioning('refused')).toThrow('refused');
  });
});
