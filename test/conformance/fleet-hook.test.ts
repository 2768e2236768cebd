import {
  CreateRoleCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionConfigurationCommand,
  RemovePermissionCommand,
} from '@aws-sdk/client-lambda';
import { strToU8, zipSync } from 'fflate';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cloud, eventually, undo, unique } from '../cloud.ts';
import {
  expectNothingRegistered,
  type Fleet,
  iotArns,
  makeFleet,
  newThing,
  register,
  templateBody,
} from '../fleet-provisioning.ts';
import type { MqttDevice } from '../mqtt-device.ts';

/**
 * Pre-provisioning hooks (IoT guide, "Pre-provisioning hooks"): what a hook is told, and what its answer does. Makes what
 * fleet-provisioning.test.ts makes, and a function with its role: on an account the caller must be allowed Lambda too.
 */

const SOURCE = `
  const ANSWERS = {
    allow: () => ({ allowProvisioning: true }),
    tell: (event) => ({ allowProvisioning: true, parameterOverrides: { Told: JSON.stringify(event) } }),
    paint: () => ({ allowProvisioning: true, parameterOverrides: { Colour: 'blue' } }),
    addUndeclared: () => ({ allowProvisioning: true, parameterOverrides: { Undeclared: 'x' } }),
    addNumber: () => ({ allowProvisioning: true, parameterOverrides: { Colour: 7 } }),
    deny: () => ({ allowProvisioning: false }),
    denyAndPaint: () => ({ allowProvisioning: false, parameterOverrides: { Colour: 'blue' } }),
    sayTrue: () => ({ allowProvisioning: 'true' }),
    sayOne: () => ({ allowProvisioning: 1 }),
    sayNothing: () => undefined,
    sayText: () => 'allowed',
    fail: () => { throw new Error('the hook fails'); },
    dawdle: () => new Promise((resolve) => setTimeout(resolve, 7000, { allowProvisioning: true })),
  };
  export const handler = async (event) => ANSWERS[event.parameters.Do](event);
`;

let fleet: Fleet;
let session: MqttDevice;
let templateName: string;
let functionName: string;

beforeAll(async () => {
  fleet = await makeFleet();
  const targetArn = await makeFunction();
  const more = { preProvisioningHook: { payloadVersion: '2020-04-01', targetArn } };
  const parameters = { Do: { Type: 'String' }, Told: { Type: 'String', Default: '' } };
  templateName = await fleet.makeTemplate(
    templateBody(fleet, { parameters, configuration: { told: { Ref: 'Told' } } }),
    more,
  );
  await permit();
  session = await fleet.openClaim();
  await eventually(async () => expect(await claim('allow')).toMatchObject({ outcome: 'accepted' }));
  await session.close();
});
beforeEach(async () => {
  session = await fleet.openClaim();
});
afterEach(() => session.close());

async function makeFunction(): Promise<string> {
  functionName = unique('hook');
  const RoleName = unique('hook-role');
  const document = (statement: object) =>
    JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });
  const trust = document({ Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' });
  const { Role } = await cloud.iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: trust }));
  undo(`role ${RoleName}`, () => cloud.iam.send(new DeleteRoleCommand({ RoleName })));
  // No right to write a log: an account is to keep nothing of the test.
  const nothing = { RoleName, PolicyName: 'nothing' };
  const PolicyDocument = document({ Action: 'sts:GetCallerIdentity', Resource: '*' });
  await cloud.iam.send(new PutRolePolicyCommand({ ...nothing, PolicyDocument }));
  undo('role policy', () => cloud.iam.send(new DeleteRolePolicyCommand(nothing)));
  const FunctionName = functionName;
  const create = new CreateFunctionCommand({
    FunctionName,
    Runtime: 'nodejs24.x',
    Handler: 'index.handler',
    Role: Role?.Arn,
    Timeout: 10,
    Code: { ZipFile: zipSync({ 'index.mjs': strToU8(SOURCE) }) },
  });
  const { FunctionArn = '' } = await eventually(() => cloud.lambda.send(create));
  undo(`function ${FunctionName}`, () => cloud.lambda.send(new DeleteFunctionCommand({ FunctionName })));
  await eventually(async () =>
    expect(await cloud.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }))).toMatchObject({
      State: 'Active',
    }),
  );
  return FunctionArn;
}

const permit = async () => {
  const SourceArn = (await iotArns())(`provisioningtemplate/${templateName}`);
  await cloud.lambda.send(
    new AddPermissionCommand({
      FunctionName: functionName,
      StatementId: 'iot',
      Action: 'lambda:InvokeFunction',
      Principal: 'iot.amazonaws.com',
      SourceArn,
      SourceAccount: SourceArn.split(':')[4],
    }),
  );
};

const claim = async (Do: string, more: Record<string, string> = {}) => {
  const thingName = newThing();
  return { thingName, ...(await register(session, templateName, { ThingName: thingName, Do, ...more })) };
};

const rejected = (statusCode: number, errorCode: string) => ({
  outcome: 'rejected',
  content: { statusCode, errorCode, errorMessage: expect.any(String) },
});

test('a hook is told who asks, for which certificate, with which parameters', async () => {
  const { thingName, certificateId, certificatePem, content } = await claim('tell', { Colour: 'red' });
  expect(JSON.parse(content.deviceConfiguration.told)).toEqual({
    claimCertificateId: fleet.claim.certificateId,
    certificateId,
    certificatePem,
    templateArn: (await iotArns())(`provisioningtemplate/${templateName}`),
    clientId: session.clientId,
    parameters: { ThingName: thingName, Do: 'tell', Colour: 'red' },
  });
});

describe('an override', () => {
  test('beats the default of its parameter', async () => {
    const { content } = await claim('paint');
    expect(content).toMatchObject({ deviceConfiguration: { colour: 'blue' } });
  });

  test('guess: beats what the device sent under the same name', async () => {
    const { content } = await claim('paint', { Colour: 'red' });
    expect(content).toMatchObject({ deviceConfiguration: { colour: 'blue' } });
  });

  test('guess: of a parameter that the template does not declare is invalid, and nothing is made', async () => {
    const answer = await claim('addUndeclared');
    expect(answer).toMatchObject(rejected(400, 'InvalidParameters'));
    await expectNothingRegistered(answer);
  });

  test('guess: that is no text denies', async () => {
    const answer = await claim('addNumber');
    expect(answer).toMatchObject(rejected(403, 'AccessDenied'));
    await expectNothingRegistered(answer);
  });
});

describe('nothing is registered and the device is told AccessDenied', () => {
  test.each(['deny', 'denyAndPaint', 'sayNothing', 'fail', 'sayText', 'sayTrue', 'sayOne', 'dawdle'])(
    'guess: when the hook does %s',
    async (what) => {
      const answer = await claim(what);
      expect(answer).toMatchObject(rejected(403, 'AccessDenied'));
      await expectNothingRegistered(answer);
    },
  );

  test('guess: when IoT may not call the function', async () => {
    await cloud.lambda.send(new RemovePermissionCommand({ FunctionName: functionName, StatementId: 'iot' }));
    try {
      await eventually(async () => {
        const answer = await claim('allow');
        expect(answer).toMatchObject(rejected(403, 'AccessDenied'));
        await expectNothingRegistered(answer);
      });
    } finally {
      await permit();
    }
  });
});
