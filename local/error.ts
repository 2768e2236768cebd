/** An answer in AWS's own words: the error's code, its HTTP status, and whatever members its shape has beside `message`. */
export class AwsError extends Error {
  override name = 'AwsError' as const;
  readonly code: string;
  readonly status: number;
  readonly members: Record<string, unknown>;

  constructor(code: string, status: number, message: string, members: Record<string, unknown> = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.members = members;
  }
}
