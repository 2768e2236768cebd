import { type Device, type DeviceCertificate, removalDueAt, unfinishedUntil } from './device.ts';

/** A thing as AWS has it: with what both doors give it. */
export type FoundThing = { thingName: string; thingTypeName?: string; serialNumber?: string; batch?: string };

/** A certificate as AWS has it. `things`: those that it is attached to. */
export type FoundCertificate = { certificateArn: string; isActive: boolean; hasPolicy: boolean; things: string[] };

/** What AWS has of one device: its thing, its certificates by id, and which of its streams are not there. */
export type Found = {
  thing: FoundThing | undefined;
  certificates: Map<string, FoundCertificate>;
  missingStreams: string[];
};

export type Remedy =
  | { do: 'make-thing' }
  | { do: 'attach'; certificateArn: string }
  | { do: 'give-policy'; certificateArn: string }
  | { do: 'cut-off' }
  | { do: 'make-stream'; name: string }
  /** Somebody has to decide; the reason why. */
  | { do: 'nothing'; because: string };

export type Drift = { what: string; remedy: Remedy };

export type ThingTypes = Record<Device['streamMode'], string>;

const standing = ({ certificates }: Device): DeviceCertificate[] =>
  certificates.filter(({ state }) => state !== 'leaving');

/** Nothing is under way: what AWS holds is what it shall hold. What is under way is for those who do it, and for the work list. */
export const isSettled = (device: Device, now: Date): boolean =>
  !device.making &&
  !device.cutOff &&
  // What it had is other hardware's already, or is on its way there.
  (device.replacedBy === undefined || device.status === 'retired') &&
  (device.takeover === undefined || device.takeover.step === 'waiting') &&
  !standing(device).some((one) => one.state === 'allowed' && now.toISOString() < unfinishedUntil(one));

const isClaimed = ({ status }: Device): boolean => status === 'claimed' || status === 'active';

/** As both doors make it. */
export const thingOf = (device: Device, thingTypes: ThingTypes): Required<FoundThing> => ({
  thingName: device.thingName,
  thingTypeName: thingTypes[device.streamMode],
  serialNumber: device.serialNumber,
  batch: device.batch ?? '-',
});

export const thingEntry = ({ thingName, thingTypeName, serialNumber, batch }: FoundThing): string =>
  `thing ${thingName} ${thingTypeName} ${serialNumber} ${batch}`;

export const powerEntry = (certificateId: string): string => `power ${certificateId}`;
export const inactiveEntry = (certificateId: string): string => `inactive ${certificateId}`;

/** What AWS's own lists must show of a device: the certificates that have the policy, and the thing. */
export const expectedOf = (device: Device, thingTypes: ThingTypes, now: Date): string[] => {
  if (device.status === 'retired' || !isSettled(device, now) || standing(device).length === 0) return [];
  // Suspended, a certificate is inactive and keeps its policy; replaced by a renewed one, it keeps both for a while.
  const powerful = device.certificates.filter(
    (one) => one.state !== 'leaving' || now.toISOString() < removalDueAt(one),
  );
  return [thingEntry(thingOf(device, thingTypes)), ...powerful.map(({ id }) => powerEntry(id))];
};

/** Every entry by which a list may have told that something is wrong with the device. */
export const watchedOf = (device: Device, thingTypes: ThingTypes, now: Date): string[] => [
  ...expectedOf(device, thingTypes, now),
  ...standing(device).map(({ id }) => inactiveEntry(id)),
];

/** What no list tells of: a certificate beside another one, and a suspended device's, which must have none that is active. */
export const needsCloserLook = (device: Device): boolean => {
  const { length } = standing(device);
  return device.status === 'suspended' ? length > 0 : isClaimed(device) && length > 1;
};

/** The streams that must be there. One that was asked for and not confirmed counts once its claim is over. */
export const neededStreams = (device: Device): string[] =>
  isClaimed(device)
    ? device.streams
        .filter(({ state, until }) => until === undefined && (state === 'made' || state === 'making'))
        .map(({ name }) => name)
    : [];

/** The differences, in the order in which they are to be mended: power comes last. */
export const driftOf = (device: Device, found: Found, thingTypes: ThingTypes): Drift[] => {
  const held = standing(device).map((one) => ({ ...one, found: found.certificates.get(one.id) }));
  if (device.status === 'suspended') {
    return held.some((one) => one.found?.isActive)
      ? [{ what: 'power-while-suspended', remedy: { do: 'cut-off' } }]
      : [];
  }
  if (!isClaimed(device)) return [];
  const drift: Drift[] = held.flatMap((one) => (one.state === 'current' ? lifeless(one.found) : []));
  const active = held.flatMap((one) => (one.found?.isActive ? [one.found] : []));
  if (active.length > 0) drift.push(...ofThing(device, found.thing, active, thingTypes));
  drift.push(
    ...found.missingStreams.map((name): Drift => ({ what: 'stream-missing', remedy: { do: 'make-stream', name } })),
  );
  return drift;
};

/** A certificate that its camera holds and cannot use. That nobody has shown an `allowed` one is the work list's to judge. */
const lifeless = (found: FoundCertificate | undefined): Drift[] => {
  const left = (what: string, because: string): Drift[] => [{ what, remedy: { do: 'nothing', because } }];
  if (!found) {
    return left('certificate-missing', 'nobody can make it again: the camera has to claim anew, as its policy lets it');
  }
  return found.isActive
    ? []
    : left('certificate-inactive', 'somebody made it so at AWS; suspend and resume the device to give it back');
};

const ofThing = (
  device: Device,
  thing: FoundThing | undefined,
  active: FoundCertificate[],
  thingTypes: ThingTypes,
): Drift[] => {
  if (thing && thing.serialNumber !== device.serialNumber) {
    return [{ what: 'thing-taken', remedy: { do: 'nothing', because: 'a thing of that name is not this device’s' } }];
  }
  const wanted = thingOf(device, thingTypes);
  const differs = thing && thingEntry(thing) !== thingEntry(wanted);
  return [
    ...(!thing ? [{ what: 'thing-missing', remedy: { do: 'make-thing' as const } }] : []),
    ...(differs ? [{ what: 'thing-differs', remedy: { do: 'make-thing' as const } }] : []),
    ...active
      .filter(({ things }) => !things.includes(device.thingName))
      .map(({ certificateArn }) => ({ what: 'attachment-missing', remedy: { do: 'attach' as const, certificateArn } })),
    ...active
      .filter(({ hasPolicy }) => !hasPolicy)
      .map(({ certificateArn }) => ({
        what: 'policy-missing',
        remedy: { do: 'give-policy' as const, certificateArn },
      })),
  ];
};
