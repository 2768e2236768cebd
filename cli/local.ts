import { execFile } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify, styleText } from 'node:util';
import { type Command, InvalidArgumentError } from 'commander';
import type { PortInUse, StandIn } from '../local/stand-in.ts';
import { createApi } from './api.ts';
import { runDemo } from './demo.ts';
import type { Outputs } from './outputs.ts';
import { createPersonas } from './personas.ts';

interface Flags {
  demo: boolean;
  package: boolean;
  directory: string;
  awsPort: number;
  apiPort: number;
  mqttPort: number;
  credentialsPort: number;
}

const STAGE = 'local';
/** Of the second that a Ctrl-C may take. */
const GRACE_MS = 300;
const REPOSITORY = join(import.meta.dirname, '..');
const PACKAGE = join(REPOSITORY, '.serverless');

export function register(program: Command): void {
  program
    .command('local')
    .description('Package the service, boot it on this machine, and take three cameras to their first frame.')
    .option('--no-demo', 'only serve')
    .option('--package', 'package the service first', true)
    .option('--no-package', 'boot what an earlier run packaged')
    .option('--directory <path>', 'where outputs.json, the CA, keys and logs go; emptied at each start', '.firstlight')
    .option('--aws-port <port>', 'every AWS API', port, 4566)
    .option('--api-port <port>', "Firstlight's HTTP API", port, 4567)
    .option('--mqtt-port <port>', 'AWS IoT, MQTT over mutual TLS', port, 8883)
    .option('--credentials-port <port>', 'AWS IoT credential provider, mutual TLS', port, 8443)
    .addHelpText('after', '\nA port of 0 means any that is free; outputs.json says which it became.')
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  const stopped = new Promise<void>((done) => stop.signal.addEventListener('abort', () => done(), { once: true }));
  try {
    const served = serve(flags, stop.signal, stopped);
    await Promise.race([served, stopped]);
    // What is half done when Ctrl-C comes may fail, or take longer than anybody waits.
    await Promise.race([served.catch(() => {}), setTimeout(GRACE_MS)]);
    process.exit(0);
  } catch (error) {
    console.error(styleText('red', isPortInUse(error) ? takenPort(error) : reason(error)));
    process.exit(1);
  }
}

async function serve(flags: Flags, signal: AbortSignal, stopped: Promise<void>): Promise<void> {
  const directory = resolve(flags.directory);
  if (flags.package) await timed('packaged the service', packageService);
  const standIn = await timed('booted the stand-in', () => boot(flags, directory));
  try {
    const outputs = await introduce(standIn, directory);
    // From here on a reset comes back to this very state.
    await standIn.checkpoint();
    await writeAtOnce(join(directory, 'outputs.json'), JSON.stringify(outputs, null, 2));

    if (flags.demo) {
      const { api, region, personas } = outputs;
      const factory = createApi({ api, region, keys: personas.factory });
      const operator = createApi({ api, region, keys: personas.operator });
      await runDemo({ outputs, factory, operator, directory, signal });
    }
    console.log(serving(outputs, directory, flags.demo));
    await stopped;
  } finally {
    await standIn.close();
  }
}

/**
 * `serverless package`, offline: the very template and bundles that a deployment uploads. Made aside and then moved into place, so that
 * another run that boots meanwhile finds the old package or the new one and not half of it.
 */
async function packageService(): Promise<void> {
  const serverless = createRequire(import.meta.url).resolve('serverless/bin/serverless.js');
  const cache = join(REPOSITORY, 'node_modules', '.cache');
  await mkdir(cache, { recursive: true });
  const aside = await mkdtemp(join(cache, 'package-'));
  try {
    const args = [serverless, 'package', '--stage', STAGE, '--package', aside];
    await promisify(execFile)(process.execPath, args, { cwd: REPOSITORY });
    await rm(PACKAGE, { recursive: true, force: true });
    await rename(aside, PACKAGE);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`the service could not be packaged:\n${stdout}${stderr}`, { cause: error });
  }
}

async function boot(flags: Flags, directory: string): Promise<StandIn> {
  const template = JSON.parse(
    await readFile(join(PACKAGE, 'cloudformation-template-update-stack.json'), 'utf8').catch(() => {
      throw new Error('there is no package to boot; leave out --no-package');
    }),
  );
  // Loaded only here: a camera on the command line has nothing to do with it, and need not wait for it.
  const { startStandIn } = await import('../local/stand-in.ts');
  return startStandIn({
    template,
    assets: PACKAGE,
    stackName: `firstlight-${STAGE}`,
    // Each start is a new world; but while the ports are another run's, so is the folder.
    async opened() {
      await rm(directory, { recursive: true, force: true });
      await mkdir(join(directory, 'logs'), { recursive: true, mode: 0o700 });
    },
    // One file a function, as CloudWatch keeps one log group a function.
    log: (functionName, text) => appendFileSync(join(directory, 'logs', `${functionName}.log`), text),
    ports: {
      aws: flags.awsPort,
      api: flags.apiPort,
      mqtt: flags.mqttPort,
      credentials: flags.credentialsPort,
    },
  });
}

/** What no template holds, made through the API as an operator would: the personas and one claim certificate. */
async function introduce(standIn: StandIn, directory: string): Promise<Outputs> {
  const { region, accountId, aws, api, mqtt, credentials, caPem, admin, stackOutputs } = standIn;
  const output = (name: string): string => {
    const value = stackOutputs[name];
    if (value === undefined) throw new Error(`serverless.yml has no output ${name}`);
    return value;
  };
  const personas = await createPersonas({
    aws,
    region,
    admin,
    policies: {
      factory: [output('FactoryPolicyArn')],
      operator: [output('OperatorPolicyArn'), output('DoctorPolicyArn')],
      auditor: [output('AuditorPolicyArn'), output('DoctorPolicyArn')],
    },
  });
  const operator = createApi({ api, region, keys: personas.operator });
  const claim = (await operator.post('/claim-certificates', {})) as { certificatePem: string; privateKey: string };
  const file = async (name: string, content: string, mode: number) => {
    const path = join(directory, name);
    await writeFile(path, content, { mode });
    return path;
  };
  return {
    region,
    accountId,
    aws,
    api,
    mqtt,
    credentials,
    caPath: await file('ca.pem', caPem, 0o644),
    claim: {
      certificatePath: await file('claim-certificate.pem', claim.certificatePem, 0o644),
      privateKeyPath: await file('claim-private.key', claim.privateKey, 0o600),
      templateName: output('ClaimTemplateName'),
      renewTemplateName: output('RenewTemplateName'),
    },
    personas,
  };
}

/** A reader finds the whole file or none. It holds keys, so nobody else may read it. */
async function writeAtOnce(path: string, content: string): Promise<void> {
  const beside = `${path}.new`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(beside, content, { mode: 0o600 });
  await rename(beside, path);
}

async function timed<T>(what: string, step: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await step();
  console.log(`${what.padEnd(24)}${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

function serving({ aws, api, mqtt, credentials }: Outputs, directory: string, demo: boolean): string {
  const example = demo ? 'CAM-0001' : 'SERIAL';
  return `
every AWS API        ${aws}
HTTP API             ${api}
MQTT                 ${mqtt.host}:${mqtt.port}
credential provider  ${credentials.host}:${credentials.port}
addresses and keys   ${join(directory, 'outputs.json')}

Try next, in another terminal:
  npx firstlight camera stream --serial ${example} --seconds 10
  npx firstlight camera stream --serial ${example} --stream CAM-0002    (refused)
  curl -X POST ${aws}/_firstlight/reset

Ctrl-C ends it.`;
}

const isPortInUse = (error: unknown): error is PortInUse => error instanceof Error && error.name === 'PortInUse';
const takenPort = ({ port, door }: PortInUse) => `port ${port} is in use; choose another with --${door}-port`;
const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return value;
}
