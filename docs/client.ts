// A typed client of the API: `npx openapi-typescript openapi.json -o firstlight.ts` makes the types of what `GET /openapi.json` answers.
// Copy it: npm install @smithy/signature-v4 @aws-crypto/sha256-js
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { operations } from './firstlight.ts';

type Operation = keyof operations;
type Json<Content> = Content extends { content: { 'application/json': infer Body } } ? Body : undefined;
type Parameters<Name extends Operation, In extends 'path' | 'query'> = operations[Name] extends {
  parameters: { [Key in In]?: infer Values };
}
  ? Values
  : undefined;
type Body<Name extends Operation> = operations[Name] extends { requestBody?: infer Content }
  ? Json<Content>
  : undefined;
type Answer<Name extends Operation> = operations[Name]['responses'] extends infer Responses
  ? Responses extends { 200: infer Content } | { 201: infer Content }
    ? Json<Content>
    : undefined
  : never;

interface Call<Name extends Operation> {
  path?: Parameters<Name, 'path'>;
  query?: Parameters<Name, 'query'>;
  body?: Body<Name>;
}

export interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** `document`: the parsed `openapi.json`, which knows method and path of each operation. Without keys nothing is signed. */
export function createClient(
  document: { paths: object },
  { api, region, keys }: { api: string; region: string; keys?: Keys },
) {
  const places = new Map(
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries<{ operationId: string }>(item).map(([method, { operationId }]) => [
        operationId,
        { method: method.toUpperCase(), path },
      ]),
    ),
  );
  const signer = keys && new SignatureV4({ service: 'execute-api', region, credentials: keys, sha256: Sha256 });

  return async <Name extends Operation>(name: Name, { path, query, body }: Call<Name> = {}): Promise<Answer<Name>> => {
    const place = places.get(name);
    if (!place) throw new Error(`the API has no operation ${name}`);
    const values = Object.entries<unknown>(path ?? {});
    const url = new URL(
      values.reduce((whole, [key, value]) => whole.replace(`{${key}}`, encodeURIComponent(String(value))), place.path),
      api,
    );
    for (const [key, value] of Object.entries<unknown>(query ?? {})) url.searchParams.set(key, String(value));
    const payload = body === undefined ? {} : { body: JSON.stringify(body) };
    const request = {
      method: place.method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { host: url.host, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...payload,
    };
    const { headers } = signer ? await signer.sign(request) : request;
    const response = await fetch(url, { method: place.method, headers, ...payload });
    const text = await response.text();
    if (!response.ok) throw new Error(`${name}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Answer<Name>;
  };
}
