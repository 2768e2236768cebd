import type { ClaimRefusal } from '../../domain/claim.ts';
import type { Assurance } from '../../domain/device.ts';
import type { rowProblemCodes } from '../contract/device.ts';

/** Why a claim was granted or refused, in `GET /devices/{serialNumber}/claims`. `docs/errors.md` says the same, word for word. */
export const reasons: Record<Assurance | ClaimRefusal, string> = {
  'pinned-key': 'Granted: it proved the key that the manifest pins.',
  'claim-token': 'Granted: it showed the unspent token.',
  'same-key': 'Granted: it proved the key that the device has already.',
  approval: 'Granted: an operator approved its key.',
  'allow-list': 'Granted: the serial number was announced and nobody had claimed it.',
  open: 'Granted: the deployment admits serial numbers that nobody announced.',
  line: 'Granted: a caller of `POST …/provision` vouched for it.',
  'invalid-serial': 'What it sent is no serial number; `sent` shows it.',
  'parameter-not-allowed': 'It sent a template parameter besides SerialNumber and ClaimToken.',
  'unknown-serial': 'Nobody announced the serial number.',
  suspended: 'The device is suspended.',
  retired: 'The device is retired.',
  'key-mismatch': 'The manifest pins another key.',
  'wrong-claim-certificate': 'The claim certificate is bound to another batch.',
  'outside-claim-window': 'The claim certificate may not be used yet, or no longer.',
  'token-missing': 'The device needs its token, and none came.',
  'token-invalid': 'The token is wrong.',
  'token-spent': 'The token was used up by a camera that has shown life. A sign of a clone.',
  'claim-certificate-unknown':
    'The claim certificate was not made here. Over HTTPS there is none, so a device with neither pin nor token gets this.',
  'claim-certificate-disabled': 'The claim certificate is disabled.',
  'already-claimed': 'The device has an identity, and its re-provisioning policy keeps it.',
  'approval-needed': 'The device has an identity; an operator has to approve another one.',
  'certificate-superseded': 'The claim came with a certificate that was replaced.',
  'too-many-certificates': 'The device holds as many unfinished certificates as it may.',
  raced: 'Somebody else was changing the device; the next attempt decides.',
  'stream-taken': 'The stream of its name is not ours.',
  'stream-limit': 'The account holds as many streams as it may.',
  'thing-taken': 'The thing of its name is not ours.',
  'too-many-tokens': 'Ten wrong tokens came within the hour, and none is looked at any more.',
};

/** Why a row of `POST /devices` was rejected. */
export const rowProblems: Record<(typeof rowProblemCodes)[number], string> = {
  'invalid-request': 'A member of the row is missing, unknown or out of its limits; `detail` names it.',
  'duplicate-serial': 'An earlier row of the request says something else of this serial number.',
  'duplicate-key': 'An earlier row of the request pins the same key to another serial number.',
  'fixed-stream-missing': 'The row asks for the mode `fixed`, and the deployment names no fixed stream.',
  'already-claimed': 'The device is claimed: its batch, pin, token, mode and channels cannot change any more.',
  'version-conflict': 'Somebody else was changing the device; send the row again.',
};
