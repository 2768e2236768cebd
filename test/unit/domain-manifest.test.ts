import { describe, expect, it } from 'vitest';
import type { Device } from '../../shared/domain/device.ts';
import { type AnnouncedDevice, announcement, announceRow, claimToken } from '../../shared/domain/manifest.ts';
import { serialNumberProblem } from '../../shared/domain/serial-number.ts';

const now = new Date('2026-11-24T08:00:00Z');

const row = (change: Partial<AnnouncedDevice> = {}): AnnouncedDevice => ({
  serialNumber: 'CAM-1',
  streamMode: 'thing-name',
  channels: [],
  ...change,
});

const announced = (known: Device | undefined, change: Partial<AnnouncedDevice> = {}, fixedStream?: string) =>
  announceRow(known, row(change), 'factory', now, fixedStream);

const created = (change: Partial<AnnouncedDevice> = {}): Device => {
  const verdict = announced(undefined, change);
  if (verdict.outcome !== 'created') throw new Error(verdict.outcome);
  return verdict.device;
};

describe('a serial number', () => {
  it.each(['', 'a b', 'a/b', 'a+b', 'a#b', 'a$b', 'a*b', 'a.b', 'a:b', 'ä', 'x'.repeat(129)])('is not %j', (text) => {
    expect(serialNumberProblem(text)).toMatch(/1 to 128/);
  });

  it.each(['f'.repeat(64), '0A'.repeat(32), 'CAM-r2', 'claim-7', 'fleet-provisioning-x'])(
    'must not be taken: %s',
    (text) => {
      expect(serialNumberProblem(text)).toBeDefined();
    },
  );

  it.each(['CAM-0001', '_', '0', 'x'.repeat(128), 'f'.repeat(63), 'CAM-r2x', 'reclaim-1'])('may be %s', (text) => {
    expect(serialNumberProblem(text)).toBeUndefined();
  });

  it('is not the name of the fixed stream', () => {
    expect(serialNumberProblem('lobby', 'lobby')).toBeDefined();
  });
});

describe('a claim token', () => {
  it.each(['0123456789abcdef'.repeat(2), 'ABCDEFGHIJKLMNOPQRSTUv', '1'.repeat(32)])('may be %s', (token) => {
    expect(claimToken.safeParse(token).success).toBe(true);
  });

  it.each([
    '12345678',
    '0123456789abcdef'.repeat(2).slice(1),
    'ABCDEFGHIJKLMNOPQRSTU',
    `${'a b'.repeat(20)}`,
    'x'.repeat(257),
  ])('is not %s', (token) => {
    expect(claimToken.safeParse(token).success).toBe(false);
  });
});

describe('a row', () => {
  const flawed = (value: unknown) => {
    const parsed = announcement.safeParse(value);
    return parsed.success ? [] : parsed.error.issues.map(({ path, code }) => `${path.join('/')} ${code}`);
  };

  it('takes defaults', () => {
    expect(announcement.parse({ serialNumber: 'CAM-1' })).toEqual(row());
  });

  it('names what is wrong', () => {
    expect(flawed({ serialNumber: 'CAM-1', serial: 'x' })).toEqual([' unrecognized_keys']);
    expect(flawed({ serialNumber: 'CAM-1', publicKeySha256: 'A'.repeat(64) })).toEqual([
      'publicKeySha256 invalid_format',
    ]);
    expect(flawed({ serialNumber: 'CAM-1', streamMode: 'free' })).toEqual(['streamMode invalid_value']);
    expect(flawed({ serialNumber: 'CAM-1', channels: ['a.b'] })).toEqual(['channels/0 invalid_format']);
    expect(flawed({ serialNumber: 'CAM-1', channels: ['a', 'a'] })).toEqual(['channels custom']);
    expect(flawed({ serialNumber: 'CAM-1', channels: ['a'], streamMode: 'certificate-id' })).toEqual([
      'channels custom',
    ]);
  });
});

describe('announcing', () => {
  it('creates a registered device that fills the place of its serial number', () => {
    expect(created({ batch: '42' })).toEqual({
      serialNumber: 'CAM-1',
      version: 1,
      status: 'registered',
      thingName: 'CAM-1',
      streamMode: 'thing-name',
      channels: [],
      batch: '42',
      registeredAt: now.toISOString(),
      certificates: [],
      streams: [],
      history: [{ at: now.toISOString(), by: 'factory', what: 'announced' }],
    });
  });

  it('of the same row again changes nothing, in whatever order its attributes come', () => {
    expect(announced(created()).outcome).toBe('unchanged');
    expect(announced(created({ attributes: { a: '1', b: '2' } }), { attributes: { b: '2', a: '1' } }).outcome).toBe(
      'unchanged',
    );
  });

  it('updates what nobody has claimed, and forgets what the row no longer says', () => {
    const verdict = announced(created({ batch: '42', model: 'A1' }), { model: 'A2' });
    if (verdict.outcome !== 'updated') throw new Error(verdict.outcome);
    expect(verdict.device).toMatchObject({ version: 2, model: 'A2' });
    expect(verdict.device).not.toHaveProperty('batch');
    expect(verdict.device.history.at(-1)).toMatchObject({ what: 'updated', why: 'batch, model' });
  });

  it('changes of a claimed device its description and never its identity', () => {
    const claimed = { ...created(), status: 'claimed' as const };
    expect(announced(claimed, { model: 'A2' }).outcome).toBe('updated');
    expect(announced(claimed, { batch: '42' })).toMatchObject({
      outcome: 'rejected',
      problem: { code: 'already-claimed' },
    });
    expect(announced(claimed, { claimTokenSha256: 'x' }).outcome).toBe('rejected');
  });

  it('sets the re-provisioning policy while nobody has claimed it, and never takes back what ops has set', () => {
    expect(created({ reprovisioning: 'refuse' }).reprovisioning).toBe('refuse');
    const verdict = announced(created({ reprovisioning: 'refuse' }), { reprovisioning: 'same-key' });
    expect(verdict).toMatchObject({ outcome: 'updated', device: { reprovisioning: 'same-key' } });
    const active = { ...created(), status: 'active' as const, reprovisioning: 'refuse' as const };
    expect(announced(active).outcome).toBe('unchanged');
    expect(announced(active, { model: 'A2' })).toMatchObject({ device: { reprovisioning: 'refuse', model: 'A2' } });
    expect(announced(active, { reprovisioning: 'refuse' }).outcome).toBe('unchanged');
    // What lets another key take an active camera's place is not for whoever writes manifests.
    expect(announced(active, { reprovisioning: 'replace-certificate' })).toMatchObject({
      outcome: 'rejected',
      problem: { code: 'already-claimed', detail: 'the device is active: its reprovisioning cannot change' },
    });
  });

  it('rejects the mode fixed where the deployment names no stream', () => {
    expect(announced(undefined, { streamMode: 'fixed' })).toMatchObject({ problem: { code: 'fixed-stream-missing' } });
    expect(announced(undefined, { streamMode: 'fixed' }, 'lobby').outcome).toBe('created');
    expect(announced(undefined, { serialNumber: 'lobby' }, 'lobby').outcome).toBe('rejected');
  });
});
