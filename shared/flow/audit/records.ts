import { countedOf } from '../../domain/counts.ts';
import type { Denial, Device } from '../../domain/device.ts';
import { expectedOf } from '../../domain/drift.ts';
import { reportFailure, reportLeft, reportMended } from '../../domain/reconciliation.ts';
import { flip } from '../../domain/sketch.ts';
import { beginTally, type CountNote, isCounted, type Tally, tallyDevice, wrongCounters } from '../../domain/tally.ts';
import { askRecount, isListedRight, relist } from '../../domain/upkeep.ts';
import { deny, lift } from '../deny.ts';
import { finish } from '../finish.ts';
import type { AuditContext, Phase } from './phase.ts';

const pageSize = 100;

/** A change reaches the counters within a second or so; what is not counted after this long never will be. */
const countingMs = 900_000;

/** New hardware that has not come to life for so long is forgotten, or will never come. */
const longestWaitMs = 14 * 86_400_000;

/** Every record once: what AWS must hold for it is put into the sketch, and what the registry itself holds is compared. */
export const auditRecords: Phase = async (position, audit, context) => {
  const { ports, settings } = context;
  const now = ports.now();
  if (position === undefined) {
    const tally = beginTally(await ports.counters.all());
    if (tally) audit.tally = tally;
    else reportLeft(context.report, 'counters-not-compared', 'counters', 'there are too many batches and models');
  }
  const [{ devices, next }, denials] = await Promise.all([
    ports.registry.page(pageSize, position as string | undefined),
    ports.denials.list(),
  ]);
  const notes = await ports.counters.notesOf(devices.map(({ serialNumber }) => serialNumber));
  for (const device of devices) {
    if (!context.hasTime()) return 'stopped';
    await lookAt(device, notes.get(device.serialNumber), denials, context);
  }
  // Only now is the page done: what is put into the sketch twice would cancel out.
  for (const device of devices) {
    for (const entry of expectedOf(device, settings.thingTypes, now)) flip(audit.sketch, entry);
    if (audit.tally) tallyDevice(audit.tally, countedOf(device), notes.get(device.serialNumber));
  }
  audit.fleet += devices.length;
  if (next === undefined && audit.tally) await correctCounters(audit.tally, context);
  return { next };
};

const lookAt = async (
  device: Device,
  note: CountNote | undefined,
  denials: Denial[],
  context: AuditContext,
): Promise<void> => {
  const { ports, report } = context;
  const { serialNumber, takeover } = device;
  const now = ports.now();
  const since = (at: string | undefined) => now.getTime() - Date.parse(at ?? device.registeredAt);
  if (!isListedRight(device)) {
    await mend(device, 'not-on-the-work-list', relist, context);
    await finish(serialNumber, ports, context.settings, report);
  } else if (!isCounted(countedOf(device), note) && since(device.history.at(-1)?.at) > countingMs) {
    await mend(device, 'counted-wrong', askRecount, context);
  }
  if (takeover?.step === 'waiting' && since(takeover.since) > longestWaitMs) {
    const why = `it has not come to life, and ${takeover.from} still works; retire it, or replace ${takeover.from} once more`;
    reportLeft(report, 'replacement-waits', serialNumber, why);
  }
  await compareDenials(device, denials, context);
};

/** A record that somebody else writes at the same moment is met again by the next audit. */
const mend = async (
  device: Device,
  what: string,
  change: (device: Device, now: Date) => Device,
  { ports, report }: AuditContext,
): Promise<void> => {
  if (await ports.registry.save(device, change(device, ports.now()))) reportMended(report, what, device.serialNumber);
  else report.raced++;
};

/** What the record says is denied must be, and what the device may use must not. */
const compareDenials = async (device: Device, denials: Denial[], { ports, report }: AuditContext): Promise<void> => {
  const { serialNumber, status, denied = [], certificates, cutOff } = device;
  const now = ports.now().toISOString();
  const isListed = (id: string) => denials.some(({ certificateId }) => certificateId === id);
  const missing = denied.filter(({ certificateId, until }) => now < until && !isListed(certificateId));
  const isFree = (status === 'claimed' || status === 'active') && !cutOff;
  const kept = isFree
    ? certificates.filter(({ id, state }) => state !== 'leaving' && isListed(id)).map(({ id }) => id)
    : [];
  try {
    if (missing.length > 0) {
      await deny(missing, ports.endings);
      reportMended(report, 'denial-missing', serialNumber);
    }
    if (kept.length > 0) {
      await lift(kept, ports.endings);
      reportMended(report, 'denial-kept', serialNumber);
    }
  } catch (error) {
    reportFailure(report, missing.length > 0 ? 'denial-missing' : 'denial-kept', serialNumber, error);
  }
};

const correctCounters = async (tally: Tally, { ports, report }: AuditContext): Promise<void> => {
  try {
    for (const { expected, ...counter } of wrongCounters(tally, await ports.counters.all())) {
      const of = `${counter.kind} ${counter.name}`;
      if (await ports.counters.correct(counter, expected)) {
        reportMended(report, 'counter-wrong', of, `it said ${counter.count} and there are ${expected}`);
      } else report.raced++;
    }
  } catch (error) {
    reportFailure(report, 'counter-wrong', 'counters', error);
  }
};
