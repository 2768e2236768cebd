import * as fs from 'node:fs';
import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { cameraCredentials, cameraStream, firstBoot, registered, renewCertificate } from '../camera/boot.ts';
import { StepFailed } from '../camera/failure.ts';
import { kvssinkLine, misfits } from '../camera/kvssink.ts';
import type { CameraOptions } from '../camera/options.ts';
import { inWords } from '../camera/say.ts';

interface Flags {
  serial: string;
  token?: string;
  dir?: string;
  outputs: string;
  mqttEndpoint?: string;
  ca?: string;
  template?: string;
  renewTemplate?: string;
  renewAfter?: number;
  claimCertificate?: string;
  claimKey?: string;
  key?: string;
  keysByAws?: true;
  https?: true;
  api?: string;
  format: 'json' | 'cbor';
  mqtt: '5' | '3.1.1';
  kinesisVideo?: string;
  seconds?: number;
  patience: number;
  answer?: number;
  persist?: true;
  stream?: string;
  source?: string;
}

/** What a local run leaves behind for scripts; against AWS the flags say it instead. */
interface Outputs {
  aws?: string;
  api?: string;
  mqtt?: { host: string; port: number };
  caPath?: string;
  claim?: { certificatePath: string; privateKeyPath: string; templateName: string; renewTemplateName?: string };
}

export function register(program: Command): void {
  const camera = program.command('camera').description('The reference camera, from first boot to first frame.');

  asked(
    subcommand(camera, 'boot', 'Claim an identity, prove life, get credentials, film. Killed anywhere, it goes on.'),
  )
    .option('--token <token>', 'one-time claim token from the manifest')
    .option('--claim-certificate <file>', "the batch's claim certificate")
    .option('--claim-key <file>', 'its private key')
    .option('--template <name>', 'the claim template')
    .option('--mqtt-endpoint <host:port>', 'AWS IoT data endpoint')
    .option('--https', 'claim and show life over HTTPS, where the network blocks MQTT')
    .option('--api <url>', "Firstlight's HTTP API, for --https (default: the local run's)")
    .option('--keys-by-aws', 'let AWS make the private key, if the camera has none')
    .option('--renew-after <days>', 'renew a certificate of that age (default: as the deployment says)', days)
    .option('--persist', 'ask again after a denial too, slowly')
    .option('--seconds <n>', 'film live for so long (default: three seconds, sent at once)', positive)
    .action((flags: Flags) =>
      orOneLine(async () => {
        await firstBoot(
          optionsFrom(flags, (flag) => missing(flag, flags)),
          tell(flags),
        );
      }),
    );

  asked(subcommand(camera, 'renew', 'Take the next certificate now, over the one it has, and film with it.'))
    .option(
      '--seconds <n>',
      'film live for so long, and renew meanwhile (default: renew, then film three seconds)',
      positive,
    )
    .action((flags: Flags) =>
      orOneLine(async () => {
        await renewCertificate(optionsFrom(flags), tell(flags));
      }),
    );

  subcommand(camera, 'credentials', 'Print temporary AWS credentials of a booted camera, as shell exports.').action(
    (flags: Flags) =>
      orOneLine(async () => {
        const { accessKeyId, secretAccessKey, sessionToken } = await cameraCredentials(optionsFrom(flags), () => {});
        console.log(`export AWS_ACCESS_KEY_ID=${accessKeyId}`);
        console.log(`export AWS_SECRET_ACCESS_KEY=${secretAccessKey}`);
        console.log(`export AWS_SESSION_TOKEN=${sessionToken}`);
      }),
  );

  subcommand(camera, 'stream', "Film. Into a neighbour's stream, to see it refused: --stream.")
    .option('--stream <name>', "the stream (default: the camera's own)")
    .option('--seconds <n>', 'film live for so long (default: three seconds, sent at once)', positive)
    .action((flags: Flags) =>
      orOneLine(async () => {
        await cameraStream(optionsFrom(flags), flags.stream, tell(flags));
      }),
    );

  subcommand(camera, 'kvssink', "Print the GStreamer command that films with AWS's own producer.")
    .option('--stream <name>', "one of the camera's channels (default: its own stream)")
    .option('--source <pipeline>', 'what comes before kvssink (default: a test picture)')
    .action((flags: Flags) => orOneLine(async () => printKvssink(flags)));
}

/** What only those need who ask AWS IoT for a certificate. */
function asked(command: Command): Command {
  return command
    .option('--renew-template <name>', "the renewal template (default: the claim template's name, with -renew)")
    .addOption(new Option('--format <format>').choices(['json', 'cbor']).default('json'))
    .addOption(new Option('--mqtt <version>').choices(['5', '3.1.1']).default('5'))
    .option('--answer <seconds>', 'how long the cloud may take for one answer (default: 15; over HTTPS 35)', positive);
}

function subcommand(camera: Command, name: string, description: string): Command {
  return camera
    .command(name)
    .description(description)
    .requiredOption('--serial <number>', 'serial number of the camera')
    .option('--dir <directory>', 'where the camera keeps its identity (default: .firstlight/cameras/<serial>)')
    .option('--outputs <file>', 'addresses of a local run', '.firstlight/outputs.json')
    .option('--ca <file>', "CA of AWS IoT's endpoints")
    .option('--key <file>', 'a key that the factory has put elsewhere than in --dir')
    .option('--kinesis-video <url>', "Kinesis Video endpoint (default: the local run's, or AWS's own)")
    .option('--patience <seconds>', 'how long a step may go on failing', positive, 60);
}

/** `ask` is called for what only a claim needs. */
function optionsFrom(flags: Flags, ask: (flag: string) => string = () => ''): CameraOptions {
  const outputs = outputsFrom(flags.outputs);
  // Over HTTPS there is neither MQTT nor a claim certificate.
  const need = flags.https ? () => '' : ask;
  const { serial: serialNumber } = flags;
  return {
    serialNumber,
    // A serial number that is not one still has to reach the backend, which says so.
    directory: path.resolve(
      flags.dir ?? `.firstlight/cameras/${encodeURIComponent(serialNumber).replaceAll('.', '%2E')}`,
    ),
    mqttEndpoint:
      flags.mqttEndpoint ?? (outputs.mqtt ? `${outputs.mqtt.host}:${outputs.mqtt.port}` : need('--mqtt-endpoint')),
    caPath: path.resolve(flags.ca ?? outputs.caPath ?? missing('--ca', flags)),
    claimCertificatePath: flags.claimCertificate ?? outputs.claim?.certificatePath ?? need('--claim-certificate'),
    claimPrivateKeyPath: flags.claimKey ?? outputs.claim?.privateKeyPath ?? need('--claim-key'),
    templateName: flags.template ?? outputs.claim?.templateName ?? need('--template'),
    renewTemplateName: flags.renewTemplate ?? outputs.claim?.renewTemplateName,
    renewAfterDays: flags.renewAfter,
    httpApi: flags.https && (flags.api ?? outputs.api ?? ask('--api')),
    claimToken: flags.token,
    privateKeyPath: flags.key && path.resolve(flags.key),
    keysByAws: flags.keysByAws,
    format: flags.format,
    protocolVersion: flags.mqtt === '3.1.1' ? 4 : 5,
    kinesisVideoEndpoint: flags.kinesisVideo ?? outputs.aws,
    seconds: flags.seconds,
    patienceMs: flags.patience * 1000,
    persistWhenDenied: flags.persist,
    answerMs: flags.answer === undefined ? undefined : flags.answer * 1000,
  };
}

function missing(flag: string, { outputs }: Flags): never {
  throw new StepFailed('never', `${outputs} is not there (is \`npm start\` running?); without it, give ${flag}`);
}

function outputsFrom(file: string): Outputs {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new StepFailed('never', `${file} cannot be read: ${(error as Error).message}`);
  }
}

function printKvssink(flags: Flags): void {
  const options = optionsFrom(flags);
  const { identity, place } = registered(options);
  const files = {
    certificatePath: identity.certificatePath,
    privateKeyPath: identity.privateKeyPath,
    caPath: options.caPath,
  };
  const warning = misfits(files);
  if (warning !== undefined) console.error(warning);
  console.log(
    kvssinkLine({
      ...place,
      ...files,
      kinesisVideoEndpoint: options.kinesisVideoEndpoint,
      streamName: flags.stream,
      source: flags.source,
    }),
  );
}

function tell({ serial }: Flags) {
  return (stage: Parameters<typeof inWords>[0]) => console.log(`${serial}  ${inWords(stage)}`);
}

/** What a person can act on is one line; anything else is a bug and keeps its stack. */
async function orOneLine(command: () => Promise<void>): Promise<void> {
  try {
    await command();
  } catch (error) {
    const fromTheSystem = error instanceof Error && 'syscall' in error;
    if (!(error instanceof StepFailed) && !fromTheSystem) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

const above0 = (what: string) => (text: string) => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError(`give a number of ${what} above 0`);
  return value;
};
const positive = above0('seconds');
const days = above0('days');
