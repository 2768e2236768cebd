import type { Command } from 'commander';
import { type ApiFlags, ask, connect, withApi } from './connect.ts';
import { type DeviceRecord, type HistoryEntry, pathOf, remarks, standing } from './device-record.ts';
import { orOneLine } from './failure.ts';
import { facts, minute, printJson, second, table } from './table.ts';

export function register(device: Command): void {
  withApi(device.command('show'), 'operator')
    .description('All that is known of one camera: certificates, streams, and who did what to it.')
    .argument('<SERIAL>', 'serial number')
    .option('--json', 'print JSON, as GET /devices/SERIAL answers it')
    .addHelpText(
      'after',
      `
The history keeps the newest 40 entries. By whom: an IAM principal, function:<name>, or certificate:<id> for the camera itself.
Exit code: 0 shown, 1 there is none of this serial number, 2 it could not be asked.

Examples:
  firstlight device show CAM-0001 --as auditor
  firstlight device show CAM-0001 --json | jq .certificates`,
    )
    .action((serial: string, flags: ApiFlags & { json?: true }) => orOneLine(() => show(serial, flags)));
}

async function show(serial: string, { json, ...flags }: ApiFlags & { json?: true }): Promise<void> {
  const { api } = await connect(flags, 'operator');
  const device = await ask<DeviceRecord>(() => api.get(pathOf(serial)));
  if (json) return printJson(device);
  console.log([`${standing(device)}.`, ...remarks(device)].join('\n  '));
  console.log(`\n${facts(described(device))}`);
  if (device.certificates.length > 0) {
    const rows = device.certificates.map((one) => [
      one.id,
      one.state,
      minute(one.since),
      one.door,
      one.publicKeySha256,
    ]);
    console.log(`\n${table(['certificate', 'is', 'since', 'door', 'key'], rows)}`);
  }
  const streams = [
    ...device.streams,
    ...(device.formerStreams ?? []).map((one) => ({ ...one, state: 'of an earlier life' })),
  ];
  if (streams.length > 0) {
    const rows = streams.map((one) => [one.name, one.state, minute(one.since), minute(one.until)]);
    console.log(`\n${table(['stream', 'is', 'since', 'until'], rows)}`);
  }
  console.log(`\n${table(['at', 'what', 'by', 'why'], device.history.map(told))}`);
}

function described(device: DeviceRecord): [string, string | undefined][] {
  const { attributes = {} } = device;
  return [
    ['place', device.thingName],
    ['replaces', device.replaces],
    ['replaced by', device.replacedBy],
    ['batch', device.batch],
    ['model', device.model],
    ...Object.entries(attributes).map(([name, value]): [string, string] => [`attr:${name}`, value]),
    ['stream mode', device.streamMode],
    ['channels', device.channels.join(' ')],
    ['pinned key', device.publicKeySha256],
    ['claim token', device.claimToken],
    ['re-provisioning', device.reprovisioning],
    ['registered', minute(device.registeredAt)],
    ['claimed', minute(device.claimedAt)],
    ['active since', minute(device.activeAt)],
    ['opened by', device.openedBy],
    ['version', String(device.version)],
  ];
}

const told = ({ at, what, by, why, of }: HistoryEntry) => [
  second(at),
  of === undefined ? what : `${what} (${of})`,
  by,
  why ?? '',
];
