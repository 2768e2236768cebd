/**
 * What the camera does about a step that failed.
 *
 * - `again`: the answer was lost, or the cloud is busy: the same step again, a little later.
 * - `anew`: the certificate ownership token is spent or has run out: another certificate, for the same key.
 * - `denied`: the cloud said no. Asked again only if the owner wants that, and then slowly.
 * - `never`: waiting does not cure it; a person has to look.
 */
export type Remedy = 'again' | 'anew' | 'denied' | 'never';

/** A step of the boot that did not work, in words for whoever stands in front of the camera. */
export class StepFailed extends Error {
  readonly remedy: Remedy;

  constructor(remedy: Remedy, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StepFailed';
    this.remedy = remedy;
  }
}

/** The server could not be reached, or the connection broke: which of the remedies, and in which words. */
export function unreachable(address: string, cause: unknown): StepFailed {
  const { code = '', message = String(cause) } = (cause ?? {}) as { code?: string; message?: string };
  if (code === 'CERT_NOT_YET_VALID' || code === 'CERT_HAS_EXPIRED') {
    // Cameras often start in 1970; the network may bring the time any moment.
    return new StepFailed(
      'again',
      `${address}: the server's certificate is not valid at ${new Date().toISOString()}, the time this camera believes it is`,
      { cause },
    );
  }
  if (/^(ERR_TLS_CERT|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_)/.test(code)) {
    return new StepFailed(
      'never',
      `${address}: the server's certificate is not trusted (${message}): is the CA right?`,
      {
        cause,
      },
    );
  }
  if (/^(ERR_SSL_SSL\/TLS_ALERT|ERR_SSL_TLSV1|ERR_SSL_SSLV3)/.test(code)) {
    return new StepFailed('denied', `${address}: the server refused this camera's certificate (${message})`, { cause });
  }
  return new StepFailed('again', `${address}: ${message || code || 'no connection'}`, { cause });
}
