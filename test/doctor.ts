import { CloudFormationClient, DescribeStacksCommand, ListStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import * as dynamodb from '@aws-sdk/client-dynamodb';
import * as events from '@aws-sdk/client-eventbridge';
import * as iam from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import * as kinesisvideo from '@aws-sdk/client-kinesis-video';
import * as lambda from '@aws-sdk/client-lambda';
import { awsClients } from './aws-clients.ts';
import { atRun, firstlight } from './firstlight.ts';
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

export async function callDoctor(outputs: Outputs): Promise<Doctor> {
  const shell = lacking("the doctor's remedies as commands", 'bash', 'the AWS CLI')
    ? undefined
    : await openShell(outputs);
  const says = (...args: string[]) => firstlight(['doctor', ...atRun(outputs), ...args]);

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
