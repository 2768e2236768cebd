import * as fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StepFailed } from './failure.ts';

/**
 * Does `work` while no other process does any in this directory: two that boot one identity would take two certificates for it. The
 * lock is the operating system's, flock(2) in C; here SQLite takes it. It ends with the process, however that ends: a file with a
 * process id in it would outlive a power cut, and be believed once another process has that id. Throws StepFailed if it is taken.
 */
export async function alone<T>(directory: string, work: () => Promise<T>): Promise<T> {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = path.join(directory, 'lock');
  fs.closeSync(fs.openSync(file, 'a', 0o600));
  const lock = new DatabaseSync(file);
  try {
    take(lock, directory);
    return await work();
  } finally {
    lock.close();
  }
}

/** https://sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;

function take(lock: DatabaseSync, directory: string): void {
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw cause;
    throw new StepFailed('never', `another process is booting the camera in ${directory}`, { cause });
  }
}
