import { AwsError } from '../error.ts';
import type { Context } from '../policy.ts';
import type { Operation } from '../service.ts';
import { invalid, type StreamReference, type Streams } from './streams.ts';

type TagMap = Record<string, string>;

const MOST_TAGS = 50;

/** Tags by stream (a map in, a map out) and by resource ARN (a list of keys and values), both over the same streams. */
export function createTags(streams: Streams) {
  /** Throws unless `added` may come on top of what is there. */
  function check(present: TagMap, added: TagMap): void {
    for (const [key, value] of Object.entries(added)) {
      if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key)) throw invalid(`The tag key is not valid: ${key}`);
      if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(value)) throw invalid(`The tag value is not valid: ${value}`);
      if (key.toLowerCase().startsWith('aws:')) throw invalid('Tag keys that begin with aws: are reserved.');
    }
    if (Object.keys({ ...present, ...added }).length > MOST_TAGS) {
      throw new AwsError(
        'TagsPerResourceExceededLimitException',
        400,
        `You have exceeded the limit of ${MOST_TAGS} tags that you can associate with the resource.`,
      );
    }
  }

  function add(reference: StreamReference, tags: TagMap): Record<string, never> {
    const stream = streams.getActive(reference);
    if (Object.keys(tags).length === 0) throw invalid('At least one tag must be specified.');
    check(stream.tags, tags);
    stream.tags = { ...stream.tags, ...tags };
    return {};
  }

  function remove(reference: StreamReference, keys: string[] = []): Record<string, never> {
    const stream = streams.getActive(reference);
    if (keys.length === 0) throw invalid('At least one tag key must be specified.');
    for (const key of keys) delete stream.tags[key];
    return {};
  }

  const list = (reference: StreamReference) => ({ Tags: { ...streams.get(reference).tags } });
  const byArn = (input: { ResourceARN: string }) => ({ StreamARN: input.ResourceARN });

  const operations: Record<string, Operation> = {
    TagStream: (input) => add(input, input.Tags ?? {}),
    UntagStream: (input) => remove(input, input.TagKeyList),
    ListTagsForStream: (input) => list(input),
    TagResource: (input) => add(byArn(input), toMap(input.Tags ?? [])),
    UntagResource: (input) => remove(byArn(input), input.TagKeyList),
    ListTagsForResource: (input) => list(byArn(input)),
  };

  /** What a policy may ask: `aws:ResourceTag`, `aws:RequestTag`, `aws:TagKeys`. */
  function context(reference: StreamReference, requested: TagMap | { Key: string; Value: string }[] = {}): Context {
    const arn = streams.arnFor(reference);
    const present = streams.list().find((stream) => stream.arn === arn)?.tags ?? {};
    const asked = Array.isArray(requested) ? toMap(requested) : requested;
    const keys = Object.keys(asked);
    return {
      ...prefixed('aws:ResourceTag/', present),
      ...prefixed('aws:RequestTag/', asked),
      ...(keys.length > 0 && { 'aws:TagKeys': keys }),
    };
  }

  return { check, operations, context };
}

const toMap = (tags: { Key: string; Value: string }[]): TagMap =>
  Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value ?? '']));

const prefixed = (prefix: string, tags: TagMap) =>
  Object.fromEntries(Object.entries(tags).map(([key, value]) => [`${prefix}${key}`, value]));
