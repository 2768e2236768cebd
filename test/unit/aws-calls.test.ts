import { DeleteThingCommand, DescribeThingCommand, IoTClient, ListThingsCommand } from '@aws-sdk/client-iot';
import { afterAll, describe, expect, it } from 'vitest';
import { pace } from '../../shared/aws/pace.ts';
import { rehearse } from '../../shared/aws/rehearse.ts';

/** Nobody listens there: what is sent comes back at once as a refusal of the system. */
const NOBODY = {
  region: 'us-east-1',
  endpoint: 'http://127.0.0.1:1',
  credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
  maxAttempts: 1,
};
const iot = new IoTClient(NOBODY);
afterAll(() => iot.destroy());
const sent = /ECONNREFUSED/;

describe('a paced client', () => {
  it('lets no more through than its share of a quota, each operation for itself', async () => {
    // Of DescribeThing's 350 a second, 3.5.
    pace([iot], 1);
    const begun = performance.now();
    const call = () => expect(iot.send(new DescribeThingCommand({ thingName: 'x' }))).rejects.toThrow(sent);
    await Promise.all([call(), call(), call()]);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(2 * (1000 / 3.5) - 5);
  });

  it('is an error with no share at all', () => {
    expect(() => pace([iot], 0)).toThrow('at least one percent');
  });
});

it('a client that rehearses sends what reads, and answers what would write', async () => {
  let isRehearsing = true;
  rehearse([iot], () => isRehearsing);
  const remove = () => iot.send(new DeleteThingCommand({ thingName: 'x' }));
  expect(await remove()).toEqual({ $metadata: {} });
  await expect(iot.send(new ListThingsCommand({}))).rejects.toThrow(sent);
  isRehearsing = false;
  await expect(remove()).rejects.toThrow(sent);
});
