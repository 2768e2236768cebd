import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { openShell, type Shell } from '../shell.ts';
import { lacking } from '../tools.ts';

const lack = lacking('the lines of docs/api.md', 'bash', 'curl --aws-sigv4', 'jq', 'openssl');

const outputs = inject('outputs');
const text = await readFile('docs/api.md', 'utf8');

/** Each line of code with the section that it stands in, in the order of the page. */
const blocks = text.split(/^## /m).flatMap((section) => {
  const heading = section.slice(0, section.indexOf('\n')).replaceAll('`', '');
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, code = '']) => ({ heading, code }));
});

test('each route has lines to copy, and they call it', () => {
  const headings = [...text.matchAll(/^## `(.*)`$/gm)].map(([, heading = '']) => heading);
  for (const heading of headings) {
    const path = heading.replace(/^\w+ /, '').replace(/\{\w+\}/, '[^/"]+');
    const calls = blocks.filter((block) => block.heading === heading).map(({ code }) => code);
    expect(calls.join('\n'), heading).toMatch(new RegExp(`(call|curl) [^]*"\\$API${path}(\\?[^"]*)?"`));
  }
});

let shell: Shell;
let printed: string[] = [];

beforeAll(async () => {
  if (lack) return;
  shell = await openShell(outputs);
  await shell.runs('mkdir .firstlight');
  await shell.write('.firstlight/outputs.json', JSON.stringify(outputs));
  // One shell for the whole page: later lines use what earlier ones have set.
  const script = blocks.map(({ code }, index) => `printf '\\n=== ${index}\\n'\n${code}`).join('\n');
  const { stdout, stderr, code } = await shell.tries(script);
  printed = stdout.split(/^=== \d+\n/m).slice(1);
  if (code !== 0)
    throw new Error(
      `docs/api.md ended with ${code} in block ${printed.length - 1}: ${stdout.slice(-800)} ${stderr.slice(-800)}`,
    );
});
afterAll(() => shell?.close());

test.skipIf(lack)('the lines of docs/api.md run as they stand, and are answered', () => {
  const answers = blocks.map(({ heading }, index) => ({ heading, answer: printed[index] ?? '' }));
  const of = (heading: string) =>
    answers
      .filter((one) => one.heading === heading)
      .map(({ answer }) => (answer.trim().startsWith('{') ? JSON.parse(answer) : answer.trim()));

  expect(of('POST /devices')).toMatchObject([
    { results: Array(3).fill({ outcome: 'created' }) },
    { results: [{ outcome: 'updated' }] },
  ]);
  expect(of('GET /devices')).toMatchObject([
    { devices: expect.arrayContaining([expect.objectContaining({ status: 'registered' })]) },
  ]);
  expect(of('GET /stats')).toMatchObject([{ status: { retired: expect.any(Number) } }]);
  expect(of('GET /devices/{serialNumber}')).toMatchObject([{ serialNumber: 'LINE-0001', status: 'registered' }]);
  expect(of('POST /devices/{serialNumber}/provision')).toMatchObject([{ streamName: 'LINE-0003' }, '']);
  expect(of('POST /connected')).toEqual(['']);
  expect(of('POST /claims')).toMatchObject([{ serialNumber: 'LINE-0001' }, { serialNumber: 'LINE-0002' }]);
  expect(of('GET /devices/{serialNumber}/claims')).toMatchObject([{ claims: [{ outcome: 'granted' }] }]);
  const [certificate] = of('POST /claim-certificates');
  expect(certificate).toMatchObject({ batch: '2026-48' });
  const { certificateId } = certificate;
  const [{ claimCertificates }] = of('GET /claim-certificates');
  expect(claimCertificates).toContainEqual(expect.objectContaining({ certificateId }));
  expect(of('POST /claim-certificates/{certificateId}/disable')).toMatchObject([{ certificateId, devices: [] }]);
  expect(of('POST /provisioning-claims')).toMatchObject([{ batch: '2026-48' }]);
  expect(of('GET /openapi.json')).toEqual(['Firstlight']);
});
