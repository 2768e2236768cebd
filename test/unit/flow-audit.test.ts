import { describe, expect, it } from 'vitest';
import { beginAudit } from '../../shared/domain/audit.ts';
import type { Device } from '../../shared/domain/device.ts';
import type { FoundThing } from '../../shared/domain/drift.ts';
import { beginReport } from '../../shared/domain/reconciliation.ts';
import { turnOf } from '../../shared/domain/sketch.ts';
import { goOn } from '../../shared/flow/audit/audit.ts';
import type { AuditPorts } from '../../shared/flow/audit/ports.ts';

/** More than get a closer look in one audit without a reason: what is found here the lists have told. */
const FLEET = 3000;
const TURNS = 3;

const since = '2026-11-20T08:00:00.000Z';
const DAY_MS = 86_400_000;

const cameraOf = (index: number): Device => ({
  serialNumber: `CAM-${index}`,
  version: 1,
  status: 'active',
  thingName: `CAM-${index}`,
  streamMode: 'thing-name',
  channels: [],
  registeredAt: since,
  certificates: [{ id: `c${index}`, publicKeySha256: 'k', door: 'mqtt', state: 'current', since }],
  streams: [{ name: `CAM-${index}`, state: 'made', since }],
  history: [],
});

/** A fleet that is well, at AWS and in the registry; pages of 250, as AWS's are. */
function fleet() {
  const devices = new Map(Array.from({ length: FLEET }, (_, index) => [`CAM-${index}`, cameraOf(index)]));
  const things = new Map<string, FoundThing>();
  const certificates = new Map<string, { isActive: boolean; policies: Set<string>; things: Set<string> }>();
  const streams = new Set<string>();
  for (const { serialNumber, thingName, certificates: held } of devices.values()) {
    things.set(thingName, { thingName, thingTypeName: 'tn', serialNumber, batch: '-' });
    streams.add(thingName);
    for (const { id } of held) {
      certificates.set(id, { isActive: true, policies: new Set(['device']), things: new Set([thingName]) });
    }
  }
  const looked = new Set<string>();
  const page = <Item>(all: Item[], after: string | undefined, size = 250) => {
    const first = Number(after ?? 0);
    const next = first + size < all.length ? { next: String(first + size) } : {};
    return { items: all.slice(first, first + size), ...next };
  };
  const ofArn = (arn: string) => certificates.get(arn.slice('arn:'.length));
  const none = () => Promise.reject(new Error('nobody should ask for this'));

  const ports = {
    registry: {
      due: async () => ({ serialNumbers: [] }),
      read: async (serialNumber: string) => devices.get(serialNumber),
      async save(before: Device, after: Device) {
        if (devices.get(after.serialNumber)?.version !== before.version) return false;
        devices.set(after.serialNumber, after);
        return true;
      },
      readMany: async (serials: string[]) =>
        new Map(serials.flatMap((serial) => (devices.has(serial) ? [[serial, devices.get(serial) as Device]] : []))),
      readPlace: async () => undefined,
      holderOf: async (id: string) => (devices.has(`CAM-${id.slice(1)}`) ? `CAM-${id.slice(1)}` : undefined),
      async page(limit: number, after?: string) {
        const { items, ...next } = page([...devices.values()], after, limit);
        return { devices: items, ...next };
      },
    },
    lists: {
      async targetsOf(policy: string, after?: string) {
        const listed = [...certificates].filter(([, { policies }]) => policies.has(policy));
        const { items, ...next } = page(listed, after);
        return { targets: items.map(([certificateId]) => ({ certificateId, arn: `arn:${certificateId}` })), ...next };
      },
      async inactive(after?: string) {
        const { items, ...next } = page([...certificates], after);
        return { certificateIds: items.filter(([, { isActive }]) => !isActive).map(([id]) => id), ...next };
      },
      async thingsOf(type: string, after?: string) {
        const { items, ...next } = page(
          [...things.values()].filter((one) => one.thingTypeName === type),
          after,
        );
        return { things: items, ...next };
      },
    },
    looks: {
      async certificate(id: string) {
        looked.add(id);
        const found = certificates.get(id);
        return found && { certificateArn: `arn:${id}`, isActive: found.isActive, createdAt: since };
      },
      policiesOf: async (arn: string) => [...(ofArn(arn)?.policies ?? [])],
      thingsOf: async (arn: string) => [...(ofArn(arn)?.things ?? [])],
      thing: async (name: string) => things.get(name),
      principalsOf: async () => [],
    },
    certificates: {
      find: none,
      attachPolicy: async (arn: string, policy: string) => void ofArn(arn)?.policies.add(policy),
      detachPolicy: async (arn: string, policy: string) => void ofArn(arn)?.policies.delete(policy),
      deactivate: none,
      delete: none,
    },
    things: {
      async make({
        thingName,
        thingTypeName,
        serialNumber,
      }: {
        thingName: string;
        thingTypeName: string;
        serialNumber: string;
      }) {
        things.set(thingName, { thingName, thingTypeName, serialNumber, batch: '-' });
        return 'made';
      },
      attach: async (thingName: string, arn: string) => void ofArn(arn)?.things.add(thingName),
      detach: none,
    },
    streams: {
      async make(name: string) {
        streams.add(name);
        return 'made';
      },
      isOurs: none,
      names: async () => streams,
    },
    denials: { list: async () => [] },
    roles: { areDenying: async () => true },
    counters: {
      all: async () => [],
      notesOf: async (serials: string[]) =>
        new Map(serials.map((serial) => [serial, { counted: { status: 'active' }, owing: false }])),
      correct: async () => true,
    },
    endings: {},
    now: () => new Date('2026-11-24T08:00:00.000Z'),
  } as unknown as AuditPorts;

  /** On a day on which these have no turn. */
  async function audit(...drifted: number[]) {
    const isTheirs = (day: number) => drifted.some((index) => turnOf(`CAM-${index}`, TURNS) === day % TURNS);
    const day = [20_000, 20_001, 20_002].find((one) => !isTheirs(one)) ?? 20_000;
    const settings = {
      thingTypes: { 'thing-name': 'tn', 'certificate-id': 'ci', fixed: 'fx' },
      devicePolicy: 'device',
      credentialSeconds: 3600,
      mostCutOff: 25,
    };
    const report = beginReport(false);
    looked.clear();
    const begun = beginAudit({ phase: 'records' }, new Date(day * DAY_MS));
    expect(await goOn(begun, { ports, settings, report, hasTime: () => true }, () => true)).toBe(true);
    expect(report.failed).toEqual({});
    return report;
  }
  return { devices, things, certificates, streams, looked, audit };
}

describe('a fleet of which no audit looks at every device', () => {
  it('that is well gets a closer look at its share, and no other', async () => {
    const { audit, looked } = fleet();
    // The counters were never there.
    expect((await audit()).findings.filter(({ what }) => what !== 'counter-wrong')).toEqual([]);
    expect(looked.size).toBeGreaterThan(FLEET / TURNS / 2);
    expect(looked.size).toBeLessThan(FLEET / TURNS + 200);
  });

  it('has what drifted found by AWS’s lists, whosever turn it is', async () => {
    const { audit, looked, certificates, things, streams } = fleet();
    // Two of one turn, so that there is a day that is nobody's.
    const [policy, thing, type, stream, inactive] = Array.from({ length: FLEET }, (_, index) => index).filter(
      (index) => turnOf(`CAM-${index}`, TURNS) === 0,
    ) as [number, number, number, number, number];
    certificates.get(`c${policy}`)?.policies.clear();
    things.delete(`CAM-${thing}`);
    certificates.get(`c${thing}`)?.things.clear();
    things.set(`CAM-${type}`, { ...(things.get(`CAM-${type}`) as FoundThing), batch: 'else' });
    streams.delete(`CAM-${stream}`);
    Object.assign(certificates.get(`c${inactive}`) as object, { isActive: false });
    const { findings } = await audit(policy, thing, type, stream, inactive);
    expect(
      findings
        .filter(({ what }) => what !== 'counter-wrong')
        .map(({ what, of }) => `${what} ${of}`)
        .sort(),
    ).toEqual(
      [
        `policy-missing CAM-${policy}`,
        `thing-missing CAM-${thing}`,
        `attachment-missing CAM-${thing}`,
        `thing-differs CAM-${type}`,
        `stream-missing CAM-${stream}`,
        `makeStreams CAM-${stream}`,
        `certificate-inactive CAM-${inactive}`,
      ].sort(),
    );
    expect(looked.size).toBeLessThan(FLEET / TURNS + 200);
    const again = await audit(policy, thing, type, stream, inactive);
    expect(again.findings.filter(({ what }) => what !== 'counter-wrong').map(({ what }) => what)).toEqual([
      'certificate-inactive',
    ]);
  });
});
