import type { ReprovisioningPolicy } from '../../domain/device.ts';
import { limits } from '../../domain/limits.ts';
import { reasons, rowProblems } from './reasons.ts';

export const title = 'Firstlight';

export const whole = `Takes a camera from its first boot to its first frame.

JSON in camelCase, instants in ISO 8601 and UTC, errors as RFC 9457 problem details. A body holds at most
${limits.bodyBytes.toLocaleString('en')} bytes, where nothing less is said; an unknown member of a request is an error that names it, and an answer may gain members.
Every request may be sent again: nothing is made twice. Signed with AWS Signature Version 4 for the service \`execute-api\`,
except where it says that nobody signs; with temporary credentials the header \`x-amz-security-token\` is sent and signed too.`;

export const tags = [
  { name: 'line', description: 'What the manufacturing line does' },
  { name: 'camera', description: 'What a camera does itself, where its network blocks MQTT' },
  { name: 'registry', description: 'What is known of each device' },
  { name: 'claim certificates', description: 'The shared certificates that cameras claim with over MQTT' },
  { name: 'lifecycle', description: 'What ops does to a device, and undoes' },
  { name: 'description', description: 'The API about itself' },
];

const listOf = (meanings: Record<string, string | { means: string }>): string =>
  Object.entries(meanings)
    .map(([code, words]) => `- \`${code}\`: ${typeof words === 'string' ? words : words.means}`)
    .join('\n');

/** What a claim of an active device needs. A pin is never lifted, and a spent token opens nothing. */
const policies: Record<ReprovisioningPolicy | 'default', string> = {
  refuse: 'Nothing opens it but `resume`, `retire` and `reopen`.',
  'same-key': 'The key that the device has already, or the pinned one.',
  'replace-certificate':
    'What would open it if nobody had claimed it. With neither pin nor token that is whoever holds a claim certificate and knows the serial number.',
  approve: 'An operator, who approves one key for a day.',
  default: 'The policy of the deployment; without one, `same-key` where a key is pinned, else `approve`.',
};

const order = {
  reason: 'Kept in the history of the device',
  version: 'The version that the caller has seen: at any other the answer is 409',
};
const page = {
  limit: `Items of a page, ${limits.page} at most; 50 if it is left out`,
  cursor: 'The `nextCursor` of the page before',
};
const nextCursor = 'There is more: the `cursor` of the next page. Opaque';
const shownOnce = 'Only where AWS made the key: shown this once and stored nowhere';
const bound = {
  batch: 'The one batch that it claims for; absent: any',
  claimWindow: 'When it may be claimed with; an open end where `from` or `until` is absent',
};
const claimCertificate = {
  ...bound,
  createdBy: 'ARN of the IAM principal that asked for it',
};
const listedClaimCertificate = {
  ...claimCertificate,
  kind: '`installer`: a five-minute one of `POST /provisioning-claims`',
  opened: 'Claims granted through it, a moment behind',
  refused: 'Claims refused through it',
};

/** What each member is, where its name and schema do not say it: by schema, then by path, through lists as if they were not there. */
export const members: Record<string, Record<string, string>> = {
  parameters: {
    ...page,
    status: 'Where it stands in its life',
    batch: 'As it was announced',
    model: 'As it was announced',
    serialPrefix: 'What its serial number begins with',
    claimedAfter: 'Claimed at this instant or later',
    claimedBefore: 'Claimed earlier than this instant',
    certificateId: 'The newest certificate of the device that is not being taken away',
  },
  Order: order,
  Retirement: { ...order, streams: '`delete`: with all their footage. Never by default' },
  Replacement: {
    ...order,
    by: 'The new hardware: announced, and not claimed',
    keepUntilConnected: 'The old unit goes on until the new one has shown life',
  },
  Approval: {
    ...order,
    claimId: 'Of a refused claim in `GET /devices/{serialNumber}/claims`; this or `publicKeySha256`',
    publicKeySha256: 'Of the key to let in; this or `claimId`',
  },
  ReprovisioningOrder: { ...order, policy: listOf(policies) },
  Announcement: {
    devices: 'Each row gets its own verdict: a bad one never stops the good ones',
    'devices.streamMode':
      'What its stream is called like: its thing, its certificate, or the one fixed stream of the deployment',
    'devices.channels': 'More streams of the same camera, `<thingName>.<channel>`; mode `thing-name` only',
    'devices.attributes': 'Free text for ops; kept in the registry only',
    'devices.reprovisioning':
      'What a claim needs once the device is active; left out: as it is, or else the policy of the deployment',
    dryRun: 'Tell the verdicts and write nothing',
  },
  Verdicts: {
    results: 'In the order of the rows',
    'results.outcome':
      '`unchanged`: the same row is known already. `rejected`: nothing was written for this row, and `problem` says why',
    'results.problem.code': listOf(rowProblems),
  },
  Device: {
    version: 'Grows with every change',
    thingName: 'The place it fills: AWS IoT thing, MQTT client id and, in `thing-name` mode, its streams',
    publicKeySha256: 'The pinned key',
    openedBy: 'The claim certificate that its newest claim came with',
    making: 'What is being made for it over HTTP and is not finished; `reconcile` ends it if nobody does',
    'certificates.state':
      '`allowed`: granted, no life seen yet. `current`: its camera has shown life. `leaving`: being taken away',
    'certificates.leavesAt': 'Until then a `leaving` one stays: its camera changes over to a renewed one',
    'streams.state': '`pending`: to be made. `taken`: the name belongs to somebody else in this account',
    formerStreams: 'Those of its earlier lives',
    lives: 'How often it was reopened',
    cutOff: 'What an act of ops has left to do at AWS',
    denied: 'Certificates whose issued credentials are denied by name until they have run out',
    approval: 'A key that ops has let in, for one claim',
    reprovisioning: 'What a claim needs once it is active; absent: the policy of the deployment',
    takeover: 'The place of other hardware, on its way here',
    'history.of': 'The device whose history it was before this one took its place',
    dueAt: 'When `reconcile` looks at it',
    contested: 'A sign that the serial number is used twice',
    history: 'The newest 40 entries, the oldest first',
  },
  Devices: {
    'devices.contestedAt': 'The last sign that its serial number is used twice',
    nextCursor,
  },
  Stats: {
    status: 'Every status, with 0 where there is none',
    batch: 'By name; a batch without devices is left out',
    model: 'By name; a model without devices is left out',
  },
  Claims: {
    'claims.reason': listOf(reasons),
    'claims.means': 'The reason in words, which may change',
    'claims.remedy': 'What to do about it; absent where there is nothing to be done',
    'claims.certificateId': 'Absent where a claim was refused before there was a certificate',
    'claims.sent': 'What was sent as the serial number where it is none',
    notKept:
      'On the last page: refusals beyond the bound, which were only counted; the newest of them is listed all the same',
    'notKept.during': 'The day, in UTC',
    nextCursor,
  },
  ProvisionOrder: { certificateSigningRequest: 'Left out: AWS makes the key' },
  Claim: { claimToken: 'The token that was announced, for a device that has no pinned key' },
  Connection: {
    privateKey: shownOnce,
    'connection.mqttEndpoint': '`host` or `host:port`',
    'connection.credentialEndpoint': '`host` or `host:port`',
    'connection.credentialUrl': 'Where the camera gets AWS credentials, over mutual TLS',
    'connection.channels': 'Comma-separated, may be empty',
    'connection.kvssink': "Properties of AWS's GStreamer element; the three file names are the camera's own",
  },
  ClaimCertificateOrder: { ...bound, certificateSigningRequest: 'Left out: AWS makes the key' },
  ClaimCertificate: { ...claimCertificate, privateKey: shownOnce },
  ClaimCertificates: {
    ...Object.fromEntries(
      Object.entries(listedClaimCertificate).map(([name, words]) => [`claimCertificates.${name}`, words]),
    ),
    nextCursor,
  },
  DisableOrder: { openedSince: 'List only what it opened from then on' },
  DisabledClaimCertificate: {
    ...listedClaimCertificate,
    devices:
      'What it has opened, the newest first, a moment behind: a device that claimed twice with it is there twice',
    'devices.certificateId': 'The certificate that the device got',
    nextCursor,
  },
  InstallerOrder: { batch: 'The one batch that it claims for; left out: any' },
  InstallerClaim: {
    privateKey: 'Shown this once and stored nowhere',
    expiresAt: 'After five minutes, by AWS',
    templateName: 'The provisioning template to claim with',
    mqttEndpoint: '`host` or `host:port`',
  },
  Problem: {
    type: 'A URN that ends in the code',
    code: 'For programs; docs/errors.md lists them',
    detail: 'For people; its words may change',
    version: 'Of a `version-conflict`: the version that the device has now',
    'errors.pointer': 'JSON pointer (RFC 6901) of the member that is wrong',
  },
};
