import type { Device } from '../domain/device.ts';
import { type RefusedClaim, type ShownClaim, shownGrants, shownRefusal } from '../domain/refusal.ts';

export interface ClaimReaders {
  registry: { read(serialNumber: string): Promise<Device | undefined> };
  claims: {
    list(serialNumber: string, limit: number, before: string | undefined): Promise<RefusedClaim[]>;
    notKept(serialNumber: string): Promise<NotKept[]>;
  };
}

/** Refusals beyond the bound of a day or an hour. */
type NotKept = { during: string; refused: number };

/**
 * Every attempt for a serial number, announced or not, the newest first; `next` is the key to go on from. Behind the last of them
 * stands what was only counted.
 */
export const listClaims = async (
  serialNumber: string,
  page: { limit: number; before?: string | undefined },
  { registry, claims }: ClaimReaders,
): Promise<{ claims: ShownClaim[]; next?: string; notKept?: NotKept[] }> => {
  const [device, refusals] = await Promise.all([
    registry.read(serialNumber),
    claims.list(serialNumber, page.limit + 1, page.before),
  ]);
  const grants = shownGrants(device).filter(({ claimId }) => page.before === undefined || claimId < page.before);
  const all = [...grants, ...refusals.map(shownRefusal)].sort((a, b) => (a.claimId < b.claimId ? 1 : -1));
  const shown = all.slice(0, page.limit);
  const last = shown.at(-1);
  if (last && all.length > page.limit) return { claims: shown, next: last.claimId };
  const notKept = await claims.notKept(serialNumber);
  return { claims: shown, ...(notKept.length > 0 && { notKept }) };
};
