import { beforeEach, describe, expect, it } from 'vitest';
import type { Device } from '../../shared/domain/device.ts';
import type { RefusedClaim } from '../../shared/domain/refusal.ts';
import { finishDue } from '../../shared/flow/finish-due.ts';
import { type RenewPorts, renewByTemplate } from '../../shared/flow/renew.ts';
import { certificateKeySha256 } from '../../shared/keys.ts';
import { settings as deployed, keyed, makingWorld } from './making-world.ts';

const { certificatePem } = await keyed();
const earlier = '2026-11-23T07:00:00.000Z';
const now = new Date('2026-11-24T08:00:00Z');
const settings = { ...deployed, fixedStream: 'lobby', roleAliases: deployed.deployment.roleAliases };

const active = (change: Partial<Device> = {}): Device => ({
  serialNumber: 'CAM-1',
  version: 1,
  status: 'active',
  thingName: 'CAM-1',
  streamMode: 'thing-name',
  channels: ['sub'],
  batch: '42',
  registeredAt: earlier,
  certificates: [{ id: 'own', publicKeySha256: 'k', door: 'mqtt', state: 'current', since: earlier }],
  streams: [{ name: 'CAM-1', state: 'made', since: earlier }],
  history: [],
  ...change,
});

/** A registry, refusals and streams in memory, which remember what was asked of them. */
const world = (change: Partial<Device> = {}) => {
  const calls: string[] = [];
  const devices = new Map<string, Device>([['CAM-1', active(change)]]);
  const refusals: (RefusedClaim & { announced: boolean })[] = [];
  const contested: string[] = [];
  const foreign = new Set<string>();
  const made = new Set<string>();
  const state = { stream: 'made' as 'made' | 'late' | 'limit' | Error, beforeSave: () => {} };
  const ports: RenewPorts = {
    registry: {
      async read(serialNumber) {
        calls.push('read');
        return devices.get(serialNumber);
      },
      async save(before, after) {
        calls.push('save');
        state.beforeSave();
        if (devices.get(after.serialNumber)?.version !== before.version) return false;
        devices.set(after.serialNumber, after);
        return true;
      },
      async contest(serialNumber, reason) {
        contested.push(`${serialNumber} ${reason}`);
      },
    },
    claims: {
      async record(refusal, announced) {
        refusals.push({ ...refusal, announced });
      },
    },
    streams: {
      async make(name) {
        calls.push(`make ${name}`);
        if (state.stream instanceof Error) throw state.stream;
        if (foreign.has(name) || made.has(name)) return 'exists';
        if (state.stream === 'made') made.add(name);
        return state.stream;
      },
      async isOurs(name) {
        calls.push(`isOurs ${name}`);
        return made.has(name);
      },
    },
    now: () => now,
  };
  const device = () => devices.get('CAM-1') as Device;
  return { ports, calls, devices, refusals, contested, foreign, made, state, device };
};

let here: ReturnType<typeof world>;
beforeEach(() => {
  here = world();
});

const ask = (change: object = {}, parameters: Record<string, unknown> = { SerialNumber: 'CAM-1' }) =>
  renewByTemplate(
    { parameters, certificateId: 'next', certificatePem, claimCertificateId: 'own', clientId: 'CAM-1', ...change },
    here.ports,
    settings,
  );

describe('a renewal', () => {
  it('is read, decided and written, and makes no stream where the camera keeps the one it has', async () => {
    expect(await ask()).toEqual({
      allow: true,
      parameters: {
        ClaimToken: '',
        ThingName: 'CAM-1',
        ThingTypeName: 'tn',
        Batch: '42',
        RoleAlias: 'tn',
        StreamName: 'CAM-1',
        Channels: 'sub',
      },
    });
    expect(here.calls).toEqual(['read', 'save']);
    expect(here.device().certificates.map(({ id, state }) => `${id} ${state}`)).toEqual([
      'own current',
      'next allowed',
    ]);
    expect(here.device().history.at(-1)?.claim?.publicKeySha256).toBe(certificateKeySha256(certificatePem));
    expect(here.refusals).toEqual([]);
  });

  it('has the new stream made before the yes, in certificate-id mode', async () => {
    here = world({ streamMode: 'certificate-id', streams: [{ name: 'own', state: 'made', since: earlier }] });
    expect(await ask()).toMatchObject({ allow: true, parameters: { StreamName: 'next', RoleAlias: 'ci' } });
    expect(here.calls).toEqual(['read', 'save', 'make next']);
    expect([...here.made]).toEqual(['next']);
  });

  it('says the same again and writes nothing', async () => {
    here = world({ streamMode: 'certificate-id', streams: [] });
    const first = await ask();
    const { version } = here.device();
    expect(await ask()).toEqual(first);
    expect(here.device().version).toBe(version);
    expect(here.calls.slice(3)).toEqual(['read', 'make next', 'isOurs next']);
  });

  it.each<['late' | 'limit', string]>([
    ['late', 'stream-late'],
    ['limit', 'stream-limit'],
  ])('is refused and taken back where the new stream is %s: the camera keeps what it has', async (answer, reason) => {
    here = world({ streamMode: 'certificate-id', streams: [{ name: 'own', state: 'made', since: earlier }] });
    here.state.stream = answer;
    const { certificates } = here.device();
    expect(await ask()).toEqual({ allow: false, reason });
    expect(here.device().certificates).toEqual(certificates);
    expect(here.refusals).toMatchObject([{ reason, door: 'renewal', certificateId: 'next', announced: true }]);
    here.state.stream = 'made';
    expect(await ask()).toMatchObject({ allow: true });
  });

  it('is refused where the name of the new stream is somebody else’s', async () => {
    here = world({ streamMode: 'certificate-id', streams: [] });
    here.foreign.add('next');
    expect(await ask()).toEqual({ allow: false, reason: 'stream-taken' });
    expect(here.device()).toMatchObject({ streams: [], certificates: [{ id: 'own' }] });
  });

  it('is written down when it is refused, with the certificate that asked and not as a claim certificate', async () => {
    expect(await ask({ claimCertificateId: 'foreign' })).toEqual({ allow: false, reason: 'certificate-unknown' });
    expect(here.refusals).toEqual([
      {
        serialNumber: 'CAM-1',
        at: now.toISOString(),
        door: 'renewal',
        reason: 'certificate-unknown',
        certificateId: 'next',
        publicKeySha256: certificateKeySha256(certificatePem),
        claimCertificateId: 'foreign',
        clientId: 'CAM-1',
        announced: true,
      },
    ]);
    expect(here.contested).toEqual(['CAM-1 certificate-unknown']);
    expect(here.device()).toEqual(active());
  });

  it.each([
    ['a serial number that is none', { SerialNumber: 'CAM/1' }, 'invalid-serial'],
    ['no serial number', {}, 'invalid-serial'],
    ['a parameter that is not its own', { SerialNumber: 'CAM-1', ThingName: 'CAM-2' }, 'parameter-not-allowed'],
  ])('is refused with %s', async (_, parameters, reason) => {
    expect(await ask({}, parameters)).toEqual({ allow: false, reason });
    expect(here.refusals).toMatchObject([{ reason, door: 'renewal', claimCertificateId: 'own' }]);
    expect(here.calls).toEqual([]);
  });

  it('does not look at a claim token', async () => {
    expect(await ask({}, { SerialNumber: 'CAM-1', ClaimToken: 'x' })).toMatchObject({ allow: true });
  });

  it('is decided anew by what a rival has written, and refused after three', async () => {
    here.state.beforeSave = () => {
      here.devices.set('CAM-1', { ...here.device(), version: here.device().version + 1 });
      here.state.beforeSave = () => {};
    };
    expect(await ask()).toMatchObject({ allow: true });
    here = world();
    here.state.beforeSave = () => here.devices.set('CAM-1', { ...here.device(), version: here.device().version + 1 });
    expect(await ask()).toEqual({ allow: false, reason: 'raced' });
    here = world();
    here.state.beforeSave = () => {
      here.devices.set('CAM-1', { ...here.device(), status: 'suspended', version: here.device().version + 1 });
    };
    expect(await ask()).toEqual({ allow: false, reason: 'suspended' });
  });

  it('is an outage where AWS says nothing clear, and can be asked for again', async () => {
    here = world({ streamMode: 'certificate-id', streams: [] });
    here.state.stream = new Error('AccessDenied');
    await expect(ask()).rejects.toThrow('AccessDenied');
    here.state.stream = 'made';
    expect(await ask()).toMatchObject({ allow: true });
    expect(here.device().certificates).toHaveLength(2);
  });
});

it('reconcile takes the certificate before away once its hour is over, and not earlier', async () => {
  const old = { publicKeySha256: 'k', door: 'mqtt' as const, state: 'leaving' as const, since: now.toISOString() };
  const made = makingWorld(
    {
      ...active(),
      certificates: [
        { ...old, id: 'unshown' },
        { ...old, id: 'own', leavesAt: '2026-11-24T09:00:00.000Z' },
        { id: 'next', publicKeySha256: 'k', door: 'renewal', state: 'current', since: now.toISOString() },
      ],
      dueAt: now.toISOString(),
    },
    { certificatePem },
    [],
  );
  for (const id of ['unshown', 'own', 'next']) {
    made.certificates.set(id, { pem: '', isActive: true, policies: new Set(['device']), things: new Set(['CAM-1']) });
  }
  const run = () => finishDue(made.ports, deployed, { hasTime: () => true });
  await run();
  expect([...made.certificates.keys()]).toEqual(['own', 'next']);
  expect(made.device().dueAt).toBe('2026-11-24T09:00:00.000Z');
  made.state.now = Date.parse('2026-11-24T08:59:59Z');
  expect((await run()).looked).toBe(0);
  made.state.now = Date.parse('2026-11-24T09:00:00Z');
  await run();
  expect([...made.certificates.keys()]).toEqual(['next']);
  expect(made.device()).not.toHaveProperty('dueAt');
});
