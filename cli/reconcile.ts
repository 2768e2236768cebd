import { setTimeout as sleep } from 'node:timers/promises';
import type { LambdaClient } from '@aws-sdk/client-lambda';
import { type Command, Option } from 'commander';
import { connectStack, type StackFlags, withStack } from './connect.ts';
import { CommandFailed, exitCodes, orOneLine } from './failure.ts';
import { stopOnSignal } from './interruption.ts';
import { createProgress } from './progress.ts';
import { merged, type Report, said, total } from './reconcile-report.ts';
import { count, printJson } from './table.ts';

interface Flags extends StackFlags {
  apply?: true;
  thorough?: true;
  only?: string;
  json?: true;
}

type Answer = Report & { next?: string; phase?: string };

/** The parts of an audit, in their order. */
const PARTS = ['due', 'denials', 'records', 'power', 'inactive', 'things', 'devices'];

export function register(program: Command): void {
  withStack(program.command('reconcile'), 'operator')
    .description('Compare all that AWS and the registry hold for the fleet, and mend what has drifted.')
    .option('--apply', 'mend it (default: only say what would be done, and write nothing)')
    .option('--thorough', 'look closely at every device, not only at this day’s share of a large fleet')
    .addOption(new Option('--only <part>', 'one part only; devices is then told nothing by the others').choices(PARTS))
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
The function itself does it each five minutes for what is known to be unfinished, and once a day for everything. It keeps to a fifth of AWS's
default quotas, so a large fleet takes its time. Certificates, things and streams that are not Firstlight's are never touched, footage is never
deleted. Needs lambda:InvokeFunction on the one function, which the managed policy operator has.
Exit code: 0 all is well, 1 something would be mended, was left or has failed, 2 it could not be run, 130 stopped with Ctrl-C.

Examples:
  firstlight reconcile
  firstlight reconcile --apply --stage prod
  firstlight reconcile --only power --json | jq '.findings'`,
    )
    .action((flags: Flags) => orOneLine(() => reconcile(flags)));
}

async function reconcile({ apply, thorough, only, json, ...flags }: Flags): Promise<void> {
  const { stackName, caPath: _, ...settings } = await connectStack(flags, 'operator');
  const { LambdaClient } = await import('@aws-sdk/client-lambda');
  const lambda = new LambdaClient(settings);
  const progress = createProgress();
  const stop = stopOnSignal();
  const dryRun = apply !== true;
  const first = { dryRun, audit: true, ...(thorough && { thorough }), ...(only !== undefined && { only }) };
  // Serverless calls a function `<service>-<stage>-<function>`, and a stack `<service>-<stage>`.
  const call = (order: object) => invoke(lambda, `${stackName}-reconcile`, order, stop.signal);
  let report: Report | undefined;
  try {
    for await (const answer of answers(call, first, dryRun, stop.signal)) {
      report = report ? merged(report, answer) : answer;
      const found = total(report.done) + total(report.left) + total(report.failed);
      progress.show(undefined, `${count(found)} found; next: ${answer.phase ?? 'nothing'}`);
    }
  } finally {
    progress.end();
    stop.forget();
    lambda.destroy();
  }
  if (report && json) printJson({ ...report, next: undefined, phase: undefined });
  else if (report) console.log(said(report));
  if (stop.signal.aborted) {
    throw new CommandFailed('stopped; what the function has begun it ends within a minute', exitCodes.interrupted);
  }
  if (report && !report.complete) throw new CommandFailed('it does not get on: see what has failed', exitCodes.no);
  const isWell = report && total(report.failed) + total(report.left) + (dryRun ? total(report.done) : 0) === 0;
  if (!isWell) process.exitCode = exitCodes.no;
}

/** So often the same part is tried again that AWS did not let through. */
const mostTries = 3;
const pauseMs = 2000;

/** One answer after the other, until there is nothing left, or no getting on. */
async function* answers(
  call: (order: object) => Promise<Answer | undefined>,
  first: object,
  dryRun: boolean,
  signal: AbortSignal,
): AsyncGenerator<Answer> {
  let order = first;
  for (let last: string | undefined, tries = 0; ; ) {
    const answer = await call(order);
    if (!answer) return;
    yield answer;
    const { next } = answer;
    tries = next === last ? tries + 1 : 0;
    if (next === undefined || tries === mostTries || signal.aborted) return;
    if (tries > 0) await sleep(pauseMs, undefined, { signal }).catch(() => {});
    last = next;
    order = { dryRun, cursor: next };
  }
}

/** `undefined` where nobody waits for the answer any more. */
async function invoke(
  lambda: LambdaClient,
  FunctionName: string,
  order: object,
  abortSignal: AbortSignal,
): Promise<Answer | undefined> {
  const { InvokeCommand } = await import('@aws-sdk/client-lambda');
  try {
    const asked = new InvokeCommand({ FunctionName, Payload: JSON.stringify(order) });
    const { FunctionError, Payload } = await lambda.send(asked, { abortSignal });
    const answer = JSON.parse(Buffer.from(Payload ?? []).toString('utf8'));
    if (FunctionError) throw new CommandFailed(`${FunctionName} has failed: ${answer.errorMessage}`);
    return answer;
  } catch (error) {
    if (abortSignal.aborted) return undefined;
    if (error instanceof CommandFailed) throw error;
    const { name, message } = error as Error;
    if (name === 'AccessDeniedException') {
      throw new CommandFailed(`these keys may not run it; the stack's managed policy operator lets them. ${message}`);
    }
    throw new CommandFailed(`${FunctionName} cannot be run: ${message}`);
  }
}
