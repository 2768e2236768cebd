import { randomBytes, randomInt } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';

/** What Kinesis Video remembers: streams, and the fragments persisted in them. Statuses follow from the clock. */

export interface Fragment {
  fragmentNumber: string;
  sizeBytes: number;
  lengthMs: number;
  /** Epoch ms, as are all instants here. */
  producedAt: number;
  receivedAt: number;
}

export interface Stream {
  name: string;
  arn: string;
  createdAt: number;
  /** CREATING or UPDATING until then. */
  readyAt: number;
  /** DELETING until then, gone afterwards. */
  goneAt?: number;
  version: string;
  deviceName?: string;
  mediaType?: string;
  kmsKeyId: string;
  retentionHours: number;
  tags: Record<string, string>;
  /** The newest ones only. */
  fragments: Fragment[];
}

export type StreamStatus = 'CREATING' | 'ACTIVE' | 'UPDATING' | 'DELETING';

/** Either one; AWS takes a name or an ARN wherever it takes a stream. */
export interface StreamReference {
  StreamName?: string;
  StreamARN?: string;
}

export interface NewStream {
  name: string;
  deviceName?: string;
  mediaType?: string;
  kmsKeyId?: string;
  retentionHours: number;
  tags: Record<string, string>;
}

export interface Streams {
  /** Throws ResourceInUseException 400 when the name is taken, also by a stream that is being deleted. */
  create(stream: NewStream): Stream;
  /** Whatever its status. Throws ResourceNotFoundException 404, InvalidArgumentException 400. */
  get(reference: StreamReference): Stream;
  /** One that takes calls and media: ACTIVE or UPDATING. Throws as `get` does. */
  getActive(reference: StreamReference): Stream;
  /** In order of their names. */
  list(): Stream[];
  status(stream: Stream): StreamStatus;
  /** A new version, UPDATING for a moment. */
  touch(stream: Stream): void;
  remove(stream: Stream): void;
  keep(stream: Stream, fragment: Fragment): void;
  /** Those that the retention period still covers, oldest first. */
  fragmentsOf(stream: Stream): Fragment[];
  nextFragmentNumber(): string;
  /** The ARN a policy is asked about: of the stream if there is one, else one that `stream/<name>/*` matches. */
  arnFor(reference: StreamReference): string;
  snapshot(): unknown;
  restore(snapshot: unknown): void;
}

/** AWS names no duration: "seconds" is what is seen. Long enough that no client gets by without asking again. */
const SETTLING_MS = 1_000;
const MOST_FRAGMENTS_KEPT = 1_000;
const HOUR_MS = 3_600_000;

const newVersion = () => randomBytes(30).toString('base64').replace(/[+/=]/g, '').slice(0, 20);

export function createStreams({
  clock,
  region,
  accountId,
}: {
  clock: Clock;
  region: string;
  accountId: string;
}): Streams {
  let streams = new Map<string, Stream>();
  let lastCreation = 0;
  let fragmentsNumbered = 0;

  const prefix = `arn:aws:kinesisvideo:${region}:${accountId}:stream/`;
  const notFound = () =>
    new AwsError('ResourceNotFoundException', 404, 'The requested stream is not found or not active.');

  function present(name: string): Stream | undefined {
    const stream = streams.get(name);
    if (stream?.goneAt === undefined || clock.now() < stream.goneAt) return stream;
    streams.delete(name);
    return undefined;
  }

  function find({ StreamName, StreamARN }: StreamReference): Stream | undefined {
    if (StreamARN === undefined) return present(StreamName ?? '');
    const stream = present(StreamARN.split(':').slice(5).join(':').split('/')[1] ?? '');
    // Made anew under the same name, a stream has another ARN.
    return stream?.arn === StreamARN ? stream : undefined;
  }

  function status(stream: Stream): StreamStatus {
    if (stream.goneAt !== undefined) return 'DELETING';
    if (clock.now() >= stream.readyAt) return 'ACTIVE';
    return stream.readyAt === stream.createdAt + SETTLING_MS ? 'CREATING' : 'UPDATING';
  }

  function get(reference: StreamReference): Stream {
    checkReference(reference);
    const stream = find(reference);
    if (stream === undefined) throw notFound();
    return stream;
  }

  return {
    create({ name, deviceName, mediaType, kmsKeyId, retentionHours, tags }) {
      if (present(name) !== undefined) {
        throw new AwsError('ResourceInUseException', 400, `The stream ${name} already exists.`);
      }
      const createdAt = Math.max(Math.floor(clock.now()), lastCreation + 1);
      lastCreation = createdAt;
      const stream: Stream = {
        name,
        // The suffix is the instant of creation (KVS developer guide, "Amazon Resource Names").
        arn: `${prefix}${name}/${createdAt}`,
        createdAt,
        readyAt: createdAt + SETTLING_MS,
        version: newVersion(),
        ...(deviceName !== undefined && { deviceName }),
        ...(mediaType !== undefined && { mediaType }),
        kmsKeyId: kmsKeyId ?? `arn:aws:kms:${region}:${accountId}:alias/aws/kinesisvideo`,
        retentionHours,
        tags: { ...tags },
        fragments: [],
      };
      streams.set(name, stream);
      return stream;
    },
    get,
    getActive(reference) {
      const stream = get(reference);
      if (!['ACTIVE', 'UPDATING'].includes(status(stream))) throw notFound();
      return stream;
    },
    list() {
      const all = [...streams.keys()].map(present).filter((stream) => stream !== undefined);
      return all.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    status,
    touch(stream) {
      stream.version = newVersion();
      // One more than CREATING could end at, so that `status` tells the two apart.
      stream.readyAt = Math.max(clock.now(), stream.createdAt + 1) + SETTLING_MS;
    },
    remove(stream) {
      stream.goneAt = clock.now() + SETTLING_MS;
    },
    keep(stream, fragment) {
      stream.fragments.push(fragment);
      if (stream.fragments.length > MOST_FRAGMENTS_KEPT) stream.fragments.shift();
    },
    fragmentsOf(stream) {
      const oldest = clock.now() - stream.retentionHours * HOUR_MS;
      return stream.fragments.filter((fragment) => fragment.receivedAt > oldest);
    },
    /** 47 digits and ever rising, as AWS's are; the first fourteen are those of AWS's own examples. */
    nextFragmentNumber() {
      fragmentsNumbered += 1;
      const at = String(Math.floor(clock.now())).padStart(13, '0');
      return `91343852333181${at}${String(fragmentsNumbered).padStart(14, '0')}${randomInt(1e5, 1e6)}`;
    },
    arnFor(reference) {
      return find(reference)?.arn ?? reference.StreamARN ?? `${prefix}${reference.StreamName ?? ''}/*`;
    },
    snapshot: () => structuredClone({ streams, lastCreation }),
    restore(snapshot) {
      ({ streams, lastCreation } = structuredClone(snapshot as { streams: typeof streams; lastCreation: number }));
    },
  };
}

const ARN = /^arn:[a-z\d-]+:kinesisvideo:[a-z0-9-]+:[0-9]+:[a-z]+\/[a-zA-Z0-9_.-]+\/[0-9]+$/;

function checkReference({ StreamName, StreamARN }: StreamReference): void {
  if ((StreamName === undefined) === (StreamARN === undefined)) {
    throw invalid('Either StreamName or StreamARN should be specified, and not both.');
  }
  if (StreamName !== undefined) checkStreamName(StreamName);
  if (StreamARN !== undefined && (StreamARN.length > 1024 || !ARN.test(StreamARN))) {
    throw invalid(`StreamARN is not valid: ${StreamARN}`);
  }
}

export function checkStreamName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || !/^[a-zA-Z0-9_.-]{1,256}$/.test(name)) {
    throw invalid(
      `1 validation error detected: Value '${String(name)}' at 'streamName' failed to satisfy constraint: ` +
        'Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+ and have length between 1 and 256',
    );
  }
}

export const invalid = (message: string) => new AwsError('InvalidArgumentException', 400, message);
