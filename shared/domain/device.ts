export const streamModes = ['thing-name', 'certificate-id', 'fixed'] as const;
export type StreamMode = (typeof streamModes)[number];

export const reprovisioningPolicies = ['refuse', 'same-key', 'replace-certificate', 'approve'] as const;
export type ReprovisioningPolicy = (typeof reprovisioningPolicies)[number];

export type DeviceStatus = 'registered' | 'claimed' | 'active' | 'suspended' | 'retired';

/** The way a certificate came: fleet provisioning, `POST /claims`, the line's own `/provision`, or with the certificate before it. */
export type Door = 'mqtt' | 'https' | 'line' | 'renewal';

/**
 * `allowed`: a claim was granted to it, no life seen yet. `current`: its camera has shown life.
 * `leaving`: replaced, and to be taken away from AWS; it stays listed until AWS was asked.
 */
export type DeviceCertificate = {
  id: string;
  publicKeySha256: string;
  door: Door;
  state: 'allowed' | 'current' | 'leaving';
  /** Since when it is in this state. */
  since: string;
  /** When AWS last said that an `allowed` one is there and active, long after its claim. */
  seenAt?: string;
  /** Of a `leaving` one: when it may be taken away. Absent: at once. */
  leavesAt?: string;
};

/**
 * `making`: asked for, and no yes was given before AWS confirmed it. `pending`: known to be missing, to be finished later.
 * `made`: there. `taken`: the name belongs to somebody else in this account.
 */
export type DeviceStream = {
  name: string;
  state: 'making' | 'pending' | 'made' | 'taken';
  since: string;
  until?: string;
  channel?: string;
};

/** How a claim proved that it may be granted; `line`: a caller of our own API vouches for it. */
export type Assurance =
  | 'pinned-key'
  | 'claim-token'
  | 'same-key'
  | 'approval'
  | 'allow-list'
  | 'open'
  | 'line'
  | 'current-certificate';

/** What is being made for a device over HTTP: noted before the first thing is made, gone when the last one is. */
export type Making = {
  door: Door;
  since: string;
  /** Absent where AWS makes the key: nobody but the caller ever sees it, so nobody else can finish. */
  publicKeySha256?: string;
  /** As soon as AWS has issued it. */
  certificateId?: string;
};

/** What an operator's act leaves to do at AWS: on record before the first call, gone after the last. */
export type CutOff = {
  /** `resume` gives back what `suspend` took; `replace` leaves thing and streams to the hardware that takes over. */
  act: 'suspend' | 'resume' | 'retire' | 'replace';
  since: string;
  /** When `reconcile` goes on with it. */
  dueAt: string;
  /** Absent: they are kept. */
  streams?: 'delete';
};

/** A certificate that the camera roles deny, until the credentials that were issued with it have run out. */
export type Denial = { certificateId: string; until: string };

/**
 * Other hardware's place, on its way here. `reserved`: the old unit is being cut off, and no claim is let in yet. `waiting`: the
 * old unit stays until this one has shown life. `cutting`: it has, and the old unit goes.
 */
export type Takeover = {
  from: string;
  since: string;
  step: 'reserved' | 'waiting' | 'cutting';
  keepUntilConnected?: true;
};

/** An operator's word for one key, for a day. */
export type Approval = { publicKeySha256: string; claimId?: string; by: string; until: string };

export type GrantedClaim = {
  assurance: Assurance;
  door: Door;
  certificateId: string;
  publicKeySha256: string;
  claimCertificateId?: string;
  clientId?: string;
};

export type HistoryEntry = {
  at: string;
  /** An IAM principal, `function:<name>` or `certificate:<id>`. */
  by: string;
  what:
    | 'announced'
    | 'updated'
    | 'making'
    | 'made'
    | 'making-undone'
    | 'claimed'
    | 'claim-withdrawn'
    | 'renewing'
    | 'renewal-withdrawn'
    | 'certificates-removed'
    | 'shown-life'
    | 'streams-finished'
    | 'suspended'
    | 'resumed'
    | 'retired'
    | 'reopened'
    | 'claim-approved'
    | 'reprovisioning-set'
    | 'replaced'
    | 'taking-over'
    | 'taken-over'
    | 'cut-off'
    | 'power-restored'
    | 'denials-lifted'
    | 'mended';
  why?: string;
  /** The device whose history it was, before this one took it over. */
  of?: string;
  claim?: GrantedClaim;
};

export type Device = {
  serialNumber: string;
  version: number;
  status: DeviceStatus;
  /** The place it fills: AWS thing, MQTT client id and, in `thing-name` mode, its streams. */
  thingName: string;
  streamMode: StreamMode;
  channels: string[];
  model?: string;
  batch?: string;
  attributes?: Record<string, string>;
  /** The manifest's pin. Renewal never changes it. */
  publicKeySha256?: string;
  claimTokenSha256?: string;
  claimTokenSpentAt?: string;
  reprovisioning?: ReprovisioningPolicy;
  registeredAt: string;
  claimedAt?: string;
  activeAt?: string;
  /** The claim certificate that its newest claim came with, and when it was granted. */
  openedBy?: string;
  openedAt?: string;
  /** How many of its claims were granted through each claim certificate, over all its lives. */
  openings?: Record<string, number>;
  making?: Making;
  certificates: DeviceCertificate[];
  streams: DeviceStream[];
  /** Those of its earlier lives: kept, and never its own again. */
  formerStreams?: DeviceStream[];
  /** How often it was reopened; names its place. */
  lives?: number;
  suspendedFrom?: 'registered' | 'claimed' | 'active';
  cutOff?: CutOff;
  denied?: Denial[];
  approval?: Approval;
  takeover?: Takeover;
  replaces?: string;
  replacedBy?: string;
  /** When `reconcile` must look at it; absent if nothing is unfinished. */
  dueAt?: string;
  /** When the last sign came that the serial number is used twice. */
  contested?: string;
  contestedReason?: string;
  contestedCount?: number;
  /** When `reconcile` last asked whoever counts to count it anew. */
  recountedAt?: string;
  history: HistoryEntry[];
};

const longestHistory = 40;

/** AWS deletes a certificate that was not registered within an hour of its issue; twice that is safe to judge a claim dead. */
const unfinishedClaimHours = 2;

/** A certificate that AWS has, but that no camera has shown: asked for again so often. */
const silentClaimHours = 24;

/** Well past the life of any function that could still be at it. */
const unfinishedMakingHours = 1 / 12;

export const plusHours = (instant: string, hours: number): string =>
  new Date(Date.parse(instant) + hours * 3_600_000).toISOString();

/** Since when what is being made waits for somebody to finish or undo it. */
export const makingDueAt = ({ since }: Making): string => plusHours(since, unfinishedMakingHours);

/** Until when a claim may still be under way that has not shown life. */
export const unfinishedUntil = ({ since }: DeviceCertificate): string => plusHours(since, unfinishedClaimHours);

/** When AWS is to be asked whether a claim that nobody shows is alive; a device with several asks with the newest. */
export const claimDueAt = ({ certificates }: Device): string | undefined =>
  certificates
    .filter(({ state }) => state === 'allowed')
    .map((one) => (one.seenAt ? plusHours(one.seenAt, silentClaimHours) : unfinishedUntil(one)))
    .sort()
    .at(-1);

/** Since when a certificate is to be taken away from AWS. */
export const removalDueAt = ({ since, leavesAt }: DeviceCertificate): string => leavesAt ?? since;

/** Neither suspended nor retired: AWS is made to hold what it needs. */
export const isLiving = ({ status }: Device): boolean => status !== 'suspended' && status !== 'retired';

/** When `reconcile` must look at it, by what is unfinished. */
export const dueAtOf = (device: Device): string | undefined => {
  const claimDue = isLiving(device) ? claimDueAt(device) : undefined;
  const { takeover } = device;
  return [
    ...device.certificates.filter(({ state }) => state === 'leaving').map(removalDueAt),
    ...(isLiving(device) ? device.streams.filter(({ state }) => state === 'pending').map(({ since }) => since) : []),
    ...(device.making ? [makingDueAt(device.making)] : []),
    ...(claimDue ? [claimDue] : []),
    ...(device.cutOff ? [device.cutOff.dueAt] : []),
    ...(device.denied ?? []).map(({ until }) => until),
    ...(takeover && takeover.step !== 'waiting' ? [takeover.since] : []),
  ].sort()[0];
};

/** The next version of a device: history bounded, unfinished business dated. Every change goes through here. */
export const changed = (device: Device, change: Partial<Device>, entry: HistoryEntry): Device => {
  const { dueAt: _, ...next } = { ...device, ...change };
  const due = dueAtOf(next);
  return {
    ...next,
    version: device.version + 1,
    history: [...device.history, entry].slice(-longestHistory),
    ...(due && { dueAt: due }),
  };
};

/** The certificate that stands for the device now: its newest that is not leaving. */
export const newestCertificate = (device: Device): DeviceCertificate | undefined =>
  device.certificates.filter(({ state }) => state !== 'leaving').at(-1);

/** The stream that a camera holding this certificate writes to; the other end of the three camera roles. */
export const streamNameFor = (device: Device, certificateId: string, fixedStream: string | undefined): string => {
  switch (device.streamMode) {
    case 'thing-name':
      return device.thingName;
    case 'certificate-id':
      return certificateId;
    case 'fixed':
      if (!fixedStream) throw new Error('a device has the stream mode "fixed", but FIXED_STREAM names no stream');
      return fixedStream;
  }
};

/** A device as the API shows it: everything but the hash of its claim token and what only the registry's own upkeep needs. */
export const shown = ({
  openings: _,
  claimTokenSha256,
  claimTokenSpentAt,
  contested,
  contestedReason,
  contestedCount,
  recountedAt: __,
  ...device
}: Device) => ({
  ...device,
  ...(contested && { contested: { at: contested, reason: contestedReason, count: contestedCount } }),
  claimToken: claimTokenSha256 === undefined ? 'none' : claimTokenSpentAt === undefined ? 'unspent' : 'spent',
  ...(claimTokenSpentAt && { claimTokenSpentAt }),
});
