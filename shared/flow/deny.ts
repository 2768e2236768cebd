import type { Denial } from '../domain/device.ts';

export interface DenyPorts {
  denials: {
    put(denials: Denial[]): Promise<void>;
    remove(certificateIds: string[]): Promise<void>;
    list(): Promise<Denial[]>;
  };
  roles: { deny(certificateIds: string[]): Promise<void> };
}

/** The inline policies of a role hold 10,240 characters together (IAM quotas); one certificate takes 69 of them. */
export const mostDenied = 110;

const mostTries = 5;

/** Credentials that were issued outlive their certificate: they are denied by name until they have run out. */
export const deny = async (denials: Denial[], ports: DenyPorts): Promise<void> => {
  if (denials.length === 0) return;
  await ports.denials.put(denials);
  await writeDenials(ports);
};

export const lift = async (certificateIds: string[], ports: DenyPorts): Promise<void> => {
  if (certificateIds.length === 0) return;
  await ports.denials.remove(certificateIds);
  await writeDenials(ports);
};

/** IAM takes whole policies only: whoever writes last must have read all, so each looks again after it has written. */
export const writeDenials = async ({ denials, roles }: DenyPorts): Promise<void> => {
  let listed = chosen(await denials.list());
  for (let attempt = 0; attempt < mostTries; attempt++) {
    await roles.deny(listed);
    const now = chosen(await denials.list());
    if (now.join() === listed.join()) return;
    listed = now;
  }
  throw new Error('the denials were written by others each time');
};

/** Where there are too many, those that have the least time to run go first. */
export const chosen = (denials: Denial[]): string[] =>
  denials
    .sort((a, b) => (a.until > b.until ? -1 : 1))
    .slice(0, mostDenied)
    .map(({ certificateId }) => certificateId)
    .sort();
