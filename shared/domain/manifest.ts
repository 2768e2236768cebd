import * as z from 'zod/mini';
import { changed, type Device, reprovisioningPolicies, streamModes } from './device.ts';
import { limits } from './limits.ts';
import { serialNumberProblem } from './serial-number.ts';

export const serialNumber = z.string().check((checked) => {
  const message = serialNumberProblem(checked.value);
  if (message) checked.issues.push({ code: 'custom', message, input: checked.value });
});

/** What a batch may be called: it becomes an attribute of AWS things, in AWS's alphabet for those. */
export const batchName = z
  .string()
  .check(
    z.regex(
      /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/,
      'must be 1 to 128 of A-Z a-z 0-9 _ . : - and begin with a letter or digit',
    ),
  );

export const publicKeySha256 = z
  .string()
  .check(z.regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits: SHA-256 of the SPKI DER'));

/** How many random bits a token can hold at most: 4 a hex digit, 6 any other character. */
const bitsOf = (token: string): number => token.length * (/^([0-9a-f]*|[0-9A-F]*)$/.test(token) ? 4 : 6);

export const claimToken = z.string().check(
  z.maxLength(limits.claimToken),
  z.regex(/^[A-Za-z0-9._~+/=-]*$/, 'must be of A-Z a-z 0-9 . _ ~ + / = -'),
  z.refine((token) => bitsOf(token) >= limits.claimTokenBits, {
    error: 'must hold 128 random bits or more: 32 hex digits, or 22 letters and digits',
  }),
);

const channels = z
  .array(z.string().check(z.regex(/^[A-Za-z0-9_-]{1,32}$/, 'must be 1 to 32 of A-Z a-z 0-9 _ -')))
  .check(
    z.maxLength(limits.channels),
    z.refine((names) => new Set(names).size === names.length, { error: 'must not name a channel twice' }),
  );

const attributes = z
  .record(
    z.string().check(z.minLength(1), z.maxLength(limits.attributeName)),
    z.string().check(z.maxLength(limits.attributeValue)),
  )
  .check(z.refine((record) => Object.keys(record).length <= limits.attributes, { error: 'must not be more than 20' }));

/** One row of a manifest: a device as its factory announces it. */
export const announcement = z
  .strictObject({
    serialNumber,
    model: z.optional(z.string().check(z.minLength(1), z.maxLength(limits.model))),
    batch: z.optional(batchName),
    publicKeySha256: z.optional(publicKeySha256),
    claimToken: z.optional(claimToken),
    streamMode: z._default(z.enum(streamModes), 'thing-name'),
    channels: z._default(channels, []),
    attributes: z.optional(attributes),
    /** Left out: as it is. */
    reprovisioning: z.optional(z.enum(reprovisioningPolicies)),
  })
  .check(
    z.refine((row) => row.channels.length === 0 || row.streamMode === 'thing-name', {
      error: 'need the stream mode thing-name',
      path: ['channels'],
    }),
  );

export type Announcement = z.infer<typeof announcement>;

/** The envelope only: rows are read one by one, so that a bad one never stops the good ones. */
export const manifestPage = z.strictObject({
  devices: z.array(z.unknown()).check(z.minLength(1), z.maxLength(limits.rows)),
  dryRun: z.optional(z.boolean()),
});

/** A row whose token is already a hash: from here on nobody can leak it. */
export type AnnouncedDevice = Omit<Announcement, 'claimToken'> & { claimTokenSha256?: string };

export type RowProblem = { code: string; detail: string };

export type RowVerdict =
  | { outcome: 'created' | 'updated'; device: Device }
  | { outcome: 'unchanged' }
  | { outcome: 'rejected'; problem: RowProblem };

const rejected = (code: string, detail: string): RowVerdict => ({ outcome: 'rejected', problem: { code, detail } });

/** What decides who may claim and what is made for it. Once claimed, a manifest can no longer change it, nor its re-provisioning policy. */
const identity = ['batch', 'publicKeySha256', 'claimTokenSha256', 'streamMode', 'channels'] as const;
const description = ['model', 'attributes'] as const;
/** Of a place that was taken over they go with the place, whatever the row of the new hardware says. */
const ofPlace = ['streamMode', 'channels'] as const;

const sorted = (value: unknown): unknown =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.entries(value).sort() : value;

const differs = (device: Device, row: AnnouncedDevice, names: readonly (keyof Device & keyof AnnouncedDevice)[]) =>
  names.filter((name) => JSON.stringify(sorted(device[name])) !== JSON.stringify(sorted(row[name])));

/** What a row of a manifest makes of the registry. Pure: the caller writes what comes out, under the version it read. */
export const announceRow = (
  known: Device | undefined,
  row: AnnouncedDevice,
  by: string,
  now: Date,
  fixedStream: string | undefined,
): RowVerdict => {
  if (row.streamMode === 'fixed' && !fixedStream) {
    return rejected('fixed-stream-missing', 'the deployment names no fixed stream');
  }
  const problem = serialNumberProblem(row.serialNumber, fixedStream);
  if (problem) return rejected('invalid-request', `serialNumber ${problem}`);

  const at = now.toISOString();
  if (!known) {
    const device: Device = {
      ...present(row),
      version: 0,
      status: 'registered',
      thingName: row.serialNumber,
      registeredAt: at,
      certificates: [],
      streams: [],
      history: [],
    };
    return { outcome: 'created', device: changed(device, {}, { at, by, what: 'announced' }) };
  }
  const governed = known.replaces === undefined ? [] : ofPlace;
  const changedIdentity = [
    ...differs(known, row, identity).filter((name) => !governed.some((one) => one === name)),
    // A row that does not speak of it takes back nothing that ops has set.
    ...(row.reprovisioning === undefined ? [] : differs(known, row, ['reprovisioning'])),
  ];
  const changes = [...changedIdentity, ...differs(known, row, description)];
  if (changes.length === 0) return { outcome: 'unchanged' };
  if (known.status !== 'registered' && changedIdentity.length > 0) {
    return rejected(
      'already-claimed',
      `the device is ${known.status}: its ${changedIdentity.join(', ')} cannot change`,
    );
  }
  // A new token is unspent, whatever became of the one before (a device that was reopened needs one).
  const dropped = changedIdentity.includes('claimTokenSha256') ? ['claimTokenSpentAt'] : [];
  const kept = Object.fromEntries(
    Object.entries(known).filter(([name]) => ![...identity, ...description, ...dropped].includes(name as never)),
  ) as Device;
  const place = known.replaces === undefined ? {} : { streamMode: known.streamMode, channels: known.channels };
  const entry = { at, by, what: 'updated' as const, why: changes.join(', ') };
  const device = changed({ ...kept, ...present(row), ...place }, {}, entry);
  return { outcome: 'updated', device };
};

/** `exactOptionalPropertyTypes`: what the row leaves out is absent and not `undefined`. */
const present = (row: AnnouncedDevice) =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as Pick<
    Device,
    'serialNumber' | 'streamMode' | 'channels'
  >;
