import { describe, expect, it } from 'vitest';
import type { Device } from '../../shared/domain/device.ts';
import { announcement } from '../../shared/domain/manifest.ts';
import type { RefusedClaim } from '../../shared/domain/refusal.ts';
import { announce } from '../../shared/flow/announce.ts';
import { connect } from '../../shared/flow/connect.ts';
import { createClaimCertificate } from '../../shared/flow/create-claim-certificate.ts';
import { listClaims } from '../../shared/flow/list-claims.ts';
import { showDevice } from '../../shared/flow/show-device.ts';

const at = '2026-11-24T08:00:00.000Z';
const now = () => new Date(at);

const claimed = (change: Partial<Device> = {}): Device => ({
  serialNumber: 'CAM-1',
  version: 2,
  status: 'claimed',
  thingName: 'CAM-1',
  streamMode: 'thing-name',
  channels: ['sub'],
  registeredAt: '2026-11-24T07:00:00.000Z',
  certificates: [{ id: 'c1', publicKeySha256: 'a'.repeat(64), door: 'mqtt', state: 'allowed', since: at }],
  streams: [{ name: 'CAM-1', state: 'making', since: at }],
  history: [],
  ...change,
});

/** Nobody else has any key. */
const pins = { find: async () => undefined, take: async () => undefined };

const registryOf = (...known: Device[]) => {
  const devices = new Map(known.map((device) => [device.serialNumber, device]));
  const contested: string[] = [];
  return {
    devices,
    contested,
    saves: 0,
    async read(serialNumber: string) {
      return devices.get(serialNumber);
    },
    async readMany(serialNumbers: string[]) {
      return new Map([...devices].filter(([serialNumber]) => serialNumbers.includes(serialNumber)));
    },
    async readPlace(thingName: string) {
      return [...devices.values()].find((device) => device.thingName === thingName);
    },
    async save(before: Device | undefined, after: Device) {
      this.saves++;
      if (devices.get(after.serialNumber)?.version !== before?.version) return false;
      devices.set(after.serialNumber, after);
      return true;
    },
    async contest(serialNumber: string, reason: string) {
      contested.push(`${serialNumber} ${reason}`);
    },
  };
};

describe('connect', () => {
  const streamsThat = (answer: 'made' | 'exists' | 'late', isOurs = true) => ({
    make: async () => answer,
    isOurs: async () => isOurs,
  });
  const cutOff: string[] = [];
  const intruders = {
    deactivate: async (certificateId: string) => void cutOff.push(certificateId),
    drop: async (clientId: string) => void cutOff.push(clientId),
  };
  const sign = (certificateId: string) => ({ certificateId, at });

  it('makes the device active and its channels, and writes nothing the second time', async () => {
    const registry = registryOf(claimed());
    const ports = { registry, streams: streamsThat('made'), intruders, now };
    const device = await connect('CAM-1', sign('c1'), ports);
    expect(device.status).toBe('active');
    expect(device.streams.map(({ name, state }) => [name, state])).toEqual([
      ['CAM-1', 'made'],
      ['CAM-1.sub', 'made'],
    ]);
    expect(device.dueAt).toBeUndefined();
    const { saves } = registry;
    expect(await connect('CAM-1', sign('c1'), ports)).toBe(registry.devices.get('CAM-1'));
    expect(registry.saves).toBe(saves);
  });

  it('leaves a stream that is late again pending and due, and marks one that is not ours', async () => {
    const late = await connect('CAM-1', sign('c1'), {
      registry: registryOf(claimed()),
      streams: streamsThat('late'),
      intruders,
      now,
    });
    expect(late).toMatchObject({ dueAt: at, streams: [{ state: 'made' }, { state: 'pending' }] });
    const streams = streamsThat('exists', false);
    const taken = await connect('CAM-1', sign('c1'), { registry: registryOf(claimed()), streams, intruders, now });
    expect(taken.streams[1]?.state).toBe('taken');
    expect(taken.history.at(-1)?.why).toContain('CAM-1.sub');
  });

  it('finds the device that took over a place, by the place and never by the client id alone', async () => {
    const old = claimed({ status: 'retired', certificates: [], thingName: 'elsewhere' });
    const replacement = claimed({ serialNumber: 'CAM-2', thingName: 'CAM-1' });
    const registry = registryOf(old, replacement);
    const device = await connect('CAM-1', sign('c1'), { registry, streams: streamsThat('made'), intruders, now });
    expect(device.serialNumber).toBe('CAM-2');
  });

  it('drops what proves nothing, and notes a clone', async () => {
    const certificates = claimed().certificates.map((one) => ({
      ...one,
      state: 'leaving' as const,
      since: '2026-01-01',
    }));
    const registry = registryOf(claimed({ certificates }));
    const ports = { registry, streams: streamsThat('made'), intruders, now };
    await expect(connect('CAM-1', sign('c9'), ports)).rejects.toMatchObject({ code: 'certificate-unknown' });
    await expect(connect('CAM-9', sign('c1'), ports)).rejects.toMatchObject({ code: 'device-not-found' });
    await expect(connect('CAM-1', sign('c1'), ports)).rejects.toMatchObject({ code: 'certificate-superseded' });
    expect(registry.contested).toEqual(['CAM-1 certificate-superseded']);
    expect(registry.saves).toBe(0);
    // A clone sign never switches anything off.
    expect(cutOff).toEqual([]);
  });

  it.each(['suspended', 'retired'] as const)('cuts off what shows life though its device is %s', async (status) => {
    cutOff.length = 0;
    const ports = { registry: registryOf(claimed({ status })), streams: streamsThat('made'), intruders, now };
    await expect(connect('CAM-1', sign('c1'), ports)).rejects.toMatchObject({ code: `device-${status}` });
    expect(cutOff).toEqual(['c1', 'CAM-1']);
    // A certificate that is not the device's is nobody's business here.
    await expect(connect('CAM-1', sign('c9'), ports)).rejects.toMatchObject({ code: `device-${status}` });
    expect(cutOff).toEqual(['c1', 'CAM-1']);
  });

  it('reads again after a rival write, and gives up as an outage', async () => {
    const registry = registryOf(claimed());
    const { save } = registry;
    let rivals = 1;
    registry.save = async (before, after) => (rivals-- > 0 ? false : save.call(registry, before, after));
    expect(
      (await connect('CAM-1', sign('c1'), { registry, streams: streamsThat('made'), intruders, now })).status,
    ).toBe('active');
    const never = { ...registryOf(claimed()), save: async () => false };
    await expect(
      connect('CAM-1', sign('c1'), { registry: never, streams: streamsThat('made'), intruders, now }),
    ).rejects.not.toHaveProperty('code');
  });
});

describe('announce', () => {
  const row = (value: Record<string, unknown>) => ({ row: announcement.parse(value) });
  const token = '0123456789abcdef'.repeat(2);

  it('gives a verdict a row in the order of the rows, and a bad row stops none', async () => {
    const registry = registryOf(claimed());
    const problem = { code: 'invalid-request', detail: 'x' };
    const rows = [
      row({ serialNumber: 'CAM-2' }),
      { serialNumber: 'a/b', problem },
      row({ serialNumber: 'CAM-2' }),
      row({ serialNumber: 'CAM-2', model: 'A1' }),
      row({ serialNumber: 'CAM-1', batch: '42' }),
      row({ serialNumber: 'CAM-3', streamMode: 'fixed' }),
      row({ serialNumber: 'CAM-4', claimToken: token }),
    ];
    const results = await announce(rows, 'factory', { registry, pins, now }, {});
    expect(results.map(({ serialNumber, outcome }) => `${serialNumber} ${outcome}`)).toEqual([
      'CAM-2 created',
      'a/b rejected',
      'CAM-2 unchanged',
      'CAM-2 rejected',
      'CAM-1 rejected',
      'CAM-3 rejected',
      'CAM-4 created',
    ]);
    expect(JSON.stringify([...registry.devices])).not.toContain(token);
    expect(registry.devices.get('CAM-2')?.history.map(({ by, what }) => `${by} ${what}`)).toEqual([
      'factory announced',
    ]);
    expect(results[3]?.problem?.code).toBe('duplicate-serial');
  });

  it('takes a key for one serial number of a request only', async () => {
    const registry = registryOf(claimed());
    const publicKeySha256 = 'b'.repeat(64);
    const rows = ['CAM-2', 'CAM-3', 'CAM-2'].map((serialNumber) => row({ serialNumber, publicKeySha256 }));
    const results = await announce(rows, 'factory', { registry, pins, now }, {});
    expect(results.map(({ outcome, problem }) => problem?.code ?? outcome)).toEqual([
      'created',
      'duplicate-key',
      'unchanged',
    ]);
  });

  it('of the same rows by two at once writes each once', async () => {
    const registry = registryOf();
    const rows = Array.from({ length: 30 }, (_, index) => row({ serialNumber: `CAM-${index}` }));
    const both = await Promise.all(['line 1', 'line 2'].map((by) => announce(rows, by, { registry, pins, now }, {})));
    const outcomes = rows.map((_, index) =>
      both
        .map((results) => results[index]?.outcome)
        .sort()
        .join(),
    );
    expect(new Set(outcomes)).toEqual(new Set(['created,unchanged']));
  });

  it('knows its own write again when the answer to it was lost', async () => {
    const registry = registryOf();
    const losing = {
      ...registry,
      save: async (before: Device | undefined, after: Device) => (await registry.save(before, after)) && false,
    };
    const results = await announce([row({ serialNumber: 'CAM-2' })], 'factory', { registry: losing, pins, now }, {});
    expect(results.map(({ outcome }) => outcome)).toEqual(['created']);
  });

  it('of two rows that differ, in one millisecond and by one caller, each knows which of them was written', async () => {
    const registry = registryOf();
    const rowOf = (model: string) => [row({ serialNumber: 'CAM-2', model })];
    const both = await Promise.all(
      ['A1', 'B2'].map((model) => announce(rowOf(model), 'factory', { registry, pins, now }, {})),
    );
    expect(both.flat().map(({ outcome }) => outcome)).toEqual(['created', 'updated']);
    expect(registry.devices.get('CAM-2')).toMatchObject({ model: 'B2', version: 2 });
  });

  it('on a dry run says what would happen and writes nothing', async () => {
    const registry = registryOf();
    const rows = [row({ serialNumber: 'CAM-2' }), row({ serialNumber: 'CAM-2' })];
    const results = await announce(rows, 'factory', { registry, pins, now }, { dryRun: true });
    expect(results.map(({ outcome }) => outcome)).toEqual(['created', 'unchanged']);
    expect(registry.devices.size).toBe(0);
  });
});

it('a device is shown with what became of its token, and without the token’s hash', async () => {
  const shown = await showDevice(
    'CAM-1',
    registryOf(claimed({ claimTokenSha256: 'hash', contested: at, contestedCount: 2 })),
  );
  expect(shown).toMatchObject({ claimToken: 'unspent', contested: { at, count: 2 } });
  expect(JSON.stringify(shown)).not.toContain('hash');
  await expect(showDevice('CAM-9', registryOf())).rejects.toMatchObject({ code: 'device-not-found' });
});

it('claims are listed newest first, yeses and refusals, page by page', async () => {
  const instant = (minute: number) => `2026-11-24T08:0${minute}:00.000Z`;
  const history = [1, 4].map((minute) => ({
    at: instant(minute),
    by: 'certificate:batch',
    what: 'claimed' as const,
    claim: {
      assurance: 'allow-list' as const,
      door: 'mqtt' as const,
      certificateId: `c${minute}`,
      publicKeySha256: 'k',
    },
  }));
  const refusals = [0, 2, 3].map(
    (minute): RefusedClaim => ({
      serialNumber: 'CAM-1',
      at: instant(minute),
      door: 'mqtt',
      reason: 'already-claimed',
      certificateId: `c${minute}`,
    }),
  );
  const key = ({ at: when, certificateId }: RefusedClaim) => `${when}#${certificateId}`;
  const readers = {
    registry: registryOf(claimed({ history })),
    claims: {
      list: async (_: string, limit: number, before = ':') =>
        refusals
          .filter((refusal) => key(refusal) < before)
          .reverse()
          .slice(0, limit),
      notKept: async () => [{ during: '2026-11-24', refused: 7 }],
    },
  };
  const seen: string[] = [];
  let before: string | undefined;
  do {
    const { claims, next, notKept = [] } = await listClaims('CAM-1', { limit: 2, before }, readers);
    const more = notKept.map(({ refused }) => `${refused} more`);
    seen.push([...claims.map(({ certificateId, outcome }) => `${certificateId} ${outcome}`), ...more].join());
    before = next;
  } while (before);
  expect(seen).toEqual(['c4 granted,c3 refused', 'c2 refused,c1 granted', 'c0 refused,7 more']);
});

/** `dies`: the call that fails. */
const claimCertificateWorld = (dies?: string) => {
  const steps: string[] = [];
  const step = async (name: string, what: string) => {
    steps.push(`${name} ${what}`);
    if (name === dies) throw new Error(name);
  };
  const made = { certificateId: 'c1', certificateArn: 'arn', certificatePem: 'pem', privateKey: 'key' };
  const ports = {
    iot: {
      issue: async () => made,
      attachPolicy: (arn: string, policy: string) => step('attach', `${policy} to ${arn}`),
      deactivate: (id: string) => step('deactivate', id),
    },
    registry: {
      record: (record: object) => step('record', Object.keys(record).join()),
      disable: (id: string, _: string, by: string) => step('disable', `${id} by ${by}`),
    },
    now,
  };
  return { steps, make: () => createClaimCertificate({ batch: '42' }, 'ops', ports, 'claim') };
};

it('a claim certificate is on record before it has power', async () => {
  const { steps, make } = claimCertificateWorld();
  expect(await make()).toEqual({
    certificateId: 'c1',
    certificatePem: 'pem',
    privateKey: 'key',
    batch: '42',
    createdAt: at,
    createdBy: 'ops',
  });
  expect(steps).toEqual(['record certificateId,batch,createdAt,createdBy', 'attach claim to arn']);
});

it.each(['record', 'attach'])(
  'a claim certificate that could not be made to its end (%s) is disabled',
  async (dies) => {
    const { steps, make } = claimCertificateWorld(dies);
    await expect(make()).rejects.toThrow(dies);
    expect(steps.slice(-2)).toEqual(['deactivate c1', 'disable c1 by function:create-claim-certificate']);
  },
);
