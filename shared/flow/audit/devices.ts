import { reassert } from '../../domain/cut-off.ts';
import type { Device } from '../../domain/device.ts';
import {
  type Drift,
  driftOf,
  type Found,
  type FoundCertificate,
  isSettled,
  neededStreams,
  needsCloserLook,
  watchedOf,
} from '../../domain/drift.ts';
import { reportFailure, reportLeft, reportMended } from '../../domain/reconciliation.ts';
import { mayDiffer, turnOf } from '../../domain/sketch.ts';
import { noteMended } from '../../domain/upkeep.ts';
import { finish } from '../finish.ts';
import type { AuditContext, Phase } from './phase.ts';

const pageSize = 25;

/** So many devices get a closer look in one audit though no list tells anything of them: what is attached to a thing no list tells. */
const mostUnasked = 1000;

const dayMs = 86_400_000;

/** Every record once more, now that the lists have told which of them differ from what AWS holds. */
export const auditDevices: Phase = async (position, audit, context) => {
  const { ports, settings } = context;
  const [{ devices, next }, streams] = await Promise.all([
    ports.registry.page(pageSize, position as string | undefined),
    ports.streams.names(),
  ]);
  const turns = audit.isThorough ? 1 : Math.max(1, Math.ceil(audit.fleet / mostUnasked));
  const turn = Math.floor(Date.parse(audit.since) / dayMs) % turns;
  for (const listed of devices) {
    if (!context.hasTime()) return 'stopped';
    const isAsked =
      turnOf(listed.serialNumber, turns) === turn ||
      needsCloserLook(listed) ||
      neededStreams(listed).some((name) => !streams.has(name)) ||
      watchedOf(listed, settings.thingTypes, ports.now()).some((entry) => mayDiffer(audit.sketch, entry));
    if (isAsked) await examine(listed.serialNumber, streams, context);
  }
  return { next };
};

const examine = async (serialNumber: string, streams: Set<string>, context: AuditContext): Promise<void> => {
  const { ports, settings, report } = context;
  let what = 'closer-look';
  try {
    // What was listed may have changed since.
    const device = await ports.registry.read(serialNumber);
    if (!device || device.status === 'retired' || !isSettled(device, ports.now())) return;
    const drift = driftOf(device, await findAt(device, streams, context), settings.thingTypes);
    const mended: Drift[] = [];
    for (const one of drift) {
      ({ what } = one);
      if (one.remedy.do === 'nothing') reportLeft(report, what, serialNumber, one.remedy.because);
      else if (await mend(device, one, context)) mended.push(one);
      else break;
    }
    if (mended.length > 0) await record(device, mended, context);
  } catch (error) {
    reportFailure(report, what, serialNumber, error);
  }
};

/** False if it cannot be mended, and with it what comes after it. */
const mend = async (device: Device, { what, remedy }: Drift, context: AuditContext): Promise<boolean> => {
  const { ports, settings, report } = context;
  const { thingName, serialNumber, batch, streamMode } = device;
  switch (remedy.do) {
    case 'make-thing': {
      const thingTypeName = settings.thingTypes[streamMode];
      if ((await ports.things.make({ thingName, thingTypeName, serialNumber, batch })) === 'made') break;
      reportLeft(report, what, serialNumber, 'somebody else’s thing has the name');
      return false;
    }
    case 'attach':
      await ports.things.attach(thingName, remedy.certificateArn);
      break;
    case 'give-policy':
      await ports.certificates.attachPolicy(remedy.certificateArn, settings.devicePolicy);
      break;
  }
  reportMended(report, what, serialNumber);
  return true;
};

/** The record says what was done; a stream, or a cut-off, it orders, and the work is done at once. */
const record = async (device: Device, mended: Drift[], { ports, settings, report }: AuditContext): Promise<void> => {
  const now = ports.now();
  const streams = mended.flatMap(({ remedy }) => (remedy.do === 'make-stream' ? [remedy.name] : []));
  const isCutOff = mended.some(({ remedy }) => remedy.do === 'cut-off');
  const why = [...new Set(mended.map(({ what }) => what))].join(', ');
  const noted = noteMended(device, why, streams, 'function:reconcile', now);
  if (!(await ports.registry.save(device, isCutOff ? reassert(noted, now) : noted))) {
    report.raced++;
    return;
  }
  if (isCutOff || streams.length > 0) await finish(device.serialNumber, ports, settings, report);
};

const findAt = async (device: Device, streams: Set<string>, { ports, settings }: AuditContext): Promise<Found> => {
  const { looks } = ports;
  const ids = device.certificates.filter(({ state }) => state !== 'leaving').map(({ id }) => id);
  const [thing, ...certificates] = await Promise.all([
    looks.thing(device.thingName),
    ...ids.map(async (id): Promise<[string, FoundCertificate] | undefined> => {
      const found = await looks.certificate(id);
      if (!found) return undefined;
      const { certificateArn, isActive } = found;
      const [policies, things] = await Promise.all([looks.policiesOf(certificateArn), looks.thingsOf(certificateArn)]);
      return [id, { certificateArn, isActive, hasPolicy: policies.includes(settings.devicePolicy), things }];
    }),
  ]);
  return {
    thing,
    certificates: new Map(certificates.filter((one) => one !== undefined)),
    missingStreams: neededStreams(device).filter((name) => !streams.has(name)),
  };
};
