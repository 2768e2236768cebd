import { createHash, randomUUID } from 'node:crypto';
import { AwsError } from './error.ts';

export interface Message {
  messageId: string;
  body: string;
  attributes?: Record<string, unknown>;
  sentAt: number;
  visibleAt: number;
  receives: number;
  firstReceivedAt?: number;
  /** Of the last receive; an earlier one no longer deletes. */
  receiptHandle?: string;
}

/** A standard queue, as plain data. */
export interface Queue {
  name: string;
  arn: string;
  createdAt: number;
  changedAt: number;
  attributes: Record<string, string>;
  messages: Message[];
}

/** SQS API reference, "CreateQueue": the attributes known here and what they are when not given. */
export const DEFAULTS: Record<string, string> = {
  DelaySeconds: '0',
  MaximumMessageSize: '1048576',
  MessageRetentionPeriod: '345600',
  ReceiveMessageWaitTimeSeconds: '0',
  VisibilityTimeout: '30',
  SqsManagedSseEnabled: 'true',
};

/** Up to `most` visible messages, hidden from others from now on. */
export function take(queue: Queue, now: number, most: number, hiddenSeconds?: number): Message[] {
  const hidden = hiddenSeconds === undefined ? inMs(queue, 'VisibilityTimeout') : hiddenSeconds * 1000;
  const taken = queue.messages.filter(({ visibleAt }) => visibleAt <= now).slice(0, most);
  for (const message of taken) {
    message.visibleAt = now + hidden;
    message.receives++;
    message.firstReceivedAt ??= now;
    message.receiptHandle = randomUUID();
  }
  return taken;
}

/** Throws AwsError for an attribute that is not known here. */
export function setAttributes(queue: Queue, attributes: Record<string, string> = {}): void {
  const unknown = Object.keys(attributes).find(
    (name) => !(name in DEFAULTS) && name !== 'Policy' && name !== 'KmsMasterKeyId',
  );
  if (unknown !== undefined) throw new AwsError('InvalidAttributeName', 400, `Unknown Attribute ${unknown}.`);
  queue.attributes = { ...queue.attributes, ...attributes };
}

export function attributesOf(queue: Queue, now: number): Record<string, string> {
  const visible = queue.messages.filter(({ visibleAt }) => visibleAt <= now).length;
  const delayed = queue.messages.filter(({ visibleAt, receives }) => visibleAt > now && receives === 0).length;
  return {
    ...queue.attributes,
    QueueArn: queue.arn,
    ApproximateNumberOfMessages: String(visible),
    ApproximateNumberOfMessagesDelayed: String(delayed),
    ApproximateNumberOfMessagesNotVisible: String(queue.messages.length - visible - delayed),
    CreatedTimestamp: String(Math.floor(queue.createdAt / 1000)),
    LastModifiedTimestamp: String(Math.floor(queue.changedAt / 1000)),
  };
}

export const md5 = (text: string) => createHash('md5').update(text).digest('hex');
export const inMs = (queue: Queue, attribute: string) => Number(queue.attributes[attribute]) * 1000;

export const asOutput = (message: Message, accountId: string) => ({
  MessageId: message.messageId,
  ReceiptHandle: message.receiptHandle,
  MD5OfBody: md5(message.body),
  Body: message.body,
  Attributes: {
    SenderId: accountId,
    SentTimestamp: String(message.sentAt),
    ApproximateReceiveCount: String(message.receives),
    ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt),
  },
  ...(message.attributes && { MessageAttributes: message.attributes }),
});
