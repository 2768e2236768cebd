import { remarks } from '../../device-record.ts';
import { second } from '../../table.ts';
import type { Flaw, Link } from '../link.ts';
import { byHand, byInvoking } from '../remedy.ts';
import { type DevicePatient, recorded } from './record.ts';

/** Well past the next runs of reconcile. */
const PATIENCE_MS = 30 * 60_000;
/** A clone sign never goes; what is older than this has been seen. */
const RECENT_MS = 7 * 86_400_000;

export const unfinishedLink: Link<DevicePatient> = {
  name: 'unfinished business',
  asks: 'Is everything done that was begun, and nobody else using its serial number?',
  async subjects(patient) {
    const device = await recorded(patient);
    const { serialNumber, dueAt, contested } = device;
    return [
      {
        subject: serialNumber,
        async look() {
          const said = remarks(device).join('; ');
          const flaws: Flaw[] = [];
          if (dueAt !== undefined && Date.parse(dueAt) < Date.now() - PATIENCE_MS) {
            flaws.push({
              says: `due since ${second(dueAt)}, and reconcile has not done it: ${said}`,
              remedy: byInvoking(patient.stack.outputs.ReconcileFunctionName ?? ''),
            });
          }
          if (contested && Date.parse(contested.at) > Date.now() - RECENT_MS) {
            flaws.push({ says: said, remedy: byHand(`firstlight device why ${serialNumber}`) });
          }
          return { flaws, note: said || undefined };
        },
      },
    ];
  },
};
