import { describe, expect, it } from 'vitest';
import { type DeviceQuery, type DeviceSummary, matches, planOf } from '../../shared/domain/query.ts';

const shards = 10;
const statuses = 5;

/** `gather index, gather index | walk index × partitions`, or the one device of a certificate. */
const told = (query: DeviceQuery): string => {
  const plan = planOf(query);
  if ('holder' in plan) return 'certificate';
  const gathers = plan.gathers.map(([first, ...rest]) => `${first?.index} × ${rest.length + 1}`);
  return `${plan.order}: ${[...gathers, `${plan.walk[0]?.index} × ${plan.walk.length}`].join(', else ')}`;
};

describe('which index answers which combination', () => {
  const claimed = { claimedAfter: '2026-11-01T00:00:00.000Z' };
  const everywhere = `status × ${shards * statuses}`;
  it.each<[DeviceQuery, string]>([
    [{}, `serial: serial × ${shards}`],
    [{ status: 'active' }, `newest: status × ${shards}`],
    [{ batch: '42' }, 'newest: batch × 1'],
    [{ model: 'A1' }, 'newest: model × 1'],
    [{ batch: '42', model: 'A1' }, 'newest: batch × 1'],
    [{ batch: '42', status: 'active' }, 'newest: batch × 1'],
    [{ model: 'A1', status: 'active' }, 'newest: model × 1'],
    [{ batch: '42', serialPrefix: 'CAM-', ...claimed }, 'newest: batch × 1'],
    [{ serialPrefix: 'CAM-' }, `newest: serial × ${shards}, else ${everywhere}`],
    [claimed, `newest: claimed × ${shards}, else ${everywhere}`],
    [{ claimedBefore: '2026-12-01T00:00:00.000Z' }, `newest: claimed × ${shards}, else ${everywhere}`],
    [{ serialPrefix: 'CAM-', status: 'active' }, `newest: serial × ${shards}, else status × ${shards}`],
    [{ status: 'active', ...claimed }, `newest: claimed × ${shards}, else status × ${shards}`],
    [{ serialPrefix: 'CAM-', ...claimed }, `newest: serial × ${shards}, else claimed × ${shards}, else ${everywhere}`],
    [{ certificateId: 'a'.repeat(64) }, 'certificate'],
    [{ certificateId: 'a'.repeat(64), status: 'active', batch: '42' }, 'certificate'],
  ])('%j', (query, plan) => {
    expect(told(query)).toBe(plan);
  });
});

describe('what a query asks for holds, whichever index found it', () => {
  const device: DeviceSummary = {
    serialNumber: 'CAM-1',
    status: 'active',
    streamMode: 'thing-name',
    batch: '42',
    model: 'A1',
    registeredAt: '2026-11-24T06:00:00.000Z',
    claimedAt: '2026-11-24T07:00:00.000Z',
  };
  const { claimedAt: _, ...unclaimed } = device;
  it.each<[DeviceQuery, boolean]>([
    [{}, true],
    [{ status: 'active', batch: '42', model: 'A1', serialPrefix: 'CAM' }, true],
    [{ status: 'claimed' }, false],
    [{ batch: '43' }, false],
    [{ model: 'A2' }, false],
    [{ serialPrefix: 'cam' }, false],
    [{ claimedAfter: '2026-11-24T07:00:00.000Z' }, true],
    [{ claimedAfter: '2026-11-24T07:00:00.001Z' }, false],
    [{ claimedBefore: '2026-11-24T07:00:00.000Z' }, false],
    [{ claimedBefore: '2026-11-24T07:00:00.001Z' }, true],
  ])('%j', (query, does) => {
    expect(matches(query, device)).toBe(does);
  });

  it('one that nobody claimed was not claimed before anything', () => {
    expect(matches({ claimedBefore: '2027-01-01T00:00:00.000Z' }, unclaimed)).toBe(false);
    expect(matches({ claimedAfter: '2020-01-01T00:00:00.000Z' }, unclaimed)).toBe(false);
  });
});
