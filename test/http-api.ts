import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';

export interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

export interface ApiAnswer {
  status: number;
  headers: Headers;
  /** Parsed where it is JSON of any kind. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  body: any;
}

export interface ApiCall {
  body?: unknown;
  /** Sent as it is, in place of `body`. */
  text?: string;
  headers?: Record<string, string>;
  /** The caller's own clock. */
  signingDate?: Date;
}

/** Firstlight's HTTP API as one caller, or as nobody: every answer comes back, refusals too. */
export function createHttpApi({ api, region }: { api: string; region: string }, keys?: Keys) {
  /** The request as it goes over the wire. */
  async function sign(method: string, path: string, { body, text, headers, signingDate }: ApiCall = {}) {
    const url = new URL(path, api);
    const payload = text ?? (body === undefined ? undefined : JSON.stringify(body));
    const request = {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { host: url.host, ...(payload !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(payload !== undefined && { body: payload }),
    };
    const signer = keys && new SignatureV4({ service: 'execute-api', region, credentials: keys, sha256: Sha256 });
    const { headers: sent } = signer ? await signer.sign(request, signingDate ? { signingDate } : {}) : request;
    return { url, method, headers: sent, ...(payload !== undefined && { body: payload }) };
  }
  async function call(method: string, path: string, more?: ApiCall) {
    const { url, ...request } = await sign(method, path, more);
    const response = await fetch(url, request);
    return { status: response.status, headers: response.headers, body: parsed(await response.text()) } as ApiAnswer;
  }
  return {
    get: (path: string, more?: ApiCall) => call('GET', path, more),
    post: (path: string, body: unknown, more?: ApiCall) => call('POST', path, { body, ...more }),
    call,
    sign,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
