import * as z from 'zod/mini';
import { log, logError } from './log.ts';

const image = z.optional(z.record(z.string(), z.any()));

/** What a table's stream tells (DynamoDB Developer Guide, "DynamoDB Streams and AWS Lambda triggers"). */
const records = z.object({
  Records: z.array(
    z.object({
      eventName: z.enum(['INSERT', 'MODIFY', 'REMOVE']),
      dynamodb: z.object({ OldImage: image, NewImage: image }),
    }),
  ),
});

// biome-ignore lint/suspicious/noExplicitAny: attribute values, which only the adapter of the table can read
type Image = Record<string, any>;

export type StreamRecord = { oldImage: Image | undefined; newImage: Image | undefined };

/** Takes a table's changes in their order. Whatever is thrown brings the same ones again; what is no such event never would be one. */
export const stream =
  (what: string, take: (records: StreamRecord[]) => Promise<Record<string, unknown>>) =>
  async (received: unknown): Promise<void> => {
    const parsed = records.safeParse(received);
    if (!parsed.success) {
      log(what, { outcome: 'dropped', reason: 'not-such-an-event' });
      return;
    }
    try {
      const told = parsed.data.Records.map(({ dynamodb }) => ({
        oldImage: dynamodb.OldImage,
        newImage: dynamodb.NewImage,
      }));
      log(what, { outcome: 'taken', ...(await take(told)) });
    } catch (error) {
      logError(what, error, { outcome: 'thrown' });
      throw error;
    }
  };
