import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Outputs } from './local-run.ts';

export interface Ended {
  /** null: killed by a signal. */
  code: number | null;
  printed: string;
}

export interface CameraProcess {
  /** Resolves with the line that this matches, once it has been printed; rejects if the process ends without it. */
  sees(pattern: RegExp): Promise<string>;
  ended: Promise<Ended>;
  /** Power off: SIGKILL. */
  kill(): Promise<Ended>;
}

export interface Body {
  serialNumber: string;
  /** Its disk. */
  directory: string;
  /** How wrong its clock is. */
  clockOffsetMs?: number;
}

/** The reference camera as its own process, at a local run's addresses. */
export function startCamera(
  { caPath }: Outputs,
  verb: 'boot' | 'renew' | 'stream' | 'credentials' | 'kvssink',
  { serialNumber, directory, clockOffsetMs = 0 }: Body,
  ...flags: string[]
): CameraProcess {
  const where = ['--serial', serialNumber, '--dir', directory, '--outputs', join(dirname(caPath), 'outputs.json')];
  const clock = clockOffsetMs === 0 ? [] : ['--import', wrongClock(clockOffsetMs)];
  const camera = spawn(process.execPath, [...clock, 'cli/firstlight.ts', 'camera', verb, ...where, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  const watchers = new Set<() => void>();
  const read = (chunk: Buffer) => {
    printed += chunk;
    for (const look of watchers) look();
  };
  camera.stdout.on('data', read);
  camera.stderr.on('data', read);
  const ended = once(camera, 'close').then(([code]): Ended => ({ code, printed }));

  return {
    ended,
    sees: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const line = printed.split('\n').find((text) => pattern.test(text));
          if (line === undefined) return false;
          watchers.delete(look);
          resolve(line);
          return true;
        };
        if (look()) return;
        watchers.add(look);
        void ended.then(({ code }) => {
          if (!look()) reject(new Error(`the camera ended with ${code} before ${pattern}:\n${printed}`));
        });
      }),
    kill() {
      camera.kill('SIGKILL');
      return ended;
    },
  };
}

/** Runs it to its end. */
export const runCamera = (...args: Parameters<typeof startCamera>): Promise<Ended> => startCamera(...args).ended;

/** An empty disk for a camera, which lasts as long as this process. */
export function emptyDisk(): string {
  const directory = mkdtempSync(join(tmpdir(), 'firstlight-camera-'));
  disks.push(directory);
  return directory;
}

const disks: string[] = [];
process.once('exit', () => {
  for (const directory of disks) rmSync(directory, { recursive: true, force: true });
});

/** A module that makes the process believe in another time than the machine's. */
const wrongClock = (offsetMs: number): string =>
  `data:text/javascript,${encodeURIComponent(`
    const Right = Date;
    globalThis.Date = class Date extends Right {
      constructor(...given) {
        if (given.length > 0) super(...given);
        else super(Right.now() + ${offsetMs});
      }
      static now() {
        return Right.now() + ${offsetMs};
      }
    };`)}`;
