import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { until } from '../until.ts';

vi.setConfig({ testTimeout: 120_000 });

/** What `npm start` needs of a clone: here it packages without taking the package from under the other tests' feet. */
const NEEDED = ['package.json', 'serverless.yml', 'tsconfig.json', 'require-node.mjs'];
const FOLDERS = ['functions', 'shared', 'local', 'camera', 'cli'];

let clone: string;
const started: ChildProcess[] = [];

beforeAll(async () => {
  clone = await mkdtemp(join(tmpdir(), 'firstlight-clone-'));
  for (const name of [...NEEDED, ...FOLDERS]) await cp(name, join(clone, name), { recursive: true });
  await symlink(join(process.cwd(), 'node_modules'), join(clone, 'node_modules'));
});
afterEach(() => {
  for (const { pid } of started.splice(0)) if (pid !== undefined) signalGroup(pid, 'SIGKILL');
});
afterAll(() => rm(clone, { recursive: true }));

const outputsPath = () => join(clone, '.firstlight', 'outputs.json');

/**
 * What `npm start` runs, in a terminal of its own: Ctrl-C reaches all that it has started. Without npm and its shell, which on Ctrl-C
 * end themselves by the signal and swallow the exit code.
 */
async function npmStart(...flags: string[]) {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8'));
  const [program, ...args] = scripts.start.split(' ');
  expect(program).toBe('node');
  const ports = ['aws', 'api', 'mqtt', 'credentials'].flatMap((door) => [`--${door}-port`, '0']);
  const start = spawn(process.execPath, [...args, ...ports, ...flags], {
    cwd: clone,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(start);
  let printed = '';
  for (const stream of [start.stdout, start.stderr]) {
    stream.on('data', (chunk) => {
      printed += chunk;
    });
  }
  const closed = once(start, 'close');
  return {
    printed: () => printed,
    sees: (text: string | RegExp) =>
      until(
        `${text}`,
        async () => {
          if (start.exitCode !== null) throw new Error(`npm start ended with ${start.exitCode}:\n${printed}`);
          return printed.match(text) !== null;
        },
        90_000,
      ),
    /** Resolves with the exit code, and how long it took. */
    async ctrlC(): Promise<{ code: number; tookMs: number }> {
      const asked = performance.now();
      signalGroup(start.pid as number, 'SIGINT');
      const [code] = await closed;
      return { code, tookMs: performance.now() - asked };
    },
    /** Nothing that it has started lives on. */
    isGone: () => until('its processes to be gone', async () => !signalGroup(start.pid as number, 0), 5000),
  };
}

/** False if nobody is in that process group. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

describe('npm start', () => {
  test('packages, boots, shows three cameras and stays up until Ctrl-C; a second run works', async () => {
    const worlds: string[] = [];
    for (let start = 0; start < 2; start++) {
      const run = await npmStart();
      await run.sees('Ctrl-C ends it');
      const printed = run.printed();
      expect(printed).toMatch(/^packaged the service +\d+\.\d s\nbooted the stand-in +\d+\.\d s$/m);
      expect(printed.match(/fragments? PERSISTED/g)).toHaveLength(3);
      expect(printed.match(/is refused at/g)).toHaveLength(3);
      for (const [serial, mode, stream] of [
        ['CAM-0001', 'thing-name', 'CAM-0001'],
        ['CAM-0002', 'certificate-id', '[0-9a-f]{12}…'],
        ['CAM-0003', 'fixed', 'the shared one'],
      ]) {
        const cells = [serial, 'active', mode, 'demo', serial, '[0-9a-f]{12}…', stream];
        expect(printed).toMatch(new RegExp(`^│ ${cells.join(' +│ ')} +│$`, 'm'));
      }
      expect(printed).toContain('iot-certificate="iot-certificate,endpoint=');
      expect(printed).not.toContain('move before you run this');
      worlds.push(await readFile(outputsPath(), 'utf8'));
      const { aws, api, mqtt, credentials } = JSON.parse(worlds[start] as string);
      for (const [what, address] of [
        ['every AWS API', aws],
        ['HTTP API', api],
        ['MQTT', `${mqtt.host}:${mqtt.port}`],
        ['credential provider', `${credentials.host}:${credentials.port}`],
        ['addresses and keys', outputsPath()],
      ]) {
        expect(printed).toContain(`\n${what.padEnd(20)} ${address}\n`);
      }
      const { code, tookMs } = await run.ctrlC();
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(1000);
      await run.isGone();
    }
    // Each start is a new world.
    expect(worlds[0]).not.toBe(worlds[1]);
  });
});

describe('Ctrl-C', () => {
  test('while it boots ends it; there is no outputs.json', async () => {
    await mkdir(join(clone, '.firstlight'), { recursive: true });
    const run = await npmStart('--no-package', '--no-demo', '--directory', '.firstlight/boot');
    await until('the boot to be under way', async () => existsSync(join(clone, '.firstlight', 'boot', 'logs')), 60_000);
    const { code, tookMs } = await run.ctrlC();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(1000);
    await run.isGone();
    expect(existsSync(join(clone, '.firstlight', 'boot', 'outputs.json'))).toBe(false);
  });

  test('in the middle of the demo ends it, and the next run works', async () => {
    const run = await npmStart('--no-package');
    await run.sees(/certificate [0-9a-f]{64}/);
    const { code, tookMs } = await run.ctrlC();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(1000);
    await run.isGone();
    expect(run.printed()).not.toMatch(/Error|\bat .*:\d+:\d+/);
    const next = await npmStart('--no-package', '--directory', '.firstlight/a room');
    await next.sees('Ctrl-C ends it');
    expect(next.printed().match(/fragments? PERSISTED/g)).toHaveLength(3);
    expect(next.printed()).toMatch(/move before you run this: \S+\/a room\/cameras\/CAM-0001\/certificate\.pem, /);
    expect((await next.ctrlC()).code).toBe(0);
  });

  // The last: it leaves half a package.
  test('while it packages ends it and the packaging', async () => {
    await rm(join(clone, '.esbuild'), { recursive: true, force: true });
    const run = await npmStart('--no-demo');
    await until('the packaging to be under way', async () => existsSync(join(clone, '.esbuild')), 60_000);
    const { code, tookMs } = await run.ctrlC();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(1000);
    await run.isGone();
  });
});
