/**
 * `npm run bench:import`: what the CLI makes of a factory's week at the local run. A manifest is checked, imported, and imported again, which
 * must write nothing; in a new world a smaller one is killed half-way and started again, and must end the same.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { parseArgs, styleText } from 'node:util';
import { paginateScan } from '@aws-sdk/client-dynamodb';
import Table from 'cli-table3';
import { tellStandIn } from '../test/admin.ts';
import { awsClients } from '../test/aws-clients.ts';
import { type LocalRun, startLocalRun } from '../test/local-run.ts';
import { packageIfStale } from './bundle.ts';

/** What the CLI prints with `--json`. */
interface Figures {
  rows: number;
  good?: number;
  created?: number;
  updated?: number;
  unchanged?: number;
  rejected?: number;
  resumedAt?: number;
  apiCalls?: number;
  seconds: number;
  rowsPerSecond: number;
  peakMemoryMb: number;
}

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '100000' }, killed: { type: 'string', default: '20000' } },
});
const rows = Number(values.rows);
const killed = Math.min(rows, Number(values.killed));

const directory = await mkdtemp(join(tmpdir(), 'firstlight-import-'));
const printed = new Table({
  head: ['', 'rows', 'created', 'updated', 'unchanged', 'rejected', 'API calls', 'seconds', 'rows/s', 'peak MB'],
  colAligns: ['left', ...Array<'right'>(9).fill('right')],
  style: { head: [], border: [] },
  chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
});
const faults: string[] = [];
await packageIfStale();
const run = await startLocalRun();
try {
  await measure(run);
} finally {
  await run.stop();
  await rm(directory, { recursive: true });
}
console.log(printed.toString());
for (const fault of faults) console.log(styleText('red', fault));
if (faults.length === 0)
  console.log(styleText('green', 'The same import again wrote nothing; the killed one ended the same.'));
process.exitCode = faults.length === 0 ? 0 : 1;

async function measure(run: LocalRun): Promise<void> {
  const [whole, part] = [await manifest('whole.csv', rows), await manifest('part.csv', killed)];
  tell('check', await firstlight(run, ['check', whole]), { rows, good: rows });

  tell('import', await firstlight(run, ['import', whole]), { rows, updated: 0, rejected: 0 });
  const first = await registry(run);
  expect(first.size === rows, `${first.size} devices are in the registry, and not ${rows}`);

  tell('again', await firstlight(run, ['import', whole]), { rows, unchanged: rows });
  const second = await registry(run);
  expect(sameMembers(first, second, 'whole'), 'the same import again has written something');

  await tellStandIn(run.outputs.aws, 'reset');
  await killHalfWay(run, part);
  const halfWay = await registry(run);
  expect(halfWay.size > 0 && halfWay.size < killed, `${halfWay.size} of ${killed} devices were in at the kill`);
  tell('killed, then', await firstlight(run, ['import', part]), { rows: killed, updated: 0, rejected: 0 });
  const ended = await registry(run);
  expect(ended.size === killed, `${ended.size} devices are in after the kill, and not ${killed}`);
  expect(sameMembers(ended, first, 'content'), 'the killed import has not ended the same');
}

/** One device as it is in the table: every byte of it, and what of it does not tell when it was written. */
interface Kept {
  whole: string;
  content: string;
}

async function registry({ outputs }: LocalRun): Promise<Map<string, Kept>> {
  const { dynamoDb: client } = awsClients(outputs, outputs.personas.admin);
  const TableName = outputs.claim.templateName.replace(/-claim$/, '-devices');
  const devices = new Map<string, Kept>();
  for await (const { Items } of paginateScan({ client }, { TableName, ConsistentRead: true })) {
    for (const item of Items ?? []) {
      const { registeredAt, history, ...content } = item;
      devices.set(item.serialNumber?.S ?? '', { whole: digest(item), content: digest(content) });
    }
  }
  return devices;
}

function digest(item: object): string {
  return createHash('sha256')
    .update(JSON.stringify(Object.entries(item).toSorted()))
    .digest('base64');
}

function sameMembers(some: Map<string, Kept>, among: Map<string, Kept>, what: keyof Kept): boolean {
  return [...some].every(([serialNumber, kept]) => kept[what] === among.get(serialNumber)?.[what]);
}

async function manifest(name: string, count: number): Promise<string> {
  function* lines() {
    yield 'serialNumber,model,batch,publicKeySha256,channels\n';
    for (let n = 0; n < count; n++) {
      const serialNumber = `CAM-${String(n).padStart(7, '0')}`;
      const pin = createHash('sha256').update(serialNumber).digest('hex');
      yield `${serialNumber},A1,week-47,${pin},sub\n`;
    }
  }
  const file = join(directory, name);
  await pipeline(Readable.from(lines()), createWriteStream(file));
  return file;
}

function start({ directory: where }: LocalRun, [verb = '', ...more]: string[]) {
  const door = verb === 'import' ? ['--outputs', join(where, 'outputs.json')] : [];
  return spawn(process.execPath, ['cli/firstlight.ts', 'manifest', verb, ...more, ...door], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function firstlight(run: LocalRun, args: string[]): Promise<Figures> {
  const child = start(run, [...args, '--json']);
  for await (const line of createInterface(child.stderr)) progress(`${args[0]}: ${line}`);
  progress('');
  return JSON.parse(await text(child.stdout));
}

async function killHalfWay(run: LocalRun, file: string): Promise<void> {
  const child = start(run, ['import', file]);
  for await (const line of createInterface(child.stderr)) {
    progress(`killed: ${line}`);
    const [, done = '0'] = /([\d,]+) rows/.exec(line) ?? [];
    if (Number(done.replaceAll(',', '')) >= killed / 2) child.kill('SIGKILL');
  }
  progress('');
}

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
  else if (line) process.stderr.write(`${line}\n`);
}

/** Every row must be accounted for as it was expected. */
function tell(what: string, figures: Figures, expected: Partial<Figures>): void {
  const { created, updated, unchanged, rejected, apiCalls, seconds, rowsPerSecond, peakMemoryMb } = figures;
  const counts = [figures.rows, created, updated, unchanged, rejected, apiCalls].map((count) => count ?? '');
  printed.push([what, ...counts, seconds.toFixed(1), rowsPerSecond, peakMemoryMb]);
  for (const [name, count] of Object.entries(expected)) {
    expect(
      figures[name as keyof Figures] === count,
      `${what}: ${name} is ${figures[name as keyof Figures]}, and not ${count}`,
    );
  }
}

function expect(isTrue: boolean, fault: string): void {
  if (!isTrue) faults.push(fault);
}
