import type { Audit } from '../../domain/audit.ts';
import { plusHours } from '../../domain/device.ts';
import { powerEntry } from '../../domain/drift.ts';
import { reportFailure, reportLeft, reportMended } from '../../domain/reconciliation.ts';
import { flip } from '../../domain/sketch.ts';
import type { AuditContext, Phase } from './phase.ts';

/** RegisterThing writes its record first, so nothing legal is ever without one: this is for clocks and slow reads. */
const youngHours = 2;

const atOnce = 10;

/**
 * Whatever has the device policy: AWS's own list of power. A certificate on it that no record knows is cut off if its thing says that
 * it is Firstlight's; of any other only the policy is taken, which is Firstlight's own.
 */
export const auditPower: Phase = async (position, audit, context) => {
  const { ports, settings, report } = context;
  const { targets, next } = await ports.lists.targetsOf(settings.devicePolicy, position as string | undefined);
  const certificates = targets.flatMap(({ arn, certificateId }) => (certificateId ? [{ arn, certificateId }] : []));
  for (let first = 0; first < certificates.length; first += atOnce) {
    if (!context.hasTime()) return 'stopped';
    const some = certificates.slice(first, first + atOnce);
    const holders = await Promise.all(some.map(({ certificateId }) => ports.registry.holderOf(certificateId)));
    for (const [index, { arn, certificateId }] of some.entries()) {
      if (holders[index] === undefined) await settle(certificateId, arn, audit, context);
    }
  }
  for (const { arn, certificateId } of targets) {
    if (certificateId) flip(audit.sketch, powerEntry(certificateId));
    else reportLeft(report, 'power-of-many', arn, 'the device policy must be attached to certificates only');
  }
  return { next };
};

const settle = async (
  certificateId: string,
  certificateArn: string,
  audit: Audit,
  context: AuditContext,
): Promise<void> => {
  const { ports, settings, report } = context;
  const what = 'power-without-record';
  try {
    const owner = await ownerOf(certificateId, certificateArn, context);
    if (owner === 'known') return;
    const found = await ports.looks.certificate(certificateId);
    if (!found) return;
    if (ports.now().toISOString() < plusHours(found.createdAt, youngHours)) {
      return reportLeft(report, what, certificateId, 'it is too young to be judged');
    }
    if (audit.cutOff >= settings.mostCutOff) {
      return reportLeft(
        report,
        what,
        certificateId,
        'there are so many that somebody has to look: was the registry put back?',
      );
    }
    audit.cutOff++;
    await ports.certificates.detachPolicy(certificateArn, settings.devicePolicy);
    if (owner === 'foreign') {
      return reportMended(report, what, certificateId, 'it is not Firstlight’s and keeps all but the device policy');
    }
    await ports.certificates.deactivate(certificateId);
    reportMended(report, what, certificateId, 'it has lost the device policy and is inactive');
  } catch (error) {
    reportFailure(report, what, certificateId, error);
  }
};

/** `known`: the record of the device that its thing stands for lists it, as one of several, or as one that is leaving. */
const ownerOf = async (
  certificateId: string,
  certificateArn: string,
  { ports, settings }: AuditContext,
): Promise<'known' | 'ours' | 'foreign'> => {
  const { looks, registry } = ports;
  const types = Object.values(settings.thingTypes);
  let owner: 'ours' | 'foreign' = 'foreign';
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
