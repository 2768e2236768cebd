import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { startLocalRun } from '../local-run.ts';

test('outputs.json holds what scripts rely on, readable by nobody else', async () => {
  const outputs = inject('outputs');
  expect(outputs).toMatchObject({
    region: 'us-east-1',
    accountId: expect.stringMatching(/^\d{12}$/),
    aws: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    api: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    mqtt: { host: 'localhost', port: expect.any(Number) },
    credentials: { host: 'localhost', port: expect.any(Number) },
    caPath: expect.stringMatching(/^\/.*\.pem$/),
    claim: {
      certificatePath: expect.stringMatching(/^\//),
      privateKeyPath: expect.stringMatching(/^\//),
      templateName: 'firstlight-local-claim',
      renewTemplateName: 'firstlight-local-renew',
    },
  });
  expect(Object.keys(outputs.personas).sort()).toEqual(['admin', 'auditor', 'factory', 'operator']);
  for (const keys of Object.values(outputs.personas)) {
    expect(keys).toEqual({ accessKeyId: expect.any(String), secretAccessKey: expect.any(String) });
  }
  const { mode } = await stat(join(outputs.caPath, '..', 'outputs.json'));
  expect(mode & 0o077).toBe(0);
});

test('Ctrl-C ends it cleanly within a second', async () => {
  const run = await startLocalRun();
  const start = performance.now();
  expect(await run.stop()).toBe(0);
  expect(performance.now() - start).toBeLessThan(1000);
});

test.each(['aws', 'api', 'mqtt', 'credentials'])(
  'a taken %s port gives one line with the port and its flag',
  async (door) => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as { port: number };
    const others = ['aws', 'api', 'mqtt', 'credentials'].filter((name) => name !== door);
    const { directory, outputs, stop } = await startLocalRun();
    const args = [
      '--no-demo',
      '--no-package',
      '--directory',
      directory,
      ...others.flatMap((name) => [`--${name}-port`, '0']),
    ];
    const run = spawn(process.execPath, ['cli/firstlight.ts', 'local', ...args, `--${door}-port`, String(port)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    run.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const [code] = await once(run, 'close');
    squatter.close();
    expect(code).toBe(1);
    expect(stderr.trim()).toBe(`port ${port} is in use; choose another with --${door}-port`);
    // What another run keeps in that folder is still there.
    expect(JSON.parse(await readFile(join(directory, 'outputs.json'), 'utf8'))).toEqual(outputs);
    await stop();
  },
);
