import { BatchWriteItemCommand, QueryCommand, type WriteRequest } from '@aws-sdk/client-dynamodb';
import type { Opening } from '../../domain/opening.ts';
import { dynamo } from './client.ts';
import { fromItem, toItem } from './item.ts';

/** BatchWriteItem takes no more. */
const mostAtOnce = 25;

/** Orders them by time; the certificate tells two of one device and instant apart. */
const keyOf = ({ claimCertificateId, openedAt, serialNumber, certificateId }: Opening) => ({
  claimCertificateId,
  openedKey: `${openedAt} ${serialNumber} ${certificateId.slice(0, 16)}`,
});

/** What each claim certificate has opened: an item a claim, so that the list is whole however often a device claims again. */
export const openingsIn = (table: string) => ({
  /** The same again changes nothing. */
  async write({ opened, withdrawn }: { opened: Opening[]; withdrawn: Opening[] }): Promise<void> {
    // One call names an item once: what was taken back stays away.
    const requests = new Map<string, WriteRequest>([
      ...opened.map((one): [string, WriteRequest] => [
        keyOf(one).openedKey,
        { PutRequest: { Item: toItem({ ...one, ...keyOf(one) }) } },
      ]),
      ...withdrawn.map((one): [string, WriteRequest] => [
        keyOf(one).openedKey,
        { DeleteRequest: { Key: toItem(keyOf(one)) } },
      ]),
    ]);
    const all = [...requests.values()];
    for (let first = 0; first < all.length; first += mostAtOnce) {
      const RequestItems = { [table]: all.slice(first, first + mostAtOnce) };
      const { UnprocessedItems = {} } = await dynamo.send(new BatchWriteItemCommand({ RequestItems }));
      if (Object.keys(UnprocessedItems).length > 0) throw new Error('DynamoDB left items unprocessed');
    }
  },

  /** The newest first, of `since` or later, beyond the `key` that a page ended with. */
  async list(
    claimCertificateId: string,
    { since, limit, beyond }: { since: string | undefined; limit: number; beyond?: string | undefined },
  ): Promise<(Opening & { key: string })[]> {
    const { Items = [] } = await dynamo.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'claimCertificateId = :certificate AND openedKey >= :since',
        // '#' sorts before every instant.
        ExpressionAttributeValues: toItem({ ':certificate': claimCertificateId, ':since': since ?? '#' }),
        ScanIndexForward: false,
        Limit: limit,
        ...(beyond && { ExclusiveStartKey: toItem({ claimCertificateId, openedKey: beyond }) }),
      }),
    );
    return Items.map((item) => {
      const { openedKey: key, ...opening } = fromItem(item) as Opening & { openedKey: string };
      return { ...opening, key };
    });
  },
});
