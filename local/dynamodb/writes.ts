import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Attributes, Engine, Input, Output } from './engine.ts';
import type { TableStream, Tables } from './tables.ts';

/** One change of one item, as a stream of its table would tell it. */
export interface ItemChange {
  tableName: string;
  stream: TableStream;
  eventName: 'INSERT' | 'MODIFY' | 'REMOVE';
  keys: Attributes;
  oldImage?: Attributes;
  newImage?: Attributes;
  /** Epoch ms. */
  at: number;
  /** Whether time to live did it: AWS then names `dynamodb.amazonaws.com` as the user. */
  expired: boolean;
}

export type ChangeListener = (change: ItemChange) => void;

interface Target {
  tableName: string;
  keys: Attributes;
}

export interface Writes {
  operations: Record<string, (input: Input) => Promise<Output>>;
  /** Deletes the item if `condition` still holds. */
  expire(input: Input): Promise<void>;
  onChange(listener: ChangeListener): () => void;
}

/** Every write passes here: one at a time for one item, so that an item before and after it can be told for certain. */
export function createWrites({ engine, tables, clock }: { engine: Engine; tables: Tables; clock: Clock }): Writes {
  const listeners = new Set<ChangeListener>();
  const turns = new Map<string, Promise<unknown>>();

  async function inTurn<T>(targets: readonly Target[], work: () => Promise<T>): Promise<T> {
    const names = targets.map(({ tableName, keys }) => `${tableName} ${JSON.stringify(keys)}`);
    const before = Promise.allSettled(names.map((name) => turns.get(name)));
    const mine = before.then(work);
    const done = mine.catch(() => {});
    for (const name of names) turns.set(name, done);
    try {
      return await mine;
    } finally {
      for (const name of names) if (turns.get(name) === done) turns.delete(name);
    }
  }

  /** undefined for an item that is not there, and for keys that the write itself will refuse. */
  async function read({ tableName, keys }: Target): Promise<Attributes | undefined> {
    try {
      const { Item } = await engine.call('GetItem', { TableName: tableName, Key: keys, ConsistentRead: true });
      return Item as Attributes | undefined;
    } catch (error) {
      if (error instanceof AwsError) return undefined;
      throw error;
    }
  }

  const isWatched = ({ tableName }: Target) => listeners.size > 0 && tables.get(tableName)?.stream !== undefined;

  function tell({ tableName, keys }: Target, oldImage?: Attributes, newImage?: Attributes, expired = false): void {
    const stream = tables.get(tableName)?.stream;
    // A write that changes nothing leaves no record (DynamoDB guide, "Change data capture for DynamoDB Streams").
    if (stream === undefined || isDeepStrictEqual(oldImage, newImage)) return;
    const change: ItemChange = {
      tableName,
      stream,
      eventName: oldImage === undefined ? 'INSERT' : newImage === undefined ? 'REMOVE' : 'MODIFY',
      keys,
      ...(oldImage && { oldImage }),
      ...(newImage && { newImage }),
      at: clock.now(),
      expired,
    };
    for (const listener of listeners) listener(change);
  }

  function write(operation: string, input: Input, targets: readonly Target[], expired = false): Promise<Output> {
    // dynalite does not know ReturnValuesOnConditionCheckFailure.
    const wantsOld = input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD';
    const watched = targets.filter(isWatched);
    return inTurn(targets, async () => {
      const before = new Map<Target, Attributes | undefined>();
      for (const target of wantsOld ? targets : watched) before.set(target, await read(target));
      let output: Output;
      try {
        output = await engine.call(operation, input);
      } catch (error) {
        const old = targets[0] && before.get(targets[0]);
        if (!(error instanceof AwsError) || error.code !== 'ConditionalCheckFailedException' || !old || !wantsOld) {
          throw error;
        }
        throw new AwsError(error.code, error.status, error.message, { Item: old });
      }
      for (const target of watched) tell(target, before.get(target), await read(target), expired);
      return output;
    });
  }

  function target(tableName: unknown, attributes: unknown): Target[] {
    const keyNames = tables.get(tableName)?.keyNames;
    if (keyNames === undefined || typeof attributes !== 'object' || attributes === null) return [];
    const keys = Object.fromEntries(keyNames.map((name) => [name, (attributes as Attributes)[name]]));
    return [{ tableName: String(tableName), keys }];
  }

  type BatchRequest = { PutRequest?: { Item?: unknown }; DeleteRequest?: { Key?: unknown } };
  const batchTargets = (requestItems: unknown): Target[] =>
    Object.entries((requestItems ?? {}) as Record<string, BatchRequest[]>).flatMap(([tableName, requests]) =>
      (Array.isArray(requests) ? requests : []).flatMap(({ PutRequest, DeleteRequest }) =>
        target(tableName, PutRequest?.Item ?? DeleteRequest?.Key),
      ),
    );

  return {
    operations: {
      PutItem: (input) => write('PutItem', input, target(input.TableName, input.Item)),
      UpdateItem: (input) => write('UpdateItem', input, target(input.TableName, input.Key)),
      DeleteItem: (input) => write('DeleteItem', input, target(input.TableName, input.Key)),
      BatchWriteItem: (input) => write('BatchWriteItem', input, batchTargets(input.RequestItems)),
    },
    async expire(input) {
      try {
        await write('DeleteItem', input, target(input.TableName, input.Key), true);
      } catch (error) {
        // Changed or gone in the meantime.
        if (!(error instanceof AwsError)) throw error;
      }
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
