import { ListStreamsCommand } from '@aws-sdk/client-kinesis-video';
import { kinesisVideo } from './kinesis-video.ts';

/** AWS takes this much and may give less. */
const pageSize = 10_000;

export const streamLists = {
  /** Of every stream in the account, whoever made it. */
  async names(): Promise<Set<string>> {
    const names = new Set<string>();
    let NextToken: string | undefined;
    do {
      const page = await kinesisVideo.send(
        new ListStreamsCommand({ MaxResults: pageSize, ...(NextToken && { NextToken }) }),
      );
      for (const { StreamName } of page.StreamInfoList ?? []) if (StreamName) names.add(StreamName);
      ({ NextToken } = page);
    } while (NextToken);
    return names;
  },
};
