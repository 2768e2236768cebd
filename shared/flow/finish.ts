import { endCutOff, lapsedDenials, liftDenials } from '../domain/cut-off.ts';
import { claimDueAt, type Device, isLiving, makingDueAt, removalDueAt } from '../domain/device.ts';
import { finishStreams, pendingStreams } from '../domain/life.ts';
import { endMaking, settleStream, undoMaking } from '../domain/making.ts';
import { type Report, reportFailure, reportMended } from '../domain/reconciliation.ts';
import { forgetCertificates, seeCertificates } from '../domain/upkeep.ts';
import { type CutOffPorts, cutOff } from './cut-off.ts';
import { lift } from './deny.ts';
import { goOn, type ReplacePorts } from './replace.ts';

export interface FinishPorts {
  registry: {
    read(serialNumber: string): Promise<Device | undefined>;
    save(before: Device, after: Device): Promise<boolean>;
  };
  certificates: {
    find(certificateId: string): Promise<{ certificateArn: string; isActive: boolean } | undefined>;
    attachPolicy(certificateArn: string, policyName: string): Promise<void>;
    detachPolicy(certificateArn: string, policyName: string): Promise<void>;
    deactivate(certificateId: string): Promise<void>;
    delete(certificateId: string): Promise<void>;
  };
  things: {
    make(thing: {
      thingName: string;
      thingTypeName: string;
      serialNumber: string;
      batch: string | undefined;
    }): Promise<'made' | 'taken'>;
    attach(thingName: string, certificateArn: string): Promise<void>;
    detach(thingName: string, certificateArn: string): Promise<void>;
  };
  streams: {
    make(name: string, serialNumber: string): Promise<'made' | 'exists' | 'late' | 'limit'>;
    isOurs(name: string, serialNumber: string): Promise<boolean>;
  };
  /** What an operator's act needs that is to be ended. */
  endings: Omit<CutOffPorts & ReplacePorts, 'registry' | 'now'>;
  now(): Date;
}

export type FinishSettings = {
  thingTypes: Record<Device['streamMode'], string>;
  devicePolicy: string;
  credentialSeconds: number;
};

/** One kind of unfinished business: the same device comes back where there is none. AWS is asked first, the record follows. */
type Verb = (device: Device, ports: FinishPorts, settings: FinishSettings) => Promise<Device>;

const by = 'function:reconcile';

/** What an operator's act has left to do at AWS: begun and not ended, or to be done once more. */
const finishCutOff: Verb = async (device, ports, settings) =>
  device.cutOff && ports.now().toISOString() >= device.cutOff.dueAt
    ? endCutOff(device, await cutOff(device, { ...ports.endings, now: ports.now }, settings), by, ports.now())
    : device;

/** New hardware that waits for its place, or whose old unit may go now. */
const finishTakeover: Verb = (device, { endings, registry, now }, settings) =>
  goOn(device, { by }, { ...endings, registry, now }, settings);

/** Credentials that were denied have run out. */
const liftLapsed: Verb = async (device, ports) => {
  const lapsed = lapsedDenials(device, ports.now());
  if (lapsed.length === 0) return device;
  await lift(lapsed, ports.endings);
  return liftDenials(device, lapsed, by, ports.now());
};

/** What an HTTP door has begun and not ended in time: finished if its camera holds the key, else undone. */
const endOrUndoMaking: Verb = async (device, ports, { thingTypes, devicePolicy }) => {
  const { making, thingName, serialNumber, batch, streamMode } = device;
  const now = ports.now();
  if (!making || now.toISOString() < makingDueAt(making)) return device;
  const { certificateId, publicKeySha256 } = making;
  const isThere = device.status === 'claimed' || device.status === 'active';
  const stands = device.certificates.some(({ id, state }) => id === certificateId && state !== 'leaving');
  // A key that AWS made was in the answer that never came: nobody has it.
  if (!certificateId || !publicKeySha256 || !isThere || !stands) return undoMaking(device, by, now, 'abandoned');
  const found = await ports.certificates.find(certificateId);
  if (!found?.isActive) return undoMaking(device, by, now, 'abandoned');

  const thing = await ports.things.make({ thingName, thingTypeName: thingTypes[streamMode], serialNumber, batch });
  if (thing === 'taken') return undoMaking(device, by, now, 'thing-taken');
  await ports.things.attach(thingName, found.certificateArn);
  await ports.certificates.attachPolicy(found.certificateArn, devicePolicy);
  // Whether its stream is there is for the verb after this one to find out.
  const unsettled = device.streams.filter(({ state }) => state === 'making').map(({ name }) => name);
  return endMaking(
    unsettled.reduce((settled, name) => settleStream(settled, name, 'pending', now), device),
    by,
    now,
  );
};

/** Streams that AWS had no time for. */
const makeStreams: Verb = async (device, { streams, now }) => {
  const outcomes = new Map<string, 'made' | 'taken'>();
  const isThere = device.status === 'claimed' || device.status === 'active';
  for (const { name } of isThere ? pendingStreams(device) : []) {
    const outcome = await streams.make(name, device.serialNumber);
    if (outcome === 'made') outcomes.set(name, 'made');
    if (outcome === 'exists') outcomes.set(name, (await streams.isOurs(name, device.serialNumber)) ? 'made' : 'taken');
  }
  return outcomes.size === 0 ? device : finishStreams(device, outcomes, by, now());
};

/** Certificates that were replaced: their power first, then themselves. Only what the record lists is touched. */
const removeCertificates: Verb = async (device, { certificates, things, now }, { devicePolicy }) => {
  const removed: string[] = [];
  // What is being cut off is denied before it goes.
  if (device.cutOff) return device;
  const due = device.certificates.filter((one) => one.state === 'leaving' && removalDueAt(one) <= now().toISOString());
  for (const { id } of due) {
    const found = await certificates.find(id);
    if (found) {
      await certificates.detachPolicy(found.certificateArn, devicePolicy);
      await certificates.deactivate(id);
      await things.detach(device.thingName, found.certificateArn);
      await certificates.delete(id);
    }
    removed.push(id);
  }
  return removed.length === 0 ? device : forgetCertificates(device, removed, by, now());
};

/** Claims that no camera has shown: dead once AWS has let their certificates go, and then the device is free again. */
const judgeClaims: Verb = async (device, { certificates, now }) => {
  const claimDue = claimDueAt(device);
  if (!isLiving(device) || device.making || device.cutOff || claimDue === undefined || now().toISOString() < claimDue)
    return device;
  const dead: string[] = [];
  for (const { id } of device.certificates.filter(({ state }) => state === 'allowed')) {
    if (!(await certificates.find(id))?.isActive) dead.push(id);
  }
  return dead.length > 0 ? forgetCertificates(device, dead, by, now(), 'never-shown') : seeCertificates(device, now());
};

const verbs: Record<string, Verb> = {
  finishCutOff,
  finishTakeover,
  endOrUndoMaking,
  makeStreams,
  removeCertificates,
  judgeClaims,
  liftLapsed,
};

/** All that is unfinished of one device. What fails is reported, and stays due. */
export const finish = async (
  serialNumber: string,
  ports: FinishPorts,
  settings: FinishSettings,
  report: Report,
): Promise<void> => {
  let device: Device | undefined;
  for (const [name, verb] of Object.entries(verbs)) {
    try {
      device ??= await ports.registry.read(serialNumber);
      if (!device) return;
      const mended: Device = await verb(device, ports, settings);
      if (mended === device) continue;
      if (!(await ports.registry.save(device, mended))) {
        report.raced++;
        return;
      }
      reportMended(report, name, serialNumber);
      device = mended;
    } catch (error) {
      reportFailure(report, name, serialNumber, error);
      return;
    }
  }
};
