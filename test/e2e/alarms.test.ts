import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudWatchClient, DescribeAlarmsCommand, type MetricAlarm } from '@aws-sdk/client-cloudwatch';
import { ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import { announce, claimCamera, newSerial, openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { listenToBus } from '../event-bus.ts';
import { openEventFailures } from '../event-failures.ts';
import { createHttpApi } from '../http-api.ts';
import { type LocalRun, startLocalRun } from '../local-run.ts';
import { until } from '../until.ts';

/** Design §5: clone signs "are counted and alarmed"; and nobody's event is given up in silence. The clock moves, so: a stand-in of its own. */

let run: LocalRun;
let prefix: string;
let alarms: MetricAlarm[];
// biome-ignore lint/suspicious/noExplicitAny: resources are CloudFormation's
let resources: Record<string, { Type: string; Properties: any }>;

beforeAll(async () => {
  run = await startLocalRun();
  const { aws, region, personas, claim } = run.outputs;
  prefix = claim.templateName.replace(/claim$/, '');
  const cloudWatch = new CloudWatchClient({ endpoint: aws, region, credentials: personas.admin });
  const { MetricAlarms = [] } = await cloudWatch.send(new DescribeAlarmsCommand({ AlarmNamePrefix: prefix }));
  alarms = MetricAlarms;
  resources = JSON.parse(await readFile('.serverless/cloudformation-template-update-stack.json', 'utf8')).Resources;
});
afterAll(() => run.stop());

const logOf = (functionKey: string) => readFile(join(run.directory, 'logs', `${prefix}${functionKey}.log`), 'utf8');

describe('every alarm', () => {
  test('is there, tells the topic, says where to read on, and is quiet while nothing happens', async () => {
    expect(alarms.map(({ AlarmName }) => AlarmName?.slice(prefix.length)).sort()).toEqual([
      'clone-signs',
      'device-changes-late',
      'event-failures',
      'presence-failures',
    ]);
    for (const alarm of alarms) {
      expect(alarm.AlarmActions).toEqual([expect.stringMatching(/^arn:aws:sns:.*-alarms$/)]);
      expect(alarm.TreatMissingData).toBe('notBreaching');
      const [, page, heading] = /\((docs\/\S+), "(.+)"\)$/.exec(alarm.AlarmDescription ?? '') ?? [];
      if (page && heading) expect(await readFile(page, 'utf8')).toMatch(new RegExp(`^#+ .*${heading}`, 'm'));
    }
  });

  test('watches what exists: a queue, a function, or what a filter of the logs counts', async () => {
    const { aws, region, personas } = run.outputs;
    const sqs = new SQSClient({ endpoint: aws, region, credentials: personas.admin });
    const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({}));
    const { Functions = [] } = await awsClients(run.outputs, personas.admin).lambda.send(new ListFunctionsCommand({}));
    const counted = Object.values(resources)
      .filter(({ Type }) => Type === 'AWS::Logs::MetricFilter')
      .flatMap(({ Properties }) => Properties.MetricTransformations)
      .map(({ MetricNamespace, MetricName }) => `${MetricNamespace} ${MetricName}`);
    const known: Record<string, (string | undefined)[]> = {
      QueueName: QueueUrls.map((url) => url.slice(url.lastIndexOf('/') + 1)),
      FunctionName: Functions.map(({ FunctionName }) => FunctionName),
    };
    for (const { Dimensions = [], Namespace, MetricName } of alarms) {
      for (const { Name = '', Value } of Dimensions) expect(known[Name]).toContain(Value);
      if (Dimensions.length === 0) expect(counted).toContain(`${Namespace} ${MetricName}`);
    }
  });
});

test('a sign of a clone is a line that the filter counts, in the log that it reads', async () => {
  const camera = await claimCamera(run.outputs, { serialNumber: newSerial() });
  const stranger = await openClaim(run.outputs);
  const { ownershipToken } = await takeCertificate(stranger);
  const parameters = { SerialNumber: camera.serialNumber };
  const { outcome } = await registerThing(stranger, run.outputs.claim.templateName, ownershipToken, parameters);
  await stranger.close();
  expect(outcome).toBe('rejected');

  const { CloneSigns } = resources;
  expect(CloneSigns?.Properties.LogGroupName).toEqual({ Ref: 'OnDeviceChangeLogGroup' });
  const [, term = ''] = /^"(.+)"$/.exec(CloneSigns?.Properties.FilterPattern) ?? [];
  const line = await until('the line', async () =>
    (await logOf('onDeviceChange')).split('\n').find((one) => one.includes(term) && one.includes(camera.serialNumber)),
  );
  expect(JSON.parse(line.slice(line.indexOf('{')))).toEqual({
    what: 'clone-sign',
    serialNumber: camera.serialNumber,
    why: 'already-claimed',
    count: 1,
  });
  // Nothing else that this function writes is counted.
  const counted = (await logOf('onDeviceChange')).split('\n').filter((one) => one.includes(term));
  expect(counted.every((one) => one.includes('"what":"clone-sign"'))).toBe(true);
});

test('what cannot be told for six hours is given up, a letter says where it is, and what comes after is told', async () => {
  const { aws } = run.outputs;
  const failures = await openEventFailures(run.outputs);
  await tellStandIn(aws, 'faults', { faults: [{ service: 'events', operation: 'PutEvents', kind: 'error' }] });
  await announce(run.outputs, { serialNumber: newSerial() });
  await until('the first failure', async () => (await logOf('onDeviceChange')).includes('"outcome":"thrown"'));
  const seconds = 6 * 3600 + 60;
  await tellStandIn(aws, 'clock', { advanceSeconds: seconds });
  const letter = await until('the letter', () => failures.take('devices'));
  expect(letter).toMatchObject({
    requestContext: { condition: 'RecordAgeExceeded' },
    DDBStreamBatchInfo: { batchSize: 1 },
  });

  await tellStandIn(aws, 'faults');
  const bus = await listenToBus(run.outputs);
  const serialNumber = newSerial();
  const factory = createHttpApi(run.outputs, run.outputs.personas.factory);
  const signingDate = new Date(Date.now() + seconds * 1000);
  expect((await factory.post('/devices', { devices: [{ serialNumber }] }, { signingDate })).status).toBe(200);
  await bus.until('the next event', ({ detail }) => detail.serialNumber === serialNumber);
});
