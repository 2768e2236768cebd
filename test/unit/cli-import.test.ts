import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CommandFailed } from '../../cli/failure.ts';
import { type ImportFlags, importManifest } from '../../cli/manifest-import.ts';

type Row = { serialNumber: string; model?: string };
/** What the API says to one page; undefined breaks the connection. */
type Answer = { status: number; headers?: Record<string, string>; body: unknown } | undefined;

let folder: string;
let file: string;
let pages: { devices: Row[]; dryRun?: boolean }[];
let answer: (devices: Row[]) => Answer;
let api: string;
let printed: string[];
let atOnce: { now: number; most: number };

const server = createServer(async (request, response) => {
  atOnce.most = Math.max(atOnce.most, ++atOnce.now);
  const page = (await json(request)) as { devices: Row[] };
  pages.push(page);
  const said = answer(page.devices);
  atOnce.now--;
  if (!said) return void request.socket.destroy();
  response.writeHead(said.status, { 'content-type': 'application/json', ...said.headers });
  response.end(JSON.stringify(said.body));
});

const allCreated = (devices: Row[]): Answer => ({
  status: 200,
  body: { results: devices.map(({ serialNumber }) => ({ serialNumber, outcome: 'created' })) },
});

const busy = (seconds: string): Answer => ({
  status: 503,
  headers: { 'retry-after': seconds },
  body: { title: 'Busy', code: 'busy', detail: 'AWS is throttling' },
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'firstlight-import-'));
  file = join(folder, 'week.csv');
  pages = [];
  printed = [];
  atOnce = { now: 0, most: 0 };
  answer = allCreated;
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.spyOn(console, 'log').mockImplementation((line) => void printed.push(String(line)));
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  for (const [name, value] of Object.entries({
    AWS_ACCESS_KEY_ID: 'AKID',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_REGION: 'us-east-1',
  })) {
    vi.stubEnv(name, value);
  }
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = 0;
  rmSync(folder, { recursive: true });
  server.closeAllConnections();
  if (server.listening) await new Promise((done) => server.close(done));
});

const write = (rows: number, row = (n: number) => `CAM-${n},M`) =>
  writeFileSync(
    file,
    ['serialNumber,model', ...Array.from({ length: rows }, (_, index) => row(index + 1)), ''].join('\n'),
  );

async function imports(flags: Partial<ImportFlags> = {}) {
  process.exitCode = 0;
  await importManifest(file, { api, outputs: 'none', parallel: 4, patience: 5, json: true, ...flags });
  return { ...JSON.parse(printed.at(-1) ?? '{}'), code: process.exitCode };
}

const verdictFile = (name = 'week.csv.verdicts.jsonl') => join(folder, name);
const lines = (name?: string) =>
  readFileSync(verdictFile(name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

it('sends pages of a hundred, some at once, and writes the verdicts in the order of the rows', async () => {
  write(1050, (n) => (n === 500 ? 'not good,M' : `CAM-${n},M`));
  answer = (devices) => ({
    status: 200,
    body: {
      results: devices.map(({ serialNumber }) =>
        serialNumber === 'CAM-7'
          ? { serialNumber, outcome: 'rejected', problem: { code: 'already-claimed', detail: 'the device is active' } }
          : { serialNumber, outcome: 'created' },
      ),
    },
  });
  const result = await imports();
  expect(result).toMatchObject({ rows: 1050, created: 1048, rejected: 2, apiCalls: 11, code: 1 });
  expect(pages.map(({ devices }) => devices.length).sort((a, b) => b - a)).toEqual([...Array(10).fill(100), 49]);
  expect(atOnce.most).toBeLessThanOrEqual(4);
  const [head, ...verdicts] = lines();
  const summary = verdicts.pop();
  expect(head).toMatchObject({ manifest: file, api, dryRun: false });
  expect(verdicts.map(({ row, line }) => [row, line])).toEqual(
    Array.from({ length: 1050 }, (_, index) => [index + 1, index + 2]),
  );
  expect(verdicts[6]).toMatchObject({
    serialNumber: 'CAM-7',
    outcome: 'rejected',
    problem: { code: 'already-claimed' },
  });
  expect(verdicts[499]).toMatchObject({
    serialNumber: 'not good',
    outcome: 'rejected',
    problem: { code: 'invalid-request' },
  });
  expect(summary).toMatchObject({ rows: 1050, created: 1048, rejected: 2 });
});

it('begins anew once it has been finished', async () => {
  write(150);
  expect(await imports()).toMatchObject({ apiCalls: 2, created: 150, code: 0 });
  expect(await imports()).toMatchObject({ apiCalls: 2, resumedAt: 0, code: 0 });
});

it('goes on behind the last whole verdict of a run that was killed', async () => {
  write(1000);
  await imports();
  const whole = readFileSync(verdictFile());
  const kept = lines().slice(0, 301);
  const half = kept.map((line) => `${JSON.stringify(line)}\n`).join('');
  writeFileSync(verdictFile(), `${half}{"row":301,"li`);
  pages = [];
  const result = await imports();
  expect(result).toMatchObject({ rows: 1000, created: 1000, resumedAt: 300, apiCalls: 7, code: 0 });
  expect(pages.flatMap(({ devices }) => devices).map(({ serialNumber }) => serialNumber)).not.toContain('CAM-300');
  const withoutTimes = (text: string) => text.replaceAll(/"(started|finished)At":"[^"]*"/g, '');
  expect(withoutTimes(readFileSync(verdictFile(), 'utf8'))).toBe(withoutTimes(whole.toString()));
});

it('does not go on with another manifest, another API or the other kind of run', async () => {
  write(300);
  await imports();
  const unfinished = () =>
    writeFileSync(
      verdictFile(),
      lines()
        .slice(0, 101)
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(''),
    );
  unfinished();
  write(300, (n) => `CAM-${n},${n === 40 ? 'another' : 'M'}`);
  await expect(imports()).rejects.toThrow(/^line 41 is not what it was/);
  write(50);
  await expect(imports()).rejects.toThrow(/^the manifest is shorter than it was/);
  await expect(imports({ api: `${api}/other` })).rejects.toThrow(/belongs to an unfinished import with api http/);
  expect(await imports({ restart: true })).toMatchObject({ rows: 50, resumedAt: 0 });
  writeFileSync(join(folder, 'notes.txt'), 'buy milk\nand bread\n');
  await expect(imports({ verdicts: join(folder, 'notes.txt') })).rejects.toThrow(/is not a verdict file/);
});

it('only asks with --dry-run, and keeps that apart', async () => {
  write(10);
  await imports({ dryRun: true });
  expect(pages).toMatchObject([{ dryRun: true }]);
  expect(lines('week.csv.dry-run.verdicts.jsonl')[0]).toMatchObject({ dryRun: true });
  expect(() => readFileSync(verdictFile())).toThrow('ENOENT');
});

it('cuts pages that would be over a megabyte', async () => {
  writeFileSync(
    file.replace('.csv', '.jsonl'),
    Array.from({ length: 100 }, (_, n) =>
      JSON.stringify({
        serialNumber: `CAM-${n}`,
        attributes: Object.fromEntries(Array.from({ length: 20 }, (_, a) => [`a${a}`, 'ß€漢'.repeat(85)])),
      }),
    ).join('\n'),
  );
  file = file.replace('.csv', '.jsonl');
  expect(await imports()).toMatchObject({ created: 100, apiCalls: 2 });
});

it('waits as long as a busy API asks, and tries again what was lost', async () => {
  write(400);
  let calls = 0;
  const start = performance.now();
  answer = (devices) => (++calls === 1 ? busy('1') : calls === 2 ? undefined : allCreated(devices));
  expect(await imports()).toMatchObject({ rows: 400, created: 400, apiCalls: 6, code: 0 });
  expect(performance.now() - start).toBeGreaterThan(1000);
});

it('gives up when the API has not answered for too long, says where it is, and goes on from there', async () => {
  write(300);
  let calls = 0;
  answer = (devices) =>
    ++calls === 1 ? allCreated(devices) : { status: 500, body: { message: 'Internal Server Error' } };
  const failure = await imports({ parallel: 1, patience: 1 }).catch((error) => error);
  expect(failure).toBeInstanceOf(CommandFailed);
  expect(failure.exitCode).toBe(2);
  expect(failure.message).toMatch(
    /500 Internal Server Error \(100 rows have their verdict; the same command goes on there\)$/,
  );
  answer = allCreated;
  expect(await imports()).toMatchObject({ rows: 300, resumedAt: 100, apiCalls: 2, code: 0 });
});

it('stops at once where it is not allowed, or nobody is there', async () => {
  write(10);
  answer = () => ({ status: 403, body: { message: 'Forbidden' } });
  await expect(imports()).rejects.toThrow('403 Forbidden (these keys may not call this route, or are not valid)');
  await new Promise((done) => server.close(done).closeAllConnections());
  await expect(imports()).rejects.toThrow(/^the API does not answer: ECONNREFUSED/);
  await expect(imports({ api: 'factory.example' })).rejects.toThrow('factory.example is not the URL of an API');
});

it('keeps what came before the line where the file ends to be one', async () => {
  write(200, (n) => (n === 150 ? 'CAM-150,"M' : `CAM-${n},M`));
  await expect(imports()).rejects.toThrow(/line 151: a quote is opened and not closed/);
  write(200);
  expect(await imports()).toMatchObject({ rows: 200, code: 0 });
});

it('says what is missing to find the API and to sign', async () => {
  write(1);
  const nothing: Partial<ImportFlags> & { api?: string } = {};
  const flags = { outputs: join(folder, 'outputs.json'), parallel: 1, patience: 1, ...nothing };
  await expect(importManifest(file, flags)).rejects.toThrow(/^no API to call: give --stage .* or --api .* npm start/);
  await expect(importManifest(file, { ...flags, api, as: 'factory' })).rejects.toThrow(
    /^--as factory is somebody of a local run/,
  );
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere');
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere');
  await expect(importManifest(file, { ...flags, api })).rejects.toThrow(/^no AWS credentials: set AWS_PROFILE/);
});
