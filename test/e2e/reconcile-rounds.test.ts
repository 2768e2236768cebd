import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { CreateCertificateFromCsrCommand } from '@aws-sdk/client-iot';
import { UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import type { Camera } from '../camera-claim.ts';
import { makeDeviceKey } from '../device-key.ts';
import { powerfulCertificates } from '../device-records.ts';
import { startDriftWorld } from '../drift-world.ts';
import { callFunction } from '../function-call.ts';
import { createHttpApi } from '../http-api.ts';
import { auditFleet, findingsOf, orderReconcile } from '../reconcile-function.ts';
import { switchOffStreamConsumers } from '../stream-consumers.ts';
import { until } from '../until.ts';

vi.setConfig({ testTimeout: 120_000 });

const world = await startDriftWorld();
const { outputs } = world;
const FunctionName = 'firstlight-local-reconcile';
const SCHEDULED = { source: 'aws.events', 'detail-type': 'Scheduled Event' };

const faults = (...list: object[]) => tellStandIn(outputs.aws, 'faults', { faults: list });
afterEach(() => faults());

/** Everything about a camera is taken away at AWS but its certificate. */
async function drifts(camera: Camera): Promise<void> {
  await world.detachPolicy(camera);
  await world.detachThing(camera);
  await world.deleteThing(camera);
}

async function isWhole({ certificateId, thingName, serialNumber }: Camera): Promise<void> {
  expect(await world.power(certificateId)).toEqual({
    status: 'ACTIVE',
    policies: [world.policyName],
    things: [thingName],
  });
  expect(await world.thingAt(thingName)).toMatchObject({ attributes: { serialNumber } });
}

const cameras = [await world.living(), await world.living({ streamMode: 'certificate-id' })];
// They make calls of their own, and would die in place of reconcile.
await until('the cameras to be counted', async () => {
  const { body } = await createHttpApi(outputs, outputs.personas.operator).get('/stats');
  return body.status.active === cameras.length;
});
await switchOffStreamConsumers(outputs);

const mendedOf = ({ serialNumber }: Camera) =>
  ['attachment-missing', 'policy-missing', 'thing-missing'].map((what) => `${what} ${serialNumber}: mended`);

test('three at once mend what one would, and do no harm to each other', async () => {
  for (const camera of cameras) await drifts(camera);
  const rounds = await Promise.all([1, 2, 3].map(() => auditFleet(outputs)));
  for (const reports of rounds) for (const { failed } of reports) expect(failed).toEqual({});
  expect(findingsOf(rounds.flat())).toEqual(expect.arrayContaining(cameras.flatMap(mendedOf)));
  for (const camera of cameras) await isWhole(camera);
  expect(findingsOf(await auditFleet(outputs))).toEqual([]);
});

test('killed at any call, it is mended by the next one', async () => {
  const [camera] = cameras as [Camera];
  let after = 0;
  for (let isKilled = true; isKilled; after++) {
    await drifts(camera);
    await faults({ service: '*', operation: '*', kind: 'kill', after, times: 1 });
    const { functionError } = await callFunction(outputs, 'reconcile', { audit: true });
    isKilled = functionError !== undefined;
    await faults();
    expect((await auditFleet(outputs)).flatMap(({ failed }) => Object.keys(failed))).toEqual([]);
    await isWhole(camera);
    expect((await powerfulCertificates(outputs)).sort()).toEqual(cameras.map((one) => one.certificateId).sort());
  }
  // All calls of an audit, from its work list to its last device.
  expect(after).toBeGreaterThan(40);
}, 300_000);

describe('what does not fit into one run', () => {
  const lambda = () => world.aws().lambda;
  const timeout = (Timeout: number) => lambda().send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout }));
  afterEach(() => timeout(290));

  test('throttled, it says where it stopped, and goes on from there', async () => {
    const [camera] = cameras as [Camera];
    await drifts(camera);
    await timeout(14);
    await faults({ service: 'iot', operation: 'ListThings', kind: 'throttle' });
    const stopped = await orderReconcile(outputs, { audit: true });
    expect(stopped).toMatchObject({ complete: false, failed: { ThrottlingException: 1 }, next: expect.any(String) });
    expect(stopped.findings).toContainEqual({
      what: 'audit',
      of: 'things',
      outcome: 'failed',
      why: expect.stringMatching(/^ThrottlingException: /),
    });
    await faults();
    const goesOn = await orderReconcile(outputs, { cursor: stopped.next });
    expect(goesOn).toMatchObject({ complete: true, failed: {} });
    expect(findingsOf([goesOn])).toEqual(mendedOf(camera));
    await isWhole(camera);
    // What was given for the real thing is not for a rehearsal.
    await expect(orderReconcile(outputs, { dryRun: true, cursor: stopped.next })).rejects.toThrow(/cursor/);
  });

  const progress = async () => {
    const Key = { kind: { S: 'audit' }, name: { S: '-' } };
    const asked = new GetItemCommand({ TableName: 'firstlight-local-counters', Key });
    return (await world.aws().dynamoDb.send(asked)).Item;
  };

  test('the schedule goes on with its audit in the next run, and begins another one a day later', async () => {
    const [camera] = cameras as [Camera];
    await drifts(camera);
    await timeout(14);
    await faults({ service: 'iot', operation: 'ListThings', kind: 'throttle' });
    expect(await orderReconcile(outputs, SCHEDULED)).toMatchObject({ complete: false });
    const begun = await progress();
    expect(begun?.audit?.S).toContain('"phase":"things"');
    await faults();
    await timeout(290);
    expect(await orderReconcile(outputs, SCHEDULED)).toMatchObject({ complete: true, failed: {} });
    expect(await progress()).toEqual({ kind: { S: 'audit' }, name: { S: '-' }, since: begun?.since });
    await isWhole(camera);

    await drifts(camera);
    expect(findingsOf([await orderReconcile(outputs, SCHEDULED)])).toEqual([]);
    await world.advance(24);
    expect(findingsOf([await orderReconcile(outputs, SCHEDULED, world.ahead())])).toEqual(mendedOf(camera));
    await isWhole(camera);
  });
});

test('the schedule takes power that no record knows', async () => {
  const stranger = await world.certificate();
  await world.advance(24);
  const { findings } = await orderReconcile(outputs, SCHEDULED, world.ahead());
  expect(findings).toMatchObject([{ what: 'power-without-record', of: stranger, outcome: 'mended' }]);
});

test('more power without a record than can be an accident is left to an operator', async () => {
  const { certificateSigningRequest } = await makeDeviceKey();
  const strangers = await Promise.all(
    Array.from({ length: 28 }, async () => {
      const request = new CreateCertificateFromCsrCommand({ certificateSigningRequest, setAsActive: true });
      const { certificateId = '' } = await world.aws().iot.send(request);
      await world.givePolicy(certificateId);
      return certificateId;
    }),
  );
  // Old enough to be judged, and a day after the last audit.
  await world.advance(24);
  const bySchedule = await orderReconcile(outputs, SCHEDULED, world.ahead());
  expect(bySchedule).toMatchObject({ done: {}, left: { 'power-without-record': 28 }, failed: {} });
  expect(await powerfulCertificates(outputs, world.ahead())).toEqual(expect.arrayContaining(strangers));
  const byHand = await auditFleet(outputs, { only: 'power' }, world.ahead());
  expect(byHand).toMatchObject([{ done: { 'power-without-record': 28 }, left: {} }]);
  for (const id of strangers) expect(await world.power(id)).toMatchObject({ status: 'ACTIVE', policies: [] });
});
