import { Failure, type FailureCode, type Flaw } from '../domain/failure.ts';

/** How each failure is said in HTTP: the only place where a code meets a status. */
export const statusOf: Record<FailureCode, number> = {
  'invalid-json': 400,
  'invalid-request': 400,
  'invalid-cursor': 400,
  'invalid-certificate-request': 400,
  'certificate-unknown': 403,
  'certificate-superseded': 403,
  denied: 403,
  'device-not-found': 404,
  'claim-certificate-not-found': 404,
  'claim-not-found': 404,
  'device-suspended': 409,
  'device-retired': 409,
  'device-active': 409,
  'device-not-suspended': 409,
  'device-not-retired': 409,
  'device-unclaimed': 409,
  'device-replaced': 409,
  'cut-off-unfinished': 409,
  'takeover-unfinished': 409,
  'replacement-not-free': 409,
  'key-mismatch': 409,
  'stream-taken': 409,
  'stream-limit': 409,
  'thing-taken': 409,
  'too-many-certificates': 409,
  'version-conflict': 409,
  'body-too-large': 413,
  'unsupported-media-type': 415,
  busy: 503,
};

/** RFC 9457. `code` is for programs, `detail` for people. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  code: FailureCode | 'internal';
  detail?: string;
  errors?: Flaw[];
  version?: number;
};

const titleOf = (code: string): string =>
  `${code.charAt(0).toUpperCase()}${code.slice(1).replaceAll('-', ' ').replace('json', 'JSON')}`;

/** AWS's names for "not so fast"; `LimitExceededException` is not among them: what it tells of does not pass. */
const throttles = [
  'ThrottlingException',
  'Throttling',
  'TooManyRequestsException',
  'ClientLimitExceededException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
];

const isThrottle = (error: unknown): boolean =>
  error instanceof Error &&
  (throttles.includes(error.name) ||
    (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 429);

/** A throttle, or what an adapter has made of one (a batch that DynamoDB took only part of). It passes. */
export const isBusy = (error: unknown): boolean =>
  isThrottle(error) || (error instanceof Failure && error.code === 'busy');

/** What the SDK throws when AWS did not answer within the client's own limit, its attempts included. */
const isLate = (error: unknown): boolean => error instanceof Error && error.name === 'TimeoutError';

/** A throttle or a silence of AWS becomes a failure that the caller can act on; anything else stays what it is. */
const asFailure = (error: unknown): unknown => {
  if (isThrottle(error)) return new Failure('busy', 'AWS is throttling; try again');
  return isLate(error) ? new Failure('busy', 'AWS did not answer in time; try again') : error;
};

/** What the caller is told: of a failure all, of a bug or an outage nothing. */
export const problemOf = (error: unknown): Problem => {
  const failure = asFailure(error);
  if (!(failure instanceof Failure)) {
    return { type: 'urn:firstlight:problem:internal', title: 'Internal', status: 500, code: 'internal' };
  }
  return {
    type: `urn:firstlight:problem:${failure.code}`,
    title: titleOf(failure.code),
    status: statusOf[failure.code],
    code: failure.code,
    detail: failure.message,
    ...(failure.flaws.length > 0 && { errors: failure.flaws }),
    ...(failure.version !== undefined && { version: failure.version }),
  };
};
