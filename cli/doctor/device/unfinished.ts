import type { Flaw, Link } from '../link.ts';
import { byHand, byInvoking } from '../remedy.ts';
import { type DevicePatient, recorded } from './record.ts';

/** By then whoever had begun it, and the next runs of reconcile, have had their time. */
const PATIENCE_MS = 2 * 3_600_000;
/** A clone sign never goes; what is older than this has been seen. */
const RECENT_MS = 7 * 86_400_000;

export const unfinishedLink: Link<DevicePatient> = {
  name: 'unfinished business',
  asks: 'Is everything done that was begun, and nobody else using its serial number?',
  async subjects(patient) {
    const { serialNumber, cutOff, making, takeover, dueAt, contested } = await recorded(patient);
    const reconciles = byInvoking(patient.stack.outputs.ReconcileFunctionName ?? '');
    const isLate = (at: string) => Date.parse(at) < Date.now() - PATIENCE_MS;
    return [
      {
        subject: serialNumber,
        async look() {
          const begun = [
            cutOff && `${cutOff.act} since ${cutOff.since}`,
            making && `making it since ${making.since}`,
            takeover && `taking over ${takeover.from}'s place since ${takeover.since} (${takeover.step})`,
          ].filter((one) => one !== undefined);
          const flaws: Flaw[] = [];
          if (dueAt !== undefined && isLate(dueAt)) {
            const what = begun.length > 0 ? begun.join(', ') : 'certificates or streams';
            flaws.push({ says: `due since ${dueAt}, and not done: ${what}`, remedy: reconciles });
          } else if (cutOff && isLate(cutOff.since)) {
            flaws.push({ says: `not done: ${begun.join(', ')}`, remedy: reconciles });
          }
          if (contested && Date.parse(contested.at) > Date.now() - RECENT_MS) {
            const says = `two cameras use its serial number: ${contested.reason} at ${contested.at} (sign ${contested.count})`;
            flaws.push({ says, remedy: byHand(`firstlight device why ${serialNumber}`) });
          }
          return { flaws, note: begun.join(', ') || undefined };
        },
      },
    ];
  },
};
