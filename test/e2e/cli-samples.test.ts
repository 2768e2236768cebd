import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { lacking } from '../tools.ts';

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

const SAMPLES = [
  { sample: 'line.py', lack: lacking('docs/samples/line.py', 'python3 with botocore', 'openssl') },
  { sample: 'line.sh', lack: lacking('docs/samples/line.sh', 'curl --aws-sigv4', 'jq', 'openssl') },
];

describe.each(SAMPLES)('docs/samples/$sample', ({ sample, lack }) => {
  const run = (...args: string[]) => promisify(execFile)(resolve('docs/samples', sample), args, { cwd: folder, env });

  it.skipIf(lack)(
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
