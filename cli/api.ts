import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';

export interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** One answer of the API that is not a success: RFC 9457 problem details, or what stood in their place. */
export class ApiError extends Error {
  override name = 'ApiError' as const;
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Calls Firstlight's HTTP API, signed as `execute-api` (API Gateway guide, "IAM authorization").
 * Every call throws ApiError for an answer past 299.
 */
export function createApi({ api, region, keys }: { api: string; region: string; keys: Keys }) {
  const signer = new SignatureV4({ service: 'execute-api', region, credentials: keys, sha256: Sha256 });

  async function call(method: string, path: string, body?: unknown): Promise<unknown> {
    const url = new URL(path, api);
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const { headers } = await signer.sign({
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { host: url.host, ...(payload !== undefined && { 'content-type': 'application/json' }) },
      ...(payload !== undefined && { body: payload }),
    });
    const response = await fetch(url, { method, headers, ...(payload !== undefined && { body: payload }) });
    const text = await response.text();
    if (!response.ok)
      throw new ApiError(response.status, `${method} ${url.pathname}: ${response.status} ${reason(text)}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  return {
    get: (path: string) => call('GET', path),
    post: (path: string, body: unknown) => call('POST', path, body),
  };
}

function reason(text: string): string {
  try {
    const problem = JSON.parse(text);
    return problem.detail ?? problem.title ?? problem.message ?? text;
  } catch {
    return text;
  }
}
