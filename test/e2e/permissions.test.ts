import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Sha256 } from '@aws-crypto/sha256-js';
import { DetachUserPolicyCommand, ListAttachedUserPoliciesCommand } from '@aws-sdk/client-iam';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, expect, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { startLocalRun } from '../local-run.ts';
import { withEachConditionUnfulfilled, withoutEachRight } from '../policy-cuts.ts';
import { liftReconcilesPace } from '../reconcile-function.ts';
import { switchOffSchedules } from '../schedules.ts';
import { copyManagedPolicies, plainName, readStack } from '../stack-policies.ts';
import { prepareWalks } from './walks/all.ts';
import { SILENCE } from './walks/needs.ts';
import { HALF_MADE, LEFT_BEHIND, needs } from './walks/needs-line.ts';

/**
 * Least privilege, proved from the running stack: every right that it gives is taken away in turn, the smallest walk
 * that needs it fails as its user would see it, and works again once the right is back. A right that no walk needs fails
 * the test: it is superfluous, or its walk is missing.
 */

/** How long a walk may take, and how long a silence must last to be one. */
const PATIENCE_MS = 15_000;
const SILENCE_MS = 1_500;

/** All of AWSIoTThingsRegistration that the claim template needs. */
const PROVISIONING = [
  'iot:DescribeCertificate',
  'iot:UpdateCertificate',
  'iot:DescribeThing',
  'iot:CreateThing',
  'iot:UpdateThing',
  'iot:AttachThingPrincipal',
  'iot:AttachPolicy',
];

const run = await startLocalRun();
afterAll(() => run.stop());
await switchOffSchedules(run.outputs);
await liftReconcilesPace(run.outputs);
await copyManagedPolicies(run.outputs, PROVISIONING);
await detachTheDoctor();
const stack = await readStack(run.outputs);
const walks = await prepareWalks(run.outputs, stack.prefix);

const plain = (piece: string) => plainName(piece, stack);

/** What the doctor may read is many rights of few links: doctor-rights.test.ts takes them away. Here nobody has them. */
const isOfTheDoctor = (name: string) => name === 'doctor';

/** serverless-iam-roles-per-function needs it as a pattern for the others; that no function has it is checked below. */
const isPattern = (name: string) => name.startsWith('lambdaRole ');

/**
 * Lambda writes logs with the function's role. There is no CloudWatch Logs here that could refuse it, so these three are
 * AWS's documented need (Lambda guide, "Sending Lambda function logs to CloudWatch Logs"), on its own log group each.
 */
const isLogging = (right: string, name: string) => {
  const group = `log-group:/aws/lambda/${name.replace(/ role$/, '')}:*:*`;
  return ['CreateLogGroup', 'CreateLogStream', 'PutLogEvents'].some((action) => right === `logs:${action} on ${group}`);
};

const cuts = stack.papers
  .filter(({ name }) => !isPattern(name) && !isOfTheDoctor(name))
  .flatMap((paper) =>
    [...withoutEachRight(paper.document), ...withEachConditionUnfulfilled(paper.document)]
      .filter(({ piece }) => !isLogging(plain(piece), paper.name))
      .map(({ piece, document }) => ({ right: `${paper.name}: ${plain(piece)}`, paper, document })),
  );

test('every right of the stack has a walk that needs it, and every walk its right', () => {
  expect(cuts.map(({ right }) => right).sort()).toEqual(Object.keys(needs).sort());
});

test('there is no CloudWatch Logs that could ask for a right', async () => {
  const { aws, region, personas } = run.outputs;
  const { protocol, hostname, host } = new URL(aws);
  const signer = new SignatureV4({ service: 'logs', region, credentials: personas.admin, sha256: Sha256 });
  const headers = { host, 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Logs_20140328.PutLogEvents' };
  const request = await signer.sign({ method: 'POST', protocol, hostname, path: '/', headers, body: '{}' });
  const answer = await fetch(aws, { method: 'POST', headers: request.headers, body: '{}' });
  expect(await answer.text()).toContain('The service logs is not available here.');
});

test('no function has the pattern of the roles', () => {
  expect(
    [...stack.functionRoles.values()].filter((role) => /^firstlight-\w+-us-east-1-lambdaRole$/.test(role)),
  ).toEqual([]);
  expect(stack.functionRoles.size).toBe(new Set(stack.functionRoles.values()).size);
});

test.each(Object.entries(walks))('with all rights, one %s', async (_, walk) => {
  await walk(PATIENCE_MS);
});

/** A function that fails tells why, and not what it could not take back then: the walk looks for what was left. */
const isUndoing = (right: string) => [LEFT_BEHIND, HALF_MADE].includes(needs[right]?.[1] ?? /$^/);

test('each missing right is told in a log, but for these', () => {
  const untold = cuts.map(({ right }) => right).filter(isUndoing);
  expect(untold.sort()).toEqual([
    'claimOverHttps role: iot:DeleteCertificate on cert/*',
    'claimOverHttps role: iot:UpdateCertificate on cert/*',
    'createClaimCertificate role: dynamodb:UpdateItem on table/claim-certificates',
    'createClaimCertificate role: iot:UpdateCertificate on cert/*',
    'provisionDevice role: iot:DeleteCertificate on cert/*',
    'provisionDevice role: iot:UpdateCertificate on cert/*',
  ]);
});

test.each(cuts)('needed: $right', async ({ right, paper, document }) => {
  const [name, seen] = needs[right] ?? ['', /$^/];
  const walk = walks[name];
  if (!walk) throw new Error(`no walk needs ${right}`);
  const log = logOf(paper.name);
  await paper.write(document);
  try {
    await expect(walk(seen === SILENCE ? SILENCE_MS : PATIENCE_MS)).rejects.toThrow(seen);
    // A caller is not told which right is missing; whoever runs the service reads it in the function's log.
    if (log && !isUndoing(right)) await expect.poll(log, { timeout: PATIENCE_MS }).toMatch(missingIn(right));
  } finally {
    await paper.write(paper.document);
  }
  await walk(PATIENCE_MS);
});

async function detachTheDoctor(): Promise<void> {
  const { iam } = awsClients(run.outputs, run.outputs.personas.admin);
  for (const UserName of ['operator', 'auditor']) {
    const { AttachedPolicies = [] } = await iam.send(new ListAttachedUserPoliciesCommand({ UserName }));
    const doctor = AttachedPolicies.find(({ PolicyName }) => PolicyName?.endsWith('-doctor'));
    await iam.send(new DetachUserPolicyCommand({ UserName, PolicyArn: doctor?.PolicyArn }));
  }
}

/** What a function writes from now on, if it is a function's role that is cut. */
function logOf(paperName: string): (() => string) | undefined {
  const [, name] = /^(.*) role$/.exec(paperName) ?? [];
  if (name === undefined || !stack.functionRoles.has(name)) return undefined;
  const file = join(run.directory, 'logs', `${stack.prefix}${name}.log`);
  const read = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  const { length } = read();
  return () => read().slice(length);
}

function missingIn(right: string): RegExp {
  const [, action] = /: (\w+:\w+) on /.exec(right) ?? [];
  // Of a refusal that could not be written down only the error's name is told.
  if (
    /^(provisioningHook|renewalHook|claimOverHttps) .* on table\/(claims|claim-certificates)$/.test(right) &&
    !/Batch/.test(right)
  ) {
    return /"unrecorded":"AccessDenied/;
  }
  return new RegExp(`not authorized to perform: ${action} on resource`);
}
