import { GetQueueUrlCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, test } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { claimCamera, newSerial } from '../camera-claim.ts';
import { idsOf, readDevice, untilActive } from '../device-records.ts';
import { startFaultyRun } from '../faulty-run.ts';
import { failuresOf } from '../function-log.ts';
import { createHttpApi } from '../http-api.ts';
import { connectDevice } from '../mqtt-device.ts';
import { until } from '../until.ts';

const { run, outputs, faults, known } = await startFaultyRun();

describe("on-presence's calls", () => {
  const channels = ['sub'];

  /** The API reads the same table, and may meet the fault in on-presence's place. */
  async function untilDone(serialNumber: string): Promise<void> {
    await until(`${serialNumber} to be active, with all its streams`, async () => {
      const operator = createHttpApi(outputs, outputs.personas.operator);
      const { status, body } = await operator.get(`/devices/${serialNumber}`);
      const done = status === 200 && body.status === 'active';
      return done && body.streams.every(({ state }: { state: string }) => state === 'made');
    });
  }

  test.each([
    ['lost-answer', 'dynamodb', 'GetItem'],
    ['lost-answer', 'dynamodb', 'UpdateItem'],
    ['lost-answer', 'kinesisvideo', 'CreateStream'],
    ['error', 'dynamodb', 'UpdateItem'],
  ] as const)('%s at %s %s: the camera becomes active', async (kind, service, operation) => {
    const serialNumber = known(newSerial());
    const { certificateId, ...held } = await claimCamera(outputs, { serialNumber, channels });
    await faults({ service, operation, kind, times: 1 });
    const camera = await connectDevice(outputs, { clientId: serialNumber, held });
    if (operation === 'CreateStream') {
      // A late channel stays pending and due, for `reconcile` or the next connection.
      await until('the channel to be noted', async () => {
        const { status, streams } = await readDevice(outputs, serialNumber);
        return status === 'active' && streams.some(({ channel, state }) => channel === 'sub' && state === 'pending');
      });
      await faults();
      await camera.close();
      const again = await connectDevice(outputs, { clientId: serialNumber, held });
      await untilDone(serialNumber);
      await again.close();
    } else {
      await untilDone(serialNumber);
      await camera.close();
    }
    expect(idsOf(await readDevice(outputs, serialNumber), 'current')).toEqual([certificateId]);
  });

  test('an event that cannot be handled is tried again twice, then kept for an operator', async () => {
    const serialNumber = known(newSerial());
    const { certificateId, ...held } = await claimCamera(outputs, { serialNumber });
    const { aws: endpoint, region } = outputs;
    const sqs = new SQSClient({ endpoint, region, credentials: outputs.personas.admin });
    const { QueueUrl } = await sqs.send(
      new GetQueueUrlCommand({ QueueName: outputs.claim.templateName.replace(/-claim$/, '-presence-failures') }),
    );
    const before = await failuresOf(run, 'onPresence');
    await faults({ service: 'dynamodb', operation: 'GetItem', kind: 'error' });
    const camera = await connectDevice(outputs, { clientId: serialNumber, held });
    // Again after one minute, and after two more: the clock moves on as soon as it has failed once more.
    for (const [index, seconds] of [61, 121].entries()) {
      await until('the next failure', async () => (await failuresOf(run, 'onPresence')) > before + index);
      await tellStandIn(outputs.aws, 'clock', { advanceSeconds: seconds });
    }
    const message = await until('the event in the queue', async () => {
      const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
      return Messages?.[0];
    });
    await camera.close();
    expect(JSON.parse(message.Body ?? '')).toMatchObject({
      requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: 3 },
      requestPayload: { clientId: serialNumber, principalIdentifier: certificateId, eventType: 'connected' },
    });
    // Nothing is lost: the next connection says the same.
    await faults();
    const again = await connectDevice(outputs, { clientId: serialNumber, held });
    await untilActive(outputs, serialNumber);
    await again.close();
  });
});

describe('POST /devices', () => {
  test.each(['BatchGetItem', 'UpdateItem'])(
    'the answer to its %s is lost: the row is there, once',
    async (operation) => {
      const serialNumber = known(newSerial());
      const factory = createHttpApi(outputs, outputs.personas.factory);
      await faults({ service: 'dynamodb', operation, kind: 'lost-answer', times: 1 });
      const first = await factory.post('/devices', { devices: [{ serialNumber }] });
      expect(first.status).toBe(200);
      expect(['created', 'unchanged']).toContain(first.body.results[0].outcome);
      const again = await factory.post('/devices', { devices: [{ serialNumber }] });
      expect(again.body.results).toEqual([{ serialNumber, outcome: 'unchanged' }]);
      expect(
        (await createHttpApi(outputs, outputs.personas.operator).get(`/devices/${serialNumber}`)).body,
      ).toMatchObject({ version: 1, history: [{ what: 'announced' }] });
    },
  );

  test('while the table fails: 5xx, nothing half made, the same call works after', async () => {
    const serialNumber = known(newSerial());
    const factory = createHttpApi(outputs, outputs.personas.factory);
    await faults({ service: 'dynamodb', operation: 'UpdateItem', kind: 'error' });
    const down = await factory.post('/devices', { devices: [{ serialNumber }] });
    expect(down.status).toBeGreaterThanOrEqual(500);
    expect(JSON.stringify(down.body)).not.toMatch(/\bat .*\.(ts|js|mjs):\d+/);
    await faults();
    expect((await factory.post('/devices', { devices: [{ serialNumber }] })).body.results[0].outcome).toBe('created');
  });
});
