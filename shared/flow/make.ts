import type { ClaimRefusal, ClaimSettings } from '../domain/claim.ts';
import type { Device, StreamMode } from '../domain/device.ts';
import { Failure } from '../domain/failure.ts';
import {
  beginMaking,
  certificateFor,
  decideMaking,
  endMaking,
  type HttpClaim,
  recordCertificate,
  settleStream,
  undoMaking,
} from '../domain/making.ts';
import { certificateKeySha256 } from '../keys.ts';

export type IssuedCertificate = {
  certificateId: string;
  certificateArn: string;
  certificatePem: string;
  privateKey?: string;
};

export interface MakePorts {
  registry: {
    read(serialNumber: string): Promise<Device | undefined>;
    save(before: Device, after: Device): Promise<boolean>;
  };
  certificates: {
    issue(certificateSigningRequest: string | undefined): Promise<IssuedCertificate>;
    find(certificateId: string): Promise<(IssuedCertificate & { isActive: boolean }) | undefined>;
    attachPolicy(certificateArn: string, policyName: string): Promise<void>;
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
  };
  streams: {
    make(name: string, serialNumber: string): Promise<'made' | 'exists' | 'late' | 'limit'>;
    isOurs(name: string, serialNumber: string): Promise<boolean>;
  };
  now(): Date;
}

export type MakeSettings = ClaimSettings & { thingTypes: Record<StreamMode, string>; devicePolicy: string };

export type MakeRequest = Omit<HttpClaim, 'token' | 'pinnedTo'> & {
  certificateSigningRequest?: string;
  /** What the token that was sent proves of this device. */
  prove(known: Device | undefined): HttpClaim['token'];
  /** The other device that the key is pinned to. */
  pinnedElsewhere(): Promise<string | undefined>;
};

export type Made = { made: true; device: Device; certificate: IssuedCertificate };
export type NotMade = { made: false; reason: ClaimRefusal; contested: boolean; announced: boolean };

const mostTries = 4;

/**
 * Thing, certificate, policy, stream and record as one unit. The record comes first, the policy last: whatever stops in
 * between, no certificate has power that no record knows, and the same call goes on where this one was.
 */
export const make = async (request: MakeRequest, ports: MakePorts, settings: MakeSettings): Promise<Made | NotMade> => {
  const { certificateSigningRequest, prove, pinnedElsewhere, ...asked } = request;
  let issued: IssuedCertificate | undefined;
  const refuse = async (reason: ClaimRefusal, contested: boolean, announced = true): Promise<NotMade> => {
    if (issued) await discard(issued, ports);
    return { made: false, reason, contested, announced };
  };

  // A rival may write between our reading and our writing: then the fresh record decides.
  for (let attempt = 0; attempt < mostTries; attempt++) {
    const known = await ports.registry.read(request.serialNumber);
    const claim: HttpClaim = { ...asked, token: prove(known), pinnedTo: await pinnedElsewhere() };

    // Our own record, of which the answer was lost: it stands, and so does its certificate.
    if (known && issued && known.making?.certificateId === issued.certificateId) {
      return finish(known, { ...issued, thingMade: false }, claim, ports, settings);
    }
    const earlier = known && mayComeBack(known, claim, ports.now(), settings) && (await repeated(known, claim, ports));
    if (known && earlier) {
      if (issued && issued.certificateId !== earlier.certificateId) await discard(issued, ports);
      return finish(known, earlier, claim, ports, settings);
    }
    const decision = decideMaking(known, claim, ports.now(), settings);
    if (!known || !decision.allow) {
      return decision.allow
        ? refuse('unknown-serial', false, false)
        : refuse(decision.reason, decision.contested, known !== undefined);
    }
    const begun = beginMaking(known, claim, ports.now());
    if (begun !== known && !(await ports.registry.save(known, begun))) continue;

    const [thing, stream, certificate] = await Promise.allSettled([
      makeThing(begun, ports, settings),
      begun.streamMode === 'thing-name' ? makeStream(begun, begun.thingName, ports) : ('made' as const),
      issued ?? ports.certificates.issue(certificateSigningRequest),
    ]);
    if (certificate.status === 'rejected') throw certificate.reason;
    issued = certificate.value;
    const taken = takenBy(thing, stream);
    if (taken) {
      await ports.registry.save(begun, undoMaking(begun, by(claim), ports.now(), taken));
      return refuse(taken, false);
    }
    const key = certificateKeySha256(issued.certificatePem);
    const recorded = recordCertificate(
      begun,
      claim,
      { id: issued.certificateId, publicKeySha256: key },
      stream.status === 'rejected' ? 'making' : stream.value === 'pending' ? 'pending' : 'made',
      ports.now(),
      settings,
    );
    if (!recorded.allow) return refuse(recorded.reason, recorded.contested);
    if (!(await ports.registry.save(begun, recorded.device))) continue;
    // Now that the certificate is on record, what failed beside it may say so.
    for (const step of [thing, stream]) if (step.status === 'rejected') throw step.reason;
    return finish(recorded.device, { ...issued, thingMade: true }, claim, ports, settings);
  }
  return refuse('raced', false);
};

const by = (claim: HttpClaim): string => claim.by ?? `door:${claim.door}`;

/** Until life has shown, a repeat of the claim is the claim. After that it is a factory reset: its policy decides, as over MQTT. */
const mayComeBack = (device: Device, claim: HttpClaim, now: Date, settings: MakeSettings): boolean =>
  claim.door === 'line' || device.status !== 'active' || decideMaking(device, claim, now, settings).allow;

/** The certificate that an earlier call has made for this very key, if AWS still honours it. */
const repeated = async (device: Device, claim: HttpClaim, { certificates }: MakePorts) => {
  const certificate = certificateFor(device, claim);
  const isLiving = device.status === 'claimed' || device.status === 'active';
  // At the open door a key admits only where a pin or a token let it in.
  const isAdmitted =
    claim.door === 'line' || device.claimTokenSha256 !== undefined || device.publicKeySha256 === claim.publicKeySha256;
  if (!certificate || !isLiving || !isAdmitted) return undefined;
  const found = await certificates.find(certificate.id);
  return found?.isActive ? { ...found, thingMade: false } : undefined;
};

/** Everything that is left once the certificate is on record; a repeat of the call comes here at once. */
const finish = async (
  recorded: Device,
  { thingMade, ...issued }: IssuedCertificate & { thingMade: boolean },
  claim: HttpClaim,
  ports: MakePorts,
  settings: MakeSettings,
): Promise<Made | NotMade> => {
  const { certificateId, certificateArn, certificatePem, privateKey } = issued;
  const certificate = { certificateId, certificateArn, certificatePem, ...(privateKey && { privateKey }) };
  const isUnfinished = ({ making }: Device) => making?.certificateId === certificateId;
  if (!isUnfinished(recorded)) return { made: true, device: recorded, certificate };

  const { stream, refusal } = await giveWay(recorded, certificateId, thingMade, ports, settings);
  if (refusal) {
    await ports.registry.save(recorded, undoMaking(recorded, by(claim), ports.now(), refusal));
    return { made: false, reason: refusal, contested: false, announced: true };
  }
  await ports.things.attach(recorded.thingName, certificateArn);
  await ports.certificates.attachPolicy(certificateArn, settings.devicePolicy);

  let latest = recorded;
  for (let attempt = 0; attempt < mostTries; attempt++) {
    const settled = stream ? settleStream(latest, stream.name, stream.state, ports.now()) : latest;
    const ended = endMaking(settled, by(claim), ports.now());
    if (await ports.registry.save(latest, ended)) return { made: true, device: ended, certificate };
    const fresh = await ports.registry.read(recorded.serialNumber);
    const stands = fresh?.certificates.some(({ id, state }) => id === certificateId && state !== 'leaving');
    if (!fresh || !stands) break;
    if (fresh.status === 'suspended' || fresh.status === 'retired') {
      return { made: false, reason: fresh.status, contested: false, announced: true };
    }
    // A twin of this call has ended it.
    if (!isUnfinished(fresh)) return { made: true, device: fresh, certificate };
    latest = fresh;
  }
  throw new Failure('version-conflict', 'somebody else was making this device; try again');
};

/** Thing and stream, before the certificate can do anything with them. */
const giveWay = async (
  device: Device,
  certificateId: string,
  thingMade: boolean,
  ports: MakePorts,
  settings: MakeSettings,
): Promise<{ stream?: { name: string; state: 'made' | 'pending' }; refusal?: ClaimRefusal }> => {
  const name = device.streamMode === 'certificate-id' ? certificateId : device.thingName;
  const listed = device.streams.find((one) => one.name === name);
  const isOpen = listed?.state === 'making' || (listed?.state === 'pending' && !thingMade);
  const [thing, stream] = await Promise.allSettled([
    thingMade ? ('made' as const) : makeThing(device, ports, settings),
    isOpen ? makeStream(device, name, ports) : ('made' as const),
  ]);
  for (const step of [thing, stream]) if (step.status === 'rejected') throw step.reason;
  const refusal = takenBy(thing, stream);
  if (refusal) return { refusal };
  const state = stream.status === 'fulfilled' && stream.value === 'pending' ? 'pending' : 'made';
  return isOpen ? { stream: { name, state } } : {};
};

const makeThing = (
  { thingName, streamMode, serialNumber, batch }: Device,
  { things }: MakePorts,
  { thingTypes }: MakeSettings,
) => things.make({ thingName, thingTypeName: thingTypes[streamMode], serialNumber, batch });

const makeStream = async (
  device: Device,
  name: string,
  { streams }: MakePorts,
): Promise<'made' | 'pending' | 'stream-taken' | 'stream-limit'> => {
  if (device.streams.some((one) => one.name === name && one.state === 'made')) return 'made';
  const outcome = await streams.make(name, device.serialNumber);
  if (outcome === 'late') return 'pending';
  if (outcome === 'limit') return 'stream-limit';
  // Ours only if it carries our tag: that it was asked for does not say who got it.
  if (outcome === 'exists' && !(await streams.isOurs(name, device.serialNumber))) return 'stream-taken';
  return 'made';
};

const takenBy = (
  thing: PromiseSettledResult<'made' | 'taken'>,
  stream: PromiseSettledResult<'made' | 'pending' | 'stream-taken' | 'stream-limit'>,
): ClaimRefusal | undefined => {
  if (thing.status === 'fulfilled' && thing.value === 'taken') return 'thing-taken';
  if (stream.status !== 'fulfilled') return undefined;
  return stream.value === 'stream-taken' || stream.value === 'stream-limit' ? stream.value : undefined;
};

/** A certificate that no record knows has no power. It is taken away all the same; failing that costs nothing but an entry. */
const discard = async ({ certificateId }: IssuedCertificate, { certificates }: MakePorts): Promise<void> => {
  try {
    await certificates.deactivate(certificateId);
    await certificates.delete(certificateId);
  } catch {
    // The refusal or the other certificate stands.
  }
};
