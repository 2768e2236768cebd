import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, inject, it } from 'vitest';

const { api, region, personas } = inject('outputs');
const folder = mkdtempSync(join(tmpdir(), 'firstlight-samples-'));
afterAll(() => rmSync(folder, { recursive: true }));

const env = {
  PATH: process.env.PATH ?? '',
  FIRSTLIGHT_API: api,
  AWS_REGION: region,
  AWS_DEFAULT_REGION: region,
  AWS_ACCESS_KEY_ID: personas.factory.accessKeyId,
  AWS_SECRET_ACCESS_KEY: personas.factory.secretAccessKey,
};

/** Whether this prints what it must for the sample to run here. */
function has(command: string, args: string[], pattern = /./): boolean {
  try {
    return pattern.test(execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return false;
  }
}

const SAMPLES = [
  {
    sample: 'line.py',
    needs: 'python3 with botocore, and openssl',
    there: has('python3', ['-c', 'import botocore; print(botocore.__version__)']) && has('openssl', ['version']),
  },
  {
    sample: 'line.sh',
    needs: 'curl 7.86 or later, jq, and openssl',
    there:
      has('curl', ['--version'], /^curl (7\.(8[6-9]|9\d)|[89]|\d\d)/) &&
      has('jq', ['--version']) &&
      has('openssl', ['version']),
  },
];

describe.each(SAMPLES)('docs/samples/$sample', ({ sample, needs, there }) => {
  if (!there) console.warn(`SKIPPED: docs/samples/${sample} was not run: this machine has no ${needs}`);
  const run = (...args: string[]) => promisify(execFile)(resolve('docs/samples', sample), args, { cwd: folder, env });

  it.runIf(there)(
    'announces and makes a camera, gives the same again, and says why it cannot',
    { timeout: 120_000 },
    async () => {
      const serial = `SAMPLE-${sample.slice(-2)}`;
      const first = await run(serial, 'week-47');
      expect(first).toEqual({ stdout: `${serial} streams to ${serial}\n`, stderr: 'created\n' });
      expect(statSync(join(folder, serial, 'private.key')).mode & 0o777).toBe(0o600);
      const certificate = () => readFileSync(join(folder, serial, 'certificate.pem'), 'utf8');
      const made = certificate();
      expect((await run(serial, 'week-47')).stderr).toBe('unchanged\n');
      expect(certificate()).toBe(made);
      await expect(run(serial, 'week-48')).rejects.toMatchObject({
        code: expect.any(Number),
        stderr: expect.stringContaining('its batch cannot change'),
      });
    },
  );
});
