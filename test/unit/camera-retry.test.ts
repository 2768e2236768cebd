import { describe, expect, it } from 'vitest';
import { StepFailed } from '../../camera/failure.ts';
import { backOff, quick, retrying, slow } from '../../camera/retry.ts';

const impatient = { patienceMs: 0, persistWhenDenied: false };

describe('back-off', () => {
  it('doubles up to a cap, anywhere between nothing and that', () => {
    const longest = [0, 1, 2, 3, 20].map((attempt) => backOff(attempt, { firstMs: 100, capMs: 1000 }, () => 1));
    expect(longest).toEqual([100, 200, 400, 800, 1000]);
    expect(backOff(5, quick, () => 0)).toBe(0);
  });

  it('spreads a street of cameras over the whole time', () => {
    const waits = Array.from({ length: 1000 }, () => backOff(4, quick));
    const step = (quick.firstMs * 2 ** 4) / 4;
    for (const quarter of [0, 1, 2, 3]) {
      const inQuarter = waits.filter((wait) => wait >= quarter * step && wait < (quarter + 1) * step);
      expect(inQuarter.length).toBeGreaterThan(150);
    }
  });

  it('asks slowly after a denial', () => {
    expect(backOff(0, slow, () => 0.5)).toBe(30_000);
    expect(backOff(20, slow, () => 1)).toBe(3_600_000);
  });
});

describe('retrying', () => {
  it('does a step again until it works, and says why it waits', async () => {
    const waits: string[] = [];
    let calls = 0;
    const step = async () => {
      if (++calls < 3) throw new StepFailed('again', `busy ${calls}`);
      return 'done';
    };
    const result = await retrying(step, { patienceMs: 10_000, persistWhenDenied: false }, ({ reason }) =>
      waits.push(reason),
    );
    expect(result).toBe('done');
    expect(waits).toEqual(['busy 1', 'busy 2']);
  });

  it.each(['denied', 'never'] as const)('gives up at once when the remedy is "%s"', async (remedy) => {
    let calls = 0;
    const step = async () => {
      calls++;
      throw new StepFailed(remedy, 'no');
    };
    await expect(retrying(step, { patienceMs: 10_000, persistWhenDenied: false }, () => {})).rejects.toThrow('no');
    expect(calls).toBe(1);
  });

  it('gives up when patience has run out, with the last reason', async () => {
    const step = () => Promise.reject(new StepFailed('again', 'still busy'));
    await expect(retrying(step, { ...impatient, patienceMs: 1 }, () => {})).rejects.toThrow('still busy');
  });

  it('lets a bug through at once', async () => {
    const step = () => Promise.reject(new TypeError('a bug'));
    await expect(retrying(step, { patienceMs: 10_000, persistWhenDenied: true }, () => {})).rejects.toThrow(TypeError);
  });
});
