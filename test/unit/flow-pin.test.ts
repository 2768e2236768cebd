import { expect, it } from 'vitest';
import type { Device } from '../../shared/domain/device.ts';
import { announcement } from '../../shared/domain/manifest.ts';
import type { Pin } from '../../shared/domain/pin.ts';
import { announce } from '../../shared/flow/announce.ts';

const key = 'a'.repeat(64);
const start = Date.parse('2026-11-24T08:00:00Z');

function world() {
  const devices = new Map<string, Device>();
  const notes = new Map<string, Pin>();
  let seconds = 0;
  let onSave = async () => {};
  const ports = {
    registry: {
      readMany: async (serials: string[]) => new Map([...devices].filter(([serial]) => serials.includes(serial))),
      async save(before: Device | undefined, after: Device) {
        await onSave();
        if (devices.get(after.serialNumber)?.version !== before?.version) return false;
        devices.set(after.serialNumber, after);
        return true;
      },
    },
    pins: {
      find: async (publicKeySha256: string) => notes.get(publicKeySha256),
      async take(pin: Pin, from: string | undefined) {
        const held = notes.get(pin.publicKeySha256);
        if (held && held.serialNumber !== pin.serialNumber && held.serialNumber !== from) return held;
        notes.set(pin.publicKeySha256, pin);
        return undefined;
      },
    },
    now: () => new Date(start + seconds * 1000),
  };
  return {
    devices,
    notes,
    pass(more: number) {
      seconds += more;
    },
    whenSaving(hook: () => Promise<void>) {
      onSave = hook;
    },
    async announces(serialNumber: string, row: object = {}, settings: { dryRun?: boolean } = {}) {
      const rows = [{ row: announcement.parse({ serialNumber, publicKeySha256: key, ...row }) }];
      const [result] = await announce(rows, 'factory', ports, settings);
      return result?.problem ? `${result.problem.code}: ${result.problem.detail}` : result?.outcome;
    },
  };
}

it('a key is one device’s, whichever request announces it again', async () => {
  const { announces, devices } = world();
  expect(await announces('CAM-1')).toBe('created');
  expect(await announces('CAM-2')).toBe('duplicate-key: the key is pinned to CAM-1');
  expect(await announces('CAM-2', {}, { dryRun: true })).toBe('duplicate-key: the key is pinned to CAM-1');
  expect(await announces('CAM-1')).toBe('unchanged');
  expect(await announces('CAM-1', { model: 'A1' })).toBe('updated');
  expect([...devices.keys()]).toEqual(['CAM-1']);
});

it('is free again once its device has another pin, or is retired', async () => {
  const { announces, devices, notes, pass } = world();
  await announces('CAM-1');
  pass(5);
  expect(await announces('CAM-1', { publicKeySha256: 'b'.repeat(64) })).toBe('updated');
  expect(await announces('CAM-2')).toBe('created');
  expect(notes.get(key)?.serialNumber).toBe('CAM-2');
  const second = devices.get('CAM-2') as Device;
  devices.set('CAM-2', { ...second, status: 'retired' });
  expect(await announces('CAM-3')).toBe('created');
});

it('of two at once one gets it, and the other is told to come again', async () => {
  const { announces, whenSaving, devices, pass } = world();
  const seen: unknown[] = [];
  // Between the pin and the record of the first.
  whenSaving(async () => {
    whenSaving(async () => {});
    seen.push(await announces('CAM-2'));
  });
  expect(await announces('CAM-1')).toBe('created');
  expect(seen).toEqual(['version-conflict: somebody else is announcing this key; try again in a minute']);
  pass(60);
  expect(await announces('CAM-2')).toMatch(/^duplicate-key/);
  expect(devices.size).toBe(1);
});

it('whoever died between the pin and the record holds it for a minute, and goes on at any time', async () => {
  const { announces, whenSaving, pass, devices } = world();
  const dies = async () => {
    throw new Error('killed');
  };
  whenSaving(dies);
  await expect(announces('CAM-1')).rejects.toThrow('killed');
  whenSaving(async () => {});
  expect(await announces('CAM-2')).toMatch(/^version-conflict/);
  expect(await announces('CAM-2', {}, { dryRun: true })).toMatch(/^version-conflict/);
  pass(60);
  expect(await announces('CAM-2', {}, { dryRun: true })).toBe('created');
  expect(devices.size).toBe(0);
  expect(await announces('CAM-2')).toBe('created');
  expect(await announces('CAM-1')).toMatch(/^duplicate-key/);
});
