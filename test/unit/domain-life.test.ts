import { describe, expect, it } from 'vitest';
import type { Device, DeviceStatus } from '../../shared/domain/device.ts';
import { Failure } from '../../shared/domain/failure.ts';
import { showLife } from '../../shared/domain/life.ts';

const now = new Date('2026-11-24T08:00:00Z');
const at = now.toISOString();
const earlier = '2026-11-24T07:00:00.000Z';

const certificate = (id: string, state: Device['certificates'][number]['state']) => ({
  id,
  publicKeySha256: 'a'.repeat(64),
  door: 'mqtt' as const,
  state,
  since: earlier,
});

const device = (change: Partial<Device> = {}): Device => ({
  serialNumber: 'CAM-1',
  version: 3,
  status: 'claimed',
  thingName: 'CAM-1',
  streamMode: 'thing-name',
  channels: [],
  registeredAt: earlier,
  claimedAt: earlier,
  certificates: [certificate('first', 'allowed'), certificate('second', 'allowed')],
  streams: [{ name: 'CAM-1', state: 'making', since: earlier }],
  dueAt: '2026-11-24T09:00:00.000Z',
  history: [],
  ...change,
});

const alive = (known: Device, certificateId = 'second'): Device => {
  const next = showLife(known, { certificateId, at }, now);
  if (next instanceof Failure) throw next;
  return next;
};

const refusal = (known: Device, certificateId = 'second', when = at) => {
  const next = showLife(known, { certificateId, at: when }, now);
  return next instanceof Failure ? next.code : 'taken';
};

describe('proof of life', () => {
  it('makes the first certificate to show it current, the others leaving and due, and the device active', () => {
    const next = alive(device());
    expect(next).toMatchObject({ status: 'active', activeAt: at, version: 4, dueAt: at });
    expect(next.certificates.map(({ id, state }) => [id, state])).toEqual([
      ['first', 'leaving'],
      ['second', 'current'],
    ]);
    expect(next.history.at(-1)).toEqual({ at, by: 'certificate:second', what: 'shown-life' });
  });

  it('leaves nothing due where nothing is unfinished', () => {
    expect(alive(device({ certificates: [certificate('second', 'allowed')] })).dueAt).toBeUndefined();
  });

  it('spends the token', () => {
    expect(alive(device({ claimTokenSha256: 'x' })).claimTokenSpentAt).toBe(at);
    expect(alive(device()).claimTokenSpentAt).toBeUndefined();
  });

  it('knows the stream to be there, and asks for the channels', () => {
    expect(alive(device({ channels: ['sub'] })).streams).toEqual([
      { name: 'CAM-1', state: 'made', since: at },
      { name: 'CAM-1.sub', channel: 'sub', state: 'pending', since: at },
    ]);
  });

  it('leaves a late stream pending and due', () => {
    const late = { name: 'CAM-1', state: 'pending' as const, since: earlier };
    const next = alive(device({ certificates: [certificate('second', 'allowed')], streams: [late] }));
    expect(next.streams).toEqual([late]);
    expect(next.dueAt).toBe(earlier);
  });

  it('ends the streams of earlier certificates in certificate-id mode', () => {
    const streams = ['first', 'second'].map((name) => ({ name, state: 'making' as const, since: earlier }));
    expect(alive(device({ streamMode: 'certificate-id', streams })).streams).toEqual([
      { name: 'first', state: 'making', since: earlier, until: at },
      { name: 'second', state: 'made', since: at },
    ]);
  });

  it('of a renewed certificate takes over from the current one of an active device', () => {
    const known = device({
      status: 'active',
      activeAt: earlier,
      certificates: [certificate('first', 'current'), certificate('second', 'allowed')],
    });
    const next = alive(known);
    expect(next.certificates.map(({ state }) => state)).toEqual(['leaving', 'current']);
    expect(next.activeAt).toBe(earlier);
  });

  it('of the current certificate changes nothing, nor a certificate that waits for its own', () => {
    const known = device({
      status: 'active',
      certificates: [certificate('first', 'current'), certificate('second', 'allowed')],
    });
    expect(alive(known, 'first')).toBe(known);
  });

  it('of a certificate that was replaced is a sign of a clone, unless it was given before', () => {
    const known = device({ certificates: [certificate('first', 'current'), certificate('second', 'leaving')] });
    expect(refusal(known, 'second')).toBe('certificate-superseded');
    expect(refusal(known, 'second', earlier)).toBe('taken');
    const late = showLife(known, { certificateId: 'second', at: '2026-11-24T06:59:00.000Z' }, now);
    expect(late).toBe(known);
  });

  it('of a foreign certificate is nothing, also where no certificate was granted', () => {
    expect(refusal(device(), 'foreign')).toBe('certificate-unknown');
    expect(refusal(device({ status: 'registered', certificates: [] }))).toBe('certificate-unknown');
  });

  it.each<[DeviceStatus, string]>([
    ['suspended', 'device-suspended'],
    ['retired', 'device-retired'],
  ])('changes nothing of a %s device', (status, code) => {
    expect(refusal(device({ status }))).toBe(code);
  });
});
