import type { Device, DeviceStatus, HistoryEntry } from './device.ts';
import { claimKey, type RefusedClaim } from './refusal.ts';

/** What reaches the event bus; `detail` holds no secret, and may gain members. */
export type Happening = { type: string; at: string; detail: Record<string, unknown> };

export const source = 'firstlight';

/** The event of a new sign that a serial number is used twice. */
export const cloneSign = 'Device contested';

/** `claim-withdrawn` → `Device claim withdrawn` */
const typeOf = ({ what }: HistoryEntry): string => `Device ${what.replaceAll('-', ' ')}`;

const detailOf = (device: Device, before: DeviceStatus | undefined, { at, by, what, why, claim }: HistoryEntry) => ({
  serialNumber: device.serialNumber,
  status: device.status,
  ...(before !== undefined && { previousStatus: before }),
  version: device.version,
  thingName: device.thingName,
  at,
  by,
  what,
  ...(why !== undefined && { why }),
  ...(device.batch !== undefined && { batch: device.batch }),
  ...(device.model !== undefined && { model: device.model }),
  ...(claim && { claim }),
});

/** An event for each entry that a change has added to the device's history, and one for a new sign of a clone. */
export const transitionsOf = (before: Device | undefined, after: Device | undefined): Happening[] => {
  if (!after) return [];
  // By what they say: the history is bounded, so places in it mean nothing.
  const known = new Set(before?.history.map((entry) => JSON.stringify(entry)));
  const events = after.history
    .filter((entry) => !known.has(JSON.stringify(entry)))
    .map((entry) => ({ type: typeOf(entry), at: entry.at, detail: detailOf(after, before?.status, entry) }));
  const { serialNumber, status, version, contested, contestedReason, contestedCount } = after;
  if (contested === undefined || contestedCount === before?.contestedCount) return events;
  const detail = { serialNumber, status, version, at: contested, why: contestedReason, count: contestedCount };
  return [...events, { type: cloneSign, at: contested, detail }];
};

/** The event of a claim that was refused; the table counts some that it does not keep, and those have none. */
export const denialOf = (claim: RefusedClaim): Happening => {
  const { serialNumber, at, door, reason, certificateId, publicKeySha256, claimCertificateId, clientId, sent } = claim;
  return {
    type: 'Claim refused',
    at,
    detail: {
      serialNumber,
      claimId: claimKey(claim),
      at,
      door,
      why: reason,
      ...(certificateId !== undefined && { certificateId }),
      ...(publicKeySha256 !== undefined && { publicKeySha256 }),
      ...(claimCertificateId !== undefined && { claimCertificateId }),
      ...(clientId !== undefined && { clientId }),
      ...(sent !== undefined && { sent }),
    },
  };
};
