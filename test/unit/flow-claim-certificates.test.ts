import { describe, expect, it } from 'vitest';
import type { ClaimCertificate } from '../../shared/domain/claim.ts';
import { createProvisioningClaim } from '../../shared/flow/create-provisioning-claim.ts';
import { type DisablePorts, disableClaimCertificate } from '../../shared/flow/disable-claim-certificate.ts';
import { listClaimCertificates } from '../../shared/flow/list-claim-certificates.ts';

const now = () => new Date('2026-11-24T08:00:00Z');
const batch: ClaimCertificate = { certificateId: 'c1', batch: '42', createdAt: '', createdBy: 'ops', refused: 3 };
const openings = ['CAM-3', 'CAM-2', 'CAM-1'].map((serialNumber, index) => {
  const openedAt = `2026-11-2${3 - index}T00:00:00.000Z`;
  return { claimCertificateId: 'c1', serialNumber, openedAt, certificateId: `own-${index}`, key: openedAt };
});
const listed = openings.map(({ serialNumber, openedAt, certificateId }) => ({ serialNumber, openedAt, certificateId }));
const counters = {
  readSome: async (_: string, ids: string[]) => Object.fromEntries(ids.map((id) => [id, id === 'c1' ? 3 : 0])),
};

/** One claim certificate that has opened three devices; `dies`: the call of AWS that fails once. */
const world = (dies?: string) => {
  const records = new Map([['c1', batch]]);
  const calls: string[] = [];
  let failing = dies;
  const step = async (name: string) => {
    calls.push(name);
    if (name === failing) {
      failing = undefined;
      throw new Error(name);
    }
  };
  const ports: DisablePorts = {
    claimCertificates: {
      async disable(certificateId, at, by) {
        await step('record');
        const known = records.get(certificateId);
        if (!known) return undefined;
        const disabled = { disabledAt: at, disabledBy: by, ...known };
        records.set(certificateId, disabled);
        return disabled;
      },
    },
    counters,
    openings: {
      list: async (_, { since = '', limit, beyond }) =>
        openings.filter(({ key }) => key >= since && (!beyond || key < beyond)).slice(0, limit),
    },
    certificates: {
      async find(certificateId) {
        await step('find');
        return { certificateArn: `arn:${certificateId}` };
      },
      deactivate: () => step('deactivate'),
      detachPolicy: () => step('detachPolicy'),
    },
    now,
  };
  const disable = (change: { by?: string; openedSince?: string; limit?: number; before?: string } = {}) =>
    disableClaimCertificate({ certificateId: 'c1', by: 'ops', limit: 50, ...change }, ports, 'claim');
  return { ports, calls, records, disable };
};

describe('disabling a claim certificate', () => {
  it('writes it down first, takes its power, and lists what it opened', async () => {
    const { disable, calls } = world();
    const { answer, next } = await disable();
    expect(calls).toEqual(['record', 'find', 'deactivate', 'detachPolicy']);
    expect(answer).toMatchObject({
      kind: 'batch',
      opened: 3,
      refused: 3,
      disabledAt: '2026-11-24T08:00:00.000Z',
      disabledBy: 'ops',
    });
    expect(answer.devices).toEqual(listed);
    expect(next).toBeUndefined();
  });

  it('lists from a day on, page by page', async () => {
    const { disable } = world();
    expect((await disable({ openedSince: '2026-11-22' })).answer.devices).toHaveLength(2);
    const first = await disable({ limit: 2 });
    expect(first.answer.devices.map(({ serialNumber }) => serialNumber)).toEqual(['CAM-3', 'CAM-2']);
    const rest = await disable({ limit: 2, before: first.next ?? '' });
    expect(rest.answer.devices.map(({ serialNumber }) => serialNumber)).toEqual(['CAM-1']);
    expect(rest.next).toBeUndefined();
  });

  it.each(['find', 'deactivate', 'detachPolicy'])('stopped at %s goes on with the same call', async (dies) => {
    const { disable, records } = world(dies);
    await expect(disable()).rejects.toThrow(dies);
    expect(records.get('c1')?.disabledAt).toBeDefined();
    // Who did it first stands.
    expect((await disable({ by: 'somebody else' })).answer.disabledBy).toBe('ops');
  });

  it('touches none that no record knows', async () => {
    const { ports, calls } = world();
    const unknown = disableClaimCertificate({ certificateId: 'c2', by: 'ops', limit: 50 }, ports, 'claim');
    await expect(unknown).rejects.toMatchObject({ code: 'claim-certificate-not-found' });
    expect(calls).toEqual(['record']);
  });
});

describe('claim certificates', () => {
  it('are listed with what each has opened and refused', async () => {
    const installer: ClaimCertificate = { certificateId: 'c2', kind: 'installer', createdAt: '', createdBy: 'line' };
    const answer = await listClaimCertificates(
      { limit: 2 },
      {
        claimCertificates: { list: async () => ({ certificates: [batch, installer], next: 'c2' }) },
        counters,
      },
    );
    expect(answer.next).toBe('c2');
    expect(answer.claimCertificates.map(({ kind, opened, refused }) => [kind, opened, refused])).toEqual([
      ['batch', 3, 3],
      ['installer', 0, 0],
    ]);
  });

  it('of installers are written down with their end, and their key is not', async () => {
    const records: unknown[] = [];
    const expiresAt = '2026-11-24T08:05:00.000Z';
    const answer = await createProvisioningClaim(
      { batch: '42' },
      'line',
      {
        iot: { create: async () => ({ certificateId: 'c3', certificatePem: 'pem', privateKey: 'secret', expiresAt }) },
        registry: { record: async (...record) => void records.push(record) },
        now,
      },
      { templateName: 'claim', mqttEndpoint: 'mqtt', keptDays: 90 },
    );
    expect(answer).toMatchObject({ privateKey: 'secret', expiresAt, templateName: 'claim', batch: '42' });
    expect(records).toMatchObject([
      [{ kind: 'installer', claimWindow: { until: expiresAt }, createdBy: 'line' }, 1_795_507_200 + 90 * 86_400],
    ]);
    expect(JSON.stringify(records)).not.toContain('secret');
  });
});
