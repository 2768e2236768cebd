import { createRequire } from 'node:module';
import { AwsError } from '../error.ts';

/**
 * dynalite without its server: its checks, its actions, its store. Its server is left out because an aborted request on a socket of its own
 * ends the process, and because only the store can be copied and put back.
 */

export type Attributes = Record<string, unknown>;
export type Input = Record<string, unknown>;
export type Output = Record<string, unknown>;

export interface Engine {
  /** Throws AwsError, in dynalite's words, which are AWS's. */
  call(operation: string, input: Input): Promise<Output>;
  snapshot(): Promise<[string, string][]>;
  restore(entries: [string, string][]): Promise<void>;
}

interface Store {
  db: {
    iterator(options: object): { all(): Promise<[string, string][]> };
    batch(operations: object[]): Promise<void>;
  };
  tableDb: { awsAccountId: string; awsRegion: string };
}

interface Failure {
  statusCode?: number;
  body?: { __type: string; message?: string; Message?: string };
}

const require = createRequire(import.meta.url);
const database: { create(options: object): Store } = require('dynalite/db');
const validations: {
  checkTypes(input: Input, types: object): Input;
  checkValidations(input: Input, types: object, custom: unknown, store: Store): void;
} = require('dynalite/validations');

const OPERATIONS = [
  'BatchGetItem',
  'BatchWriteItem',
  'CreateTable',
  'DeleteItem',
  'DeleteTable',
  'DescribeTable',
  'GetItem',
  'ListTables',
  'ListTagsOfResource',
  'PutItem',
  'Query',
  'Scan',
  'TagResource',
  'UntagResource',
  'UpdateItem',
  'UpdateTable',
] as const;
export type EngineOperation = (typeof OPERATIONS)[number];

interface Action {
  validation: { types: object; custom?: unknown };
  run(store: Store, input: Input, done: (error: (Error & Failure) | null, output: Output) => void): void;
}

const actions = new Map<string, Action>(
  OPERATIONS.map((operation) => {
    const file = `${operation[0]?.toLowerCase()}${operation.slice(1)}`;
    return [
      operation,
      { validation: require(`dynalite/validations/${file}`), run: require(`dynalite/actions/${file}`) },
    ];
  }),
);

const UTF8 = { keyEncoding: 'utf8', valueEncoding: 'utf8' };

export function createEngine({ region, accountId }: { region: string; accountId: string }): Engine {
  let store = open();

  function open(): Store {
    const opened = database.create({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
    opened.tableDb.awsRegion = region;
    opened.tableDb.awsAccountId = accountId;
    return opened;
  }

  function run(operation: string, given: Input): Promise<Output> {
    const { validation, run } = actions.get(operation) as Action;
    return new Promise((resolve, reject) => {
      // The checks strip what they do not know and mark what they parsed: a copy is theirs.
      const input = validations.checkTypes(structuredClone(given), validation.types);
      validations.checkValidations(input, validation.types, validation.custom, store);
      run(store, input, (error, output) => {
        if (error) reject(error);
        // What comes back is the store's own object, and it goes on changing it.
        else resolve(JSON.parse(JSON.stringify(output || {})));
      });
    });
  }

  return {
    async call(operation, input) {
      try {
        return await run(operation, input);
      } catch (error) {
        throw inAwsWords(error as Error & Failure);
      }
    },
    snapshot: () => store.db.iterator(UTF8).all(),
    async restore(entries) {
      // Another store: what is still under way ends in the old one.
      const restored = open();
      await restored.db.batch(entries.map(([key, value]) => ({ type: 'put', key, value, ...UTF8 })));
      store = restored;
    },
  };
}

function inAwsWords(error: Error & Failure): Error {
  if (error.statusCode === undefined || error.body === undefined) return error;
  const { __type, message, Message } = error.body;
  return new AwsError(__type.split('#').at(-1) ?? __type, error.statusCode, message ?? Message ?? '');
}
