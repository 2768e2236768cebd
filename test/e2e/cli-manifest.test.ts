import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, expect, inject, it } from 'vitest';
import { atRun, firstlight as run, startFirstlight } from '../firstlight.ts';
import { until } from '../until.ts';

const outputs = inject('outputs');
const folder = mkdtempSync(join(tmpdir(), 'firstlight-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

const local = atRun(outputs);
const chain = (persona: keyof typeof outputs.personas) => ({
  AWS_REGION: outputs.region,
  AWS_ENDPOINT_URL: outputs.aws,
  AWS_ACCESS_KEY_ID: outputs.personas[persona].accessKeyId,
  AWS_SECRET_ACCESS_KEY: outputs.personas[persona].secretAccessKey,
});

const firstlight = (args: string[], env: Record<string, string> = {}) => run(args, { cwd: folder, env });

/** A manifest of so many rows whose serial numbers no other test has. */
function manifest(name: string, rows: number): string {
  const file = join(folder, `${name}.csv`);
  const lines = Array.from({ length: rows }, (_, n) => `${name}-${n},A1,week-47,sub audio`);
  writeFileSync(file, ['serialNumber,model,batch,channels', ...lines, ''].join('\n'));
  return file;
}

it('imports a manifest once; the same again writes nothing', { timeout: 120_000 }, async () => {
  const file = manifest('CLI-A', 250);
  const first = await firstlight(['manifest', 'import', ...local, file]);
  expect(first.stderr).not.toContain('firstlight:');
  expect(first.stdout).toMatch(/^rows +250$/m);
  expect(first.stdout).toMatch(/^API calls +\d+$/m);
  expect(first.stdout).toMatch(/^peak memory +\d+ MB$/m);
  expect(first.code).toBe(0);
  const again = await firstlight(['manifest', 'import', '--json', ...local, file]);
  expect(again.json()).toMatchObject({ rows: 250, created: 0, updated: 0, unchanged: 250, rejected: 0 });
});

it('imports what comes through a pipe', { timeout: 60_000 }, async () => {
  const rows = readFileSync(manifest('CLI-PIPE', 150), 'utf8');
  const args = [resolve('cli/firstlight.ts'), 'manifest', 'import', '--json', ...local, '-'];
  const piped = spawn(process.execPath, args, { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] });
  piped.stdin.end(rows);
  const [printed, [code]] = await Promise.all([text(piped.stdout), once(piped, 'close')]);
  expect(code).toBe(0);
  expect(JSON.parse(printed)).toMatchObject({ file: '-', created: 150, verdicts: 'manifest.verdicts.jsonl' });
});

/** How many rows have their verdict; the first line of the file is none, and behind the last one the file ends. */
function verdictsOf(file: string): number {
  try {
    return readFileSync(`${file}.verdicts.jsonl`, 'utf8').split('\n').length - 2;
  } catch {
    return 0;
  }
}

/** Starts an import, and stops it by so many signals in a row once two pages have their verdicts. */
async function stopHalfWay(args: string[], file: string, ...signals: NodeJS.Signals[]) {
  const started = startFirstlight(args, { cwd: folder });
  const stdout = text(started.stdout);
  let stderr = '';
  started.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = once(started, 'close');
  await until('two pages of verdicts', async () => verdictsOf(file) >= 200, 60_000);
  for (const signal of signals) {
    started.kill(signal);
    if (signals.length > 1) await until('it to have heard', async () => stderr.includes('stopping'));
  }
  const [code] = await ended;
  const kept = verdictsOf(file);
  expect(kept).toBeLessThan(1500);
  return { code, kept, stdout: await stdout, stderr };
}

async function expectToEnd(args: string[], file: string, kept: number) {
  const result = await firstlight(args);
  expect(result.code).toBe(0);
  expect(result.json()).toMatchObject({ rows: 1500, resumedAt: kept, rejected: 0, updated: 0 });
  const rows = readFileSync(`${file}.verdicts.jsonl`, 'utf8').trimEnd().split('\n').slice(1, -1);
  expect(rows.map((line) => JSON.parse(line).row)).toEqual(Array.from({ length: 1500 }, (_, n) => n + 1));
  return result.json();
}

it('killed half-way and started again, ends the same', { timeout: 180_000 }, async () => {
  const file = manifest('CLI-K', 1500);
  const args = ['manifest', 'import', '--json', '--parallel', '1', ...local, file];
  const { kept } = await stopHalfWay(args, file, 'SIGKILL');
  await expectToEnd(args, file, kept);
});

it.each(['SIGINT', 'SIGTERM'] as const)(
  'stopped by %s lets come home what is under way, says so, and goes on',
  {
    timeout: 180_000,
  },
  async (signal) => {
    const file = manifest(`CLI-${signal}`, 1500);
    const args = ['manifest', 'import', '--json', '--parallel', '2', ...local, file];
    const { code, kept, stdout, stderr } = await stopHalfWay(args, file, signal);
    expect(code).toBe(130);
    expect(stderr).toContain('stopping after the pages that are under way; Ctrl-C again stops at once');
    expect(stderr).toMatch(/^firstlight: stopped; the same command goes on$/m);
    expect(JSON.parse(stdout)).toMatchObject({ rows: kept, created: kept, rejected: 0 });
    // Whole lines in the order of the rows, and not finished.
    const lines = readFileSync(`${file}.verdicts.jsonl`, 'utf8');
    expect(lines.endsWith('\n')).toBe(true);
    const [head, ...verdicts] = lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(head).toMatchObject({ manifest: file });
    expect(verdicts.map(({ row }) => row)).toEqual(Array.from({ length: kept }, (_, n) => n + 1));
    // Nothing was sent whose verdict it does not have.
    expect(await expectToEnd(args, file, kept)).toMatchObject({ created: 1500, unchanged: 0 });
  },
);

it('stopped by Ctrl-C twice ends at once, and goes on all the same', { timeout: 180_000 }, async () => {
  const file = manifest('CLI-I', 1500);
  const args = ['manifest', 'import', '--json', '--parallel', '2', ...local, file];
  const { code, kept } = await stopHalfWay(args, file, 'SIGINT', 'SIGINT');
  expect(code).toBe(130);
  await expectToEnd(args, file, kept);
});

it('finds the API by its stack, signed with the ordinary credentials', async () => {
  const byStage = ['manifest', 'import', '--json', '--stage', 'local', manifest('CLI-S', 3)];
  const done = await firstlight(byStage, chain('admin'));
  expect(done).toMatchObject({ code: 0 });
  expect(done.json()).toMatchObject({ api: outputs.api, created: 3 });

  // Each managed policy of the stack lets one ask where this stack's API is, and of no other stack.
  const factory = await firstlight([...byStage, '--restart'], chain('factory'));
  expect(factory).toMatchObject({ code: 0 });
  expect(factory.json()).toMatchObject({ api: outputs.api, unchanged: 3 });
  for (const persona of ['operator', 'auditor'] as const) {
    const list = ['claim-certificate', 'list', '--json', '--stage', 'local'];
    expect(await firstlight(list, chain(persona))).toMatchObject({ code: 0, stderr: '' });
  }
  const other = ['manifest', 'import', '--stage', 'other', manifest('CLI-O', 1)];
  const elsewhere = await firstlight(other, chain('factory'));
  expect(elsewhere.code).toBe(2);
  expect(elsewhere.stderr).toContain('these keys may not ask CloudFormation where the API is; give its URL with --api');
  const byUrl = await firstlight(['manifest', 'import', '--api', outputs.api, manifest('CLI-U', 3)], chain('factory'));
  expect(byUrl.code).toBe(0);

  const nowhere = await firstlight(['manifest', 'import', '--stage', 'nowhere', manifest('CLI-N', 1)], chain('admin'));
  expect(nowhere.stderr).toMatch(/^firstlight: Stack with id firstlight-nowhere does not exist in us-east-1/);
  const nobody = { AWS_EC2_METADATA_DISABLED: 'true', HOME: folder };
  const unsigned = await firstlight(['manifest', 'import', '--api', outputs.api, manifest('CLI-V', 1)], nobody);
  expect(unsigned).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^firstlight: no AWS credentials: set AWS_PROFILE/),
  });
});

it('provisions a device that the reference camera then is', { timeout: 120_000 }, async () => {
  await firstlight(['manifest', 'import', ...local, manifest('CLI-P', 2)]);
  const made = await firstlight(['device', 'provision', '--json', ...local, 'CLI-P-0', '--out', 'p']);
  expect(made.stderr).toBe('');
  expect(made.json()).toMatchObject({ serialNumber: 'CLI-P-0', connection: { streamName: 'CLI-P-0' } });
  expect(made.stdout).not.toContain('PRIVATE KEY');
  expect(statSync(join(folder, 'p/private.key')).mode & 0o777).toBe(0o600);

  const again = await firstlight(['device', 'provision', ...local, 'CLI-P-0', '--out', 'p']);
  expect(again).toMatchObject({
    code: 2,
    stderr: 'firstlight: p/private.key is there already and is not written over: give another --out\n',
  });
  const boot = await firstlight(['camera', 'boot', ...local, '--serial', 'CLI-P-0', '--dir', 'p']);
  expect(boot.stdout).toMatch(/proof of life[\s\S]*PERSISTED/);
  const unknown = await firstlight(['device', 'provision', ...local, 'CLI-P-9']);
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringMatching(/^firstlight: POST .*: 404 /) });
});

it('makes, lists and disables claim certificates, and makes one for an installer', { timeout: 120_000 }, async () => {
  const made = (
    await firstlight(['claim-certificate', 'create', '--json', ...local, '--batch', 'cli', '--until', '2030-01-31'])
  ).json();
  expect(made).toMatchObject({
    batch: 'cli',
    claimWindow: { until: '2030-01-31T00:00:00.000Z' },
    files: { privateKey: 'claim-cli/private.key' },
  });
  const listed = (await firstlight(['claim-certificate', 'list', '--json', ...local, '--as', 'auditor'])).json();
  expect(listed.claimCertificates).toContainEqual(
    expect.objectContaining({ certificateId: made.certificateId, opened: 0 }),
  );
  const disabled = await firstlight(['claim-certificate', 'disable', ...local, made.certificateId]);
  expect(disabled.stdout).toMatch(/^[0-9a-f]{64} is disabled since .* it has opened 0 claims\.$/m);
  const refused = await firstlight(['claim-certificate', 'list', ...local, '--as', 'factory']);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('403 Forbidden (these keys may not call this route'),
  });
  const installer = await firstlight(['provisioning-claim', '--json', ...local]);
  expect(installer.json()).toMatchObject({
    templateName: outputs.claim.templateName,
    files: { privateKey: 'provisioning-claim/private.key' },
  });
});
