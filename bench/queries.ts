/**
 * `npm run bench:queries`: what each query of the registry costs in DynamoDB's read units, and how long it takes, on a local run with so many
 * devices (`--devices`). DynamoDB bills the same units; its times are its own.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type AttributeValue,
  BatchWriteItemCommand,
  QueryCommand,
  UpdateTableCommand,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { DeleteEventSourceMappingCommand, ListEventSourceMappingsCommand } from '@aws-sdk/client-lambda';
import Table from 'cli-table3';
import { awsClients } from '../test/aws-clients.ts';
import { createHttpApi } from '../test/http-api.ts';
import { type LocalRun, startLocalRun } from '../test/local-run.ts';
import { packageIfStale } from './bundle.ts';
import { median } from './import-time.ts';

const ROUNDS = 5;
const SIDE_BY_SIDE = 8;
const BATCH = 1000;
const DAY_MS = 86_400_000;
const STATUSES = [...Array(14).fill('active'), ...Array(3).fill('registered'), 'claimed', 'claimed', 'suspended'];

const { values } = parseArgs({ options: { devices: { type: 'string', default: '100000' } } });
const count = Number(values.devices);
await packageIfStale();
const run = await startLocalRun();
try {
  const began = performance.now();
  await fill(run);
  console.log(`${count.toLocaleString('en')} devices in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  console.log(await measure(run));
} finally {
  await run.stop();
}

interface Spread {
  serialNumber: string;
  status: string;
  batch: string;
  model: string;
  registeredAt: string;
  claimedAt?: string;
  certificateId?: string;
}

/** Batches of a thousand, a hundred rows an announcement, a year of them; five models; most of them active. */
function spread(n: number): Spread {
  const status = STATUSES[(n * 7) % STATUSES.length] ?? 'active';
  const registered = Date.UTC(2026, 0, 1) + Math.floor(n / 100) * Math.floor((365 * DAY_MS) / Math.ceil(count / 100));
  const isClaimed = status !== 'registered';
  return {
    serialNumber: `CAM-${String(n).padStart(7, '0')}`,
    status,
    batch: `2026-${String(Math.floor(n / BATCH)).padStart(4, '0')}`,
    model: `A${(n * 11) % 5}`,
    registeredAt: new Date(registered).toISOString(),
    ...(isClaimed && {
      claimedAt: new Date(registered + 7 * DAY_MS + (n % 1000) * 60_000).toISOString(),
      certificateId: n.toString(16).padStart(64, '0'),
    }),
  };
}

/** As shared/aws/dynamodb keeps a device, history and all: an item of a good kilobyte. */
function itemOf({ certificateId, ...device }: Spread): Record<string, AttributeValue> {
  let hash = 0x811c9dc5;
  for (const character of device.serialNumber) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  }
  const shard = String(hash % 10);
  const entry = (what: string) => ({
    M: {
      at: { S: device.registeredAt },
      by: { S: 'arn:aws:iam::000000000000:user/factory' },
      what: { S: what },
      why: { S: 'x'.repeat(250) },
    },
  });
  return {
    ...Object.fromEntries(Object.entries(device).map(([name, value]) => [name, { S: value }])),
    version: { N: '3' },
    streamMode: { S: 'thing-name' },
    channels: { L: [] },
    certificates: { L: certificateId ? [{ M: { id: { S: certificateId }, state: { S: 'current' } } }] : [] },
    streams: { L: [] },
    history: { L: ['announced', 'claimed', 'shown-life'].map(entry) },
    shard: { S: shard },
    statusShard: { S: `${device.status}#${shard}` },
    ...(device.claimedAt && { claimedShard: { S: shard } }),
    ...(certificateId && { newestCertificateId: { S: certificateId } }),
  };
}

async function fill({ outputs }: LocalRun): Promise<void> {
  const { dynamoDb, lambda } = awsClients(outputs, outputs.personas.admin);
  const prefix = outputs.claim.templateName.replace(/claim$/, '');
  // What is written here has no story to tell: the counters are written beside it.
  const { EventSourceMappings = [] } = await lambda.send(new ListEventSourceMappingsCommand({}));
  for (const { UUID } of EventSourceMappings) await lambda.send(new DeleteEventSourceMappingCommand({ UUID }));
  await dynamoDb.send(
    new UpdateTableCommand({ TableName: `${prefix}devices`, StreamSpecification: { StreamEnabled: false } }),
  );
  const write = async (table: string, items: Record<string, AttributeValue>[]) => {
    let requests: WriteRequest[] = items.map((Item) => ({ PutRequest: { Item } }));
    while (requests.length > 0) {
      const RequestItems = { [`${prefix}${table}`]: requests.splice(0, 25) };
      const { UnprocessedItems = {} } = await dynamoDb.send(new BatchWriteItemCommand({ RequestItems }));
      requests = [...requests, ...Object.values(UnprocessedItems).flat()];
    }
  };

  const counts = new Map<string, number>();
  let next = 0;
  await Promise.all(
    Array.from({ length: SIDE_BY_SIDE }, async () => {
      while (next < count) {
        const devices = Array.from({ length: Math.min(25, count - next) }, () => spread(next++));
        for (const device of devices) {
          for (const kind of ['status', 'batch', 'model'] as const) {
            const key = `${kind}/${device[kind]}`;
            counts.set(key, (counts.get(key) ?? 0) + 1);
          }
        }
        await write('devices', devices.map(itemOf));
        if (process.stderr.isTTY) process.stderr.write(`\r${next}`);
      }
    }),
  );
  const counters = [...counts].map(([key, number]) => {
    const [kind = '', name = ''] = key.split('/');
    return { kind: { S: kind }, name: { S: name }, count: { N: String(number) } };
  });
  await write('counters', counters);
}

async function measure({ outputs, directory }: LocalRun): Promise<string> {
  const operator = createHttpApi(outputs, outputs.personas.operator);
  const prefix = outputs.claim.templateName.replace(/claim$/, '');
  const log = join(directory, 'logs', `${prefix}listDevices.log`);
  const middle = spread(Math.floor(count / 2));
  const later = new Date(Date.parse(middle.registeredAt) + 8 * DAY_MS).toISOString();
  const day = new Date(Date.parse(later) - DAY_MS / 4).toISOString();
  const claimed = spread(Array.from({ length: 20 }, (_, n) => n).find((n) => spread(n).certificateId) ?? 0);
  const queries = [
    '',
    'status=active',
    'status=suspended',
    `batch=${middle.batch}`,
    `batch=${middle.batch}&status=suspended`,
    'model=A1',
    'model=A1&status=claimed',
    `serialPrefix=${middle.serialNumber.slice(0, -2)}`,
    `serialPrefix=${middle.serialNumber.slice(0, -2)}&status=active`,
    'serialPrefix=CAM-',
    `claimedAfter=${day}&claimedBefore=${later}`,
    `claimedAfter=${day}`,
    `status=suspended&claimedAfter=${middle.registeredAt}`,
    `certificateId=${claimed.certificateId}`,
  ];
  const table = new Table({
    head: ['GET /devices', 'limit', 'devices', 'more', 'read units', 'ms'],
    colAligns: ['left', 'right', 'right', 'left', 'right', 'right'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  for (const query of queries) {
    for (const limit of query === '' || query === 'status=active' ? [50, 1000] : [50]) {
      const times: number[] = [];
      let found = 0;
      let more = false;
      for (let round = 0; round < ROUNDS; round++) {
        const began = performance.now();
        const { status, body } = await operator.get(`/devices?limit=${limit}${query && `&${query}`}`);
        times.push(performance.now() - began);
        if (status !== 200) throw new Error(`${query}: ${status} ${JSON.stringify(body)}`);
        found = body.devices.length;
        more = body.nextCursor !== undefined;
      }
      const lines = (await readFile(log, 'utf8')).trim().split('\n');
      const { readUnits } = JSON.parse(lines.findLast((line) => line.includes('"readUnits"')) ?? '{}');
      const shortened = query.replace(/[0-9a-f]{60}/, '…');
      table.push([shortened || '(no filter)', limit, found, more ? 'yes' : '', readUnits, median(times).toFixed(0)]);
    }
  }
  return `${table}\n${await statsCost(outputs, prefix)}`;
}

async function statsCost(outputs: LocalRun['outputs'], prefix: string): Promise<string> {
  const { dynamoDb } = awsClients(outputs, outputs.personas.admin);
  const operator = createHttpApi(outputs, outputs.personas.operator);
  let units = 0;
  for (const kind of ['status', 'batch', 'model']) {
    const { ConsumedCapacity } = await dynamoDb.send(
      new QueryCommand({
        TableName: `${prefix}counters`,
        KeyConditionExpression: 'kind = :kind',
        ExpressionAttributeValues: { ':kind': { S: kind } },
        ReturnConsumedCapacity: 'TOTAL',
      }),
    );
    units += ConsumedCapacity?.CapacityUnits ?? 0;
  }
  const began = performance.now();
  const { body } = await operator.get('/stats');
  const ms = (performance.now() - began).toFixed(0);
  const names = Object.keys(body.batch).length + Object.keys(body.model).length;
  return `GET /stats: ${units} read units for ${names} batches and models, ${ms} ms`;
}
