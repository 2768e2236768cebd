import { DescribeThingCommand } from '@aws-sdk/client-iot';
import { DeleteFunctionCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { claimCamera, newSerial, openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { freeCertificate } from '../claim-certificates.ts';
import { createHookTemplate, type HookTemplate } from '../hook-template.ts';
import type { MqttDevice } from '../mqtt-device.ts';
import { expectNothingMade } from '../nothing-made.ts';

const outputs = inject('outputs');
const { iot, lambda } = awsClients(outputs, outputs.personas.admin);

/** Does what the device tells it to, and counts in the memory of its process. */
const HOOK = `
let invocations = 0;
export async function handler({ parameters: { Do } }) {
  invocations++;
  switch (Do) {
    case 'allow': return { allowProvisioning: true, parameterOverrides: { Greeting: 'invocation ' + invocations } };
    case 'deny': return { allowProvisioning: false };
    case 'throw': throw new Error('a secret of the owner');
    case 'exit': process.exit(1);
    case 'answer a string': return 'allowProvisioning';
    case 'answer a JSON string': return '{"allowProvisioning": true}';
    case 'answer nothing': return;
    case 'answer null': return null;
    case 'answer true': return true;
    case 'answer a list': return [{ allowProvisioning: true }];
    case 'say 1': return { allowProvisioning: 1 };
    case 'say "true"': return { allowProvisioning: 'true' };
    case 'override with a number': return { allowProvisioning: true, parameterOverrides: { Greeting: 7 } };
    case 'override with a text': return { allowProvisioning: true, parameterOverrides: 'Greeting' };
    case 'answer after 5 s': // of real time, on which AWS IoT's limit and the function run
      await new Promise((resolve) => setTimeout(resolve, 5500));
      return { allowProvisioning: true };
  }
}`;

let device: MqttDevice;
let template: HookTemplate;
/** The very bytes of a plain no. */
let denial: string;
/** What a yes would have made that came when nobody waited for it any more. */
let late: { certificateId: string; name: string };

beforeAll(async () => {
  const held = await freeCertificate(outputs);
  [template, device] = await Promise.all([createHookTemplate(outputs, HOOK), openClaim(outputs, { held })]);
  denial = (await claim('deny')).answer.payload.toString();
});
afterAll(async () => {
  const { answer } = await claim('allow');
  expect(answer.outcome).toBe('accepted');
  await device.close();
  await claimCamera(outputs, { serialNumber: newSerial() });
});

async function claim(Do: string, { templateName } = template, more: Record<string, string> = {}) {
  const { ownershipToken, certificateId } = await takeCertificate(device);
  const thingName = newSerial();
  const answer = await registerThing(device, templateName, ownershipToken, { ThingName: thingName, Do, ...more });
  return { answer, certificateId, thingName };
}

test('a plain no is an access denied', () => {
  expect(JSON.parse(denial)).toEqual({ statusCode: 403, errorCode: 'AccessDenied', errorMessage: expect.any(String) });
});

test.each([
  'throw',
  'exit',
  'answer a string',
  'answer a JSON string',
  'answer nothing',
  'answer null',
  'answer true',
  'answer a list',
  'say 1',
  'say "true"',
  'override with a number',
  'override with a text',
  'answer after 5 s',
])('a hook that would %s denies, and the device cannot tell it from a plain no', async (behaviour) => {
  const { answer, certificateId, thingName } = await claim(behaviour);
  if (behaviour === 'answer after 5 s') late = { certificateId, name: thingName };
  expect(answer.outcome).toBe('rejected');
  expect(answer.payload.toString()).toBe(denial);
  await expectNothingMade(outputs, { certificateId, name: thingName });
});

test('one warm process allows, then denies, then allows: no decision is carried over', async () => {
  // Of its own, so that no other call has it start another process.
  const warm = await createHookTemplate(outputs, HOOK);
  const first = await claim('allow', warm);
  expect(first.answer.content.deviceConfiguration).toEqual({ greeting: 'invocation 1' });

  const second = await claim('deny', warm);
  expect(second.answer.payload.toString()).toBe(denial);
  await expectNothingMade(outputs, { certificateId: second.certificateId, name: second.thingName });

  const third = await claim('allow', warm);
  expect(third.answer.content.deviceConfiguration).toEqual({ greeting: 'invocation 3' });
  expect((await iot.send(new DescribeThingCommand({ thingName: third.thingName }))).thingName).toBe(third.thingName);
});

test('what the hook sets wins over what the device sent', async () => {
  const { answer } = await claim('allow', template, { Greeting: 'mine' });
  expect(answer.content.deviceConfiguration.greeting).toMatch(/^invocation/);
});

describe('a hook that cannot be called denies', () => {
  test.each([
    ['for want of a permission', { permitted: false }, false],
    ['for it is gone', {}, true],
  ])('%s', async (_, options, isDeleted) => {
    const other = await createHookTemplate(outputs, HOOK, options);
    if (isDeleted) await lambda.send(new DeleteFunctionCommand({ FunctionName: other.functionName }));
    const { answer, certificateId, thingName } = await claim('allow', other);
    expect(answer.payload.toString()).toBe(denial);
    await expectNothingMade(outputs, { certificateId, name: thingName });
  });

  test('for its module throws, and allows once a good one is deployed', async () => {
    const other = await createHookTemplate(outputs, 'throw new Error("at load");');
    const { answer, certificateId, thingName } = await claim('allow', other);
    expect(answer.payload.toString()).toBe(denial);
    await expectNothingMade(outputs, { certificateId, name: thingName });
    await other.deploy(HOOK);
    expect((await claim('allow', other)).answer.outcome).toBe('accepted');
    await other.deploy('export const handler = async () => ({ allowProvisioning: false });');
    expect((await claim('allow', other)).answer.payload.toString()).toBe(denial);
  });
});

describe('a template without a hook', () => {
  test('that is disabled registers nothing', async () => {
    const other = await createHookTemplate(outputs, undefined, { enabled: false });
    const { answer, certificateId, thingName } = await claim('allow', other);
    expect(answer).toMatchObject({ outcome: 'rejected', content: { statusCode: 403, errorCode: 'AccessDenied' } });
    await expectNothingMade(outputs, { certificateId, name: thingName });
  });

  test('whose parameter is missing registers nothing and names it', async () => {
    const other = await createHookTemplate(outputs, undefined);
    const { ownershipToken, certificateId } = await takeCertificate(device);
    for (const parameters of [undefined, {}, { Greeting: 'hello' }]) {
      const answer = await registerThing(device, other.templateName, ownershipToken, parameters);
      expect(answer).toMatchObject({
        outcome: 'rejected',
        content: {
          statusCode: 400,
          errorCode: 'InvalidParameters',
          errorMessage: expect.stringContaining('ThingName'),
        },
      });
    }
    await expectNothingMade(outputs, { certificateId });
    const named = await registerThing(device, other.templateName, ownershipToken, { ThingName: newSerial() });
    expect(named).toMatchObject({ outcome: 'accepted', content: { deviceConfiguration: { greeting: 'none' } } });
  });

  test('refuses a thing name that is none', async () => {
    const other = await createHookTemplate(outputs, undefined);
    const { ownershipToken, certificateId } = await takeCertificate(device);
    for (const ThingName of ['', 'a/b', 'A'.repeat(129), '$aws', '+', '#']) {
      const answer = await registerThing(device, other.templateName, ownershipToken, { ThingName });
      expect(answer).toMatchObject({ outcome: 'rejected', content: { statusCode: 400 } });
    }
    await expectNothingMade(outputs, { certificateId });
  });
});

test('the yes that came too late has made nothing since', () => expectNothingMade(outputs, late));
