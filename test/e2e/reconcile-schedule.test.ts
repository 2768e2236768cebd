import { DescribeRuleCommand, ListTargetsByRuleCommand } from '@aws-sdk/client-eventbridge';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { announce, newSerial } from '../camera-claim.ts';
import { idsOf, readDevice } from '../device-records.ts';
import { createHttpApi } from '../http-api.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';
import { until } from '../until.ts';

/** It moves the clock, so it gets a stand-in of its own. */
let run: LocalRun;
let outputs: Outputs;

beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
});
afterAll(() => run.stop());

const MINUTES = 60;
const Name = 'firstlight-local-reconcile';

test('the stack has one rule, which calls reconcile each five minutes', async () => {
  const { eventBridge } = awsClients(outputs, outputs.personas.admin);
  expect(await eventBridge.send(new DescribeRuleCommand({ Name }))).toMatchObject({
    State: 'ENABLED',
    ScheduleExpression: 'rate(5 minutes)',
  });
  const { Targets = [] } = await eventBridge.send(new ListTargetsByRuleCommand({ Rule: Name }));
  expect(Targets.map(({ Arn }) => Arn)).toEqual([expect.stringMatching(/:function:firstlight-local-reconcile$/)]);
});

test('what is unfinished is finished as soon as the clock has passed five minutes', async () => {
  const serialNumber = newSerial();
  await announce(outputs, { serialNumber });
  const factory = createHttpApi(outputs, outputs.personas.factory);
  // AWS makes the key each time, and only the last answer counts.
  for (let i = 0; i < 2; i++) expect((await factory.post(`/devices/${serialNumber}/provision`, {})).status).toBe(201);
  expect(idsOf(await readDevice(outputs, serialNumber), 'leaving')).toHaveLength(1);

  await tellStandIn(outputs.aws, 'clock', { advanceSeconds: 5 * MINUTES });
  const when = () => ({ signingDate: new Date(Date.now() + 5 * MINUTES * 1000) });
  await until('the replaced certificate to be gone', async () => {
    const { certificates } = await readDevice(outputs, serialNumber, when());
    return certificates.length === 1;
  });
});
