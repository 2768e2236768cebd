import { describe, expect, it } from 'vitest';
import type { Device } from '../../shared/domain/device.ts';
import type { RefusedClaim } from '../../shared/domain/refusal.ts';
import { claimOverHttps } from '../../shared/flow/claim-over-https.ts';
import { certificateKeySha256, claimTokenSha256 } from '../../shared/keys.ts';
import { keyed, makingWorld, settings } from './making-world.ts';

const mine = await keyed();
const theirs = await keyed();
const token = '0123456789abcdef'.repeat(2);
const pinned = { publicKeySha256: certificateKeySha256(mine.certificatePem) };
const tokened = { claimTokenSha256: claimTokenSha256(token) };

const worldWith = (change: Partial<Device> = {}) => {
  const world = makingWorld(change, mine, [theirs]);
  const kept: (RefusedClaim & { announced: boolean; wrongToken: boolean })[] = [];
  const contested: string[] = [];
  const pauses: number[] = [];
  let wrongTokens = 0;
  const ask = (sent: { claimToken?: string; csr?: string; serialNumber?: string } = {}) =>
    claimOverHttps(
      {
        serialNumber: sent.serialNumber ?? 'CAM-1',
        certificateSigningRequest: sent.csr ?? mine.csr,
        ...(sent.claimToken && { claimToken: sent.claimToken }),
      },
      {
        ...world.ports,
        registry: {
          ...world.ports.registry,
          look: async (serialNumber) => {
            const device = await world.ports.registry.read(serialNumber);
            return { ...(device && { device }), wrongTokens };
          },
        },
        denials: {
          contest: async (_, reason) => void contested.push(reason),
          keep: async (claim, as) => {
            kept.push({ ...claim, ...as });
            if (as.wrongToken) wrongTokens++;
          },
        },
        pause: async (ms) => void pauses.push(ms),
      },
      { ...settings, denialMs: 10_000 },
    );
  return { ...world, ask, kept, contested, pauses };
};

const reasonFor = async (change: Partial<Device>, sent: Parameters<ReturnType<typeof worldWith>['ask']>[0] = {}) => {
  const world = worldWith(change);
  const answer = await world.ask(sent);
  if (answer.allow) return 'allowed';
  // Nothing was made, one read, one thing kept, one pause up to the same moment: alike, whatever the reason.
  expect(world.certificates.size + world.things.size + world.streams.size).toBe(0);
  expect(world.calls).toEqual(['read']);
  expect(world.kept.map(({ reason }) => reason)).toEqual([answer.reason]);
  expect(world.pauses).toHaveLength(1);
  return answer.reason;
};

describe('a claim over HTTPS', () => {
  it('is admitted by a pinned key or an unspent token, and by nothing else', async () => {
    expect(await reasonFor(pinned)).toBe('allowed');
    expect(await reasonFor(tokened, { claimToken: token })).toBe('allowed');
    expect(await reasonFor({})).toBe('claim-certificate-unknown');
    expect(await reasonFor({}, { serialNumber: 'NOBODY' })).toBe('unknown-serial');
    expect(await reasonFor(pinned, { csr: theirs.csr })).toBe('key-mismatch');
    expect(await reasonFor(tokened)).toBe('token-missing');
    expect(await reasonFor(tokened, { claimToken: 'short' })).toBe('token-invalid');
    expect(await reasonFor({ ...tokened, claimTokenSpentAt: '2026-11-24T07:00:00.000Z' }, { claimToken: token })).toBe(
      'token-spent',
    );
    expect(await reasonFor({ ...pinned, status: 'suspended' })).toBe('suspended');
    expect(await reasonFor({ ...pinned, status: 'retired' })).toBe('retired');
  });

  it('is admitted by an operator’s approval only where the device has a token', async () => {
    const publicKeySha256 = certificateKeySha256(mine.certificatePem);
    const approval = { publicKeySha256, by: 'ops', until: '2030-01-01T00:00:00.000Z' };
    const active = { status: 'active' as const, approval };
    expect(await reasonFor(active)).toBe('claim-certificate-unknown');
    const spent = { ...tokened, claimTokenSpentAt: '2026-11-24T07:00:00.000Z' };
    expect(await reasonFor({ ...active, ...spent })).toBe('allowed');
    expect(await reasonFor({ ...active, ...spent }, { csr: theirs.csr })).toBe('token-missing');
  });

  it('answers a repeat with the same key the same, and one token opens for one key at a time', async () => {
    const world = worldWith(tokened);
    const first = await world.ask({ claimToken: token });
    expect(await world.ask({ claimToken: token })).toEqual(first);
    expect(await world.ask()).toEqual(first);
    expect(world.certificates.size).toBe(1);
  });

  it('stops looking at tokens after ten wrong ones, but not at pinned keys', async () => {
    const world = worldWith(tokened);
    for (let index = 0; index < 10; index++) {
      expect(await world.ask({ claimToken: `wrong ${index}` })).toMatchObject({ reason: 'token-invalid' });
    }
    expect(await world.ask({ claimToken: token })).toMatchObject({ allow: false, reason: 'too-many-tokens' });
    expect(await world.ask({ claimToken: 'wrong' })).toMatchObject({ reason: 'too-many-tokens' });
    expect(JSON.stringify(world.kept)).not.toContain(token);
    world.devices.set('CAM-1', { ...world.device(), ...pinned });
    expect(await world.ask({ claimToken: 'wrong' })).toMatchObject({ allow: true });
  });

  it('stands by its refusal when it cannot be written down', async () => {
    const world = worldWith();
    world.kept.push = () => {
      throw Object.assign(new Error('gone'), { name: 'TableGone' });
    };
    expect(await world.ask()).toEqual({ allow: false, reason: 'claim-certificate-unknown', unrecorded: 'TableGone' });
  });

  it('refuses a broken request before it looks at anything', async () => {
    const world = worldWith(pinned);
    await expect(world.ask({ csr: 'x' })).rejects.toMatchObject({ code: 'invalid-certificate-request' });
    expect(world.calls).toEqual([]);
  });
});
