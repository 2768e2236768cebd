import * as video from '@aws-sdk/client-kinesis-video';
import { cloud, eventually, settings, undo, unique } from './cloud.ts';
import type { Keys } from './http-api.ts';
import { type Acknowledgement, openPutMedia, type Upload } from './put-media.ts';

/** A video stream for one test file, on either cloud, and PutMedia to it. */

export interface MediaStream {
  name: string;
  arn: string;
  dataEndpoint: string;
}

export async function makeStream(DataRetentionInHours: number): Promise<MediaStream> {
  const StreamName = unique('stream');
  const create = new video.CreateStreamCommand({ StreamName, DataRetentionInHours });
  const { StreamARN = '' } = await cloud.kinesisVideo.send(create);
  undo(`stream ${StreamName}`, () =>
    eventually(() => cloud.kinesisVideo.send(new video.DeleteStreamCommand({ StreamARN }))),
  );
  const endpoint = new video.GetDataEndpointCommand({ StreamName, APIName: 'PUT_MEDIA' });
  const { DataEndpoint: dataEndpoint = '' } = await eventually(() => cloud.kinesisVideo.send(endpoint));
  return { name: StreamName, arn: StreamARN, dataEndpoint };
}

export async function callersKeys(): Promise<Keys> {
  const { accessKeyId, secretAccessKey, sessionToken } = await cloud.sts.config.credentials();
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

export interface Asked {
  stream: MediaStream;
  as: Keys;
  /** Instead of by the stream's name. */
  named?: { name: string } | { arn: string };
  headers?: Record<string, string | undefined> | undefined;
}

export const open = ({ stream, as, named = { name: stream.name }, headers }: Asked): Promise<Upload> =>
  openPutMedia({ dataEndpoint: stream.dataEndpoint, region: settings.region }, as, named, {
    'x-amzn-producer-start-timestamp': String(Date.now() / 1000),
    ...headers,
  });

/** Opens one that is let in, and sends the first pieces: an account takes its time until the last connection has gone, and until it knows a role. */
export const openIn = (asked: Asked, ...first: Buffer[]): Promise<Upload> =>
  eventually(async () => {
    const upload = await open(asked);
    upload.send(...first);
    if ((await upload.status) !== 200) throw new Error(JSON.stringify(await upload.refusal()));
    return upload;
  });

/** A whole body; resolves with all that was acknowledged. */
export async function film(asked: Asked, ...body: Buffer[]): Promise<Acknowledgement[]> {
  const upload = await openIn(asked, ...body);
  upload.end();
  return upload.rest();
}

export const types = (acknowledgements: Acknowledgement[]): string =>
  acknowledgements.map(({ EventType }) => EventType).join(' ');

/** What is said of a fragment that is kept. */
export const WHOLE = 'BUFFERING RECEIVED PERSISTED';
