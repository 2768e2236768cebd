import type { Clock } from './clock.ts';
import { createEngine, type EngineOperation, type Input } from './dynamodb/engine.ts';
import { createExpiry } from './dynamodb/expiry.ts';
import { createTables, type TableSettings } from './dynamodb/tables.ts';
import { createUpkeep } from './dynamodb/upkeep.ts';
import { type ChangeListener, createWrites } from './dynamodb/writes.ts';
import type { Need } from './policy.ts';
import { awsJson } from './protocol/aws-json.ts';
import type { Operation, Service } from './service.ts';

export interface DynamoDb extends Service {
  /** Tells of every change to an item of a table that has a stream; returns how to stop. */
  onWrite(listener: ChangeListener): () => void;
}

const READS: EngineOperation[] = ['BatchGetItem', 'GetItem', 'Query', 'Scan'];
const TABLE_LISTS: EngineOperation[] = ['ListTables', 'ListTagsOfResource', 'TagResource', 'UntagResource'];

/** DynamoDB: dynalite, and around it what dynalite lacks. Transactions and PartiQL are not there, and say so. */
export async function createDynamoDb({
  clock,
  region,
  accountId,
}: {
  clock: Clock;
  region: string;
  accountId: string;
}): Promise<DynamoDb> {
  const tableArn = (tableName: string) => `arn:aws:dynamodb:${region}:${accountId}:table/${tableName}`;
  const engine = createEngine({ region, accountId });
  const tables = createTables({ engine, clock, tableArn });
  const writes = createWrites({ engine, tables, clock });
  const expiry = createExpiry({ engine, tables, writes, clock });

  const ofItems = {
    ...writes.operations,
    ...Object.fromEntries(READS.map((operation) => [operation, (input: Input) => engine.call(operation, input)])),
  };
  const operations: Record<string, Operation> = {};
  for (const [name, operation] of Object.entries(ofItems)) {
    operations[name] = async (input) => {
      await expiry.sweep();
      return operation(named(input));
    };
  }
  for (const [name, operation] of Object.entries({ ...tables.operations, ...createUpkeep({ tables, clock }) })) {
    operations[name] = (input) => operation(named(input));
  }
  for (const name of TABLE_LISTS) operations[name] = (input) => engine.call(name, input);

  return {
    name: 'dynamodb',
    protocol: awsJson({
      version: '1.0',
      targetPrefix: 'DynamoDB_20120810',
      namespace: 'com.amazonaws.dynamodb.v20120810',
    }),
    operations,
    needs(operation, input): Need[] {
      return resources(operation, input as Input, tableArn).map((resource) => ({
        action: `dynamodb:${operation}`,
        resource,
      }));
    },
    onWrite: writes.onChange,
    snapshot: async () => ({ entries: await engine.snapshot(), tables: tables.snapshot() }),
    async restore(snapshot) {
      const saved = snapshot as { entries: [string, string][]; tables: Map<string, TableSettings> };
      await engine.restore(saved.entries);
      tables.restore(saved.tables);
      expiry.reset();
    },
  };
}

/** "TableName: you can also provide the Amazon Resource Name" (API_GetItem and others); dynalite takes names only. */
function named(input: Input): Input {
  const name = input.TableName;
  return typeof name === 'string' && name.startsWith('arn:')
    ? { ...input, TableName: name.split('/')[1] ?? name }
    : input;
}

/** Service Authorization Reference, "DynamoDB": an index is a resource of its own, a batch needs each of its tables. */
function resources(operation: string, input: Input, tableArn: (name: string) => string): string[] {
  if (operation === 'ListTables') return ['*'];
  if (input.ResourceArn !== undefined) return [String(input.ResourceArn)];
  if (operation.startsWith('Batch')) {
    const names = Object.keys((input.RequestItems ?? {}) as object);
    return names.length === 0 ? [tableArn('')] : names.map(tableArn);
  }
  const table = tableArn(String(named(input).TableName ?? ''));
  return [input.IndexName === undefined ? table : `${table}/index/${input.IndexName}`];
}
