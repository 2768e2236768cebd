import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { AttachRolePolicyCommand, CreateRoleCommand } from '@aws-sdk/client-iam';
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { packagedFunctions, shippedBundle } from '../bench/bundle.ts';
import { awsClients } from './aws-clients.ts';
import type { Outputs } from './local-run.ts';

export interface FunctionProcess {
  /** The answer of the handler; events follow each other in the one process. */
  // biome-ignore lint/suspicious/noExplicitAny: what a handler answered; the test says what it must be
  invoke(event: unknown): Promise<any>;
  stop(): Promise<void>;
}

/** `process.send` is the way back. */
const RUNTIME = `
const { handler } = await import(process.argv[2]);
const context = { getRemainingTimeInMillis: () => 10_000 };
process.on('message', async (event) => process.send({ answer: await handler(event, context) }));
process.send('ready');
`;

/**
 * The shipped bundle of a function in one process that stays, with the environment that it was deployed with, save for what the caller
 * changes, before an AWS endpoint of the caller's choice. It signs as the administrator: what its role may do is the running stand-in's to say, not this one's.
 */
export async function startFunction(
  outputs: Outputs,
  key: string,
  endpoint: string,
  environment: Record<string, string> = {},
): Promise<FunctionProcess> {
  const fn = (await packagedFunctions()).find((one) => one.key === key);
  if (!fn) throw new Error(`serverless.yml has no function ${key}`);
  const { lambda } = awsClients(outputs, outputs.personas.admin);
  const FunctionName = `firstlight-local-${key}`;
  const { Environment } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  const session = await sessionOfAdministrator(outputs);

  const directory = await mkdtemp(join(tmpdir(), 'firstlight-function-'));
  const bundle = join(directory, `${basename(fn.path)}.mjs`);
  const runtime = join(directory, 'runtime.mjs');
  await writeFile(bundle, await shippedBundle(fn));
  await writeFile(runtime, RUNTIME);
  const child = fork(runtime, [bundle], {
    execArgv: [],
    silent: true,
    env: {
      ...Environment?.Variables,
      ...environment,
      AWS_REGION: outputs.region,
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: session.AccessKeyId,
      AWS_SECRET_ACCESS_KEY: session.SecretAccessKey,
      AWS_SESSION_TOKEN: session.SessionToken,
    },
  });
  let written = '';
  const read = (chunk: Buffer) => {
    written += chunk;
  };
  child.stdout?.on('data', read);
  child.stderr?.on('data', read);
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${key} ended with ${code}:\n${written}`);
  });
  ended.catch(() => {});
  await Promise.race([once(child, 'message'), ended]);

  return {
    async invoke(event) {
      child.send(event as object);
      const [message] = await Promise.race([once(child, 'message'), ended]);
      return message.answer;
    },
    async stop() {
      child.kill();
      await ended.catch(() => {});
      await rm(directory, { recursive: true });
    },
  };
}

/** Keys with a session token, as every Lambda has them. Only its service may assume the function's own role. */
async function sessionOfAdministrator(outputs: Outputs) {
  const { iam, sts } = awsClients(outputs, outputs.personas.admin);
  const RoleName = `function-process-${randomUUID()}`;
  const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: outputs.accountId } };
  const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [trust] });
  const { Role } = await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
  const PolicyArn = 'arn:aws:iam::aws:policy/AdministratorAccess';
  await iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn }));
  const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn: Role?.Arn, RoleSessionName: 'function' }));
  if (!Credentials) throw new Error('STS gave no credentials');
  return Credentials;
}
