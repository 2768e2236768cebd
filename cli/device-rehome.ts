import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Api } from './api.ts';
import { confirm } from './confirm.ts';
import { ask, askOnce, connect } from './connect.ts';
import { type ActFlags, act, retirement, type Streams, streamsOption, sure, tell } from './device-acts.ts';
import { type DeviceRecord, pathOf } from './device-record.ts';
import { CommandFailed, exitCodes, orOneLine } from './failure.ts';
import { whole } from './flag-values.ts';
import { createProgress } from './progress.ts';
import { printJson } from './table.ts';

interface RehomeFlags extends ActFlags {
  streams: Streams;
  yes?: true;
  patience: number;
}

export function register(device: Command): void {
  sure(act(device, 'rehome', 'A new owner: retire a camera and begin its new life in a new place.'))
    .addOption(streamsOption())
    .option('--patience <seconds>', 'how long AWS may take for the end of the old life', whole, 120)
    .addHelpText(
      'after',
      `
The next owner never meets the streams of the last: the new place has streams of its own, and the old ones stay, unless --streams delete
says otherwise. A camera of mode fixed keeps sharing the one stream of its deployment. Stopped in between, the same command goes on; a
camera that waits in a new place already is left there.
Exit code: 0 it waits in its new place, 1 the API refused or nobody said yes, 2 it could not be done (the same command goes on).

Examples:
  firstlight device rehome CAM-0001 --reason 'sold to site B'
  firstlight device rehome CAM-0001 --streams delete`,
    )
    .action((serial: string, flags: RehomeFlags) => orOneLine(() => rehome(serial, flags)));
}

/** AWS detaches and deletes at its own pace, in seconds. */
const PAUSE_MS = 2000;

async function rehome(serial: string, flags: RehomeFlags): Promise<void> {
  const { streams, yes, patience, reason, version, json, ...rest } = flags;
  const { api } = await connect(rest, 'operator');
  const before = await ask<DeviceRecord>(() => api.get(pathOf(serial)));
  if (waitsInItsPlace(before)) return done(before, json, `Nobody has claimed it in its place ${before.thingName} yet.`);
  if (before.status !== 'retired') await confirm({ yes, ...retirement(serial, streams) });

  const why = reason === undefined ? {} : { reason };
  const retired = await retire(api, serial, { ...why, streams, ...(version !== undefined && { version }) });
  const keeps = retired.streams.filter(({ state }) => state !== 'taken').map(({ name }) => name);
  if (streams === 'delete' && keeps.length > 0 && !retired.cutOff) {
    console.error(`When it was retired its streams were to be kept, and that stands: ${keeps.join(', ')}`);
  }
  const reopened = await reopen(api, serial, why, performance.now() + patience * 1000);
  done(reopened, json, nextOwner(reopened));
}

/** Nobody has been in this place: there is nothing to leave behind. */
const waitsInItsPlace = ({ status, streams, takeover }: DeviceRecord): boolean =>
  status === 'registered' && streams.length === 0 && takeover === undefined;

const retire = (api: Api, serial: string, order: object): Promise<DeviceRecord> => {
  const call = () => api.post(pathOf(serial, 'retire'), order);
  return 'version' in order ? askOnce(call) : ask(call);
};

/** Until AWS has taken the old life's certificates away, there is no new one: retiring again goes on with it. */
async function reopen(api: Api, serial: string, order: object, deadline: number): Promise<DeviceRecord> {
  const progress = createProgress();
  try {
    for (;;) {
      try {
        return await askOnce<DeviceRecord>(() => api.post(pathOf(serial, 'reopen'), order));
      } catch (error) {
        if (!(error instanceof CommandFailed)) throw error;
        // No answer, but perhaps it was done.
        const device = error.exitCode === exitCodes.stuck && (await ask<DeviceRecord>(() => api.get(pathOf(serial))));
        if (device && device.status === 'registered') return device;
        if (!device && error.code !== 'cut-off-unfinished') throw error;
        if (performance.now() + PAUSE_MS > deadline) {
          throw new CommandFailed(
            `${serial} is retired, and AWS has not taken its certificates away yet: the same command goes on (${error.message})`,
          );
        }
      }
      progress.show(undefined, 'waiting for AWS to take its certificates away');
      await sleep(PAUSE_MS);
      await ask(() => api.post(pathOf(serial, 'retire'), {}));
    }
  } finally {
    progress.end();
  }
}

function done(device: DeviceRecord, json: true | undefined, words: string): void {
  if (json) printJson(device);
  else {
    tell(device);
    console.log(words);
  }
}

/** What opens the new place. */
function nextOwner({ thingName, publicKeySha256, claimToken }: DeviceRecord): string {
  const place = `Its new place is ${thingName}.`;
  if (publicKeySha256 !== undefined) return `${place} The pinned key opens it.`;
  if (claimToken === 'spent') return `${place} Its token is spent: announce another one, or the camera cannot claim.`;
  if (claimToken === 'unspent') return `${place} Its token opens it.`;
  return `${place} Whoever holds a claim certificate and claims first has it: announce a pin or a token to be sure.`;
}
