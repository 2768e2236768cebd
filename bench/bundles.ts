/**
 * `npm run bench`: what each function's shipped bundle costs to load, beside an empty handler and beside the same code bundled with esbuild's
 * defaults, measured in one run. Ends with 1 if the provisioning hook, which has five seconds for everything, misses its bounds.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { announce, newSerial } from '../test/camera-claim.ts';
import { hookEvent, issueCertificate } from '../test/hook-event.ts';
import { startHook } from '../test/hook-process.ts';
import { startLocalRun } from '../test/local-run.ts';
import { defaultBundle, packagedFunctions, packageIfStale, shippedBundle } from './bundle.ts';
import { importTime, median } from './import-time.ts';

/** Of the same code under esbuild's defaults. */
const MOST_BYTES = 0.25;
const MOST_IMPORT_TIME = 0.6;
/** The hook's AWS calls on the straight path of a claim. */
const MOST_CALLS = 3;

const { rounds } = new Command('bench')
  .option('--rounds <count>', 'new processes for each bundle', count, 21)
  .parse()
  .opts<{ rounds: number }>();
const directory = await mkdtemp(join(tmpdir(), 'firstlight-bench-'));
try {
  await packageIfStale();
  const loads = await prepare();
  await measure(loads);
  console.log(tableOf(loads));
  const isWithin = verdict(loads);
  const isFrugal = await calls();
  process.exitCode = isWithin && isFrugal ? 0 : 1;
} finally {
  await rm(directory, { recursive: true });
}

/** One bundle to be loaded again and again. */
interface Load {
  name: string;
  kind: 'empty' | 'shipped' | 'default';
  file: string;
  bytes: number;
  environment: Record<string, string>;
  milliseconds: number[];
}

async function prepare(): Promise<Load[]> {
  const empty = await load(
    'empty handler',
    'empty',
    new TextEncoder().encode('export const handler = async () => {};\n'),
  );
  const functions = await packagedFunctions();
  const pairs = functions.map(async (fn) => [
    await load(fn.key, 'shipped', await shippedBundle(fn), fn.environment),
    await load(fn.key, 'default', await defaultBundle(fn), fn.environment),
  ]);
  return [empty, ...(await Promise.all(pairs)).flat()];
}

async function load(name: string, kind: Load['kind'], bundle: Uint8Array, environment = {}): Promise<Load> {
  const file = join(directory, `${name.replaceAll(' ', '-')}-${kind}.${kind === 'default' ? 'cjs' : 'mjs'}`);
  await writeFile(file, bundle);
  return { name, kind, file, bytes: bundle.length, environment, milliseconds: [] };
}

/** One after the other, every bundle once a round, there and back again: a machine that grows slow is slow for all of them. */
async function measure(loads: Load[]): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 === 0 ? loads : loads.toReversed()) {
      one.milliseconds.push(await importTime(one.file, one.environment));
    }
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1} of ${rounds}`);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

function tableOf(loads: Load[]): string {
  const table = new Table({
    head: ['bundle', 'shipped KB', 'default KB', 'ratio', 'shipped ms', 'default ms', 'ratio'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  for (const one of loads.filter(({ kind }) => kind !== 'default')) {
    const { bytes, time } = besideDefault(loads, one);
    table.push([
      one.name,
      kilobytes(one.bytes),
      bytes ? kilobytes(bytes.of) : '',
      bytes ? bytes.ratio.toFixed(2) : '',
      median(one.milliseconds).toFixed(1),
      time ? time.of.toFixed(1) : '',
      time ? time.ratio.toFixed(2) : '',
    ]);
  }
  return `${table}\nMedian import of a whole bundle in a new process, ${rounds} processes each, Node ${process.versions.node}.`;
}

function besideDefault(loads: Load[], shipped: Load) {
  const other = loads.find(({ name, kind }) => name === shipped.name && kind === 'default');
  if (!other) return {};
  const time = median(other.milliseconds);
  return {
    bytes: { of: other.bytes, ratio: shipped.bytes / other.bytes },
    time: { of: time, ratio: median(shipped.milliseconds) / time },
  };
}

function verdict(loads: Load[]): boolean {
  const hook = loads.find(({ name, kind }) => name === 'provisioningHook' && kind === 'shipped');
  const { bytes, time } = hook ? besideDefault(loads, hook) : {};
  if (!bytes || !time) throw new Error('the template names no provisioningHook');
  const results = [
    within(`bytes ${bytes.ratio.toFixed(2)} of the default (at most ${MOST_BYTES})`, bytes.ratio <= MOST_BYTES),
    within(`import time ${time.ratio.toFixed(2)} (at most ${MOST_IMPORT_TIME})`, time.ratio <= MOST_IMPORT_TIME),
  ];
  return results.every(Boolean);
}

/** One claim of an announced device on a local run, by the bundle that was measured. */
async function calls(): Promise<boolean> {
  const { outputs, stop } = await startLocalRun();
  try {
    const SerialNumber = newSerial();
    await announce(outputs, { serialNumber: SerialNumber });
    const hook = await startHook(outputs);
    const event = await hookEvent(outputs, await issueCertificate(outputs), { SerialNumber });
    const { answer, calls } = await hook.ask(event).finally(hook.stop);
    if (!answer.allowProvisioning) throw new Error('the hook refused the claim that was to be counted');
    const names = calls.map(({ service, operation }) => `${service} ${operation}`).join(', ');
    const isFrugal = calls.length <= MOST_CALLS && calls.every(({ service }) => service !== 'iot');
    return within(`${calls.length} AWS calls for a claim (at most ${MOST_CALLS}, none to AWS IoT): ${names}`, isFrugal);
  } finally {
    await stop();
  }
}

function within(what: string, isWithin: boolean): boolean {
  console.log(`${isWithin ? styleText('green', '✓') : styleText('red', '✗')} the hook: ${what}`);
  return isWithin;
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('A whole number from 1.');
  return value;
}
