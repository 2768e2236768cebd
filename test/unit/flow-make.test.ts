import { describe, expect, it } from 'vitest';
import type { Device, StreamMode } from '../../shared/domain/device.ts';
import { showLife } from '../../shared/domain/life.ts';
import { finishDue } from '../../shared/flow/finish-due.ts';
import { provision } from '../../shared/flow/provision.ts';
import { certificateKeySha256 } from '../../shared/keys.ts';
import { Crash, keyed, makingWorld, settings } from './making-world.ts';

const mine = await keyed();
const others = await Promise.all(Array.from({ length: 4 }, keyed));
const theirs = others[0] as typeof mine;
const minutes = (count: number) => count * 60_000;

const worldWith = (change: Partial<Device> = {}) => makingWorld(change, mine, others);
type World = ReturnType<typeof worldWith>;

const refusals: string[] = [];
const provisionIn = (world: World, csr: string | undefined = mine.csr) =>
  provision(
    { serialNumber: 'CAM-1', by: 'line', ...(csr && { certificateSigningRequest: csr }) },
    { ...world.ports, claims: { record: async ({ reason }) => void refusals.push(reason) } },
    settings,
  );
const withNewKey = (world: World) => provisionIn(world, '');
const reconcileIn = ({ ports }: World) => finishDue(ports, settings, { hasTime: () => true });

const modes: StreamMode[] = ['thing-name', 'certificate-id', 'fixed'];
const streamOf = (mode: StreamMode, certificateId: string) =>
  ({ 'thing-name': 'CAM-1', 'certificate-id': certificateId, fixed: 'lobby' })[mode];

describe('a key that the manifest pins to another device', () => {
  const publicKeySha256 = certificateKeySha256(mine.certificatePem);
  const noted = (change: Partial<Device>, own: Partial<Device> = {}) => {
    const world = worldWith(own);
    world.pins.set(publicKeySha256, { publicKeySha256, serialNumber: 'CAM-2', at: '2026-11-24T07:00:00.000Z' });
    world.devices.set('CAM-2', { ...world.device(), serialNumber: 'CAM-2', publicKeySha256, ...change });
    return world;
  };

  it('opens no other device, whoever vouches for it', async () => {
    const world = noted({});
    await expect(provisionIn(world)).rejects.toMatchObject({ code: 'key-mismatch' });
    expect(world.certificates.size).toBe(0);
    expect(world.device()).toMatchObject({ version: 1, status: 'registered' });
  });

  it.each([
    ['has another pin by now', { publicKeySha256: 'f'.repeat(64) }, {}],
    ['is retired', { status: 'retired' as const }, {}],
    ['is this one', {}, { publicKeySha256 }],
  ])('does, where that device %s', async (_, change, own) => {
    expect(await provisionIn(noted(change, own))).toMatchObject({ serialNumber: 'CAM-1' });
  });

  it('is not asked for where AWS makes the key', async () => {
    expect(await withNewKey(noted({}))).toHaveProperty('privateKey');
  });
});

describe('making a device over HTTP', () => {
  it('writes first, gives power last, and answers with all a camera needs', async () => {
    const world = worldWith();
    const answer = await provisionIn(world);
    expect(world.calls).toEqual([
      'read',
      'save',
      'makeThing',
      'makeStream',
      'issue',
      'save',
      'attachThing',
      'attachPolicy',
      'save',
    ]);
    expect(answer).toMatchObject({
      serialNumber: 'CAM-1',
      thingName: 'CAM-1',
      connection: {
        credentialUrl: 'https://credentials.example/role-aliases/tn/credentials',
        roleAlias: 'tn',
        streamName: 'CAM-1',
        channels: '',
      },
    });
    expect(answer).not.toHaveProperty('privateKey');
    expect(answer.connection.kvssink).toContain('role-aliases=tn,iot-thing-name=CAM-1"');
    expect(world.device()).toMatchObject({ status: 'claimed', streams: [{ name: 'CAM-1', state: 'made' }] });
    expect(world.device()).not.toHaveProperty('making');
    expect(world.device().history.map(({ by, what }) => `${by} ${what}`)).toEqual([
      'line making',
      'line claimed',
      'line made',
    ]);
  });

  it('answers a repeat with the same key the same, and makes nothing', async () => {
    const world = worldWith();
    const answer = await provisionIn(world);
    const { version } = world.device();
    expect(await provisionIn(world)).toEqual(answer);
    expect(world.device().version).toBe(version);
    expect(world.certificates.size).toBe(1);
  });

  it('makes another certificate for the same key once AWS has lost the first', async () => {
    const world = worldWith();
    const { certificateId } = await provisionIn(world);
    world.certificates.delete(certificateId);
    expect((await provisionIn(world)).certificateId).not.toBe(certificateId);
  });

  it('shows a server-made key once; asked again it makes another, and the earlier certificate leaves', async () => {
    const world = worldWith();
    const first = await withNewKey(world);
    const second = await withNewKey(world);
    expect(first.privateKey).toBeDefined();
    expect(second.privateKey).not.toBe(first.privateKey);
    expect(JSON.stringify(world.device())).not.toContain('key of');
    expect(world.device().certificates.map(({ state }) => state)).toEqual(['leaving', 'allowed']);
    expect((await reconcileIn(world)).done).toEqual({ removeCertificates: 1 });
    expect([...world.certificates.keys()]).toEqual([second.certificateId]);
    expect(world.device().certificates.map(({ id }) => id)).toEqual([second.certificateId]);
  });

  it('does not take for made what an earlier call began and another one gave up', async () => {
    const world = worldWith();
    const { attachPolicy } = world.ports.certificates;
    world.ports.certificates.attachPolicy = async () => {
      throw new Crash('attachPolicy');
    };
    await expect(provisionIn(world)).rejects.toThrow(Crash);
    world.ports.certificates.attachPolicy = attachPolicy;
    const { issue } = world.ports.certificates;
    world.ports.certificates.issue = async () => {
      throw new Crash('issue');
    };
    await expect(withNewKey(world)).rejects.toThrow(Crash);
    world.ports.certificates.issue = issue;
    const { certificateId } = await provisionIn(world);
    expect(world.certificates.get(certificateId)).toMatchObject({
      isActive: true,
      policies: new Set([settings.devicePolicy]),
    });
  });

  it('says no after proof of life, unless it is asked with the key that the camera has', async () => {
    const world = worldWith();
    const answer = await provisionIn(world);
    const sign = { certificateId: answer.certificateId, at: world.ports.now().toISOString() };
    world.devices.set('CAM-1', showLife(world.device(), sign, world.ports.now()) as Device);
    await expect(withNewKey(world)).rejects.toMatchObject({ code: 'device-active' });
    await expect(provisionIn(world, theirs.csr)).rejects.toMatchObject({ code: 'device-active' });
    expect(await provisionIn(world)).toEqual(answer);
  });

  it('refuses before anything is made, each with its code', async () => {
    const pin = { publicKeySha256: certificateKeySha256(mine.certificatePem) };
    const refused = async (change: Partial<Device>, csr = theirs.csr) => {
      const world = worldWith(change);
      const code = await provisionIn(world, csr).then(
        () => 'made',
        (failure) => failure.code,
      );
      expect(world.certificates.size + world.things.size + world.streams.size).toBe(code === 'made' ? 3 : 0);
      return code;
    };
    expect(await refused(pin)).toBe('key-mismatch');
    expect(await refused(pin, '')).toBe('key-mismatch');
    expect(await refused(pin, mine.csr)).toBe('made');
    expect(await refused({ claimTokenSha256: 'a'.repeat(64) }, mine.csr)).toBe('made');
    expect(await refused({ status: 'suspended' })).toBe('device-suspended');
    expect(await refused({ status: 'retired' })).toBe('device-retired');
    const world = worldWith();
    world.devices.clear();
    await expect(provisionIn(world)).rejects.toMatchObject({ code: 'device-not-found' });
  });

  it('takes nothing that is somebody else’s, and takes its certificate away again', async () => {
    const world = worldWith();
    world.streams.set('CAM-1', 'somebody');
    await expect(provisionIn(world)).rejects.toMatchObject({ code: 'stream-taken' });
    expect(world.certificates.size).toBe(0);
    expect(world.device()).toMatchObject({ status: 'registered', certificates: [], streams: [] });
    expect(world.device()).not.toHaveProperty('making');
    world.streams.clear();
    world.things.set('CAM-1', { thingTypeName: 'x', serialNumber: 'somebody' });
    await expect(provisionIn(world)).rejects.toMatchObject({ code: 'thing-taken' });
    expect(world.things.get('CAM-1')?.serialNumber).toBe('somebody');
  });

  it('of two at once gives both the same connection, and leaves one certificate', async () => {
    const world = worldWith();
    const [one, other] = await Promise.all([provisionIn(world), provisionIn(world)]);
    expect(one.certificateId).toBe(other.certificateId);
    expect([...world.certificates.keys()]).toEqual([one.certificateId]);
    expect(world.device()).not.toHaveProperty('making');
  });
});

describe.each(modes)('a crash, in %s mode', (streamMode) => {
  /** Every place where a process can die on the straight path: before and after each call. */
  const places = async (run: (world: World) => Promise<unknown>) => {
    const world = worldWith({ streamMode });
    await run(world);
    return world.calls.flatMap((_, index) =>
      (['before', 'after'] as const).map((when) => ({ crashAt: index + 1, when })),
    );
  };
  const crashed = async (
    place: { crashAt: number; when: 'before' | 'after' },
    run: (world: World) => Promise<unknown>,
  ) => {
    const world = worldWith({ streamMode });
    Object.assign(world.state, place);
    await expect(run(world)).rejects.toThrow(Crash);
    expect(world.unknownPower()).toEqual([]);
    world.state.crashAt = 0;
    return world;
  };
  const expectWhole = (world: World, answer: Awaited<ReturnType<typeof provisionIn>>) => {
    const { certificateId, connection } = answer;
    const certificate = world.certificates.get(certificateId);
    expect(connection.streamName).toBe(streamOf(streamMode, certificateId));
    expect(world.streams.has(connection.streamName)).toBe(streamMode !== 'fixed');
    expect(certificate).toMatchObject({ isActive: true, policies: new Set(['device']), things: new Set(['CAM-1']) });
    expect(world.device()).not.toHaveProperty('making');
    expect(world.device().status).toBe('claimed');
    expect(world.unknownPower()).toEqual([]);
  };

  it('anywhere is resumed by the same call', async () => {
    for (const place of await places(provisionIn)) {
      const world = await crashed(place, provisionIn);
      expectWhole(world, await provisionIn(world));
    }
  });

  it('anywhere with a server-made key is answered with another key', async () => {
    for (const place of await places(withNewKey)) {
      const world = await crashed(place, withNewKey);
      const answer = await withNewKey(world);
      expectWhole(world, answer);
      await reconcileIn(world);
      expect(world.device().certificates.map(({ id }) => id)).toEqual([answer.certificateId]);
    }
  });

  it('anywhere is finished or undone by reconcile, which then finds nothing more to do', async () => {
    for (const run of [provisionIn, withNewKey]) {
      for (const place of await places(run)) {
        const world = await crashed(place, run);
        world.state.now += minutes(6);
        await reconcileIn(world);
        await reconcileIn(world);
        expect(world.device()).not.toHaveProperty('making');
        expect(world.unknownPower()).toEqual([]);
        const [allowed] = world.device().certificates;
        if (allowed) expect(world.certificates.get(allowed.id)?.policies.size).toBe(1);
        expect((await reconcileIn(world)).done).toEqual({});
        expectWhole(world, await run(world));
      }
    }
  });

  it('of reconcile itself anywhere is mended by the next one, and two at once do no harm', async () => {
    const begun = await places(withNewKey);
    for (const place of begun.slice(-6)) {
      for (let crashAt = 1; crashAt < 12; crashAt++) {
        const world = await crashed(place, withNewKey);
        world.state.now += minutes(6);
        world.state.crashAt = world.calls.length + crashAt;
        await reconcileIn(world);
        expect(world.unknownPower()).toEqual([]);
        world.state.crashAt = 0;
        await Promise.all([reconcileIn(world), reconcileIn(world)]);
        await reconcileIn(world);
        expect(world.device()).not.toHaveProperty('making');
        expect(world.unknownPower()).toEqual([]);
      }
    }
  });
});

describe('reconcile', () => {
  const claimed = (change: Partial<Device> = {}): Partial<Device> => ({
    status: 'claimed',
    claimedAt: '2026-11-24T05:00:00.000Z',
    certificates: [
      { id: 'c1', publicKeySha256: 'k', door: 'mqtt', state: 'allowed', since: '2026-11-24T05:00:00.000Z' },
    ],
    dueAt: '2026-11-24T07:00:00.000Z',
    ...change,
  });
  const known = { pem: mine.certificatePem, policies: new Set<string>(), things: new Set<string>() };

  it('frees a device whose claim is dead at AWS, and only looks again later where it is alive', async () => {
    const world = worldWith(claimed());
    expect((await reconcileIn(world)).done).toEqual({ judgeClaims: 1 });
    expect(world.device()).toMatchObject({ status: 'registered', certificates: [] });
    expect(world.device()).not.toHaveProperty('claimedAt');
    const alive = worldWith(claimed());
    alive.certificates.set('c1', { ...known, isActive: true });
    await reconcileIn(alive);
    expect(alive.device()).toMatchObject({ status: 'claimed', dueAt: '2026-11-25T08:00:00.000Z', history: [] });
  });

  it('makes late streams, and says which are somebody else’s', async () => {
    const since = '2026-11-24T07:00:00.000Z';
    const streams = ['CAM-1', 'CAM-1.sub'].map((name) => ({ name, state: 'pending' as const, since }));
    const world = worldWith({ ...claimed(), status: 'active', certificates: [], streams });
    world.streams.set('CAM-1.sub', 'somebody');
    expect((await reconcileIn(world)).done).toEqual({ makeStreams: 1 });
    expect(world.device().streams.map(({ state }) => state)).toEqual(['made', 'taken']);
  });

  it('goes on with the others where one fails, and stops when its time is up', async () => {
    const world = worldWith(claimed());
    world.devices.set('CAM-0', { ...world.device(), serialNumber: 'CAM-0', certificates: [] });
    const { find } = world.ports.certificates;
    world.ports.certificates.find = async (id) => {
      if (id === 'c1') throw Object.assign(new Error('x'), { name: 'ThrottlingException' });
      return find(id);
    };
    expect(await reconcileIn(world)).toMatchObject({ looked: 2, failed: { ThrottlingException: 1 } });
    expect(await finishDue(world.ports, settings, { hasTime: () => false })).toMatchObject({
      looked: 0,
      complete: false,
    });
  });
});
