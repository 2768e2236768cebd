import { answers, claimCertificateId } from './example-answers.ts';
import { requests } from './examples.ts';

export type Examples = Record<string, { summary?: string; value: unknown }>;

/** What a route's schemas do not say. */
export type Operation = {
  operationId: string;
  tag: string;
  description: string;
  /** How its request and its answer are called among the schemas. */
  request?: string;
  answer?: string;
  answerMeans: string;
  /** Of its parameters. */
  examples?: Record<string, string | number>;
  requests?: Examples;
  /** By the name of the request that each one answers; `answer` where nothing is sent. */
  answers?: Examples;
  links?: Record<string, { operationId: string; parameters: Record<string, string>; description: string }>;
};

const again = 'The same request again answers the same and makes nothing twice.';

/** By `METHOD path`. */
export const operations: Record<string, Operation> = {
  'POST /devices': {
    operationId: 'announceDevices',
    tag: 'line',
    description: `1 to 100 rows, idempotent row by row. A row that would change the identity of a claimed device is rejected: its batch,
pinned key, token, stream mode and channels. Two rows of one serial number that differ are rejected as well, and so is a key
that is pinned to another device already, unless that one is retired.`,
    request: 'Announcement',
    answer: 'Verdicts',
    answerMeans: 'A verdict a row, also where all rows were rejected',
    requests: requests.announceDevices,
    answers: answers.announceDevices,
  },
  'GET /devices': {
    operationId: 'listDevices',
    tag: 'registry',
    description: `Every filter that is given must hold. With one, the newest \`registeredAt\` comes first; without, they come in the order
of their serial numbers. What a list shows may lag the device by a moment. A page may be short, even empty, and have a
\`nextCursor\` all the same: one answer looks at 5,000 devices at most. A cursor is good for its own filters only, and stays good
while devices change.`,
    answer: 'Devices',
    answerMeans: 'A page of devices',
    examples: { status: 'active', batch: '2026-48', limit: 50 },
    answers: answers.listDevices,
  },
  'GET /devices/{serialNumber}': {
    operationId: 'getDevice',
    tag: 'registry',
    description: 'Everything but its token, of which only a hash is stored.',
    answer: 'Device',
    answerMeans: 'The device',
    examples: { serialNumber: 'CAM-0002' },
    answers: answers.getDevice,
  },
  'GET /devices/{serialNumber}/claims': {
    operationId: 'listClaims',
    tag: 'registry',
    description:
      'Also for a serial number that nobody announced. Refused attempts are kept 100 a day for each door and serial number (over HTTPS 20 an hour), of later ones the newest, and all end after some time.',
    answer: 'Claims',
    answerMeans: 'A page of claims',
    examples: { serialNumber: 'CAM-0004', limit: 10 },
    answers: answers.listClaims,
  },
  'POST /devices/{serialNumber}/provision': {
    operationId: 'provisionDevice',
    tag: 'line',
    description: `The caller vouches for the device; a pinned key counts all the same. With a request of the same key, the same call again
returns the same connection. Without one AWS makes the key, and asked again before proof of life it makes another one and the
earlier certificate leaves; after proof of life: 409.`,
    request: 'ProvisionOrder',
    answer: 'Connection',
    answerMeans: 'All that the camera needs',
    examples: { serialNumber: 'CAM-0002' },
    requests: requests.provisionDevice,
    answers: answers.provisionDevice,
  },
  'POST /claims': {
    operationId: 'claimOverHttps',
    tag: 'camera',
    description: `There only where the deployment switches it on (\`httpClaims\`), with a throttle of its own. Only a pinned key or an unspent
token opens; whoever is denied learns nothing of why. After ten wrong tokens an hour for a serial number none is looked at.
${again}`,
    request: 'Claim',
    answer: 'Connection',
    answerMeans: 'All that the camera needs',
    requests: requests.claimOverHttps,
    answers: answers.claimOverHttps,
  },
  'POST /connected': {
    operationId: 'connected',
    tag: 'camera',
    description:
      'Its first credentials are the proof of life: the certificate becomes `current` and the token is spent.',
    request: 'SignOfLife',
    answerMeans: 'Taken',
    requests: requests.connected,
  },
  'POST /claim-certificates': {
    operationId: 'createClaimCertificate',
    tag: 'claim certificates',
    description: 'Each call makes another certificate.',
    request: 'ClaimCertificateOrder',
    answer: 'ClaimCertificate',
    answerMeans: 'Active, with the claim policy attached',
    requests: requests.createClaimCertificate,
    answers: answers.createClaimCertificate,
    links: {
      disable: {
        operationId: 'disableClaimCertificate',
        parameters: { certificateId: '$response.body#/certificateId' },
        description: 'Once it has leaked or its batch is through',
      },
    },
  },
  'GET /claim-certificates': {
    operationId: 'listClaimCertificates',
    tag: 'claim certificates',
    description: 'In no order that means anything.',
    answer: 'ClaimCertificates',
    answerMeans: 'A page of claim certificates',
    examples: { limit: 50 },
    answers: answers.listClaimCertificates,
  },
  'POST /claim-certificates/{certificateId}/disable': {
    operationId: 'disableClaimCertificate',
    tag: 'claim certificates',
    description: `From this answer on it opens nothing that is not pinned or tokened, and AWS ends its connections. What it opened stays: look
at each of \`devices\`, which are complete a moment after it was disabled. The same call again lists again.`,
    request: 'DisableOrder',
    answer: 'DisabledClaimCertificate',
    answerMeans: 'The certificate, and a page of what it opened',
    examples: { certificateId: claimCertificateId, limit: 50 },
    requests: requests.disableClaimCertificate,
    answers: answers.disableClaimCertificate,
  },
  'POST /provisioning-claims': {
    operationId: 'createProvisioningClaim',
    tag: 'claim certificates',
    description:
      "AWS IoT's CreateProvisioningClaim: a certificate and key that a trusted installer carries to one camera. Each call makes another.",
    request: 'InstallerOrder',
    answer: 'InstallerClaim',
    answerMeans: 'What the installer carries to the camera',
    requests: requests.createProvisioningClaim,
    answers: answers.createProvisioningClaim,
  },
  'GET /stats': {
    operationId: 'stats',
    tag: 'registry',
    description: `Counted as devices change, a moment behind. Its cost follows the number of batches and models, never the fleet. Devices
without a batch or without a model are in \`status\` only.`,
    answer: 'Stats',
    answerMeans: 'The counts',
    answers: answers.stats,
  },
  'POST /devices/{serialNumber}/suspend': {
    operationId: 'suspendDevice',
    tag: 'lifecycle',
    description: `Every certificate becomes inactive, the live MQTT session ends, claims are refused, and what was issued to the camera is
denied until it has run out: new requests within minutes, an open PutMedia within 45. ${again}`,
    request: 'Order',
    answer: 'Device',
    answerMeans: 'Suspended; while `cutOff` is there, `reconcile` has something left to do',
    examples: { serialNumber: 'CAM-0002' },
    requests: requests.suspendDevice,
  },
  'POST /devices/{serialNumber}/resume': {
    operationId: 'resumeDevice',
    tag: 'lifecycle',
    description: `Back to where it was. IAM takes some seconds until what it denied works again. ${again}`,
    request: 'Order',
    answer: 'Device',
    answerMeans: 'As before it was suspended',
    examples: { serialNumber: 'CAM-0002' },
    requests: requests.resumeDevice,
  },
  'POST /devices/{serialNumber}/retire': {
    operationId: 'retireDevice',
    tag: 'lifecycle',
    description: `Its certificates and its thing go, its streams stay unless \`delete\` says otherwise, and its serial number is barred.
What the first call says of the streams stands. ${again}`,
    request: 'Retirement',
    answer: 'Device',
    answerMeans: 'Retired; while `cutOff` is there, `reconcile` has something left to do',
    examples: { serialNumber: 'CAM-0004' },
    requests: requests.retireDevice,
  },
  'POST /devices/{serialNumber}/reopen': {
    operationId: 'reopenDevice',
    tag: 'lifecycle',
    description:
      'Registered anew in the place `<serialNumber>-r<n>`: the next owner never meets the streams of the last. A token stays spent; announce another.',
    request: 'Order',
    answer: 'Device',
    answerMeans: 'Registered, to be claimed again',
    examples: { serialNumber: 'CAM-0004' },
    requests: requests.reopenDevice,
  },
  'POST /devices/{serialNumber}/replace': {
    operationId: 'replaceDevice',
    tag: 'lifecycle',
    description: `The path names the old device, \`by\` the new one, which nobody has claimed yet. The old one is cut off and barred first, or,
with \`keepUntilConnected\`, once the new one has shown life. ${again}`,
    request: 'Replacement',
    answer: 'Device',
    answerMeans: 'The old device; `replacedBy` names the new one',
    examples: { serialNumber: 'CAM-0002' },
    requests: requests.replaceDevice,
  },
  'POST /devices/{serialNumber}/approve-claim': {
    operationId: 'approveClaim',
    tag: 'lifecycle',
    description:
      'Bound to one key, for one claim within 24 hours. It lifts neither a pin nor the policy `refuse`, and opens `POST /claims` to no device that has neither pin nor token. The camera claims again by itself.',
    request: 'Approval',
    answer: 'Device',
    answerMeans: 'With its `approval`',
    examples: { serialNumber: 'CAM-0002' },
    requests: requests.approveClaim,
  },
  'POST /devices/{serialNumber}/reprovisioning': {
    operationId: 'setReprovisioning',
    tag: 'lifecycle',
    description: `The re-provisioning policy of this device, in place of the deployment's. An announcement sets it only while nobody has claimed
the device: what lets another key take an active camera's place is for ops alone. ${again}`,
    request: 'ReprovisioningOrder',
    answer: 'Device',
    answerMeans: 'With its `reprovisioning`, if it has one of its own',
    examples: { serialNumber: 'CAM-0002' },
    requests: requests.setReprovisioning,
  },
  'GET /openapi.json': {
    operationId: 'openapi',
    tag: 'description',
    description: 'Made of the very schemas that read the requests.',
    answer: 'Description',
    answerMeans: 'This document',
  },
};
