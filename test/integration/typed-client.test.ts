import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import openapiTypescript from 'openapi-typescript';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { newSerial } from '../camera-claim.ts';
import { createHttpApi } from '../http-api.ts';

const outputs = inject('outputs');
const run = promisify(execFile);
let folder: string;

/** What somebody writes who has nothing but docs/client.ts and the API's own description. */
const script = `
import { readFileSync } from 'node:fs';
import { createClient } from './client.ts';

const { api, region, keys, serialNumber } = JSON.parse(process.argv[2] ?? '');
const call = createClient(JSON.parse(readFileSync('openapi.json', 'utf8')), { api, region, keys });

const { results } = await call('announceDevices', { body: { devices: [{ serialNumber, model: 'A1' }] } });
const outcome: 'created' | 'unchanged' | 'updated' | 'rejected' | undefined = results[0]?.outcome;
const made = await call('provisionDevice', { path: { serialNumber } });
const device = await call('getDevice', { path: { serialNumber } });
const claims = await call('listClaims', { path: { serialNumber }, query: { limit: 1 } }).catch((error: Error) => error);
const status: 'registered' | 'claimed' | 'active' | 'suspended' | 'retired' = device.status;
console.log(JSON.stringify({
  outcome,
  status,
  stream: made.connection.streamName,
  key: made.privateKey?.split('\\n')[0],
  claims: claims instanceof Error ? claims.message : claims.claims.length,
}));
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'firstlight-client-'));
  const { body } = await createHttpApi(outputs, outputs.personas.operator).get('/openapi.json');
  await writeFile(join(folder, 'openapi.json'), JSON.stringify(body));
  await writeFile(join(folder, 'firstlight.ts'), await openapiTypescript(body));
  await copyFile('docs/client.ts', join(folder, 'client.ts'));
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
  const { compilerOptions } = JSON.parse((await run('cat', ['tsconfig.json'])).stdout);
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
});
afterAll(() => rm(folder, { recursive: true }));

/** What the compiler says to a script beside the client; nothing if it compiles. */
async function compile(text: string): Promise<string> {
  await writeFile(join(folder, 'script.ts'), text);
  const tsc = resolve('node_modules/typescript/bin/tsc');
  return run(process.execPath, [tsc, '-p', folder], { cwd: folder }).then(
    ({ stdout }) => stdout,
    ({ stdout }) => stdout,
  );
}

test('a client typed from the description compiles, and works', async () => {
  expect(await compile(script)).toBe('');
  const { api, region, personas } = outputs;
  const serialNumber = newSerial();
  const argument = JSON.stringify({ api, region, keys: personas.operator, serialNumber });
  const { stdout } = await run(process.execPath, ['script.ts', argument], { cwd: folder });
  expect(JSON.parse(stdout)).toEqual({
    outcome: 'created',
    status: 'claimed',
    stream: serialNumber,
    key: expect.stringContaining('PRIVATE KEY'),
    claims: 1,
  });
});

test.each([
  ['an unknown operation', "await call('announceDevice', {});"],
  ['a row without a serial number', "await call('announceDevices', { body: { devices: [{ model: 'A1' }] } });"],
  [
    'a mode that is none',
    "await call('announceDevices', { body: { devices: [{ serialNumber: 'A', streamMode: 'x' }] } });",
  ],
  ['a member that no answer has', "(await call('getDevice', { path: { serialNumber: 'A' } })).colour;"],
])('%s does not compile', async (_, line) => {
  const head = script.slice(0, script.indexOf('const { results }'));
  expect(await compile(`${head}\n${line}\n`)).toMatch(/script\.ts.*error TS/);
});
