import type { Device } from '../../domain/device.ts';
import { expectedOf, type FoundThing, isSettled, thingEntry } from '../../domain/drift.ts';
import { reportFailure, reportLeft, reportMended } from '../../domain/reconciliation.ts';
import { flip } from '../../domain/sketch.ts';
import type { AuditContext, Phase } from './phase.ts';

type Position = { type: number; after?: string };

/** The things of each thing type of ours. One that stands for nobody any more goes, if nothing is attached to it. */
export const auditThings: Phase = async (position, audit, context) => {
  const { ports, settings } = context;
  const { type, after } = (position as Position | undefined) ?? { type: 0 };
  const types = Object.values(settings.thingTypes);
  const { things, next } = await ports.lists.thingsOf(types[type] ?? '', after);
  const devices = await ports.registry.readMany([...new Set(things.flatMap(({ serialNumber }) => serialNumber ?? []))]);
  const expected: string[] = [];
  for (const thing of things) {
    if (!context.hasTime()) return 'stopped';
    const device = devices.get(thing.serialNumber ?? '');
    if (device?.thingName === thing.thingName && device.status !== 'retired') {
      const isExpected = expectedOf(device, settings.thingTypes, ports.now()).length > 0;
      if (isExpected) expected.push(thingEntry(thing));
    } else await settle(thing, device, context);
  }
  for (const entry of expected) flip(audit.sketch, entry);
  if (next !== undefined) return { next: { type, after: next } };
  return type + 1 < types.length ? { next: { type: type + 1 } } : {};
};

/** `device`: the one whose serial number the thing carries. */
const settle = async (thing: FoundThing, device: Device | undefined, context: AuditContext): Promise<void> => {
  const { ports, report } = context;
  const { thingName, serialNumber } = thing;
  const what = device ? 'thing-left-behind' : 'thing-without-record';
  try {
    if (serialNumber === undefined) return reportLeft(report, what, thingName, 'it carries no serial number of ours');
    if (device && !isSettled(device, ports.now())) return;
    if (await fills(thingName, context)) return reportLeft(report, what, thingName, 'another device fills that place');
    const principals = await ports.looks.principalsOf(thingName);
    if (principals.length > 0) return reportLeft(report, what, thingName, `attached to it: ${principals.join(', ')}`);
    if ((await ports.endings.things.remove(thingName, serialNumber)) === 'gone') reportMended(report, what, thingName);
  } catch (error) {
    reportFailure(report, what, thingName, error);
  }
};

const fills = async (thingName: string, { ports }: AuditContext): Promise<boolean> => {
  const namesake = await ports.registry.read(thingName);
  if (namesake?.thingName === thingName && namesake.status !== 'retired') return true;
  const other = await ports.registry.readPlace(thingName);
  return other !== undefined && other.status !== 'retired';
};
