import {
  DeleteStreamCommand,
  DescribeStreamCommand,
  ListTagsForStreamCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  TagStreamCommand,
} from '@aws-sdk/client-kinesis-video';
import { deviceTag, kinesisVideo, registryTag } from './kinesis-video.ts';

/** Whose stream it is, by its tags; `undefined` if there is none or it is not this registry's. */
const ownerOf = async (name: string, registry: string): Promise<string | undefined> => {
  try {
    const { Tags } = await kinesisVideo.send(new ListTagsForStreamCommand({ StreamName: name }));
    return Tags?.[registryTag] === registry ? Tags[deviceTag] : undefined;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
};

export const streamEndingsOf = (registry: string) => ({
  /** With all its footage; only a stream of this device. `later`: AWS is still making it. */
  async remove(name: string, serialNumber: string): Promise<'gone' | 'later'> {
    if ((await ownerOf(name, registry)) !== serialNumber) return 'gone';
    try {
      const { StreamInfo } = await kinesisVideo.send(new DescribeStreamCommand({ StreamName: name }));
      if (StreamInfo?.Status === 'DELETING') return 'gone';
      await kinesisVideo.send(new DeleteStreamCommand({ StreamARN: StreamInfo?.StreamARN }));
      return 'gone';
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return 'gone';
      if (error instanceof ResourceInUseException) return 'later';
      throw error;
    }
  },

  /** The same stream, footage and all, is other hardware's from now on. `later`: AWS is still making it. */
  async giveTo(name: string, from: string, to: string): Promise<'given' | 'later'> {
    if ((await ownerOf(name, registry)) !== from) return 'given';
    try {
      await kinesisVideo.send(new TagStreamCommand({ StreamName: name, Tags: { [deviceTag]: to } }));
      return 'given';
    } catch (error) {
      // TagStream's page names no error for a stream that is still being made; either of these says it.
      if (error instanceof ResourceInUseException || error instanceof ResourceNotFoundException) return 'later';
      throw error;
    }
  },
});
