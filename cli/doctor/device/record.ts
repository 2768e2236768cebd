import { type DeviceRecord, pathOf, standing } from '../../device-record.ts';
import { CommandFailed } from '../../failure.ts';
import { read } from '../api.ts';
import { broken, type Link, NotChecked, well } from '../link.ts';
import type { Patient } from '../patient.ts';
import { byHand } from '../remedy.ts';

/** A deployment and the one device that is looked at. */
export interface DevicePatient extends Patient {
  serialNumber: string;
  /** Undefined where nobody has announced it. */
  record(): Promise<DeviceRecord | undefined>;
}

export async function readRecord(api: Patient['api'], serialNumber: string): Promise<DeviceRecord | undefined> {
  try {
    return (await read(api, pathOf(serialNumber))) as DeviceRecord;
  } catch (error) {
    const { cause } = error as Error;
    if (cause instanceof CommandFailed && cause.code === 'device-not-found') return undefined;
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
            byHand('firstlight manifest import FILE (with the row of this camera)'),
          );
        }
        const { status, activeAt, replacedBy } = device;
        switch (status) {
          case 'suspended':
            return broken(standing(device), byHand(`firstlight device resume ${serialNumber}`));
          case 'retired':
            return replacedBy
              ? broken(`${standing(device)}; ${replacedBy} has its place`, byHand(`firstlight doctor ${replacedBy}`))
              : broken(standing(device), byHand(`firstlight device reopen ${serialNumber}`));
          case 'registered':
            return well('announced, and it has not claimed yet');
          case 'claimed':
            return well('claimed, and it has shown no life yet');
          case 'active':
            return well(`active since ${activeAt}`);
        }
      },
    },
  ],
};
