import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Engine, Input, Output } from './engine.ts';

export interface TableStream {
  viewType: string;
  arn: string;
  label: string;
}

/** What dynalite does not know about a table. */
export interface TableSettings {
  keyNames: string[];
  createdAt: number;
  deletionProtection: boolean;
  tableClass?: string;
  encryption?: Record<string, unknown>;
  stream?: TableStream;
  timeToLive?: string;
  /** Set while point-in-time recovery is on. */
  recoverableSince?: number;
  recoveryDays: number;
}

interface StreamSpecification {
  StreamEnabled: boolean;
  StreamViewType?: string;
}

export interface Tables {
  get(tableName: unknown): TableSettings | undefined;
  /** Throws ResourceNotFoundException. */
  required(input: Input): TableSettings;
  withTimeToLive(): string[];
  operations: Record<string, (input: Input) => Promise<Output>>;
  snapshot(): Map<string, TableSettings>;
  restore(settings: Map<string, TableSettings>): void;
}

const CREATE_MEMBERS = [
  'TableName',
  'AttributeDefinitions',
  'KeySchema',
  'LocalSecondaryIndexes',
  'GlobalSecondaryIndexes',
  'BillingMode',
  'ProvisionedThroughput',
  'StreamSpecification',
  'SSESpecification',
  'Tags',
  'TableClass',
  'DeletionProtectionEnabled',
];
const OWN_UPDATES = ['StreamSpecification', 'SSESpecification', 'TableClass', 'DeletionProtectionEnabled'];
const ENGINE_UPDATES = ['BillingMode', 'ProvisionedThroughput'];
const UPDATE_MEMBERS = ['TableName', 'AttributeDefinitions', ...OWN_UPDATES, ...ENGINE_UPDATES];

export const validation = (message: string) => new AwsError('ValidationException', 400, message);

/** Tables, with what dynalite leaves out laid over its answers. */
export function createTables({
  engine,
  clock,
  tableArn,
}: {
  engine: Engine;
  clock: Clock;
  tableArn: (tableName: string) => string;
}): Tables {
  let tables = new Map<string, TableSettings>();

  function required({ TableName }: Input): TableSettings {
    const settings = tables.get(String(TableName));
    if (settings) return settings;
    throw new AwsError('ResourceNotFoundException', 400, `Requested resource not found: Table: ${TableName} not found`);
  }

  function applyTo(settings: TableSettings, input: Input): void {
    const stream = input.StreamSpecification as StreamSpecification | undefined;
    if (stream?.StreamEnabled === false) delete settings.stream;
    else if (stream) settings.stream = newStream(String(input.TableName), stream);
    if (input.TableClass !== undefined) settings.tableClass = String(input.TableClass);
    if (input.DeletionProtectionEnabled !== undefined) {
      settings.deletionProtection = input.DeletionProtectionEnabled === true;
    }
    const encryption = input.SSESpecification as { Enabled?: boolean; KMSMasterKeyId?: string } | undefined;
    if (encryption?.Enabled === false) delete settings.encryption;
    else if (encryption) {
      settings.encryption = {
        Status: 'ENABLED',
        SSEType: 'KMS',
        KMSMasterKeyArn:
          encryption.KMSMasterKeyId ?? tableArn('').replace(/:dynamodb:(.*):table\/$/, ':kms:$1:alias/aws/dynamodb'),
      };
    }
  }

  function newStream(tableName: string, { StreamViewType }: StreamSpecification): TableStream {
    const views = ['KEYS_ONLY', 'NEW_IMAGE', 'OLD_IMAGE', 'NEW_AND_OLD_IMAGES'];
    if (StreamViewType === undefined || !views.includes(StreamViewType)) {
      throw validation(`StreamViewType must be one of ${views.join(', ')}.`);
    }
    const label = new Date(clock.now()).toISOString().slice(0, -1);
    return { viewType: StreamViewType, label, arn: `${tableArn(tableName)}/stream/${label}` };
  }

  function described(table: Output, settings: TableSettings): Output {
    const { stream, encryption, tableClass } = settings;
    return {
      ...table,
      CreationDateTime: settings.createdAt / 1000,
      DeletionProtectionEnabled: settings.deletionProtection,
      ...(tableClass !== undefined && { TableClassSummary: { TableClass: tableClass } }),
      ...(encryption && { SSEDescription: encryption }),
      ...(stream && {
        StreamSpecification: { StreamEnabled: true, StreamViewType: stream.viewType },
        LatestStreamArn: stream.arn,
        LatestStreamLabel: stream.label,
      }),
    };
  }

  /** dynalite changes a table's status on a later turn of the event loop; nobody should meet the table in between. */
  async function settled(tableName: unknown): Promise<void> {
    for (;;) {
      try {
        const { Table } = await engine.call('DescribeTable', { TableName: tableName });
        if ((Table as Output).TableStatus === 'ACTIVE') return;
      } catch (error) {
        if (error instanceof AwsError) return;
        throw error;
      }
    }
  }

  const operations: Tables['operations'] = {
    async CreateTable(input) {
      onlyKnown(input, CREATE_MEMBERS);
      const settings: TableSettings = {
        keyNames: ((input.KeySchema ?? []) as { AttributeName: string }[]).map((key) => key.AttributeName),
        createdAt: clock.now(),
        deletionProtection: false,
        recoveryDays: 35,
      };
      applyTo(settings, input);
      const { TableDescription } = await engine.call('CreateTable', input);
      tables.set(String(input.TableName), settings);
      await settled(input.TableName);
      if (input.Tags)
        await engine.call('TagResource', { ResourceArn: tableArn(String(input.TableName)), Tags: input.Tags });
      return { TableDescription: described(TableDescription as Output, settings) };
    },

    async DescribeTable(input) {
      const { Table } = await engine.call('DescribeTable', input);
      return { Table: described(Table as Output, required(input)) };
    },

    async UpdateTable(input) {
      onlyKnown(input, UPDATE_MEMBERS);
      const settings = required(input);
      if (ENGINE_UPDATES.some((member) => member in input)) await engine.call('UpdateTable', input);
      else if (!OWN_UPDATES.some((member) => member in input)) {
        throw validation(
          'At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required',
        );
      }
      applyTo(settings, input);
      await settled(input.TableName);
      const { Table } = await engine.call('DescribeTable', { TableName: input.TableName });
      return { TableDescription: described(Table as Output, settings) };
    },

    async DeleteTable(input) {
      const settings = tables.get(String(input.TableName));
      if (settings?.deletionProtection) {
        throw validation(
          'Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.',
        );
      }
      const { TableDescription } = await engine.call('DeleteTable', input);
      await settled(input.TableName);
      tables.delete(String(input.TableName));
      return { TableDescription: settings ? described(TableDescription as Output, settings) : TableDescription };
    },
  };

  return {
    get: (tableName) => tables.get(String(tableName)),
    required,
    withTimeToLive: () => [...tables].filter(([, { timeToLive }]) => timeToLive !== undefined).map(([name]) => name),
    operations,
    snapshot: () => structuredClone(tables),
    restore(settings) {
      tables = structuredClone(settings);
    },
  };
}

/** dynalite passes over what it does not know; a table that silently lacks what was asked for would be a lie. */
function onlyKnown(input: Input, known: readonly string[]): void {
  const unknown = Object.keys(input).filter((member) => input[member] !== undefined && !known.includes(member));
  if (unknown.length > 0) throw validation(`The stand-in does not do ${unknown.join(', ')}.`);
}
