import type { Device } from '../domain/device.ts';
import type { RowProblem } from '../domain/manifest.ts';
import { isPinnedTo, mayYetFollow, type Pin } from '../domain/pin.ts';

export interface PinPorts {
  pins: {
    find(publicKeySha256: string): Promise<Pin | undefined>;
    /** Notes the pin, unless the key is noted for somebody else than `from` and its own device: then that pin comes back. */
    take(pin: Pin, from: string | undefined): Promise<Pin | undefined>;
  };
  registry: { readMany(serialNumbers: string[]): Promise<Map<string, Device>> };
  now(): Date;
}

/** The other device that this key is pinned to, if the note of it is true. */
export const pinnedElsewhere = async (
  pin: Pin | undefined,
  serialNumber: string,
  read: (serialNumber: string) => Promise<Device | undefined>,
): Promise<string | undefined> => {
  if (!pin || pin.serialNumber === serialNumber) return undefined;
  return isPinnedTo(await read(pin.serialNumber), pin.publicKeySha256) ? pin.serialNumber : undefined;
};

/** The first finds whose it was, the second takes it from them; a third is somebody else doing the same. */
const mostTries = 2;

/** Takes a key for one device before it is pinned there, or says whose it is. */
export const takePin = async (
  { publicKeySha256, serialNumber }: Omit<Pin, 'at'>,
  { pins, registry, now }: PinPorts,
  { dryRun }: { dryRun?: boolean },
): Promise<RowProblem | undefined> => {
  let from: string | undefined;
  for (let attempt = 0; attempt < mostTries; attempt++) {
    const pin = { publicKeySha256, serialNumber, at: now().toISOString() };
    const held = await (dryRun ? pins.find(publicKeySha256) : pins.take(pin, from));
    if (!held || held.serialNumber === serialNumber) return undefined;
    const owner = (await registry.readMany([held.serialNumber])).get(held.serialNumber);
    if (isPinnedTo(owner, publicKeySha256)) {
      return { code: 'duplicate-key', detail: `the key is pinned to ${held.serialNumber}` };
    }
    if (mayYetFollow(held, owner, now())) break;
    if (dryRun) return undefined;
    from = held.serialNumber;
  }
  return { code: 'version-conflict', detail: 'somebody else is announcing this key; try again in a minute' };
};
