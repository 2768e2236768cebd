import type { ClaimRefusal } from '../../domain/claim.ts';
import type { Assurance } from '../../domain/device.ts';
import type { rowProblemCodes } from '../contract/device.ts';

/** `remedy`: what ops does about it, where there is something to be done. */
type Explanation = { means: string; remedy?: string };

const secondCamera = 'look for a second camera of this serial number';

/**
 * Why a claim was granted or refused, as `GET /devices/{serialNumber}/claims` tells it. `docs/errors.md` says the same, word for
 * word.
 */
export const reasons: Record<Assurance | ClaimRefusal, Explanation> = {
  'pinned-key': { means: 'Granted: it proved the key that the manifest pins.' },
  'claim-token': { means: 'Granted: it showed the unspent token.' },
  'same-key': { means: 'Granted: it proved the key that the device has already.' },
  approval: { means: 'Granted: an operator approved its key.' },
  'allow-list': { means: 'Granted: the serial number was announced and nobody had claimed it.' },
  open: { means: 'Granted: the deployment admits serial numbers that nobody announced.' },
  line: { means: 'Granted: a caller of `POST …/provision` vouched for it.' },
  'current-certificate': { means: 'Granted: a renewal, asked for with the certificate that the device has.' },
  'invalid-serial': {
    means:
      'What it sent is no serial number, so no device has it among its claims; the event `Claim refused` of `#invalid` tells of it.',
    remedy: 'Have the firmware send 1 to 128 of `A-Z a-z 0-9 _ -`.',
  },
  'parameter-not-allowed': {
    means: 'It sent a template parameter besides SerialNumber and ClaimToken.',
    remedy: 'Have the firmware send these two and no other.',
  },
  'unknown-serial': {
    means: 'Nobody announced the serial number.',
    remedy:
      'Announce it, or look for a slip of the pen. If it is no camera of yours, ask who holds the claim certificate.',
  },
  suspended: { means: 'The device is suspended.', remedy: 'Resume it, if it may come back.' },
  retired: { means: 'The device is retired.', remedy: 'Reopen it, for a new life in a new place.' },
  'key-mismatch': {
    means: 'The manifest pins another key to this device, or this key to another one.',
    remedy: `If the camera is the right one, announce its key: at once if nobody has claimed the device, else after retiring and reopening it. If not, ${secondCamera}.`,
  },
  'wrong-claim-certificate': {
    means: 'The claim certificate is bound to another batch.',
    remedy: `Give the camera the claim certificate of its batch, or announce the right batch. If it had the right one, ${secondCamera}.`,
  },
  'outside-claim-window': {
    means: 'The claim certificate may not be used yet, or no longer.',
    remedy: 'Wait, or give the camera another claim certificate: a window does not move.',
  },
  'token-missing': {
    means: 'The device needs its token, and none came.',
    remedy: 'Give the camera the token that was announced.',
  },
  'token-invalid': {
    means: 'The token is wrong.',
    remedy: 'Give the camera the token that was announced; while nobody has claimed the device, another one can be.',
  },
  'token-spent': {
    means: 'The token was used up by a camera that has shown life. A sign of a clone.',
    remedy: `If it is the same camera with a new key, approve the claim. If not, ${secondCamera}.`,
  },
  'claim-certificate-unknown': {
    means:
      'The claim certificate was not made here. Over HTTPS there is none, so a device with neither pin nor token gets this.',
    remedy: 'Make claim certificates here. For claims over HTTPS announce a pin or a token.',
  },
  'claim-certificate-disabled': {
    means: 'The claim certificate is disabled.',
    remedy: 'Give the camera another one, or announce a pin or a token, which a disabled one opens still.',
  },
  'already-claimed': {
    means: 'The device has an identity, and its re-provisioning policy keeps it.',
    remedy: `If it is the same camera with a new key, approve the claim, which lifts every policy but \`refuse\`. If not, ${secondCamera}.`,
  },
  'approval-needed': {
    means: 'The device has an identity; an operator has to approve another one.',
    remedy: `If the camera is the right one, approve the claim; it claims again by itself. If not, ${secondCamera}.`,
  },
  'certificate-superseded': {
    means: 'The claim or renewal came with a certificate that was replaced.',
    remedy: `The camera should ask for a new certificate. If it has one, ${secondCamera}.`,
  },
  'too-many-certificates': {
    means: 'The device holds as many unfinished certificates as it may.',
    remedy: 'Run `reconcile`, which takes dead ones away. Look why the camera never keeps what it gets.',
  },
  'certificate-unknown': {
    means: 'A renewal came with a certificate that is not one of the device. A sign of a clone.',
    remedy: `Look which device \`claimCertificateId\` is of: that camera sent a serial number that is not its own. If it is of none, ${secondCamera}.`,
  },
  'certificate-unproven': {
    means: 'A renewal came with a certificate that has not shown life yet.',
    remedy: 'Nothing: the next attempt after its proof of life decides.',
  },
  'wrong-place': {
    means: 'A renewal came from a client that is not called like the place of the device.',
    remedy:
      'Have the firmware connect with its thing name as client id. If the device policy lets in another, mend the policy.',
  },
  raced: {
    means: 'Somebody else was changing the device; the next attempt decides.',
    remedy: 'Nothing: the camera tries again.',
  },
  'stream-taken': {
    means: 'The stream of its name is not ours.',
    remedy: 'Delete or rename that stream, or announce the camera under another serial number.',
  },
  'stream-limit': {
    means: 'The account holds as many streams as it may.',
    remedy: 'Raise the quota "Number of streams" of Kinesis Video Streams.',
  },
  'stream-late': {
    means: 'AWS had no time to make the stream of a renewed certificate; the camera keeps the one it has.',
    remedy: 'Nothing: the camera asks again.',
  },
  'thing-taken': {
    means: 'The thing of its name is not ours.',
    remedy: 'Delete that thing, or announce the camera under another serial number.',
  },
  'too-many-tokens': {
    means: 'Ten wrong tokens came within the hour, and none is looked at any more.',
    remedy: 'Wait for the hour to end. If it is not your camera that sent them, somebody is guessing: announce a pin.',
  },
};

/** Why a row of `POST /devices` was rejected. */
export const rowProblems: Record<(typeof rowProblemCodes)[number], string> = {
  'invalid-request': 'A member of the row is missing, unknown or out of its limits; `detail` names it.',
  'duplicate-serial': 'An earlier row of the request says something else of this serial number.',
  'duplicate-key': 'The same key is pinned to another device, or by an earlier row of the request; `detail` names it.',
  'fixed-stream-missing': 'The row asks for the mode `fixed`, and the deployment names no fixed stream.',
  'already-claimed':
    'The device is claimed: its batch, pin, token, mode, channels and re-provisioning policy cannot change any more.',
  'version-conflict': 'Somebody else was changing the device; send the row again.',
};
