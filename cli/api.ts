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
  /** The problem's own code, where the API gave one. */
  readonly code: string | undefined;
  /** How long it asks to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, message: string, code?: string, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The API's functions have 29 seconds, and API Gateway 30. */
const ANSWER_MS = 40_000;

/**
 * Calls Firstlight's HTTP API, signed as `execute-api` (API Gateway guide, "IAM authorization").
 * Every call throws ApiError for an answer past 299. Keys that end are given as a function, which is asked at each call.
 */
export function createApi({ api, region, keys }: { api: string; region: string; keys: Keys | (() => Promise<Keys>) }) {
  const signer = new SignatureV4({ service: 'execute-api', region, credentials: keys, sha256: Sha256 });

  async function call(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> {
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
    const response = await fetch(url, {
      method,
      headers,
      signal: AbortSignal.any([AbortSignal.timeout(ANSWER_MS), ...(signal ? [signal] : [])]),
      ...(payload !== undefined && { body: payload }),
    });
    const text = await response.text();
    if (!response.ok) throw refusal(`${method} ${url.pathname}`, response, text);
    return text === '' ? undefined : JSON.parse(text);
  }

  return {
    get: (path: string, signal?: AbortSignal) => call('GET', path, undefined, signal),
    post: (path: string, body: unknown) => call('POST', path, body),
  };
}

export type Api = ReturnType<typeof createApi>;

function refusal(what: string, { status, headers }: Response, text: string): ApiError {
  const problem = parsed(text);
  // Of wrong fields the errors say all that the detail does.
  const flaws = problem.errors?.map(({ pointer, detail }) => `${pointer} ${detail}`).join('; ');
  const words = flaws || (problem.detail ?? problem.title ?? problem.message ?? text.slice(0, 300));
  return new ApiError(status, `${what}: ${status} ${words}`, problem.code, retryAfterMs(headers.get('retry-after')));
}

/** RFC 9110 10.2.3: seconds, or a date. */
function retryAfterMs(value: string | null): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

interface Problem {
  title?: string;
  detail?: string;
  code?: string;
  errors?: { pointer: string; detail: string }[];
  /** API Gateway's own word. */
  message?: string;
}

function parsed(text: string): Problem {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
