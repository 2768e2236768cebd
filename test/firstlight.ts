import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Outputs } from './local-run.ts';

/** Nobody's AWS credentials but those that a test gives. */
const bare = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AWS|FIRSTLIGHT)_/.test(name)));

interface Where {
  cwd?: string;
  env?: Record<string, string>;
}

/** Starts `firstlight` in a pipe: it has no terminal, and nothing to read. */
export const startFirstlight = (
  args: string[],
  { cwd, env }: Where = {},
): ChildProcessByStdio<null, Readable, Readable> =>
  spawn(process.execPath, [resolve('cli/firstlight.ts'), ...args], {
    ...(cwd !== undefined && { cwd }),
    env: { ...bare, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

export interface FirstlightRan {
  code: number;
  stdout: string;
  stderr: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  json(): any;
}

/** Runs it to its end. */
export async function firstlight(args: string[], where?: Where): Promise<FirstlightRan> {
  const run = startFirstlight(args, where);
  const [stdout, stderr, [code]] = await Promise.all([text(run.stdout), text(run.stderr), once(run, 'close')]);
  return { code: code as number, stdout, stderr, json: () => JSON.parse(stdout) };
}

/** The flags by which it finds a local run. */
export const atRun = ({ caPath }: Outputs): string[] => ['--outputs', join(dirname(caPath), 'outputs.json')];
