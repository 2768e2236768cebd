import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import Table from 'cli-table3';
import { cameraStream, type FirstLight, firstBoot } from '../camera/boot.ts';
import { StepFailed } from '../camera/failure.ts';
import { openIdentity } from '../camera/identity.ts';
import { ensureKey, publicKeySha256 } from '../camera/keys.ts';
import { kvssinkLine, misfits } from '../camera/kvssink.ts';
import type { CameraOptions, Stage } from '../camera/options.ts';
import { inWords } from '../camera/say.ts';
import type { createApi } from './api.ts';
import type { Outputs } from './outputs.ts';

type Api = ReturnType<typeof createApi>;

/** A row of the manifest, and what only the camera itself holds. */
interface DemoCamera {
  row: { serialNumber: string; streamMode: string; batch: string; publicKeySha256?: string; claimToken?: string };
  options: CameraOptions;
}

/** What the table shows of a device; the API answers more. */
interface DeviceView {
  serialNumber: string;
  status: string;
  streamMode: string;
  batch?: string;
  thingName: string;
  certificates: { id: string; state: string }[];
  streams: { name: string }[];
}

const BATCH = 'demo';
const PROOF_OF_LIFE_DEADLINE_MS = 10_000;

/** Three cameras, each of another stream mode and another proof, from announcement to first frame; then each at its neighbour's stream. */
export async function runDemo({
  outputs,
  factory,
  operator,
  directory,
  signal,
}: {
  outputs: Outputs;
  factory: Api;
  operator: Api;
  directory: string;
  signal: AbortSignal;
}): Promise<void> {
  const cameras = manifest(outputs, directory);
  const { results } = (await factory.post('/devices', { devices: cameras.map(({ row }) => row) })) as {
    results: { serialNumber: string; outcome: string; problem?: { detail?: string } }[];
  };
  console.log(`\nAnnounced ${results.map(({ serialNumber, outcome }) => `${serialNumber} (${outcome})`).join(', ')}.`);

  const lights: FirstLight[] = [];
  for (const { row, options } of cameras) {
    signal.throwIfAborted();
    console.log(`\n${styleText('bold', row.serialNumber)}  ${row.streamMode}, ${proofOf(row)}`);
    const powerOn = performance.now();
    lights.push(await firstBoot(options, say));
    console.log(styleText('green', `  first frame ${seconds(performance.now() - powerOn)} after power-on`));
  }

  console.log('\nEach camera tries its neighbour’s stream:');
  for (const [index, { row, options }] of cameras.entries()) {
    signal.throwIfAborted();
    const neighbour = lights[(index + 1) % lights.length] as FirstLight;
    await tryNeighbour(row.serialNumber, options, neighbour.configuration.streamName);
  }

  const devices = await Promise.all(cameras.map(({ row }) => untilActive(operator, row.serialNumber, signal)));
  console.log(`\n${registryTable(devices)}`);
  printKvssink(lights[0] as FirstLight, outputs);
}

function manifest(outputs: Outputs, directory: string): DemoCamera[] {
  const camera = (serialNumber: string) => ({
    serialNumber,
    directory: join(directory, 'cameras', serialNumber),
    mqttEndpoint: `${outputs.mqtt.host}:${outputs.mqtt.port}`,
    caPath: outputs.caPath,
    claimCertificatePath: outputs.claim.certificatePath,
    claimPrivateKeyPath: outputs.claim.privateKeyPath,
    templateName: outputs.claim.templateName,
    renewTemplateName: outputs.claim.renewTemplateName,
    kinesisVideoEndpoint: outputs.aws,
  });
  const pinned = camera('CAM-0001');
  const tokened = camera('CAM-0002');
  const listed = camera('CAM-0003');
  const { privateKeyPem } = ensureKey(openIdentity(pinned.directory, pinned.serialNumber).privateKeyPath);
  const claimToken = randomBytes(16).toString('hex');
  const row = ({ serialNumber }: { serialNumber: string }, streamMode: string) => ({
    serialNumber,
    streamMode,
    batch: BATCH,
  });
  return [
    { options: pinned, row: { ...row(pinned, 'thing-name'), publicKeySha256: publicKeySha256(privateKeyPem) } },
    { options: { ...tokened, claimToken }, row: { ...row(tokened, 'certificate-id'), claimToken } },
    { options: listed, row: row(listed, 'fixed') },
  ];
}

const proofOf = ({ publicKeySha256: pin, claimToken }: DemoCamera['row']) =>
  pin ? 'key pinned in the manifest' : claimToken ? 'one-time claim token' : 'allow-list only';

function say(stage: Stage): void {
  console.log(`  ${inWords(stage)}`);
}

/** Being refused is what the camera roles are for, so anything else fails the demo. */
async function tryNeighbour(serialNumber: string, options: CameraOptions, streamName: string): Promise<void> {
  try {
    await cameraStream({ ...options, patienceMs: 0 }, streamName, () => {});
  } catch (error) {
    if (!(error instanceof StepFailed) || error.remedy !== 'denied') throw error;
    console.log(`  ${styleText('green', '✓')} ${serialNumber} is refused at ${short(streamName)}`);
    return;
  }
  throw new Error(`${serialNumber} could write into ${streamName}, which is its neighbour's`);
}

/** Proof of life reaches the registry by an event; the API tells when it is there. */
async function untilActive(api: Api, serialNumber: string, signal: AbortSignal): Promise<DeviceView> {
  const deadline = performance.now() + PROOF_OF_LIFE_DEADLINE_MS;
  for (;;) {
    const device = (await api.get(`/devices/${serialNumber}`)) as DeviceView;
    if (device.status === 'active') return device;
    if (performance.now() > deadline)
      throw new Error(`${serialNumber} is still ${device.status}: no proof of life arrived`);
    await sleep(50, undefined, { signal });
  }
}

function registryTable(devices: DeviceView[]): string {
  const table = new Table({
    head: ['serial number', 'status', 'stream mode', 'batch', 'thing', 'certificate', 'stream'],
    style: { head: [], border: [] },
  });
  for (const device of devices) {
    const certificate = device.certificates.find(({ state }) => state === 'current');
    table.push([
      device.serialNumber,
      device.status,
      device.streamMode,
      device.batch ?? '',
      device.thingName,
      short(certificate?.id ?? ''),
      // A `fixed` camera owns no stream: the deployment does.
      short(device.streams.at(-1)?.name ?? 'the shared one'),
    ]);
  }
  return table.toString();
}

function printKvssink(light: FirstLight, outputs: Outputs): void {
  const { thingName, configuration, certificatePath, privateKeyPath } = light;
  const files = { certificatePath, privateKeyPath, caPath: outputs.caPath };
  console.log(`\nStream as ${thingName} with AWS's own producer (GStreamer and kvssink):\n`);
  console.log(kvssinkLine({ thingName, configuration, ...files, kinesisVideoEndpoint: outputs.aws }));
  const warning = misfits(files);
  if (warning !== undefined) console.log(styleText('yellow', `\n${warning}`));
}

/** Certificate ids fill a line; twelve digits tell them apart. */
const short = (text: string) => (/^[0-9a-f]{64}$/.test(text) ? `${text.slice(0, 12)}…` : text);
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
