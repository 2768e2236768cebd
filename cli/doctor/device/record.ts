import { ApiError } from '../../api.ts';
import { read } from '../api.ts';
import { broken, type Link, NotChecked, well } from '../link.ts';
import type { Patient } from '../patient.ts';
import { byHand } from '../remedy.ts';

/** What a doctor reads of a device; the API answers more. */
export interface DeviceRecord {
  serialNumber: string;
  status: 'registered' | 'claimed' | 'active' | 'suspended' | 'retired';
  thingName: string;
  streamMode: string;
  batch?: string;
  certificates: { id: string; state: 'allowed' | 'current' | 'leaving'; since: string }[];
  streams: { name: string; state: 'making' | 'pending' | 'made' | 'taken'; since: string; until?: string }[];
  making?: { since: string };
  cutOff?: { act: string; since: string; dueAt: string };
  takeover?: { from: string; since: string; step: string };
  replacedBy?: string;
  dueAt?: string;
  contested?: { at: string; reason: string; count: number };
  activeAt?: string;
  history: { at: string; by: string; what: string; why?: string }[];
}

/** A deployment and the one device that is looked at. */
export interface DevicePatient extends Patient {
  serialNumber: string;
  /** Undefined where nobody has announced it. */
  record(): Promise<DeviceRecord | undefined>;
}

export async function readRecord(api: Patient['api'], serialNumber: string): Promise<DeviceRecord | undefined> {
  try {
    return (await read(api, `/devices/${encodeURIComponent(serialNumber)}`)) as DeviceRecord;
  } catch (error) {
    const { cause } = error as Error;
    if (cause instanceof ApiError && cause.status === 404) return undefined;
    throw error;
  }
}

/** The record, for links that have nothing to say without one. Rejects with NotChecked. */
export async function recorded({ record, serialNumber }: DevicePatient): Promise<DeviceRecord> {
  const device = await record();
  if (device) return device;
  throw new NotChecked(`the registry has no device ${serialNumber}`);
}

/** It should have all that a camera needs at AWS. */
export const isLiving = ({ status }: DeviceRecord): boolean => status === 'claimed' || status === 'active';

export const recordLink: Link<DevicePatient> = {
  name: 'record',
  asks: 'Does the registry expect this device, and has nobody cut it off?',
  subjects: ({ serialNumber, record }) => [
    {
      subject: serialNumber,
      async look() {
        const device = await record();
        if (!device) {
          return broken(
            'nobody has announced it',
            byHand('firstlight manifest import FILE (a CSV with the row of this camera)'),
          );
        }
        const { status, activeAt, replacedBy } = device;
        if (status === 'suspended') {
          return broken(
            `it is suspended${acted(device, 'suspended')}`,
            byHand(`firstlight device resume ${serialNumber}`),
          );
        }
        if (status === 'retired') {
          if (replacedBy) {
            return broken(`it is retired: ${replacedBy} has replaced it`, byHand(`firstlight doctor ${replacedBy}`));
          }
          return broken(`it is retired${acted(device, 'retired')}`, byHand(`firstlight device reopen ${serialNumber}`));
        }
        if (status === 'registered') return well('announced, and it has not claimed yet');
        if (status === 'claimed') return well('claimed, and it has shown no life yet');
        return well(`active since ${activeAt ?? '?'}`);
      },
    },
  ],
};

/** Who did it, when and why. */
function acted({ history }: DeviceRecord, what: string): string {
  const entry = history.findLast((one) => one.what === what);
  if (!entry) return '';
  return ` since ${entry.at}, by ${entry.by}${entry.why ? `: ${entry.why}` : ''}`;
}
