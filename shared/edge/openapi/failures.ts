import type { Problem } from '../problem.ts';

/** What each code means and what its caller does about it. `docs/errors.md` says the same, word for word. */
export const failures: Record<Problem['code'], { means: string; remedy: string }> = {
  'invalid-json': {
    means: 'The body is not JSON in UTF-8.',
    remedy: 'Send one JSON object. A body that was cut off looks like this too.',
  },
  'invalid-request': {
    means: 'A member of the body, the path or the query is missing, unknown or out of its limits.',
    remedy: 'Read `errors`: a JSON pointer and a reason for each. The same request will be refused again.',
  },
  'invalid-cursor': {
    means: 'The cursor is not one that this very list has given.',
    remedy: 'Begin the list anew, without a cursor. A cursor is good for the same path and filter only.',
  },
  'invalid-certificate-request': {
    means:
      'The certificate signing request is not PKCS #10 in PEM, not signed by its own key, or for a key that AWS IoT does not take.',
    remedy: 'Make one for RSA of 2048 bits or more, or for P-256, P-384 or P-521, signed with SHA-256 or better.',
  },
  'unsupported-media-type': {
    means: 'The content type of the body is not `application/json`.',
    remedy: 'Send `content-type: application/json`.',
  },
  'body-too-large': {
    means: 'The body is over 1,000,000 bytes, or over 16,384 of what a camera sends.',
    remedy: 'Send fewer rows a request. No camera has so much to say.',
  },
  denied: {
    means: 'A camera is not let in. Every reason looks the same from outside.',
    remedy:
      'A camera waits and tries again, ever more rarely. Ops reads the reason in `GET /devices/{serialNumber}/claims`.',
  },
  'certificate-unknown': {
    means: 'The certificate is not one of the device. No route answers it: it is the reason of a denial, in the log.',
    remedy: 'Ops: look for a second camera of this serial number.',
  },
  'certificate-superseded': {
    means:
      'The certificate was replaced and is used still. No route answers it: it is the reason of a denial, in the log.',
    remedy: 'Ops: look for a second camera of this serial number.',
  },
  'device-not-found': {
    means: 'Nobody has announced a device of this serial number.',
    remedy: 'Announce it with `POST /devices`, or look for a slip of the pen.',
  },
  'claim-certificate-not-found': {
    means: 'No claim certificate of this id was made here.',
    remedy: 'Take an id from `GET /claim-certificates`.',
  },
  'claim-not-found': {
    means: 'No refused claim of this id, with a key, is on record.',
    remedy: 'Take a `claimId` or a `publicKeySha256` from `GET /devices/{serialNumber}/claims`.',
  },
  'device-not-suspended': {
    means: 'The device is not suspended, so there is nothing to resume.',
    remedy: 'Look at its `status`.',
  },
  'device-not-retired': {
    means: 'Only a retired device begins a new life.',
    remedy: 'Retire it first.',
  },
  'device-unclaimed': {
    means: 'Nobody has claimed the device: there is nothing to approve and no place to take over.',
    remedy: 'Announce and claim the other device as any new one.',
  },
  'device-replaced': {
    means: 'Another device is replacing it already.',
    remedy: 'Read `replacedBy`, and go on with that one.',
  },
  'cut-off-unfinished': {
    means: 'The certificates of its last life are still being taken away.',
    remedy: 'Wait, or run `reconcile`, then send the same request again.',
  },
  'takeover-unfinished': {
    means: 'The device is taking over a place whose old unit is not gone yet.',
    remedy: 'Wait until it has shown life, or run `reconcile`; then send the same request again.',
  },
  'replacement-not-free': {
    means: 'The device that is to replace has an identity of its own.',
    remedy: 'Announce other hardware, or retire and reopen this one first.',
  },
  'device-suspended': {
    means: 'An operator has suspended the device.',
    remedy: 'An operator resumes it first.',
  },
  'device-retired': {
    means: 'The device is retired.',
    remedy: 'An operator reopens it first, in a new place.',
  },
  'device-active': {
    means: 'The device has shown life; the certificate it has stays the one.',
    remedy: 'Send a request of the key that it has, or let an operator decide.',
  },
  'key-mismatch': {
    means: 'The manifest pins another key to this device, or this key to another one.',
    remedy: 'Send a request of the pinned key, or announce the right pin while nobody has claimed the device.',
  },
  'stream-taken': {
    means: 'The account holds a stream of this name that is not ours. It is never touched.',
    remedy: 'An operator deletes or renames that stream, or the device gets another serial number.',
  },
  'stream-limit': {
    means: 'The account holds as many streams as it may.',
    remedy: 'Raise the quota "Number of streams" of Kinesis Video Streams, then send the same request again.',
  },
  'thing-taken': {
    means: 'The account holds a thing of this name that is not ours. It is never touched.',
    remedy: 'An operator deletes that thing, or the device gets another serial number.',
  },
  'too-many-certificates': {
    means: 'The device holds as many unfinished certificates as it may.',
    remedy: 'Run `reconcile`, which takes dead ones away, then send the same request again.',
  },
  'version-conflict': {
    means: 'Somebody else was changing the same device.',
    remedy: 'Read the device, whose `version` the answer tells, then send the same request again if it still holds.',
  },
  busy: {
    means: 'AWS is throttling, and the time for this request has run out.',
    remedy: 'Wait as long as `Retry-After` says, then send the same request again: what was made is found again.',
  },
  internal: {
    means: 'A bug or an outage. What was begun is noted and can be gone on with.',
    remedy: 'Send the same request again; if it stays, read the log of the function.',
  },
};
