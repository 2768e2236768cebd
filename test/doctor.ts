import { CloudFormationClient, DescribeStacksCommand, ListStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import * as dynamodb from '@aws-sdk/client-dynamodb';
import * as events from '@aws-sdk/client-eventbridge';
import * as iam from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import * as kinesisvideo from '@aws-sdk/client-kinesis-video';
import * as lambda from '@aws-sdk/client-lambda';
import { awsClients } from './aws-clients.ts';
import { atRun, firstlight } from './firstlight.ts';
import type { Keys } from './http-api.ts';
import type { Outputs } from './local-run.ts';
import { openShell, type Shell } from './shell.ts';
import { lacking } from './tools.ts';

export interface Remedy {
  command: string;
  call?: { service: string; operation: string; input: Record<string, unknown> };
}

export interface Finding {
  subject: string;
  verdict: 'ok' | 'broken' | 'not checked';
  says?: string;
  remedy?: Remedy;
}

export interface Examination {
  stack: string;
  verdict: Finding['verdict'];
  links: { link: string; asks: string; verdict: Finding['verdict']; findings: Finding[] }[];
}

export interface Examined {
  code: number;
  stdout: string;
  stderr: string;
  report: Examination;
  /** `link: subject: what is wrong`, in the order of the chain. */
  broken: string[];
  remedies: Remedy[];
}

export interface Doctor {
  /** `firstlight doctor --json` as somebody of the local run; whatever it ends with is an answer. */
  examine(...args: string[]): Promise<Examined>;
  /** Without `--json`. */
  says(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /**
   * What an operator does: whatever is said to mend, then look again, as one mend may show the next. The commands where the AWS CLI is
   * installed, else the same calls. Answers the last look.
   */
  mends(found: Examined, ...args: string[]): Promise<Examined>;
  close(): Promise<void>;
}

/** With `keys`, as somebody who has these AWS credentials and nothing else, as on a deployed stack; else as the local run's people. */
export async function callDoctor(outputs: Outputs, keys?: Keys): Promise<Doctor> {
  const shell = lacking("the doctor's remedies as commands", 'bash', 'the AWS CLI')
    ? undefined
    : await openShell(outputs);
  const where = keys ? ['--stage', 'local', '--ca', outputs.caPath] : atRun(outputs);
  const env = keys && {
    AWS_REGION: outputs.region,
    AWS_ENDPOINT_URL: outputs.aws,
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
  };
  const says = (...args: string[]) => firstlight(['doctor', ...where, ...args], env && { env });

  async function examine(...args: string[]): Promise<Examined> {
    const ran = await says('--json', ...args);
    const report: Examination = ran.stdout === '' ? { links: [] } : JSON.parse(ran.stdout);
    const flaws = report.links.flatMap(({ link, findings }) =>
      findings.filter(({ verdict }) => verdict === 'broken').map((finding) => ({ link, ...finding })),
    );
    return {
      ...ran,
      report,
      broken: flaws.map(({ link, subject, says: words }) => `${link}: ${subject}: ${words}`),
      remedies: flaws.flatMap(({ remedy }) => remedy ?? []),
    };
  }

  return {
    says,
    examine,
    async mends(found, ...args) {
      for (let round = 0, now = found; ; round++) {
        const calls = now.remedies.filter(({ call }) => call);
        if (calls.length === 0 || round === ROUNDS) return now;
        for (const remedy of calls) await mend(remedy, outputs, shell);
        now = await examine(...args);
      }
    },
    close: async () => shell?.close(),
  };
}

const ROUNDS = 3;

async function mend({ command, call }: Remedy, outputs: Outputs, shell: Shell | undefined): Promise<void> {
  if (!call) return;
  if (shell) {
    await shell.runs(command);
    return;
  }
  const clients = awsClients(outputs, outputs.personas.admin);
  // biome-ignore lint/suspicious/noExplicitAny: the remedy names the command
  const services: Record<string, [client: any, commands: any]> = {
    dynamodb: [clients.dynamoDb, dynamodb],
    iam: [clients.iam, iam],
    iot: [clients.iot, iot],
    kinesisvideo: [clients.kinesisVideo, kinesisvideo],
    lambda: [clients.lambda, lambda],
    events: [clients.eventBridge, events],
  };
  const [client, commands] = services[call.service] ?? [];
  await client.send(new commands[`${call.operation}Command`](call.input));
}

/** What the stack is made of: logical id → name, and its outputs. */
export async function stackNames(outputs: Outputs) {
  const { aws: endpoint, region, personas, claim } = outputs;
  const client = new CloudFormationClient({ endpoint, region, credentials: personas.admin });
  const StackName = claim.templateName.replace(/-claim$/, '');
  const [{ StackResourceSummaries = [] }, { Stacks = [] }] = await Promise.all([
    client.send(new ListStackResourcesCommand({ StackName })),
    client.send(new DescribeStacksCommand({ StackName })),
  ]);
  const names = new Map(
    StackResourceSummaries.map((one) => [one.LogicalResourceId ?? '', one.PhysicalResourceId ?? '']),
  );
  return {
    StackName,
    nameOf(logicalId: string): string {
      const name = names.get(logicalId);
      if (name === undefined) throw new Error(`the stack has no ${logicalId}`);
      return name;
    },
    output: (key: string) => Stacks[0]?.Outputs?.find((one) => one.OutputKey === key)?.OutputValue ?? '',
  };
}
