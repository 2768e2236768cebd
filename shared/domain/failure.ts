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

  constructor(code: FailureCode, message: string, flaws: Flaw[] = []) {
    super(message);
    this.code = code;
    this.flaws = flaws;
  }
}
