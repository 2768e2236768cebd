import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailed } from './failure.ts';

export interface HandedOut {
  certificatePem: string;
  /** Only where AWS made the key: it is shown this once. */
  privateKey?: string;
}

/** Where each was written. */
export interface Written {
  certificate: string;
  privateKey?: string;
}

/**
 * Fetches a certificate and writes it to a folder, with its key where AWS makes that. Keys are handed out once and kept nowhere: the place
 * is made sure of before there is one to lose, and no key is ever written over.
 */
export async function handOut<T extends HandedOut>(
  directory: string,
  keyExpected: boolean,
  fetch: () => Promise<T>,
): Promise<{ answer: T; written: Written }> {
  const certificate = join(directory, 'certificate.pem');
  const privateKey = join(directory, 'private.key');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (keyExpected) take(privateKey);
  let answer: T;
  try {
    answer = await fetch();
  } catch (error) {
    if (keyExpected) rmSync(privateKey);
    throw error;
  }
  if (answer.privateKey !== undefined) writeFileSync(privateKey, answer.privateKey, { mode: 0o600 });
  writeFileSync(certificate, answer.certificatePem);
  return { answer, written: { certificate, ...(answer.privateKey !== undefined && { privateKey }) } };
}

/** An empty file that only its owner can read. */
function take(key: string): void {
  try {
    writeFileSync(key, '', { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new CommandFailed(`${key} is there already and is not written over: give another --out`);
  }
}

/** The signing request of `--csr FILE`, as the API takes it. */
export function csrFrom(file: string | undefined): { certificateSigningRequest?: string } {
  return file === undefined ? {} : { certificateSigningRequest: readFileSync(file, 'utf8') };
}

/** What is shown of an answer: all but its key, which is in its file. */
export const withoutKey = <T extends HandedOut>({ privateKey: _, ...shown }: T): Omit<T, 'privateKey'> => shown;
