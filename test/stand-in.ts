import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

/** `.firstlight/outputs.json`, the contract with scripts and tests. */
export interface Outputs {
  region: string;
  accountId: string;
  aws: string;
  api: string;
  mqtt: { host: string; port: number };
  credentials: { host: string; port: number };
  caPath: string;
  claim: { certificatePath: string; privateKeyPath: string; templateName: string };
  personas: Record<'admin' | 'factory' | 'operator' | 'auditor', { accessKeyId: string; secretAccessKey: string }>;
}

declare module 'vitest' {
  interface ProvidedContext {
    outputs: Outputs;
  }
}

/** Starts the local run as a user would, on free ports and in a folder of its own, and tells the tests where it is. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'firstlight-'));
  const ports = ['aws', 'api', 'mqtt', 'credentials'].flatMap((door) => [`--${door}-port`, '0']);
  const run = spawn(process.execPath, ['cli/firstlight.ts', 'local', '--no-demo', '--directory', directory, ...ports], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = await untilServing(run);
  const outputs: Outputs = JSON.parse(await readFile(join(directory, 'outputs.json'), 'utf8'));
  project.provide('outputs', outputs);
  return async () => {
    const exited = once(run, 'exit');
    run.kill('SIGINT');
    await exited;
    await rm(directory, { recursive: true });
    if (process.env.FIRSTLIGHT_LOG) console.log(output());
  };
}

/** Resolves at the line that says it serves; rejects with all it printed when it ends before. */
function untilServing(run: ChildProcess): Promise<() => string> {
  let printed = '';
  return new Promise((resolve, reject) => {
    const read = (chunk: Buffer) => {
      printed += chunk;
      if (printed.includes('Ctrl-C')) resolve(() => printed);
    };
    run.stdout?.on('data', read);
    run.stderr?.on('data', read);
    run.once('exit', (code) => reject(new Error(`the local run ended with ${code}:\n${printed}`)));
  });
}
