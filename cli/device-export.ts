import { createWriteStream } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import { stringify } from 'csv-stringify';
import { type ApiFlags, connect, withApi } from './connect.ts';
import { type DeviceFilter, type DeviceRow, devicePages, filterOf, withFilters } from './device-query.ts';
import { CommandFailed, exitCodes, orOneLine } from './failure.ts';
import { stopOnSignal } from './interruption.ts';
import { createPace } from './pace.ts';
import { createProgress } from './progress.ts';
import { count } from './table.ts';

const COLUMNS: (keyof DeviceRow)[] = [
  'serialNumber',
  'status',
  'streamMode',
  'model',
  'batch',
  'registeredAt',
  'claimedAt',
  'activeAt',
  'contestedAt',
];

interface ExportFlags extends ApiFlags, DeviceFilter {
  format: 'csv' | 'jsonl';
  out?: string;
}

export function register(device: Command): void {
  withApi(withFilters(device.command('export')), 'operator')
    .description('Write every camera that the filters let through, as CSV or JSON Lines.')
    .addOption(new Option('--format <format>', 'what is written').choices(['csv', 'jsonl']).default('csv'))
    .option('--json', 'the same as --format jsonl')
    .option('--out <file>', 'where it goes (default: the standard output)')
    .addHelpText(
      'after',
      `
A page at a time, so memory does not grow with the fleet. A cell of the CSV that a spreadsheet would run (it begins with = + - @ or a
tab) gets a ' in front; JSON Lines is exact. Stopped with Ctrl-C, what was written ends with a whole line.
Exit code: 0 all of it, 1 the API refused, 2 it could not be written to its end, 130 stopped with Ctrl-C.

Examples:
  firstlight device export --batch week-47 --out week-47.csv
  firstlight device export --status registered --format jsonl | jq -r .serialNumber`,
    )
    .action(({ json, ...flags }: ExportFlags & { json?: true }) =>
      orOneLine(() => exportDevices({ ...flags, ...(json && { format: 'jsonl' }) })),
    );
}

/** How long the API may go without an answer. */
const PATIENCE_MS = 300_000;

async function exportDevices({ format, out, ...flags }: ExportFlags): Promise<void> {
  const { api } = await connect(flags, 'operator');
  // The rows end with a whole one.
  const stop = stopOnSignal();
  const { signal } = stop;
  const progress = createProgress();
  const pace = createPace({ parallel: 1, patienceMs: PATIENCE_MS, signal });
  let rows = 0;
  async function* devices(): AsyncGenerator<DeviceRow> {
    try {
      for await (const page of devicePages(api, filterOf(flags), { pace, signal })) {
        for (const device of page.devices) yield device;
        rows += page.devices.length;
        // On a terminal the rows themselves show that something happens.
        if (out !== undefined || !process.stdout.isTTY) progress.show(undefined, `${count(rows)} devices`);
      }
    } catch (error) {
      // The rows before it are written to their end.
      if (!signal.aborted) throw error;
    }
  }
  const output: Writable = out === undefined ? process.stdout : createWriteStream(out);
  try {
    await pipeline(Readable.from(devices()), writer(format), output, { end: out !== undefined });
  } finally {
    progress.end();
    stop.forget();
  }
  if (signal.aborted) throw new CommandFailed(`stopped after ${count(rows)} devices`, exitCodes.interrupted);
  if (out !== undefined) console.error(`${count(rows)} devices are in ${out}.`);
}

const writer = (format: ExportFlags['format']) =>
  format === 'csv'
    ? // OWASP, "CSV Injection": what begins like a formula is run by spreadsheets.
      stringify({ header: true, columns: COLUMNS, escape_formulas: true })
    : async function* (devices: AsyncIterable<DeviceRow>) {
        for await (const device of devices) yield `${JSON.stringify(device)}\n`;
      };
