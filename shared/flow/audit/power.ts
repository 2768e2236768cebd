import type { Suspect } from '../../domain/audit.ts';
import { plusHours } from '../../domain/device.ts';
import { powerEntry } from '../../domain/drift.ts';
import { reportFailure, reportLeft, reportMended } from '../../domain/reconciliation.ts';
import { flip } from '../../domain/sketch.ts';
import type { AuditContext, Phase } from './phase.ts';

/** RegisterThing writes its record first, so nothing legal is ever without one: this is for clocks and slow reads. */
const youngHours = 2;

const atOnce = 10;

const what = 'power-without-record';

/**
 * Whatever has the device policy: AWS's own list of power. A certificate on it that no record knows is cut off if its thing says that
 * it is Firstlight's; of any other only the policy is taken, which is Firstlight's own. Whether there are too many for an accident is
 * known at the end of the list.
 */
export const auditPower: Phase = async (position, audit, context) => {
  const { ports, settings, report } = context;
  const { targets, next } = await ports.lists.targetsOf(settings.devicePolicy, position as string | undefined);
  const certificates = targets.flatMap(({ arn, certificateId }) => (certificateId ? [{ arn, certificateId }] : []));
  const suspects = [...audit.suspects];
  for (let first = 0; first < certificates.length; first += atOnce) {
    if (!context.hasTime()) return 'stopped';
    const some = certificates.slice(first, first + atOnce);
    const holders = await Promise.all(some.map(({ certificateId }) => ports.registry.holderOf(certificateId)));
    for (const [index, { arn, certificateId }] of some.entries()) {
      const suspect = holders[index] === undefined && (await suspectOf(certificateId, arn, context));
      if (!suspect) continue;
      if (settings.mostCutOff === Number.POSITIVE_INFINITY) await cutOff(suspect, context);
      // One too many is enough to know.
      else if (suspects.length > settings.mostCutOff) leaveAlone(suspect, context);
      else suspects.push(suspect);
    }
  }
  if (next === undefined) {
    for (const suspect of suspects) {
      if (!context.hasTime()) return 'stopped';
      if (suspects.length > settings.mostCutOff) leaveAlone(suspect, context);
      else await cutOff(suspect, context);
    }
  }
  for (const { arn, certificateId } of targets) {
    if (certificateId) flip(audit.sketch, powerEntry(certificateId));
    else reportLeft(report, 'power-of-many', arn, 'the device policy must be attached to certificates only');
  }
  audit.suspects = suspects;
  return { next };
};

const leaveAlone = ({ certificateId }: Suspect, { report }: AuditContext): void =>
  reportLeft(report, what, certificateId, 'there are so many that somebody has to look: was the registry put back?');

const suspectOf = async (
  certificateId: string,
  certificateArn: string,
  context: AuditContext,
): Promise<Suspect | undefined> => {
  const { ports, report } = context;
  try {
    const owner = await ownerOf(certificateId, certificateArn, context);
    if (owner === 'known') return undefined;
    const found = await ports.looks.certificate(certificateId);
    if (!found) return undefined;
    if (ports.now().toISOString() >= plusHours(found.createdAt, youngHours)) {
      return { certificateId, certificateArn, owner };
    }
    reportLeft(report, what, certificateId, 'it is too young to be judged');
  } catch (error) {
    reportFailure(report, what, certificateId, error);
  }
  return undefined;
};

const cutOff = async (suspect: Suspect, context: AuditContext): Promise<void> => {
  const { ports, settings, report } = context;
  const { certificateId, certificateArn } = suspect;
  try {
    // The list may have been long.
    const owner = await ownerOf(certificateId, certificateArn, context);
    if (owner === 'known') return;
    await ports.certificates.detachPolicy(certificateArn, settings.devicePolicy);
    if (owner === 'ours') await ports.certificates.deactivate(certificateId);
    const become =
      owner === 'ours'
        ? 'it has lost the device policy and is inactive'
        : 'it is not Firstlight’s, and keeps all but the device policy';
    reportMended(report, what, certificateId, become);
  } catch (error) {
    reportFailure(report, what, certificateId, error);
  }
};

/** `known`: the record of the device that its thing stands for lists it, as one of several, or as one that is leaving. */
const ownerOf = async (
  certificateId: string,
  certificateArn: string,
  { ports, settings }: AuditContext,
): Promise<'known' | Suspect['owner']> => {
  const { looks, registry } = ports;
  const types = Object.values(settings.thingTypes);
  let owner: Suspect['owner'] = 'foreign';
  for (const thingName of await looks.thingsOf(certificateArn)) {
    const thing = await looks.thing(thingName);
    if (!thing?.serialNumber || !types.includes(thing.thingTypeName ?? '')) continue;
    owner = 'ours';
    // Of a place that was taken over, the old unit's record lists the old unit's certificate.
    const { serialNumber } = thing;
    for (const find of [
      () => registry.read(serialNumber),
      () => registry.read(thingName),
      () => registry.readPlace(thingName),
    ]) {
      if ((await find())?.certificates.some(({ id }) => id === certificateId)) return 'known';
    }
  }
  return owner;
};
