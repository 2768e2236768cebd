import type { Device } from '../domain/device.ts';
import { announceReplacement, beginTakeover, endTakeover, giveUpPlace, takeOver } from '../domain/replacement.ts';
import { type CutOffSettings, carryOut, type RegistryPort, type RemovePorts, remove } from './cut-off.ts';
import { type Act, conflict, find, record } from './lifecycle.ts';

export interface ReplacePorts extends Omit<RemovePorts, 'things' | 'streams'> {
  registry: RegistryPort;
  things: {
    detach(thingName: string, certificateArn: string): Promise<void>;
    giveTo(thingName: string, from: string, to: { serialNumber: string; batch: string | undefined }): Promise<void>;
  };
  streams: { giveTo(name: string, from: string, to: string): Promise<'given' | 'later'> };
}

export type ReplaceSettings = CutOffSettings & { devicePolicy: string };

/**
 * Other hardware takes over a device's place, streams and history. The new one's record leads: first it is kept from claiming,
 * then the old one is cut off (or announced to go), then the place is its own. The same call, or `reconcile`, goes on anywhere.
 */
export const replaceDevice = async (
  act: Act & { successor: string; keepUntilConnected: boolean },
  ports: ReplacePorts,
  settings: ReplaceSettings,
): Promise<Device> => {
  const { registry, now } = ports;
  const old = await find(act.serialNumber, registry);
  if (act.version !== undefined && act.version !== old.version) throw conflict(old);
  const successor = act.successor === act.serialNumber ? old : await find(act.successor, registry);
  const reserved = await record(successor, beginTakeover(old, successor, act, now()), ports);
  const next = await goOn(reserved, act, ports, settings);
  if (next !== reserved) await record(reserved, next, ports);
  const left = await find(act.serialNumber, registry);
  return left.cutOff?.act === 'replace' ? cutOffOld(left, 'function:replace-device', ports, settings) : left;
};

/** All of a takeover that can be done now; what comes back is to be written as the new hardware's record. */
export const goOn = async (
  next: Device,
  order: { by: string; why?: string },
  ports: ReplacePorts,
  settings: ReplaceSettings,
): Promise<Device> => {
  const { registry, now } = ports;
  const { takeover, serialNumber } = next;
  if (!takeover || takeover.step === 'waiting') return next;
  const old = await find(takeover.from, registry);
  if (takeover.keepUntilConnected && takeover.step === 'reserved') {
    await record(old, announceReplacement(old, serialNumber, order, now()), ports);
  } else if (old.status !== 'retired' || old.replacedBy === serialNumber) {
    const given = await record(old, giveUpPlace(old, serialNumber, order, now()), ports);
    await cutOffOld(given, order.by, ports, settings);
  }
  if (takeover.step === 'cutting') return endTakeover(next, order.by, now());

  const { thingName, streams } = old;
  await ports.things.giveTo(thingName, old.serialNumber, { serialNumber, batch: next.batch });
  for (const { name } of old.streamMode === 'fixed' ? [] : streams) {
    // Until AWS has made it, the place is not taken; reconcile comes back for it.
    if ((await ports.streams.giveTo(name, old.serialNumber, serialNumber)) === 'later') return next;
  }
  return takeOver(old, next, order.by, now());
};

const cutOffOld = (given: Device, by: string, ports: ReplacePorts, settings: ReplaceSettings): Promise<Device> => {
  const left = async () => 'gone' as const;
  const things = { detach: ports.things.detach, remove: left };
  return carryOut(given, by, (one) => remove(one, { ...ports, things, streams: { remove: left } }, settings), ports);
};
