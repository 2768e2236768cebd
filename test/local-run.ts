import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `.firstlight/outputs.json`, the contract with scripts and tests. */
export interface Outputs {
  region: string;
  accountId: string;
  aws: string;
  api: string;
  mqtt: { host: string; port: number };
  credentials: { host: string; port: number };
  caPath: string;
  claim: { certificatePath: string; privateKeyPath: string; templateName: string; renewTemplateName: string };
  personas: Record<'admin' | 'factory' | 'operator' | 'auditor', { accessKeyId: string; secretAccessKey: string }>;
}

export interface LocalRun {
  outputs: Outputs;
  directory: string;
  /** All that it has printed so far. */
  printed(): string;
  /** Ctrl-C; resolves with the exit code. */
  stop(): Promise<number | null>;
}

/**
 * Starts the local run as a user would, without the demo, on free ports and in a folder of its own. For a test that moves the clock, injects
 * faults or resets; the others share the one that `inject('outputs')` tells of.
 */
export async function startLocalRun(...flags: string[]): Promise<LocalRun> {
  const directory = await mkdtemp(join(tmpdir(), 'firstlight-'));
  const ports = ['aws', 'api', 'mqtt', 'credentials'].flatMap((door) => [`--${door}-port`, '0']);
  const args = [
    'cli/firstlight.ts',
    'local',
    '--no-demo',
    '--no-package',
    '--directory',
    directory,
    ...ports,
    ...flags,
  ];
  const run = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(run, 'exit');
  let printed = '';
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      printed += chunk;
      if (printed.includes('Ctrl-C ends it')) resolve();
    };
    run.stdout.on('data', read);
    run.stderr.on('data', read);
    run.once('exit', (code) => reject(new Error(`the local run ended with ${code}:\n${printed}`)));
  });
  return {
    outputs: JSON.parse(await readFile(join(directory, 'outputs.json'), 'utf8')),
    directory,
    printed: () => printed,
    async stop() {
      run.kill('SIGINT');
      const [code] = await exited;
      await rm(directory, { recursive: true });
      return code;
    },
  };
}
