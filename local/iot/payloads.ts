import { Encoder, setSizeLimits } from 'cbor-x';

/** The two forms of each provisioning payload (IoT guide, "Device provisioning MQTT API"). */
export type Format = 'json' | 'cbor';

const cbor = new Encoder({ useRecords: false, mapsAsObjects: true, variableMapSize: true });
// A few bytes of garbage can claim an array of a hundred million: no payload here holds as many entries.
setSizeLimits({ maxArraySize: 10_000, maxMapSize: 10_000, maxObjectSize: 10_000 });

/** Throws Error when it is no map in that format. An empty payload is an empty map: "The payload is empty" (CreateKeysAndCertificate). */
export function readPayload(format: Format, payload: Buffer): Record<string, unknown> {
  if (payload.length === 0) return {};
  const value: unknown = format === 'json' ? JSON.parse(utf8.decode(payload)) : cbor.decode(payload);
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw new Error('The payload is not a map.');
  }
  return value as Record<string, unknown>;
}

export function writePayload(format: Format, value: Record<string, unknown>): Buffer {
  return format === 'json' ? Buffer.from(JSON.stringify(value)) : cbor.encode(value);
}

/** A map of strings, or undefined: what `parameters` and `parameterOverrides` must be. */
export function stringMap(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  return entries.every(([, text]) => typeof text === 'string') ? Object.fromEntries(entries) : undefined;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
