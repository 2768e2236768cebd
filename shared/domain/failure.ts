/** What a caller can act on. Everything else that goes wrong is a bug or an outage and is never a `Failure`. */
export type FailureCode =
  | 'invalid-json'
  | 'invalid-request'
  | 'invalid-cursor'
  | 'invalid-certificate-request'
  | 'unsupported-media-type'
  | 'body-too-large'
  | 'device-not-found'
  | 'certificate-unknown'
  | 'certificate-superseded'
  | 'device-suspended'
  | 'device-retired'
  | 'device-active'
  | 'key-mismatch'
  | 'stream-taken'
  | 'stream-limit'
  | 'thing-taken'
  | 'too-many-certificates'
  | 'claim-certificate-not-found'
  | 'claim-not-found'
  | 'device-not-suspended'
  | 'device-not-retired'
  | 'device-unclaimed'
  | 'device-replaced'
  | 'cut-off-unfinished'
  | 'takeover-unfinished'
  | 'replacement-not-free'
  | 'denied'
  | 'version-conflict'
  | 'busy';

/** One member of a request that is wrong; `pointer` is a JSON pointer (RFC 6901) into it. */
export type Flaw = { pointer: string; detail: string };

/** Thrown when the caller, not we, must do something else. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: FailureCode;
  readonly flaws: Flaw[];
  /** Of a version conflict: the version that the device has now. */
  readonly version?: number;

  constructor(code: FailureCode, message: string, flaws: Flaw[] = [], version?: number) {
    super(message);
    this.code = code;
    this.flaws = flaws;
    if (version !== undefined) this.version = version;
  }
}
