import { describe, expect, it } from 'vitest';
import type { Device } from '../../shared/domain/device.ts';
import { Failure } from '../../shared/domain/failure.ts';
import { connect } from '../../shared/flow/connect.ts';
import { mostDenied } from '../../shared/flow/deny.ts';
import { finishDue } from '../../shared/flow/finish-due.ts';
import {
  approveDeviceClaim,
  reopenDevice,
  resumeDevice,
  retireDevice,
  suspendDevice,
} from '../../shared/flow/lifecycle.ts';
import { provision } from '../../shared/flow/provision.ts';
import { replaceDevice } from '../../shared/flow/replace.ts';
import { keyed, makingWorld, settings } from './making-world.ts';

const mine = await keyed();
const others = await Promise.all(Array.from({ length: 4 }, keyed));
const by = 'arn:aws:iam::000000000000:user/ops';

type World = ReturnType<typeof makingWorld>;

/** A camera that streams: made on the line, alive, its stream and channel there. */
const living = async (): Promise<World & { certificateId: string }> => {
  const world = makingWorld({}, mine, others);
  const { certificateId } = await provision(
    { serialNumber: 'CAM-1', by: 'line', certificateSigningRequest: mine.csr },
    { ...world.ports, claims: { record: async () => {} } },
    settings,
  );
  await connect('CAM-1', { certificateId, at: world.ports.now().toISOString() }, connectPorts(world));
  world.calls.length = 0;
  return { ...world, certificateId };
};

const registryOf = ({ ports, devices }: World) => ({
  ...ports.registry,
  readPlace: async (name: string) => [...devices.values()].find((one) => one.thingName === name && !one.replacedBy),
  contest: async () => {},
});
const connectPorts = (world: World) => ({
  registry: registryOf(world),
  streams: world.ports.streams,
  intruders: { ...world.ports.endings.certificates, drop: world.ports.endings.connections.drop },
  now: world.ports.now,
});

const portsOf = ({ ports }: World) => ({ ...ports.endings, registry: ports.registry, now: ports.now });
const order = { serialNumber: 'CAM-1', by };
const suspendIn = (world: World) => suspendDevice(order, portsOf(world), settings);
const resumeIn = (world: World) => resumeDevice(order, portsOf(world));
const retireIn = (world: World, streams: 'keep' | 'delete' = 'keep') =>
  retireDevice({ ...order, streams }, portsOf(world), settings);
const replaceIn = (world: World, keepUntilConnected = false) =>
  replaceDevice({ ...order, successor: 'CAM-2', keepUntilConnected }, portsOf(world), settings);
const reconcileIn = ({ ports }: World) => finishDue(ports, settings, { hasTime: () => true });
const hardware = (world: World, change: Partial<Device> = {}) =>
  world.devices.set('CAM-2', {
    ...(world.device() as Device),
    serialNumber: 'CAM-2',
    thingName: 'CAM-2',
    status: 'registered',
    version: 1,
    certificates: [],
    streams: [],
    history: [],
    ...change,
  });
const minutes = (count: number) => count * 60_000;

describe('cutting off', () => {
  it('records first, then takes power, then denies what was issued, then ends the session', async () => {
    const world = await living();
    await suspendIn(world);
    expect(world.calls).toEqual(['read', 'save', 'deactivate', 'putDenials', 'deny', 'drop CAM-1', 'save']);
    expect(world.certificates.get(world.certificateId)?.isActive).toBe(false);
    expect([...world.denied]).toEqual([world.certificateId]);
    expect(world.device()).toMatchObject({
      status: 'suspended',
      denied: [{ certificateId: world.certificateId, until: '2026-11-24T09:05:00.000Z' }],
    });
    expect(
      world
        .device()
        .history.slice(-2)
        .map(({ what, by: who }) => `${who} ${what}`),
    ).toEqual([`${by} suspended`, 'function:suspend-device cut-off']);
    world.calls.length = 0;
    await suspendIn(world);
    expect(world.calls).toEqual(['read']);
  });

  it('is undone by resume', async () => {
    const world = await living();
    await suspendIn(world);
    const back = await resumeIn(world);
    expect(back).toMatchObject({ status: 'active' });
    expect(back).not.toHaveProperty('denied');
    expect(back).not.toHaveProperty('dueAt');
    expect(world.certificates.get(world.certificateId)?.isActive).toBe(true);
    expect(world.denied.size).toBe(0);
  });

  it('takes everything away when it is for good, and only what is to go', async () => {
    const world = await living();
    expect(await retireIn(world)).toMatchObject({ status: 'retired', certificates: [] });
    expect(world.certificates.size + world.things.size).toBe(0);
    expect([...world.streams.keys()]).toEqual(['CAM-1']);
    expect([...world.denied]).toEqual([world.certificateId]);

    const other = await living();
    await retireIn(other, 'delete');
    expect(other.streams.size).toBe(0);
    expect(other.device().streams).toEqual([]);
  });

  it('leaves what is somebody else’s', async () => {
    const world = await living();
    world.things.set('CAM-1', { thingTypeName: 'x', serialNumber: 'foreign' });
    world.streams.set('CAM-1', 'foreign');
    await retireIn(world, 'delete');
    expect(world.things.size).toBe(1);
    expect(world.streams.size).toBe(1);
  });

  it.each(['suspend', 'retire', 'replace'] as const)('%s: died anywhere, it is finished by reconcile', async (act) => {
    const act1 = { suspend: suspendIn, retire: retireIn, replace: (world: World) => replaceIn(world) }[act];
    for (let crashAt = 1; crashAt < 40; crashAt++) {
      for (const when of ['before', 'after'] as const) {
        const world = await living();
        hardware(world);
        Object.assign(world.state, { crashAt, when });
        const died = await act1(world).then(
          () => false,
          () => true,
        );
        if (!died && crashAt > 20) return;
        world.state.crashAt = 0;
        world.calls.length = 0;
        world.state.now += minutes(2);
        for (let round = 0; round < 3; round++) expect((await reconcileIn(world)).failed).toEqual({});
        const { status, cutOff } = world.device();
        const wasRecorded = status !== 'active';
        expect(cutOff).toBeUndefined();
        if (!wasRecorded) continue;
        expect(status).toBe(act === 'suspend' ? 'suspended' : 'retired');
        expect(world.unknownPower()).toEqual([]);
        expect([...world.certificates.values()].filter(({ isActive }) => isActive)).toEqual([]);
        expect([...world.denied]).toEqual([world.certificateId]);
        if (act === 'suspend') continue;
        expect(world.certificates.size).toBe(0);
        if (act === 'retire') expect(world.things.size).toBe(0);
        if (act === 'replace')
          expect(world.devices.get('CAM-2')).toMatchObject({ thingName: 'CAM-1', replaces: 'CAM-1' });
      }
    }
  });

  it('lifts the denial once the credentials have run out', async () => {
    const world = await living();
    await suspendIn(world);
    world.state.now += minutes(64);
    await reconcileIn(world);
    expect(world.denied.size).toBe(1);
    world.state.now += minutes(1);
    expect((await reconcileIn(world)).done).toMatchObject({ liftLapsed: 1 });
    expect(world.denied.size).toBe(0);
    expect(world.device()).not.toHaveProperty('dueAt');
  });

  it('keeps the role’s policy within its bound', async () => {
    const world = await living();
    const until = '2026-11-24T08:30:00.000Z';
    for (let n = 0; n < mostDenied; n++) world.denials.set(`old-${n}`, { certificateId: `old-${n}`, until });
    await suspendIn(world);
    expect(world.denied.size).toBe(mostDenied);
    expect(world.denied).toContain(world.certificateId);
  });

  it('cuts off again what RegisterThing has made active after the suspension', async () => {
    const world = await living();
    await suspendIn(world);
    await world.ports.endings.certificates.activate(world.certificateId);
    const sign = { certificateId: world.certificateId, at: world.ports.now().toISOString() };
    await expect(connect('CAM-1', sign, connectPorts(world))).rejects.toMatchObject({ code: 'device-suspended' });
    expect(world.certificates.get(world.certificateId)?.isActive).toBe(false);
    expect(world.calls.at(-1)).toBe('drop CAM-1');
  });
});

describe('two at once', () => {
  it('one gets the version that won', async () => {
    const world = await living();
    const { version } = world.device();
    const both = await Promise.allSettled([suspendIn(world), retireIn(world)]);
    const lost = both.filter((one) => one.status === 'rejected').map(({ reason }) => reason as Failure);
    expect(lost).toHaveLength(1);
    expect(lost[0]).toMatchObject({ code: 'version-conflict', version: version + 1 });
    expect(lost[0]).toBeInstanceOf(Failure);
  });

  it('whoever has seen another version is refused', async () => {
    const world = await living();
    const stale = suspendDevice({ ...order, version: 1 }, portsOf(world), settings);
    await expect(stale).rejects.toMatchObject({ code: 'version-conflict', version: world.device().version });
  });

  it('whoever was overtaken has AWS asked again', async () => {
    const world = await living();
    const ports = portsOf(world);
    let overtaken = false;
    const drop = async () => {
      if (overtaken) return;
      overtaken = true;
      await resumeIn(world);
    };
    await suspendDevice(order, { ...ports, connections: { drop } }, settings);
    await world.ports.endings.certificates.deactivate(world.certificateId);
    expect(world.device()).toMatchObject({ status: 'active', cutOff: { act: 'resume' } });
    await reconcileIn(world);
    expect(world.certificates.get(world.certificateId)?.isActive).toBe(true);
    expect(world.denied.size).toBe(0);
    expect(world.device()).not.toHaveProperty('cutOff');
  });
});

describe('replacing', () => {
  it('cuts the old one off first, and hands over thing, stream and place', async () => {
    const world = await living();
    hardware(world);
    expect(await replaceIn(world)).toMatchObject({ status: 'retired', replacedBy: 'CAM-2', certificates: [] });
    expect(world.devices.get('CAM-2')).toMatchObject({
      status: 'registered',
      thingName: 'CAM-1',
      replaces: 'CAM-1',
      streams: [{ name: 'CAM-1', state: 'made' }],
    });
    expect(world.things.get('CAM-1')?.serialNumber).toBe('CAM-2');
    expect(world.streams.get('CAM-1')).toBe('CAM-2');
    expect(world.certificates.size).toBe(0);
    const { version } = world.devices.get('CAM-2') as Device;
    await replaceIn(world);
    expect(world.devices.get('CAM-2')?.version).toBe(version);
  });

  it('keeps the old one until the new one has shown life', async () => {
    const world = await living();
    hardware(world, { status: 'registered' });
    expect(await replaceIn(world, true)).toMatchObject({ status: 'active', replacedBy: 'CAM-2' });
    expect(world.certificates.get(world.certificateId)?.isActive).toBe(true);
    const { certificateId } = await provision(
      { serialNumber: 'CAM-2', by: 'line', certificateSigningRequest: mine.csr },
      { ...world.ports, claims: { record: async () => {} } },
      settings,
    );
    const sign = { certificateId, at: world.ports.now().toISOString() };
    const alive = await connect('CAM-1', sign, connectPorts(world));
    expect(alive).toMatchObject({ serialNumber: 'CAM-2', status: 'active', takeover: { step: 'cutting' } });
    expect((await reconcileIn(world)).done).toMatchObject({ finishTakeover: 1 });
    expect(world.device()).toMatchObject({ status: 'retired', certificates: [] });
    expect([...world.certificates.keys()]).toEqual([certificateId]);
    expect(world.devices.get('CAM-2')).not.toHaveProperty('takeover');
  });
});

describe('a new life', () => {
  it('begins in a new place, beside the old streams', async () => {
    const world = await living();
    await retireIn(world);
    expect(await reopenDevice(order, portsOf(world))).toMatchObject({ status: 'registered', thingName: 'CAM-1-r1' });
    await provision(
      { serialNumber: 'CAM-1', by: 'line', certificateSigningRequest: mine.csr },
      { ...world.ports, claims: { record: async () => {} } },
      settings,
    );
    expect([...world.streams.keys()]).toEqual(['CAM-1', 'CAM-1-r1']);
    expect([...world.things.keys()]).toEqual(['CAM-1-r1']);
  });
});

describe('an approval', () => {
  it('is for the key of the attempt that ops saw', async () => {
    const world = await living();
    const seen = { serialNumber: 'CAM-1', at: '2026', door: 'mqtt' as const, reason: 'approval-needed' as const };
    const claims = {
      read: async (_: string, id: string) => (id === 'seen' ? { ...seen, publicKeySha256: 'b' } : undefined),
    };
    const approve = (claimId: string) => approveDeviceClaim({ ...order, claimId }, { ...portsOf(world), claims });
    await expect(approve('unseen')).rejects.toMatchObject({ code: 'claim-not-found' });
    expect(await approve('seen')).toMatchObject({ approval: { publicKeySha256: 'b', claimId: 'seen', by } });
  });
});
