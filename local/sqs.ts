import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import * as sdk from '@aws-sdk/client-sqs';
import type { Clock } from './clock.ts';
import { AwsError } from './error.ts';
import { awsJson } from './protocol/aws-json.ts';
import type { Service } from './service.ts';
import {
  asOutput,
  attributesOf,
  DEFAULTS,
  inMs,
  type Message,
  md5,
  type Queue,
  setAttributes,
  take,
} from './sqs-queue.ts';

/** Standard queues (SQS API reference); for dead letters, so no FIFO and no redrive. */

interface Input {
  QueueName: string;
  QueueUrl: string;
  QueueNamePrefix?: string;
  Attributes?: Record<string, string>;
  AttributeNames?: string[];
  MessageBody: string;
  MessageAttributes?: Record<string, unknown>;
  DelaySeconds?: number;
  MaxNumberOfMessages?: number;
  VisibilityTimeout?: number;
  WaitTimeSeconds?: number;
  ReceiptHandle: string;
}

export interface Sqs extends Service {
  /** In the service's own name, as Lambda does for dead letters; whether the role may is the caller's to ask. */
  send(queueArn: string, body: string): void;
}

export function createSqs({
  clock,
  region,
  accountId,
  awsEndpoint = () => `http://sqs.${region}.amazonaws.com`,
}: {
  clock: Clock;
  region: string;
  accountId: string;
  /** Where queue URLs point: the SDK sends what concerns a queue to its URL's host. */
  awsEndpoint?: () => string;
}): Sqs {
  let queues = new Map<string, Queue>();
  const arrivals = new EventEmitter().setMaxListeners(0);

  const arnOf = (name: string) => `arn:aws:sqs:${region}:${accountId}:${name}`;
  const urlOf = (name: string) => `${awsEndpoint()}/${accountId}/${name}`;
  const nameIn = (text: string, separator: string) => text.slice(text.lastIndexOf(separator) + 1);

  const find = (name: string): Queue => {
    const queue = queues.get(name);
    if (!queue) throw new AwsError('QueueDoesNotExist', 400, 'The specified queue does not exist.');
    const oldest = clock.now() - inMs(queue, 'MessageRetentionPeriod');
    queue.messages = queue.messages.filter(({ sentAt }) => sentAt > oldest);
    return queue;
  };
  const byUrl = ({ QueueUrl }: Input) => find(nameIn(QueueUrl, '/'));

  const add = (queue: Queue, body: string, attributes?: Record<string, unknown>, delaySeconds?: number): Message => {
    if (body === '')
      throw new AwsError('InvalidParameterValue', 400, 'The request must contain the parameter MessageBody.');
    const longest = Number(queue.attributes.MaximumMessageSize);
    if (Buffer.byteLength(body) > longest) {
      const message = `One or more parameters are invalid. Reason: Message must be shorter than ${longest} bytes.`;
      throw new AwsError('InvalidParameterValue', 400, message);
    }
    const now = clock.now();
    const delay = delaySeconds === undefined ? inMs(queue, 'DelaySeconds') : delaySeconds * 1000;
    const message = { messageId: randomUUID(), body, sentAt: now, visibleAt: now + delay, receives: 0 };
    queue.messages.push(attributes ? { ...message, attributes } : message);
    arrivals.emit('message');
    return message;
  };

  /** Until there is something to take, or the clock has passed `until`. */
  const waitForMessage = async (queue: Queue, until: number) => {
    const next = Math.min(until, ...queue.messages.map(({ visibleAt }) => visibleAt));
    const waiting = new AbortController();
    const callOff = clock.after(next - clock.now(), () => waiting.abort());
    await once(arrivals, 'message', { signal: waiting.signal }).catch(() => {});
    callOff();
  };

  return {
    name: 'sqs',
    protocol: awsJson({ version: '1.0', targetPrefix: 'AmazonSQS', namespace: 'com.amazonaws.sqs', schemas: sdk }),

    operations: {
      CreateQueue({ QueueName, Attributes }: Input) {
        if (!/^[A-Za-z0-9_-]{1,80}$/.test(QueueName)) {
          throw new AwsError(
            'InvalidParameterValue',
            400,
            'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length',
          );
        }
        const now = clock.now();
        const queue: Queue = {
          name: QueueName,
          arn: arnOf(QueueName),
          createdAt: now,
          changedAt: now,
          attributes: { ...DEFAULTS },
          messages: [],
        };
        setAttributes(queue, Attributes);
        const existing = queues.get(QueueName);
        if (existing && Object.entries(queue.attributes).some(([key, value]) => existing.attributes[key] !== value)) {
          throw new AwsError(
            'QueueNameExists',
            400,
            'A queue already exists with the same name and a different value for an attribute',
          );
        }
        if (!existing) queues.set(QueueName, queue);
        return { QueueUrl: urlOf(QueueName) };
      },

      GetQueueUrl: ({ QueueName }: Input) => ({ QueueUrl: urlOf(find(QueueName).name) }),

      ListQueues: ({ QueueNamePrefix = '' }: Input) => ({
        QueueUrls: [...queues.keys()].filter((name) => name.startsWith(QueueNamePrefix)).map(urlOf),
      }),

      GetQueueAttributes(input: Input) {
        const all = attributesOf(byUrl(input), clock.now());
        const names = input.AttributeNames ?? [];
        const wanted = Object.entries(all).filter(([name]) => names.includes('All') || names.includes(name));
        return { Attributes: Object.fromEntries(wanted) };
      },

      SetQueueAttributes(input: Input) {
        const queue = byUrl(input);
        setAttributes(queue, input.Attributes);
        queue.changedAt = clock.now();
      },

      SendMessage(input: Input) {
        const { MessageBody, MessageAttributes, DelaySeconds } = input;
        const { messageId } = add(byUrl(input), MessageBody, MessageAttributes, DelaySeconds);
        return { MessageId: messageId, MD5OfMessageBody: md5(MessageBody) };
      },

      async ReceiveMessage(input: Input) {
        const { MaxNumberOfMessages = 1, VisibilityTimeout } = input;
        if (MaxNumberOfMessages < 1 || MaxNumberOfMessages > 10) {
          throw new AwsError(
            'InvalidParameterValue',
            400,
            `Value ${MaxNumberOfMessages} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.`,
          );
        }
        const waits = input.WaitTimeSeconds ?? Number(byUrl(input).attributes.ReceiveMessageWaitTimeSeconds);
        const until = clock.now() + waits * 1000;
        let messages = take(byUrl(input), clock.now(), MaxNumberOfMessages, VisibilityTimeout);
        while (messages.length === 0 && clock.now() < until) {
          await waitForMessage(byUrl(input), until);
          messages = take(byUrl(input), clock.now(), MaxNumberOfMessages, VisibilityTimeout);
        }
        return messages.length === 0 ? {} : { Messages: messages.map((message) => asOutput(message, accountId)) };
      },

      DeleteMessage(input: Input) {
        const queue = byUrl(input);
        queue.messages = queue.messages.filter(({ receiptHandle }) => receiptHandle !== input.ReceiptHandle);
      },

      PurgeQueue(input: Input) {
        byUrl(input).messages = [];
      },

      DeleteQueue(input: Input) {
        queues.delete(byUrl(input).name);
      },
    },

    needs(operation, input) {
      const { QueueName, QueueUrl } = input as Partial<Input>;
      const name = QueueName ?? (QueueUrl === undefined ? undefined : nameIn(QueueUrl, '/'));
      return [{ action: `sqs:${operation}`, resource: name === undefined ? '*' : arnOf(name) }];
    },

    send: (queueArn, body) => void add(find(nameIn(queueArn, ':')), body),

    snapshot: () => structuredClone(queues),
    restore: (snapshot) => {
      queues = structuredClone(snapshot as Map<string, Queue>);
      // Whoever waits looks again; the clock that would have woken them may be another.
      arrivals.emit('message');
    },
  };
}
