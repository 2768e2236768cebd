import { DescribeCertificateCommand, IoTClient } from '@aws-sdk/client-iot';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  closeDoor,
  config,
  createThing,
  faults,
  identities,
  killed,
  openDoor,
  operations,
  running,
} from './door-world.ts';

beforeEach(openDoor);
afterEach(closeDoor);

describe('faults', () => {
  const set = (kind: 'throttle' | 'lost-answer' | 'kill') =>
    faults.set([{ service: 'iot', operation: '*', kind, times: 1 }], false);

  it('throttle: a caller that tries again gets through', async () => {
    set('throttle');
    await expect(createThing({ maxAttempts: 2 })).resolves.toMatchObject({ thingName: 't' });
  });

  it('lost-answer: the work is done once and the caller hears nothing', async () => {
    const run = vi.fn(() => ({}));
    operations.CreateThing = run;
    set('lost-answer');
    await expect(createThing()).rejects.toThrow(/hang up|reset/i);
    expect(run).toHaveBeenCalledOnce();
  });

  it('kill: passes by who is no function', async () => {
    set('kill');
    await expect(createThing()).resolves.toMatchObject({ thingName: 't' });
    expect(killed).toEqual([]);
  });

  it('kill: the function is named and the work is not done', async () => {
    const run = vi.fn();
    operations.CreateThing = run;
    running.add(identities.root.accessKeyId);
    set('kill');
    await expect(createThing()).rejects.toThrow(/hang up|reset/i);
    expect(killed).toEqual([identities.root.accessKeyId]);
    expect(run).not.toHaveBeenCalled();
  });

  it('quotas: the eleventh call of a second is throttled', async () => {
    faults.set([], true);
    operations.DescribeCertificate = () => ({});
    const client = new IoTClient(config());
    const calls = Array.from({ length: 20 }, () => client.send(new DescribeCertificateCommand({ certificateId: 'c' })));
    const outcomes = await Promise.allSettled(calls);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.length).toBeGreaterThanOrEqual(5);
    expect(refused.map(({ reason }) => reason.name)).toEqual(refused.map(() => 'ThrottlingException'));
  });
});
