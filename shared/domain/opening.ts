import type { Device } from './device.ts';

/** A claim that was granted through a claim certificate: which device it opened, when, and which certificate that got. */
export type Opening = { claimCertificateId: string; serialNumber: string; openedAt: string; certificateId: string };

/** Its own claims only: the history of a place that was taken over tells of other hardware, and a renewal asks with the camera's own certificate. */
const openingsOf = ({ serialNumber, history }: Device): Opening[] =>
  history.flatMap(({ at: openedAt, what, claim, of }) => {
    if (what !== 'claimed' || claim?.claimCertificateId === undefined || of !== undefined) return [];
    const { claimCertificateId, certificateId } = claim;
    return [{ claimCertificateId, serialNumber, openedAt, certificateId }];
  });

const without = (some: Opening[], others: Opening[]): Opening[] => {
  const known = new Set(others.map((one) => JSON.stringify(one)));
  return some.filter((one) => !known.has(JSON.stringify(one)));
};

/** What one change of a device has opened, and what it took back: a yes that was never given. */
export const openingsBetween = (before: Device | undefined, after: Device | undefined) => {
  const [old, next] = [before ? openingsOf(before) : [], after ? openingsOf(after) : []];
  // The history is bounded: what has merely run out of it was opened all the same.
  const isTakenBack = after?.history.at(-1)?.what === 'claim-withdrawn';
  return { opened: without(next, old), withdrawn: isTakenBack ? without(old, next) : [] };
};
