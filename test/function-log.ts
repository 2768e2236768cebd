import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalRun } from './local-run.ts';

/** How often this function has failed, by the log that a local run keeps of it. */
export async function failuresOf({ directory, outputs }: LocalRun, functionKey: string): Promise<number> {
  const name = outputs.claim.templateName.replace(/-claim$/, `-${functionKey}.log`);
  const log = await readFile(join(directory, 'logs', name), 'utf8').catch(() => '');
  return log.split('ERROR Invoke Error').length - 1;
}
