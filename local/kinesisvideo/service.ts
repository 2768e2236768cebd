import * as sdk from '@aws-sdk/client-kinesis-video';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Faults } from '../faults.ts';
import type { Need } from '../policy.ts';
import { restJson } from '../protocol/rest-json.ts';
import type { Operation, Service } from '../service.ts';
import { schemas as archivedMedia, listFragments } from './archived-media.ts';
import { createPutMedia } from './put-media.ts';
import { checkStreamName, invalid, type Stream, type StreamReference, type Streams } from './streams.ts';
import { createTags } from './tags.ts';

/** Operations that name no stream. All others are checked against the stream's ARN (Service Authorization Reference). */
const WITHOUT_RESOURCE = new Set(['ListStreams']);

const MAX_RETENTION_HOURS = 87_600;
const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+(,[\w.+-]+\/[\w.+-]+)*$/;

const API_NAMES: readonly string[] = Object.values(sdk.APIName);

interface NamedInput extends StreamReference {
  ResourceARN?: string;
  Tags?: Record<string, string> | { Key: string; Value: string }[];
}

/** Kinesis Video's control plane, and of its data plane what a camera and a counting test need. */
export function createKinesisVideo({
  streams,
  clock,
  dataEndpoint,
  faults,
}: {
  streams: Streams;
  clock: Clock;
  /** Where the data plane answers: a URL without a path. */
  dataEndpoint: () => string;
  faults: Faults;
}): Service {
  const protocol = restJson({
    schemas: { ...sdk, ...archivedMedia },
    errorMessageKey: 'Message',
    validationCode: 'InvalidArgumentException',
  });
  const tags = createTags(streams);
  const putMedia = createPutMedia({ streams, clock, faults });

  const describe = (stream: Stream) => ({
    // The real answer says null where nothing was given (producer-c issue 429).
    DeviceName: stream.deviceName ?? null,
    StreamName: stream.name,
    StreamARN: stream.arn,
    MediaType: stream.mediaType ?? null,
    KmsKeyId: stream.kmsKeyId,
    Version: stream.version,
    Status: streams.status(stream),
    CreationTime: new Date(stream.createdAt),
    DataRetentionInHours: stream.retentionHours,
  });

  /** The stream an update names, when it may be updated and the caller knows its latest version. */
  function toUpdate(input: StreamReference & { CurrentVersion?: string }): Stream {
    const stream = streams.get(input);
    checkVersion(stream, input.CurrentVersion);
    if (streams.status(stream) !== 'ACTIVE') throw inUse();
    return stream;
  }

  const operations: Record<string, Operation> = {
    CreateStream(input) {
      checkStreamName(input.StreamName);
      checkMediaType(input.MediaType);
      checkDeviceName(input.DeviceName);
      const retentionHours = input.DataRetentionInHours ?? 0;
      checkRetention(retentionHours);
      tags.check({}, input.Tags ?? {});
      const tier = input.StreamStorageConfiguration?.DefaultStorageTier;
      if (tier !== undefined && tier !== 'HOT') throw invalid(`The stand-in has no storage tier ${tier}.`);
      const stream = streams.create({
        name: input.StreamName,
        deviceName: input.DeviceName,
        mediaType: input.MediaType,
        kmsKeyId: input.KmsKeyId,
        retentionHours,
        tags: input.Tags ?? {},
      });
      return { StreamARN: stream.arn };
    },

    DescribeStream: (input) => ({ StreamInfo: describe(streams.get(input)) }),

    ListStreams({ MaxResults = 10_000, NextToken, StreamNameCondition }) {
      if (MaxResults < 1 || MaxResults > 10_000) throw invalid('MaxResults must be between 1 and 10000.');
      const { ComparisonOperator = 'BEGINS_WITH', ComparisonValue = '' } = StreamNameCondition ?? {};
      if (ComparisonOperator !== 'BEGINS_WITH') throw invalid(`Unknown ComparisonOperator ${ComparisonOperator}.`);
      const after = NextToken === undefined ? '' : Buffer.from(NextToken, 'base64url').toString();
      const rest = streams.list().filter(({ name }) => name.startsWith(ComparisonValue) && name > after);
      const page = rest.slice(0, MaxResults);
      const last = page.at(-1);
      return {
        StreamInfoList: page.map(describe),
        ...(rest.length > page.length && last && { NextToken: Buffer.from(last.name).toString('base64url') }),
      };
    },

    UpdateStream(input) {
      checkMediaType(input.MediaType);
      checkDeviceName(input.DeviceName);
      const stream = toUpdate(input);
      if (input.DeviceName !== undefined) stream.deviceName = input.DeviceName;
      if (input.MediaType !== undefined) stream.mediaType = input.MediaType;
      streams.touch(stream);
      return {};
    },

    UpdateDataRetention(input) {
      const { Operation, DataRetentionChangeInHours: change } = input;
      if (!Number.isInteger(change) || change < 1) throw invalid('DataRetentionChangeInHours must be at least 1.');
      if (Operation !== 'INCREASE_DATA_RETENTION' && Operation !== 'DECREASE_DATA_RETENTION') {
        throw invalid(`Unknown Operation ${Operation}.`);
      }
      const stream = toUpdate(input);
      const retentionHours = stream.retentionHours + (Operation === 'INCREASE_DATA_RETENTION' ? change : -change);
      checkRetention(retentionHours);
      stream.retentionHours = retentionHours;
      streams.touch(stream);
      return {};
    },

    DeleteStream(input) {
      // By ARN only: "StreamARN: Required: Yes" (API_DeleteStream).
      const stream = streams.get({ StreamARN: input.StreamARN });
      if (input.CurrentVersion !== undefined) checkVersion(stream, input.CurrentVersion);
      if (!['ACTIVE', 'UPDATING'].includes(streams.status(stream))) throw inUse();
      streams.remove(stream);
      return {};
    },

    GetDataEndpoint(input) {
      if (!API_NAMES.includes(input.APIName)) throw invalid(`Unknown APIName ${input.APIName}.`);
      streams.getActive(input);
      return { DataEndpoint: dataEndpoint() };
    },

    ...tags.operations,
    ListFragments: (input) => listFragments(streams, input),
  };

  return {
    name: 'kinesisvideo',
    protocol,
    operations,
    needs(operation, input): Need[] {
      const action = `kinesisvideo:${operation}`;
      if (WITHOUT_RESOURCE.has(operation)) return [{ action, resource: '*' }];
      const { ResourceARN, StreamName = '', StreamARN = ResourceARN, Tags } = input as NamedInput;
      const reference = StreamARN === undefined ? { StreamName } : { StreamARN };
      return [{ action, resource: streams.arnFor(reference), context: tags.context(reference, Tags) }];
    },
    streaming: putMedia.streaming,
    snapshot: streams.snapshot,
    restore(snapshot) {
      putMedia.closeAll();
      streams.restore(snapshot);
    },
  };
}

const inUse = () =>
  new AwsError('ResourceInUseException', 400, 'The stream is currently not available for this operation.');

function checkVersion(stream: Stream, version: string | undefined): void {
  if (version === undefined) throw invalid('CurrentVersion must be specified.');
  if (version !== stream.version) {
    throw new AwsError(
      'VersionMismatchException',
      400,
      'The stream version that you specified is not the latest version. Use DescribeStream to get the latest one.',
    );
  }
}

function checkRetention(hours: number): void {
  if (!Number.isInteger(hours) || hours < 0 || hours > MAX_RETENTION_HOURS) {
    throw invalid(`DataRetentionInHours must be between 0 and ${MAX_RETENTION_HOURS}, not ${hours}.`);
  }
}

function checkMediaType(mediaType: string | undefined): void {
  if (mediaType !== undefined && (mediaType.length > 128 || !MEDIA_TYPE.test(mediaType))) {
    throw invalid(`MediaType is not valid: ${mediaType}`);
  }
}

function checkDeviceName(name: string | undefined): void {
  if (name !== undefined && !/^[a-zA-Z0-9_.-]{1,128}$/.test(name)) throw invalid(`DeviceName is not valid: ${name}`);
}
