import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateUserCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { afterAll, expect, test, vi } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { callDoctor, stackNames } from '../doctor.ts';
import { startLocalRun } from '../local-run.ts';
import { readStack } from '../stack-policies.ts';
import { prepareCameras } from './walks/all.ts';

/**
 * Least privilege of whoever runs the doctor: each action of its managed policy is taken away in turn, and the links that ask it say so,
 * once for each resource that the policy names. permissions.test.ts does the same for all other rights.
 */

vi.setConfig({ testTimeout: 120_000 });

const run = await startLocalRun();
const { outputs } = run;
const { StackName, output } = await stackNames(outputs);

/** Somebody with the doctor's policy and the reads of the API, and no other right. */
async function makeExaminer() {
  const { iam } = awsClients(outputs, outputs.personas.admin);
  const UserName = 'examiner';
  await iam.send(new CreateUserCommand({ UserName }));
  await iam.send(new AttachUserPolicyCommand({ UserName, PolicyArn: output('DoctorPolicyArn') }));
  const Resource = `arn:aws:execute-api:${outputs.region}:${outputs.accountId}:*/$default/GET/*`;
  const PolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource }],
  });
  await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'api', PolicyDocument }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
}

const doctor = await callDoctor(outputs, await makeExaminer());
afterAll(async () => {
  await doctor.close();
  await run.stop();
});
const stack = await readStack(outputs);
const { cameras } = await prepareCameras(outputs, stack.prefix);
const { serialNumber } = cameras['thing-name'];
const paper = stack.papers.find(({ name }) => name === 'doctor');
if (!paper) throw new Error('the stack has no managed policy for the doctor');
const { document } = paper;

const rights = document.Statement.flatMap(({ Action, Resource }) =>
  [Action ?? []].flat().map((action): [action: string, resources: string[]] => [action, [Resource ?? []].flat()]),
);

/** Read before there is anything to compare: without them there is no examination. */
const isOfTheStack = (action: string) => action.startsWith('cloudformation:');

test('the policy allows reads and nothing else, and leaves room for more', () => {
  expect(rights.filter(([action]) => !/^\w+:(Get|Describe|List)[A-Z]\w+$/.test(action))).toEqual([]);
  expect(document.Statement.every(({ Effect }) => Effect === 'Allow')).toBe(true);
  // IAM User Guide, "IAM and AWS STS quotas": 6,144 characters, white space not counted.
  expect(JSON.stringify(document).replace(/\s/g, '').length).toBeLessThan(6_144);
});

test('with all of it nothing is left unchecked', async () => {
  const { report } = await doctor.examine(serialNumber);
  expect(report.verdict).toBe('ok');
});

test.each(rights)('%s is needed, on each of its resources', async (action, resources) => {
  const Statement = document.Statement.map((statement) => ({
    ...statement,
    Action: [statement.Action ?? []].flat().filter((one) => one !== action),
  })).filter(({ Action }) => Action.length > 0);
  await paper.write({ ...document, Statement });
  try {
    const { code, stderr, report, broken } = await doctor.examine(serialNumber);
    if (isOfTheStack(action)) {
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: expect.stringMatching(`^firstlight: the stack ${StackName} cannot be read: you lack ${action} `),
      });
      return;
    }
    expect({ code, broken }).toEqual({ code: 0, broken: [] });
    const lacking = report.links
      .flatMap(({ findings }) => findings)
      .filter(({ verdict }) => verdict === 'not checked')
      .map(({ subject, says }) => ({ subject, says }));
    expect(lacking.filter(({ says }) => says !== `you lack ${action}`)).toEqual([]);
    // The provisioning role has no inline policy, as long as nobody gives it one.
    const asked = action === 'iam:GetRolePolicy' ? resources.length - 1 : resources.length;
    expect(new Set(lacking.map(({ subject }) => subject)).size).toBeGreaterThanOrEqual(asked);
  } finally {
    await paper.write(document);
  }
});
