import type { Device } from './device.ts';

/** Which device a pinned key was announced for last. It says where to look: what counts is the record of that device. */
export type Pin = { publicKeySha256: string; serialNumber: string; at: string };

/** A pinned key is one device's and no other's, until that one is retired: then its board may go into another. */
export const isPinnedTo = (device: Device | undefined, publicKeySha256: string): boolean =>
  device?.publicKeySha256 === publicKeySha256 && device.status !== 'retired';

/** A record follows its pin at once; after so long whoever noted it has died in between. */
const unfinishedMs = 60_000;

/** Whether the record of a pin that does not say the same may yet do so. */
export const mayYetFollow = ({ at }: Pin, device: Device | undefined, now: Date): boolean => {
  const hasMovedOn = device?.status === 'retired' || (device?.history.at(-1)?.at ?? '') > at;
  return !hasMovedOn && now.getTime() - Date.parse(at) < unfinishedMs;
};
