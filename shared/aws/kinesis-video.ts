import { CreateStreamCommand, KinesisVideoClient, ListTagsForStreamCommand } from '@aws-sdk/client-kinesis-video';

/** One attempt with a short time-out: a stream that is not made in time is finished later, a late answer denies the camera. */
export const kinesisVideo = new KinesisVideoClient({
  maxAttempts: 1,
  requestHandler: { connectionTimeout: 1000, requestTimeout: 1500, throwOnRequestTimeout: true },
});

export const registryTag = 'firstlight:registry';
export const deviceTag = 'firstlight:device';

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');

const isThrottle = (error: unknown): boolean =>
  statusOf(error) === 429 ||
  ['ClientLimitExceededException', 'ThrottlingException', 'TooManyRequestsException'].includes(nameOf(error));

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;

/** A time-out, a lost answer or a fault of AWS: nobody knows whether the stream is there. A denial is none of these. */
const isLate = (error: unknown): boolean => (statusOf(error) ?? 500) >= 500;

/**
 * Streams of the devices in one registry, told from any other by their tags. With `throttles: 'thrown'` somebody has the time
 * to ask again; else a stream that AWS is too busy for is late.
 */
export const streamsOf = (registry: string, retentionHours: number, throttles: 'late' | 'thrown' = 'late') => ({
  async make(name: string, serialNumber: string): Promise<'made' | 'exists' | 'late' | 'limit'> {
    try {
      await kinesisVideo.send(
        new CreateStreamCommand({
          StreamName: name,
          DataRetentionInHours: retentionHours,
          Tags: { [registryTag]: registry, [deviceTag]: serialNumber },
        }),
      );
      return 'made';
    } catch (error) {
      if (nameOf(error) === 'ResourceInUseException') return 'exists';
      if (nameOf(error) === 'AccountStreamLimitExceededException') return 'limit';
      if (isThrottle(error) ? throttles === 'late' : isLate(error)) return 'late';
      throw error;
    }
  },

  /** Whether an existing stream was made by this registry for this device. */
  async isOurs(name: string, serialNumber: string): Promise<boolean> {
    const { Tags } = await kinesisVideo.send(new ListTagsForStreamCommand({ StreamName: name }));
    return Tags?.[registryTag] === registry && Tags[deviceTag] === serialNumber;
  },
});
