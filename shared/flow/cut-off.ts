import { isDeepStrictEqual } from 'node:util';
import { endCutOff, powerful, reassert } from '../domain/cut-off.ts';
import type { Device } from '../domain/device.ts';
import { type DenyPorts, deny, lift } from './deny.ts';

export interface RegistryPort {
  read(serialNumber: string): Promise<Device | undefined>;
  save(before: Device, after: Device): Promise<boolean>;
}

export interface SilencePorts extends DenyPorts {
  certificates: { deactivate(certificateId: string): Promise<void> };
  connections: { drop(clientId: string): Promise<void> };
  now(): Date;
}

export interface RestorePorts extends DenyPorts {
  certificates: { activate(certificateId: string): Promise<void> };
}

export interface RemovePorts extends SilencePorts {
  certificates: SilencePorts['certificates'] & {
    find(certificateId: string): Promise<{ certificateArn: string } | undefined>;
    detachPolicy(certificateArn: string, policyName: string): Promise<void>;
    remove(certificateId: string): Promise<'gone' | 'later'>;
  };
  things: {
    detach(thingName: string, certificateArn: string): Promise<void>;
    remove(thingName: string, serialNumber: string): Promise<'gone' | 'later'>;
  };
  streams: { remove(name: string, serialNumber: string): Promise<'gone' | 'later'> };
}

export type CutOffPorts = RemovePorts & RestorePorts;

/** `credentialSeconds`: how long the credentials live that a camera gets. */
export type CutOffSettings = { credentialSeconds: number };

/** IAM and the clocks of its hosts are not quite at one. */
const marginMs = 300_000;

type Done = Parameters<typeof endCutOff>[1];

/** Every certificate inactive, then what was issued with it denied, then the live session dropped: it cannot come back. */
export const silence = async (device: Device, ports: SilencePorts, settings: CutOffSettings): Promise<Done> => {
  const ids = device.certificates.map(({ id }) => id);
  for (const id of ids) await ports.certificates.deactivate(id);
  if (ids.length === 0) return { removed: [], complete: true };
  const until = new Date(ports.now().getTime() + settings.credentialSeconds * 1000 + marginMs).toISOString();
  await deny(
    ids.map((certificateId) => ({ certificateId, until })),
    ports,
  );
  await ports.connections.drop(device.thingName);
  return { removed: [], complete: true, deniedUntil: until };
};

/** Gives back what `silence` took, to the certificates that are the device's still. */
export const restore = async (device: Device, ports: RestorePorts): Promise<Done> => {
  const ids = powerful(device);
  // All of them: a suspension that was overtaken may have denied what no record says.
  await lift(ids, ports);
  for (const id of ids) await ports.certificates.activate(id);
  return { removed: [], complete: true };
};

/** Silences the device and takes its certificates away; thing and streams go only where nobody takes over. */
export const remove = async (
  device: Device,
  ports: RemovePorts,
  settings: CutOffSettings & { devicePolicy: string },
): Promise<Done> => {
  const { certificates, things, streams } = ports;
  const { thingName, serialNumber, cutOff } = device;
  const silenced = await silence(device, ports, settings);
  const removed: string[] = [];
  for (const { id } of device.certificates) {
    const found = await certificates.find(id);
    if (found) {
      await certificates.detachPolicy(found.certificateArn, settings.devicePolicy);
      await things.detach(thingName, found.certificateArn);
      if ((await certificates.remove(id)) === 'later') continue;
    }
    removed.push(id);
  }
  const endings: ('gone' | 'later')[] = [removed.length === device.certificates.length ? 'gone' : 'later'];
  if (cutOff?.act === 'retire' && endings[0] === 'gone') endings.push(await things.remove(thingName, serialNumber));
  if (cutOff?.streams === 'delete') {
    for (const { name } of device.streams) endings.push(await streams.remove(name, serialNumber));
  }
  return { ...silenced, removed, complete: !endings.includes('later') };
};

/** What the record says is to be done, whichever act it was. */
export const cutOff = (
  device: Device,
  ports: CutOffPorts,
  settings: CutOffSettings & { devicePolicy: string },
): Promise<Done> => {
  switch (device.cutOff?.act) {
    case 'suspend':
      return silence(device, ports, settings);
    case 'resume':
      return restore(device, ports);
    default:
      return remove(device, ports, settings);
  }
};

const mostTries = 4;

/**
 * Does at AWS what an act has put on record, and notes that it is done. Stopped anywhere, the same call or `reconcile` does it
 * again; overtaken by another act, it leaves a note to make AWS agree with the record.
 */
export const carryOut = async (
  device: Device,
  by: string,
  pass: (device: Device) => Promise<Done>,
  { registry, now }: { registry: RegistryPort; now(): Date },
): Promise<Device> => {
  if (!device.cutOff) return device;
  const done = await pass(device);
  let latest = device;
  for (let attempt = 0; attempt < mostTries; attempt++) {
    const isOurs = latest.cutOff?.act === device.cutOff.act && latest.cutOff.since === device.cutOff.since;
    const ended = isOurs ? endCutOff(latest, done, by, now()) : reassert(latest, now());
    if (ended === latest || (await registry.save(latest, ended))) return ended;
    const fresh = await registry.read(device.serialNumber);
    if (!fresh) return latest;
    // A twin has finished the very same, or the answer to our own write was lost.
    if (isOurs && !fresh.cutOff && fresh.status === latest.status) return fresh;
    if (isDeepStrictEqual(fresh, ended)) return fresh;
    latest = fresh;
  }
  return latest;
};
