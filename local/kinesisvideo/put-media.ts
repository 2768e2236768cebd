import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Faults } from '../faults.ts';
import type { Call, HttpHead, Service } from '../service.ts';
import { createIngest } from './ingest.ts';
import { invalid, type Stream, type Streams } from './streams.ts';

interface PutMediaInput {
  StreamName?: string;
  StreamARN?: string;
  FragmentTimecodeType?: string;
  ProducerStartTimestamp?: string;
}

interface Connection {
  callerArn: string;
  accessKeyId: string;
  close(): void;
}

/** "The service ... terminates the connection" after 30 s without data (API_dataplane_PutMedia, on IDLE). */
const IDLE_MS = 30_000;
/** KVS quotas: a PutMedia connection lives 45 minutes at most. */
const LONGEST_CONNECTION_MS = 45 * 60_000;
/** How long a connection that was answered for good may take to go away. */
const FAREWELL_MS = 5_000;

const MAX_CONNECTION_DURATION_REACHED = 4003;

/** PutMedia: acknowledgements go out while the media still comes in, on one connection. */
export function createPutMedia({ streams, clock, faults }: { streams: Streams; clock: Clock; faults: Faults }): {
  streaming: NonNullable<Service['streaming']>;
  closeAll(): void;
} {
  /** Those that are open, by stream ARN. */
  const connections = new Map<string, Set<Connection>>();

  /**
   * One connection a stream: the newest is refused (API_dataplane_PutMedia). But the producer SDK, when it gets new credentials, opens a second one
   * signed with the new key before it closes the first (captured, see kvssink 3.5.0): the same caller under another key may overlap once.
   */
  function admit(stream: Stream, connection: Connection): () => void {
    const open = connections.get(stream.arn) ?? new Set();
    const renewal = [...open].every(
      ({ callerArn, accessKeyId }) => callerArn === connection.callerArn && accessKeyId !== connection.accessKeyId,
    );
    if (open.size > 1 || !renewal) {
      throw new AwsError(
        'ConnectionLimitExceededException',
        400,
        'Kinesis Video Streams throttled the request: the stream already has a PutMedia connection.',
      );
    }
    connections.set(stream.arn, open.add(connection));
    return () => {
      open.delete(connection);
      if (open.size === 0) connections.delete(stream.arn);
    };
  }

  function recognise({ method, path, headers }: HttpHead): { operation: string; input: PutMediaInput } | undefined {
    if (method !== 'POST' || path !== '/putMedia') return undefined;
    const sent = {
      StreamName: headers['x-amzn-stream-name'],
      StreamARN: headers['x-amzn-stream-arn'],
      FragmentTimecodeType: headers['x-amzn-fragment-timecode-type'],
      ProducerStartTimestamp: headers['x-amzn-producer-start-timestamp'],
    };
    const input = Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== undefined));
    return { operation: 'PutMedia', input };
  }

  /** What it throws is answered by the door, as long as nothing was acknowledged. */
  async function serve(input: PutMediaInput, call: Call, request: IncomingMessage, response: ServerResponse) {
    // A client that goes away in the middle is no news.
    request.on('error', () => {});
    const producerStart = checkHeaders(input);
    const stream = streams.getActive(input);
    const { loseAnswer } = await faults.meet('kinesisvideo', 'PutMedia', { resource: stream.name });
    if (request.destroyed) return;

    const release = admit(stream, {
      callerArn: call.caller.arn,
      accessKeyId: call.caller.accessKeyId,
      close: () => request.socket.destroy(),
    });
    const ingest = createIngest({ streams, stream, clock, acknowledge, producerStart });
    let ended = false;
    let bytesSinceTick = 0;
    let quietTicks = 0;

    response.writeHead(200, { 'content-type': 'application/json', 'x-amzn-RequestId': call.requestId });
    response.flushHeaders();

    function acknowledge(ack: object): void {
      if (!loseAnswer) response.write(`${JSON.stringify(ack)}\n`);
      else if ('EventType' in ack && ack.EventType === 'RECEIVED') request.socket.destroy();
    }

    function end(): void {
      if (ended) return;
      ended = true;
      callOffLimit();
      callOffTick();
      release();
      if (!response.destroyed) response.end();
    }

    /** Ends while the client may still be sending: what is on its way is read and dropped, so that it gets to read the answer. */
    function breakOff(): void {
      end();
      response.once('finish', () => request.socket.end());
      clock.after(FAREWELL_MS, () => request.socket.destroy());
    }

    const callOffLimit = clock.after(LONGEST_CONNECTION_MS, () => {
      ingest.fail(MAX_CONNECTION_DURATION_REACHED);
      breakOff();
    });

    // Silence is two quiet halves in a row: a clock that was moved is not silence.
    let callOffTick = clock.after(IDLE_MS / 2, tick);
    function tick(): void {
      quietTicks = bytesSinceTick === 0 ? quietTicks + 1 : 0;
      bytesSinceTick = 0;
      // "sends this acknowledgement periodically for up to 30 seconds after the last received data"; the period is not told.
      if (quietTicks > 0) acknowledge({ EventType: 'IDLE' });
      if (quietTicks < 2) callOffTick = clock.after(IDLE_MS / 2, tick);
      else breakOff();
    }

    request.on('data', (chunk: Buffer) => {
      if (ended) return;
      bytesSinceTick += chunk.length;
      if (!ingest.push(chunk)) breakOff();
    });
    request.once('end', () => {
      if (ended) return;
      ingest.end();
      end();
    });
    // An aborted body: what was not complete is dropped.
    request.once('close', end);
  }

  return {
    streaming: {
      recognise,
      serve: (input, call, request, response) => serve(input as PutMediaInput, call, request, response),
    },
    closeAll() {
      for (const open of connections.values()) for (const connection of open) connection.close();
    },
  };
}

/** The instant RELATIVE timecodes count from, in epoch ms; undefined for ABSOLUTE ones. */
function checkHeaders({ FragmentTimecodeType, ProducerStartTimestamp }: PutMediaInput): number | undefined {
  if (FragmentTimecodeType === undefined) throw invalid('x-amzn-fragment-timecode-type must be specified.');
  if (FragmentTimecodeType !== 'ABSOLUTE' && FragmentTimecodeType !== 'RELATIVE') {
    throw invalid(`x-amzn-fragment-timecode-type must be ABSOLUTE or RELATIVE, not ${FragmentTimecodeType}.`);
  }
  // Seconds with a fraction; only those who count from it need it.
  const seconds = Number(ProducerStartTimestamp ?? (FragmentTimecodeType === 'ABSOLUTE' ? 0 : Number.NaN));
  if (!Number.isFinite(seconds) || seconds < 0) throw invalid('x-amzn-producer-start-timestamp is not valid.');
  return FragmentTimecodeType === 'RELATIVE' ? seconds * 1000 : undefined;
}
