import type { Command } from 'commander';
import { type ApiFlags, connect, withApi } from './connect.ts';
import { type DeviceFilter, type DeviceRow, devicePages, filterOf, withFilters } from './device-query.ts';
import { orOneLine } from './failure.ts';
import { whole } from './flag-values.ts';
import { count, minute, printJson, table } from './table.ts';

interface ListFlags extends ApiFlags, DeviceFilter {
  limit: number;
  json?: true;
}

export function register(device: Command): void {
  withApi(withFilters(device.command('list')), 'operator')
    .description('List cameras, the newest first; without a filter by serial number.')
    .option('--limit <n>', 'so many at most; all: firstlight device export', whole, 50)
    .option('--json', 'print JSON: {devices, complete}')
    .addHelpText(
      'after',
      `
Every filter that is given must hold. Instants are UTC.

Examples:
  firstlight device list --batch week-47 --status registered     # what has not come up yet
  firstlight device list --claimed-after 2026-11-24 --limit 500
  firstlight device list --certificate-id 5d1f…                  # whose certificate is this?
  firstlight device list --status suspended --json | jq -r '.devices[].serialNumber'`,
    )
    .action((flags: ListFlags) => orOneLine(() => list(flags)));
}

async function list({ limit, json, ...flags }: ListFlags): Promise<void> {
  const { api } = await connect(flags, 'operator');
  const devices: DeviceRow[] = [];
  let complete = false;
  for await (const page of devicePages(api, filterOf(flags), { most: limit })) {
    devices.push(...page.devices);
    complete = page.isLast;
  }
  if (json) return printJson({ devices, complete });
  if (devices.length === 0) return console.log('There is no such device.');
  const head = ['serial number', 'status', 'batch', 'model', 'registered', 'claimed', 'active', 'contested'];
  const rows = devices.map((one) => [
    one.serialNumber,
    one.status,
    one.batch ?? '',
    one.model ?? '',
    minute(one.registeredAt),
    minute(one.claimedAt),
    minute(one.activeAt),
    minute(one.contestedAt),
  ]);
  console.log(table(head, rows));
  if (!complete) console.error(`These are the first ${count(devices.length)}; there may be more (--limit).`);
}
