import { count, minute } from './table.ts';

/** A device as `GET /devices/{serialNumber}` answers it; the API tells more. */
export interface DeviceRecord {
  serialNumber: string;
  version: number;
  status: 'registered' | 'claimed' | 'active' | 'suspended' | 'retired';
  thingName: string;
  streamMode: string;
  channels: string[];
  model?: string;
  batch?: string;
  attributes?: Record<string, string>;
  publicKeySha256?: string;
  claimToken: 'none' | 'unspent' | 'spent';
  reprovisioning?: string;
  registeredAt: string;
  claimedAt?: string;
  activeAt?: string;
  openedBy?: string;
  making?: { door: string; since: string };
  certificates: { id: string; publicKeySha256: string; door: string; state: string; since: string }[];
  streams: StreamRecord[];
  formerStreams?: StreamRecord[];
  lives?: number;
  cutOff?: { act: 'suspend' | 'resume' | 'retire' | 'replace'; since: string; dueAt: string; streams?: 'delete' };
  denied?: { certificateId: string; until: string }[];
  approval?: { publicKeySha256: string; claimId?: string; by: string; until: string };
  takeover?: { from: string; since: string; step: 'reserved' | 'waiting' | 'cutting' };
  replaces?: string;
  replacedBy?: string;
  dueAt?: string;
  contested?: { at: string; reason: string; count: number };
  history: HistoryEntry[];
}

export interface StreamRecord {
  name: string;
  state: string;
  since: string;
  until?: string;
  channel?: string;
}

export interface HistoryEntry {
  at: string;
  by: string;
  what: string;
  why?: string;
  of?: string;
}

export const pathOf = (serialNumber: string, below = ''): string =>
  `/devices/${encodeURIComponent(serialNumber)}${below && `/${below}`}`;

const ENDED = { suspended: 'suspended', retired: 'retired' } as const;

/** Where it stands, in one sentence: `CAM-0001 is suspended since … by …: reported stolen`. */
export function standing({ serialNumber, status, history, replacedBy }: DeviceRecord): string {
  const what = Object.hasOwn(ENDED, status) ? [status, ...(replacedBy ? ['replaced'] : [])] : [];
  const act = history.findLast((entry) => what.includes(entry.what) && entry.of === undefined);
  if (!act) return `${serialNumber} is ${status}`;
  return `${serialNumber} is ${status} since ${minute(act.at)} by ${act.by}${act.why ? `: ${act.why}` : ''}`;
}

const ACTS = { suspend: 'suspension', resume: 'resumption', retire: 'retirement', replace: 'replacement' } as const;

const TAKEOVER = {
  reserved: 'waits for the place of',
  waiting: 'has the place of, and the old unit stays until this one has connected:',
  cutting: 'has connected in the place of, and the old unit is being cut off:',
} as const;

/** What is out of the ordinary with it: marks, and business that is not finished. */
export function remarks(device: DeviceRecord): string[] {
  const {
    contested,
    cutOff,
    takeover,
    replacedBy,
    status,
    making,
    approval,
    denied = [],
    certificates,
    dueAt,
  } = device;
  const leaving = certificates.filter(({ state }) => state === 'leaving');
  const missing = device.streams.filter(({ state }) => state === 'pending');
  const taken = device.streams.filter(({ state }) => state === 'taken');
  return [
    ...(contested
      ? [
          `contested: ${signs(contested.count)} that somebody else uses its serial number, the last ${minute(contested.at)}: ${contested.reason}`,
        ]
      : []),
    ...(cutOff ? [`unfinished: AWS has not done all of its ${ACTS[cutOff.act]} (since ${minute(cutOff.since)})`] : []),
    ...(takeover ? [`unfinished: it ${TAKEOVER[takeover.step]} ${takeover.from}`] : []),
    ...(replacedBy && status !== 'retired' ? [`${replacedBy} takes its place once that has connected`] : []),
    ...(making ? [`unfinished: it is being made (${making.door}) since ${minute(making.since)}`] : []),
    ...(missing.length > 0 ? [`unfinished: streams that AWS had no time for: ${namesOf(missing)}`] : []),
    ...(leaving.length > 0 ? [`unfinished: ${count(leaving.length)} replaced certificates are to be taken away`] : []),
    ...(taken.length > 0 ? [`streams whose names belong to somebody else: ${namesOf(taken)}`] : []),
    ...(approval
      ? [`the key ${approval.publicKeySha256} may claim until ${minute(approval.until)} (${approval.by})`]
      : []),
    ...(denied.length > 0
      ? [`credentials issued to ${count(denied.length)} of its certificates are denied until ${minute(lastOf(denied))}`]
      : []),
    ...(dueAt ? [`reconcile looks at it ${minute(dueAt)}`] : []),
  ];
}

const signs = (number: number) => (number === 1 ? 'one sign' : `${count(number)} signs`);
const namesOf = (streams: StreamRecord[]) => streams.map(({ name }) => name).join(', ');
const lastOf = (denied: { until: string }[]) =>
  denied
    .map(({ until }) => until)
    .sort()
    .at(-1);
