/**
 * `npm run bench`: what each function's shipped bundle costs to load, beside an empty handler and beside the same code bundled with esbuild's
 * defaults, measured in one run. Ends with 1 if a hook, which has five seconds for everything, misses its bounds.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { announce, newSerial } from '../test/camera-claim.ts';
import { untilActive } from '../test/device-records.ts';
import { callFunction } from '../test/function-call.ts';
import { hookEvent, issueCertificate, renewalEvent } from '../test/hook-event.ts';
import { startHook } from '../test/hook-process.ts';
import { type Outputs, startLocalRun } from '../test/local-run.ts';
import { defaultBundle, packagedFunctions, packageIfStale, shippedBundle } from './bundle.ts';
import { importTime, median } from './import-time.ts';

/** Of the same code under esbuild's defaults. */
const MOST_BYTES = 0.25;
const MOST_IMPORT_TIME = 0.6;
/** A hook's AWS calls on the straight path. */
const MOST_CALLS = 3;
const HOOKS = ['provisioningHook', 'renewalHook'] as const;

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
  const isWithin = HOOKS.map((hook) => verdict(loads, hook)).every(Boolean);
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

function verdict(loads: Load[], name: string): boolean {
  const hook = loads.find((one) => one.name === name && one.kind === 'shipped');
  const { bytes, time } = hook ? besideDefault(loads, hook) : {};
  if (!bytes || !time) throw new Error(`the template names no ${name}`);
  const results = [
    within(name, `bytes ${bytes.ratio.toFixed(2)} of the default (at most ${MOST_BYTES})`, bytes.ratio <= MOST_BYTES),
    within(name, `import time ${time.ratio.toFixed(2)} (at most ${MOST_IMPORT_TIME})`, time.ratio <= MOST_IMPORT_TIME),
  ];
  return results.every(Boolean);
}

/** One claim of an announced device and its first renewal on a local run, by the bundles that were measured. */
async function calls(): Promise<boolean> {
  const { outputs, stop } = await startLocalRun();
  try {
    const serialNumber = newSerial();
    // The mode whose renewal needs a stream of its own.
    await announce(outputs, { serialNumber, streamMode: 'certificate-id' });
    const parameters = { SerialNumber: serialNumber };
    const first = await issueCertificate(outputs);
    const claim = await counted(outputs, 'provisioningHook', await hookEvent(outputs, first, parameters));
    await callFunction(outputs, 'onPresence', {
      clientId: serialNumber,
      eventType: 'connected',
      timestamp: Date.now(),
      principalIdentifier: first.certificateId,
    });
    const { thingName } = await untilActive(outputs, serialNumber);
    const asking = { certificateId: first.certificateId, thingName };
    const event = await renewalEvent(asking, await issueCertificate(outputs), parameters);
    const renewal = await counted(outputs, 'renewalHook', event);
    return claim && renewal;
  } finally {
    await stop();
  }
}

async function counted(outputs: Outputs, name: (typeof HOOKS)[number], event: object): Promise<boolean> {
  const hook = await startHook(outputs, name);
  const { answer, calls } = await hook.ask(event).finally(hook.stop);
  if (!answer.allowProvisioning) throw new Error(`${name} refused what was to be counted`);
  const names = calls.map(({ service, operation }) => `${service} ${operation}`).join(', ');
  const isFrugal = calls.length <= MOST_CALLS && calls.every(({ service }) => service !== 'iot');
  return within(name, `${calls.length} AWS calls (at most ${MOST_CALLS}, none to AWS IoT): ${names}`, isFrugal);
}

function within(name: string, what: string, isWithin: boolean): boolean {
  console.log(`${isWithin ? styleText('green', '✓') : styleText('red', '✗')} ${name}: ${what}`);
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
