import { createInterface } from 'node:readline/promises';
import { CommandFailed, exitCodes } from './failure.ts';

/** Where a person is asked; both ends must be a terminal. */
interface Terminal {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream & { isTTY?: boolean };
}

export interface Confirmation {
  /** What will be done, as a sentence. */
  what: string;
  /** `--yes`: nobody is asked. */
  yes: boolean | undefined;
  /** Has to be typed where nothing brings back what goes; else `y` is enough. */
  word?: string;
}

/** Goes on only if a person or `--yes` says so. On stderr: stdout is for results. Throws CommandFailed. */
export async function confirm(
  { what, yes, word }: Confirmation,
  { input, output }: Terminal = { input: process.stdin, output: process.stderr },
): Promise<void> {
  if (yes) return;
  if (!input.isTTY || !output.isTTY) throw new CommandFailed(`${what} Nobody can be asked here: give --yes`);
  const lines = createInterface({ input, output });
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      lines.once('SIGINT', () => reject(new CommandFailed('stopped, nothing was done', exitCodes.interrupted)));
      lines.once('close', () => resolve(''));
      lines
        .question(`${what}\n${word === undefined ? 'Go on? [y/N] ' : `Type ${word} to go on: `}`)
        .then(resolve, reject);
    });
    const isMeant = word === undefined ? /^y(es)?$/i.test(answer.trim()) : answer.trim() === word;
    if (!isMeant) throw new CommandFailed('nothing was done', exitCodes.no);
  } finally {
    lines.close();
  }
}
