import { pathOf } from '../../device-record.ts';
import { second } from '../../table.ts';
import { read } from '../api.ts';
import { broken, type Link, well } from '../link.ts';
import { byHand, type Remedy } from '../remedy.ts';
import type { DevicePatient } from './record.ts';

interface Claim {
  claimId: string;
  at: string;
  door: string;
  outcome: 'granted' | 'refused';
  reason: string;
  means: string;
  remedy?: string;
}

/** Of a device that has its identity, an older refusal is history. */
const LATELY_MS = 86_400_000;

export const claimsLink: Link<DevicePatient> = {
  name: 'claims',
  asks: 'Was its newest attempt to claim granted?',
  subjects: ({ serialNumber, api, record }) => [
    {
      subject: serialNumber,
      async look() {
        const path = `${pathOf(serialNumber, 'claims')}?limit=1`;
        const [{ claims }, device] = await Promise.all([read(api, path) as Promise<{ claims: Claim[] }>, record()]);
        const [newest] = claims;
        if (!newest) return well('nobody has tried yet');
        const said = `${newest.outcome} ${second(newest.at)} over ${newest.door}: ${newest.reason}`;
        if (newest.outcome === 'granted') return well(said);
        const isOld = Date.parse(newest.at) < Date.now() - LATELY_MS;
        if (device?.status === 'active' && isOld) return well(`${said}; it has an identity`);
        return broken(`${said}: ${newest.means}`, remedyOf(newest, serialNumber));
      },
    },
  ],
};

/** Where one command does it. */
const COMMANDS: Record<string, (serialNumber: string, claim: Claim) => string> = {
  suspended: (serialNumber) => `firstlight device resume ${serialNumber}`,
  retired: (serialNumber) => `firstlight device reopen ${serialNumber}`,
  'approval-needed': (serialNumber, { claimId }) => `firstlight device approve ${serialNumber} --claim '${claimId}'`,
  'already-claimed': (serialNumber, { claimId }) => `firstlight device approve ${serialNumber} --claim '${claimId}'`,
};

function remedyOf(claim: Claim, serialNumber: string): Remedy {
  const command = COMMANDS[claim.reason]?.(serialNumber, claim);
  const words = claim.remedy ?? `firstlight device why ${serialNumber}`;
  return byHand(command ? `${command}   # ${words}` : words);
}
