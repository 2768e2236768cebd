import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Outputs } from './local-run.ts';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Shell {
  /** The temporary folder that the commands run in. */
  folder: string;
  write(file: string, content: string): Promise<void>;
  /** Runs it in bash; whatever it ends with is an answer. */
  tries(command: string): Promise<Ran>;
  /** Runs it in bash and throws if it fails; resolves with what it printed. */
  runs(command: string): Promise<string>;
  close(): Promise<void>;
}

/** A terminal of somebody who has an AWS profile called `default` for the stand-in's administrator, and nothing else. */
export async function openShell({ aws, region, personas }: Outputs): Promise<Shell> {
  const home = await mkdtemp(join(tmpdir(), 'firstlight-profile-'));
  const folder = await mkdtemp(join(tmpdir(), 'firstlight-seed-'));
  const { accessKeyId, secretAccessKey } = personas.admin;
  await writeFile(join(home, 'config'), `[default]\nregion = ${region}\noutput = json\n`);
  await writeFile(
    join(home, 'credentials'),
    `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
    { mode: 0o600 },
  );
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_')));
  const env = {
    ...inherited,
    AWS_CONFIG_FILE: join(home, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(home, 'credentials'),
    AWS_ENDPOINT_URL: aws,
    AWS_PAGER: '',
    AWS_EC2_METADATA_DISABLED: 'true',
  };

  const tries = async (command: string): Promise<Ran> => {
    const bash = spawn('bash', ['-c', `set -e -o pipefail\n${command}`], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr, [code]] = await Promise.all([text(bash.stdout), text(bash.stderr), once(bash, 'close')]);
    return { code: code as number, stdout, stderr };
  };

  return {
    folder,
    write: (file, content) => writeFile(join(folder, file), content),
    tries,
    async runs(command) {
      const { code, stdout, stderr } = await tries(command);
      if (code !== 0) throw new Error(`${command}\nended with ${code}: ${stderr.trim()}`);
      return stdout;
    },
    async close() {
      await Promise.all([home, folder].map((directory) => rm(directory, { recursive: true })));
    },
  };
}
