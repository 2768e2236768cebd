import { readFileSync } from 'node:fs';
import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { type Command, Option } from 'commander';
import { type Api, ApiError, createApi, type Keys } from './api.ts';
import { CommandFailed, exitCodes } from './failure.ts';
import type { Outputs, Persona } from './outputs.ts';
import { causeOf, createPace, isLost, type Pace } from './pace.ts';

export interface ApiFlags {
  api?: string;
  stage?: string;
  outputs: string;
  as?: Persona;
  region?: string;
}

/** The API with whoever calls it. */
export interface Connection {
  api: Api;
  /** Where it is. */
  url: string;
}

const PERSONAS = ['factory', 'operator', 'auditor', 'admin'];

/** Gives a command the flags by which it finds the API. `persona`: whom it calls as in a local run. */
export function withApi(command: Command, persona: Persona): Command {
  return command
    .addOption(stageOption('the API of the stack firstlight-<stage> (CloudFormation is asked)'))
    .addOption(new Option('--api <url>', 'where the API is').env('FIRSTLIGHT_API'))
    .addOption(regionOption())
    .addOption(outputsOption('used where neither --api nor --stage is given'))
    .addOption(asOption(persona));
}

/** Gives a command the flags by which it finds the whole stack. */
export function withStack(command: Command, persona: Persona): Command {
  return command
    .addOption(stageOption('the stack firstlight-<stage>'))
    .addOption(regionOption())
    .addOption(outputsOption('used where --stage is not given'))
    .addOption(asOption(persona));
}

const stageOption = (what: string) => new Option('--stage <stage>', what).env('FIRSTLIGHT_STAGE');
const regionOption = () => new Option('--region <region>', 'AWS region (default: as the AWS CLI finds it)');
const outputsOption = (when: string) =>
  new Option('--outputs <file>', `addresses and keys of a local run; ${when}`).default('.firstlight/outputs.json');
const asOption = (persona: Persona) =>
  new Option('--as <persona>', `call as somebody of the local run (default there: ${persona})`).choices(PERSONAS);

/** Finds the API and signs for it, or says in one line what is missing. */
export async function connect(flags: ApiFlags, persona: Persona): Promise<Connection> {
  const local = flags.api || flags.stage ? undefined : readOutputs(flags.outputs);
  if (!flags.api && !flags.stage && !local) {
    throw new CommandFailed(
      `no API to call: give --stage (a deployed stack) or --api (its URL), or start a local run with npm start (${flags.outputs} is not there)`,
    );
  }
  const world = local ?? (flags.as && readOutputs(flags.outputs));
  if (flags.as && !world)
    throw new CommandFailed(`--as ${flags.as} is somebody of a local run, and ${flags.outputs} is not there`);
  if (world && local && !flags.stage) return reach(local.api, local.region, keysOf(world, flags.as ?? persona));

  const { CloudFormationClient } = await import('@aws-sdk/client-cloudformation');
  const region = flags.region ?? (flags.api ? regionOf(flags.api) : undefined) ?? world?.region;
  const client = new CloudFormationClient({
    ...(region && { region }),
    ...(world && flags.as && { endpoint: world.aws, credentials: keysOf(world, flags.as) }),
  });
  try {
    const keys = world && flags.as ? keysOf(world, flags.as) : await chainOf(client);
    const url = flags.api ?? (await apiOf(client, flags.stage as string));
    return reach(url, region ?? (await found(() => client.config.region(), 'no AWS region')), keys);
  } finally {
    client.destroy();
  }
}

function reach(url: string, region: string, keys: Keys | (() => Promise<Keys>)): Connection {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new CommandFailed(`${url} is not the URL of an API`);
  return { api: createApi({ api: url, region, keys }), url };
}

export type StackFlags = Omit<ApiFlags, 'api'>;

/** A stack with whoever looks at it. */
export interface StackConnection {
  stackName: string;
  region: string;
  credentials: Keys | (() => Promise<Keys>);
  /** Of a local run; AWS's own if left out. */
  endpoint?: string;
  /** Who has signed the endpoints' certificates in a local run. */
  caPath?: string;
}

/** Finds the stack and who asks for it, or says in one line what is missing. */
export async function connectStack(flags: StackFlags, persona: Persona): Promise<StackConnection> {
  const world = flags.stage && !flags.as ? undefined : readOutputs(flags.outputs);
  if (!flags.stage && !world) {
    throw new CommandFailed(
      `no stack to look at: give --stage (a deployed one), or start a local run with npm start (${flags.outputs} is not there)`,
    );
  }
  if (flags.as && !world)
    throw new CommandFailed(`--as ${flags.as} is somebody of a local run, and ${flags.outputs} is not there`);
  if (world) {
    // Serverless calls a stack `<service>-<stage>`, and serverless.yml the template after it.
    const stackName = flags.stage ? stackOf(flags.stage) : world.claim.templateName.replace(/-claim$/, '');
    const { region, aws: endpoint, caPath } = world;
    return { stackName, region, credentials: keysOf(world, flags.as ?? persona), endpoint, caPath };
  }
  const { CloudFormationClient } = await import('@aws-sdk/client-cloudformation');
  const client = new CloudFormationClient(flags.region ? { region: flags.region } : {});
  try {
    const region = await found(() => client.config.region(), 'no AWS region');
    return { stackName: stackOf(flags.stage as string), region, credentials: await chainOf(client) };
  } finally {
    client.destroy();
  }
}

const stackOf = (stage: string): string => `firstlight-${stage}`;

/** One call that is asked again while the API says "later", and whose refusal is one line. */
export async function ask<T>(
  call: () => Promise<unknown>,
  pace: Pace = createPace({ parallel: 1, patienceMs: 60_000 }),
): Promise<T> {
  try {
    return (await pace.run(call)) as T;
  } catch (error) {
    throw inWords(error);
  }
}

/** One call whose lost answer may have left something behind: asking again would make another. */
export const askOnce = <T>(call: () => Promise<unknown>): Promise<T> =>
  ask<T>(call, createPace({ parallel: 1, patienceMs: 60_000, makesAnother: true }));

/** What the user can act on of an answer that was no, or did not come. */
export function inWords(error: unknown): unknown {
  if (isLost(error)) return new CommandFailed(`the API does not answer: ${causeOf(error) ?? 'it takes too long'}`);
  if (!(error instanceof ApiError)) return error;
  if (error.status >= 500 || error.status === 429)
    return new CommandFailed(`the API cannot do it now: ${error.message}`);
  // API Gateway says only this to keys without the right.
  const hint =
    error.code === undefined && error.status === 403 ? ' (these keys may not call this route, or are not valid)' : '';
  return new CommandFailed(`${error.message}${hint}`, exitCodes.no, error.code);
}

// A copy: whoever signs writes notes of its own into the keys it is given.
const keysOf = (world: Outputs, persona: Persona): Keys => ({ ...world.personas[persona] });

function readOutputs(file: string): Outputs | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CommandFailed(`${file} cannot be read: ${(error as Error).message}`);
  }
}

const regionOf = (url: string): string | undefined => /\.execute-api\.([a-z0-9-]+)\.amazonaws\./.exec(url)?.[1];

/** The ordinary chain: environment, profile, SSO, container, instance. Asked once here, so that what is missing is said before the work begins. */
async function chainOf(client: CloudFormationClient): Promise<() => Promise<Keys>> {
  const keys = async (): Promise<Keys> => {
    const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials();
    return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
  };
  await found(keys, 'no AWS credentials');
  return keys;
}

async function apiOf(client: CloudFormationClient, stage: string): Promise<string> {
  const StackName = stackOf(stage);
  const { DescribeStacksCommand } = await import('@aws-sdk/client-cloudformation');
  const region = await found(() => client.config.region(), 'no AWS region');
  try {
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName }));
    const url = Stacks?.[0]?.Outputs?.find(({ OutputKey }) => OutputKey === 'ApiUrl')?.OutputValue;
    if (url) return url;
    throw new CommandFailed(`the stack ${StackName} in ${region} has no output ApiUrl (is it deployed to its end?)`);
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    const { name, message } = error as Error;
    if (name === 'ValidationError')
      throw new CommandFailed(`${message} in ${region}: npm run deploy -- --stage ${stage}, or another --region`);
    if (name === 'AccessDenied') {
      throw new CommandFailed(
        `these keys may not ask CloudFormation where the API is; give its URL with --api. ${message}`,
      );
    }
    throw new CommandFailed(`CloudFormation could not be asked for the stack ${StackName}: ${message}`);
  }
}

async function found<T>(look: () => Promise<T>, missing: string): Promise<T> {
  try {
    return await look();
  } catch (error) {
    const [first] = (error as Error).message.split('\n');
    throw new CommandFailed(
      `${missing}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or sign in (aws sso login). ${first}`,
    );
  }
}
