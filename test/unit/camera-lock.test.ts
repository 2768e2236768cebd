import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { alone } from '../../camera/lock.ts';

let directory: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'camera-')), 'CAM-1');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  fs.rmSync(path.dirname(directory), { recursive: true, force: true });
});

/** Another process, which works there until it is killed. */
async function another(): Promise<ChildProcess> {
  const script = `
    import { alone } from ${JSON.stringify(path.join(import.meta.dirname, '../../camera/lock.ts'))};
    await alone(process.argv[1], async () => {
      console.log('working');
      await new Promise((done) => setTimeout(done, 60_000));
    });`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script, directory]);
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

const work = () => alone(directory, async () => 'done');
const taken = () => expect(work()).rejects.toThrow(`another process is booting the camera in ${directory}`);

it('is for one process, until it is killed', async () => {
  const other = await another();
  await taken();
  await taken();
  other.kill('SIGKILL');
  await once(other, 'exit');
  expect(await work()).toBe('done');
  await another();
  await taken();
});

it('is for one work of a process, until it is done or fails', async () => {
  const first = Promise.withResolvers<string>();
  const working = alone(directory, () => first.promise);
  await taken();
  first.reject(new Error('no network'));
  await expect(working).rejects.toThrow('no network');
  expect(await work()).toBe('done');
});

it('leaves one file, which only its owner reads', async () => {
  await alone(directory, async () => expect(fs.readdirSync(directory)).toEqual(['lock']));
  expect(fs.readdirSync(directory)).toEqual(['lock']);
  expect(fs.statSync(directory).mode & 0o777).toBe(0o700);
  expect(fs.statSync(path.join(directory, 'lock')).mode & 0o777).toBe(0o600);
});
