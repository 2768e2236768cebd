import { read } from '../api.ts';
import { broken, type Link, well } from '../link.ts';
import { byHand } from '../remedy.ts';
import type { DevicePatient, DeviceRecord } from './record.ts';

interface Claim {
  claimId: string;
  at: string;
  door: string;
  outcome: 'granted' | 'refused';
  reason: string;
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
        const path = `/devices/${encodeURIComponent(serialNumber)}/claims?limit=10`;
        const [{ claims }, device] = await Promise.all([read(api, path) as Promise<{ claims: Claim[] }>, record()]);
        const [newest] = claims;
        if (!newest) return well('nobody has tried yet');
        const said = `${newest.at} over ${newest.door}: ${newest.reason}`;
        if (newest.outcome === 'granted') return well(`granted ${said}`);
        const isLate = Date.parse(newest.at) < Date.now() - LATELY_MS;
        if (device?.status === 'active' && isLate) return well(`refused ${said}; it has an identity`);
        const remedy = REMEDIES[newest.reason]?.(serialNumber, device, newest);
        return broken(`refused ${said}`, byHand(remedy ?? `firstlight device why ${serialNumber}`));
      },
    },
  ],
};

type Advice = (serialNumber: string, device: DeviceRecord | undefined, claim: Claim) => string;

const announces: Advice = () => 'firstlight manifest import FILE (with the row of this camera)';
const fixesFirmware: Advice = () => 'mend the firmware: docs/camera.md says what a camera sends';
const makesCertificate: Advice = (_, device) =>
  `firstlight claim-certificate create${device?.batch ? ` --batch ${device.batch}` : ''}, and put it on the camera`;
const givesToken: Advice = () => 'put the token of its manifest row on the camera, or announce another one';
const approves: Advice = (serialNumber, _, { claimId }) =>
  `firstlight device approve ${serialNumber} --claim ${claimId}, if it is the camera you think it is`;
const reconciles: Advice = () => 'firstlight reconcile --apply';
const renamesStream: Advice = () => "delete the other's stream or thing, or give the camera another serial number";

/** What is done about a refusal, by its reason (docs/errors.md says what each means). */
const REMEDIES: Record<string, Advice> = {
  'invalid-serial': fixesFirmware,
  'parameter-not-allowed': fixesFirmware,
  'unknown-serial': announces,
  suspended: (serialNumber) => `firstlight device resume ${serialNumber}`,
  retired: (serialNumber) => `firstlight device reopen ${serialNumber}`,
  'key-mismatch': () => 'look for a second camera of this serial number; if the pin is wrong, announce the right one',
  'wrong-claim-certificate': makesCertificate,
  'outside-claim-window': makesCertificate,
  'claim-certificate-unknown': makesCertificate,
  'claim-certificate-disabled': makesCertificate,
  'token-missing': givesToken,
  'token-invalid': givesToken,
  'token-spent': (serialNumber) => `firstlight device why ${serialNumber}: two cameras have shown one token`,
  'already-claimed': approves,
  'approval-needed': approves,
  'certificate-superseded': approves,
  'too-many-certificates': reconciles,
  raced: () => 'nothing: the next attempt decides',
  'stream-taken': renamesStream,
  'thing-taken': renamesStream,
  'stream-limit': () => 'raise the quota "Number of streams" of Kinesis Video Streams',
  'too-many-tokens': () => 'wait an hour; ten wrong tokens came',
};
