import { randomUUID } from 'node:crypto';
import type { ItemChange } from '../dynamodb/writes.ts';

/** What Lambda hands a function of one change (Lambda guide, "Process DynamoDB records with Lambda"). */
export interface StreamRecord {
  eventID: string;
  eventName: ItemChange['eventName'];
  eventVersion: '1.1';
  eventSource: 'aws:dynamodb';
  awsRegion: string;
  dynamodb: {
    ApproximateCreationDateTime: number;
    Keys: object;
    NewImage?: object;
    OldImage?: object;
    SequenceNumber: string;
    SizeBytes: number;
    StreamViewType: string;
  };
  userIdentity?: { type: 'Service'; principalId: 'dynamodb.amazonaws.com' };
  eventSourceARN: string;
}

export function recordOf(change: ItemChange, sequence: number, region: string): StreamRecord {
  const { stream, keys, newImage, oldImage } = change;
  // API_StreamSpecification: what a view shows.
  const [showsNew, showsOld] = ['NEW', 'OLD'].map((age) => new RegExp(`${age}_(AND_OLD_)?IMAGE`).test(stream.viewType));
  const images = {
    ...(newImage && showsNew && { NewImage: newImage }),
    ...(oldImage && showsOld && { OldImage: oldImage }),
  };
  return {
    eventID: randomUUID().replaceAll('-', ''),
    eventName: change.eventName,
    eventVersion: '1.1',
    eventSource: 'aws:dynamodb',
    awsRegion: region,
    dynamodb: {
      // Seconds, and no finer (API_streams_StreamRecord).
      ApproximateCreationDateTime: Math.floor(change.at / 1000),
      Keys: keys,
      ...images,
      SequenceNumber: String(sequence).padStart(21, '1000000000'),
      SizeBytes: Buffer.byteLength(JSON.stringify({ keys, ...images })),
      StreamViewType: stream.viewType,
    },
    // DynamoDB guide, "Working with items in a table: TTL": told apart from a delete by a user.
    ...(change.expired && { userIdentity: { type: 'Service', principalId: 'dynamodb.amazonaws.com' } as const }),
    eventSourceARN: stream.arn,
  };
}
