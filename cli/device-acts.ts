import { Argument, type Command, Option } from 'commander';
import { type Confirmation, confirm } from './confirm.ts';
import { type ApiFlags, ask, askOnce, connect, withApi } from './connect.ts';
import { type DeviceRecord, pathOf, remarks, standing } from './device-record.ts';
import { CommandFailed, orOneLine } from './failure.ts';
import { whole } from './flag-values.ts';
import { printJson } from './table.ts';

/** What every act takes. */
export interface ActFlags extends ApiFlags {
  reason?: string;
  version?: number;
  json?: true;
}

interface SureFlags extends ActFlags {
  yes?: true;
}

const POLICIES = ['refuse', 'same-key', 'replace-certificate', 'approve', 'default'];

const CODES = `
The same again changes nothing and goes on where an act was interrupted.
Exit code: 0 done, 1 the API refused or nobody said yes, 2 it could not be asked.`;

export function register(device: Command): void {
  act(device, 'suspend', 'Cut a camera off, for now: certificates, sessions, claims, and the credentials it has.')
    .addHelpText(
      'after',
      `${CODES}

Examples:
  firstlight device suspend CAM-0001 --reason 'reported stolen'
  firstlight device suspend CAM-0001 --version 7     # only if nobody has changed it since`,
    )
    .action((serial: string, flags: ActFlags) => orOneLine(() => perform(serial, 'suspend', flags)));

  act(device, 'resume', 'Give a suspended camera back what it had.')
    .addHelpText(
      'after',
      `${CODES}

Examples:
  firstlight device resume CAM-0001 --reason 'found again'`,
    )
    .action((serial: string, flags: ActFlags) => orOneLine(() => perform(serial, 'resume', flags)));

  sure(
    act(device, 'retire', 'Cut a camera off for good: its certificates and its thing go, its serial number is barred.'),
  )
    .addOption(streamsOption())
    .addHelpText(
      'after',
      `${CODES}

Examples:
  firstlight device retire CAM-0001 --reason sold
  firstlight device retire CAM-0001 --streams delete     # with all its footage; asks for the serial number
  firstlight device retire CAM-0001 --yes < /dev/null    # in a script`,
    )
    .action((serial: string, flags: SureFlags & { streams: Streams }) => orOneLine(() => retire(serial, flags)));

  act(device, 'reopen', 'Begin a new life of a retired camera, in a new place (rehome does both).')
    .addHelpText(
      'after',
      `
Exit code: 0 done, 1 the API refused, 2 it could not be asked.

Examples:
  firstlight device reopen CAM-0001 --reason 'a new owner'`,
    )
    .action((serial: string, flags: ActFlags) => orOneLine(() => reopen(serial, flags)));

  sure(act(device, 'replace', 'Other hardware takes over place, streams and history of this camera, which is cut off.'))
    .requiredOption('--by <serial>', 'the new hardware: announced, and not claimed')
    .option('--keep-until-connected', 'the old unit goes on until the new one has connected')
    .addHelpText(
      'after',
      `${CODES}

Examples:
  firstlight device replace CAM-0001 --by CAM-0907 --reason 'broken lens'
  firstlight device replace CAM-0001 --by CAM-0907 --keep-until-connected`,
    )
    .action((serial: string, flags: SureFlags & ReplaceFlags) => orOneLine(() => replace(serial, flags)));

  act(device, 'reprovisioning', 'Say what a claim of this camera needs once it is active.')
    .addArgument(new Argument('<POLICY>', 'what is needed').choices(POLICIES))
    .addHelpText(
      'after',
      `
  refuse               nothing opens it
  same-key             the key that it has, or the pinned one
  replace-certificate  what would open it if nobody had claimed it: with neither pin nor token, whoever holds a claim certificate
  approve              an operator, for one key and one day (firstlight device approve)
  default              what the deployment says
${CODES}

Examples:
  firstlight device reprovisioning CAM-0001 refuse --reason 'mounted where nobody can reset it'`,
    )
    .action((serial: string, policy: string, flags: ActFlags) =>
      orOneLine(() => perform(serial, 'reprovisioning', flags, { policy })),
    );

  act(device, 'approve', 'Let one key claim, for a day, where the re-provisioning policy would not.')
    .option('--claim <id>', 'the attempt that you have seen: firstlight device why SERIAL')
    .addOption(new Option('--key <sha256>', 'SHA-256 of the public key (SPKI, DER), in hex').conflicts('claim'))
    .addHelpText(
      'after',
      `${CODES}

Examples:
  firstlight device why CAM-0001
  firstlight device approve CAM-0001 --claim '2026-11-24T06:20:08.300Z#cb683ee689ea0354' --reason 'new mainboard'`,
    )
    .action((serial: string, flags: ActFlags & { claim?: string; key?: string }) =>
      orOneLine(() => approve(serial, flags)),
    );
}

export type Streams = 'keep' | 'delete';

export const streamsOption = () =>
  new Option('--streams <what>', 'delete: they go with all their footage').choices(['keep', 'delete']).default('keep');

/** A verb on one camera, with what every one of them takes. */
export const act = (device: Command, name: string, description: string): Command =>
  withApi(device.command(name), 'operator')
    .description(description)
    .argument('<SERIAL>', 'serial number')
    .option('--reason <text>', 'kept in the history of the camera')
    .option('--version <n>', 'only if the camera is still at this version', whole)
    .option('--json', 'print JSON: the camera as it is then');

export const sure = (command: Command): Command => command.option('--yes', 'do not ask');

async function perform(
  serial: string,
  verb: string,
  { reason, version, json, ...flags }: ActFlags,
  order: object = {},
  confirmation?: Confirmation,
): Promise<void> {
  const { api } = await connect(flags, 'operator');
  if (confirmation) await confirm(confirmation);
  const body = { ...order, ...(reason !== undefined && { reason }), ...(version !== undefined && { version }) };
  const call = () => api.post(pathOf(serial, verb), body);
  // Where the version is named, or the first one changes what the second would find, an answer that was lost stays unknown.
  const isRepeatable = version === undefined && verb !== 'reopen';
  const device = await (isRepeatable ? ask<DeviceRecord>(call) : askOnce<DeviceRecord>(call));
  if (json) printJson(device);
  else tell(device);
}

export const tell = (device: DeviceRecord): void =>
  console.log([`${standing(device)}.`, ...remarks(device)].join('\n  '));

function retire(serial: string, { streams, yes, ...flags }: SureFlags & { streams: Streams }): Promise<void> {
  return perform(serial, 'retire', flags, { streams }, { yes, ...retirement(serial, streams) });
}

/** What is asked before a camera's certificates, or its footage, go for good. */
export const retirement = (serial: string, streams: Streams): Omit<Confirmation, 'yes'> =>
  streams === 'keep'
    ? { what: `${serial} is cut off for good; its streams stay.` }
    : { what: `${serial} is cut off for good, and all its footage is deleted.`, word: serial };

function reopen(serial: string, flags: ActFlags): Promise<void> {
  return perform(serial, 'reopen', flags);
}

interface ReplaceFlags {
  by: string;
  keepUntilConnected?: true;
}

function replace(serial: string, { by, keepUntilConnected, yes, ...flags }: SureFlags & ReplaceFlags): Promise<void> {
  const when = keepUntilConnected ? `once ${by} has connected` : 'at once';
  const what = `${serial} is cut off for good ${when}; ${by} takes over its place, streams and history.`;
  return perform(serial, 'replace', flags, { by, ...(keepUntilConnected && { keepUntilConnected }) }, { what, yes });
}

function approve(serial: string, { claim, key, ...flags }: ActFlags & { claim?: string; key?: string }): Promise<void> {
  if (claim === undefined && key === undefined) {
    throw new CommandFailed(`give --claim or --key: firstlight device why ${serial} lists who has tried`);
  }
  return perform(serial, 'approve-claim', flags, claim === undefined ? { publicKeySha256: key } : { claimId: claim });
}
