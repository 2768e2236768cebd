import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DetachPolicyCommand } from '@aws-sdk/client-iot';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import {
  announce,
  type Camera,
  claimCamera,
  type ManifestRow,
  openClaim,
  registerThing,
  takeCertificate,
} from '../camera-claim.ts';
import { newClaimCertificate } from '../claim-certificates.ts';
import { type Held, makeDeviceKey } from '../device-key.ts';
import { sayConnected } from '../https-camera.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';
import { switchOffSchedules } from '../schedules.ts';
import { openShell, type Shell } from '../shell.ts';
import { lacking } from '../tools.ts';

const lack = lacking('the commands of docs/operations.md', 'bash', 'jq');

interface Example {
  command: string;
  /** What the page says that it prints; `…` stands for what was left out. */
  output: string[];
}

const page = await readFile('docs/operations.md', 'utf8');

/** Each command with the output below it, in the order of the page. */
const examples: Example[] = [...page.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block = '']) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [command = '', ...output] = text.trimEnd().split('\n');
      return { command, output };
    }),
);

// The page names cameras of its own, so it gets a stand-in of its own.
let run: LocalRun;
let shell: Shell;
let printed: string[] = [];

const BATCH = 'week-42';

async function living(row: ManifestRow): Promise<Camera> {
  const camera = await claimCamera(run.outputs, { batch: BATCH, model: 'A1', ...row });
  expect((await sayConnected(run.outputs, camera)).status).toBe(204);
  return camera;
}

async function asks(SerialNumber: string, held?: Held): Promise<string> {
  const device = await openClaim(run.outputs, held ? { held } : {});
  try {
    const { ownershipToken } = await takeCertificate(device);
    return (await registerThing(device, run.outputs.claim.templateName, ownershipToken, { SerialNumber })).outcome;
  } finally {
    await device.close();
  }
}

beforeAll(async () => {
  if (lack) return;
  run = await startLocalRun();
  await switchOffSchedules(run.outputs);
  const { publicKeySha256 } = await makeDeviceKey();
  const registered = (serialNumber: string, more: object = {}) => ({
    serialNumber,
    batch: BATCH,
    model: 'A1',
    ...more,
  });
  // One after the other: lists are in the order of these instants.
  await announce(run.outputs, registered('CAM-0003', { publicKeySha256 }));
  await announce(run.outputs, registered('CAM-0006'));
  await announce(run.outputs, registered('CAM-0008'));
  await living({ serialNumber: 'CAM-0001', channels: ['sub'] });
  await claimCamera(run.outputs, registered('CAM-0002'));
  expect(await asks('CAM-0003')).toBe('rejected');
  const { certificateId } = await living({ serialNumber: 'CAM-0004' });
  expect(await asks('CAM-0004')).toBe('rejected');
  await living({ serialNumber: 'CAM-0005' });
  await living({ serialNumber: 'CAM-0007' });
  expect(await asks('CAM-0008', await newClaimCertificate(run.outputs, BATCH))).toBe('accepted');

  // Somebody's script has gone too far.
  const { region, accountId, personas } = run.outputs;
  const target = `arn:aws:iot:${region}:${accountId}:cert/${certificateId}`;
  const { iot } = awsClients(run.outputs, personas.admin);
  await iot.send(new DetachPolicyCommand({ policyName: 'firstlight-local-device', target }));

  shell = await openShell(run.outputs);
  await shell.runs('mkdir .firstlight');
  await shell.write('.firstlight/outputs.json', JSON.stringify(run.outputs));
  const firstlight = `firstlight() { "${process.execPath}" "${resolve('cli/firstlight.ts')}" "$@"; }`;
  const script = examples.map(({ command }, index) => `printf '\\n=== ${index}\\n'\n${command}`).join('\n');
  const { stdout, stderr, code } = await shell.tries(`${firstlight}\n${script}`);
  printed = stdout.split(/^=== \d+\n/m).slice(1);
  if (code !== 0) {
    const { command } = examples[printed.length - 1] ?? {};
    throw new Error(`docs/operations.md ended with ${code} at ${command}: ${stdout.slice(-800)} ${stderr.slice(-800)}`);
  }
}, 120_000);
afterAll(async () => {
  await shell?.close();
  await run?.stop();
});

/** Without what is another each time: instants, ids, and how wide a column is for them. */
const plain = (line: string): string =>
  line
    .replaceAll(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+Z)?/g, '<time>')
    .replaceAll(/claim-[0-9a-f-]+…?/g, 'claim-<id>')
    .replaceAll(/\b[0-9a-f]{8,}…?/g, '<id>')
    .replaceAll(/[─┬┼┴]+/g, '─')
    .replaceAll(/ +/g, ' ')
    .trim();

test('the page has a command for each of its questions', () => {
  expect(examples.length).toBeGreaterThan(15);
});

test.skipIf(lack).each(examples)('$command', ({ command, output }) => {
  const lines = (printed[examples.findIndex((one) => one.command === command)] ?? '').split('\n').map(plain);
  let from = 0;
  for (const documented of output.map(plain).filter((line) => line !== '' && line !== '…')) {
    const at = lines.indexOf(documented, from);
    expect(at, `${documented}\nis not in\n${lines.slice(from).join('\n')}`).toBeGreaterThanOrEqual(0);
    from = at + 1;
  }
});
