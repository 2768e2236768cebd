import { ScanCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateThingCommand,
  DeleteCertificateCommand,
  UpdateCertificateCommand,
  UpdateThingCommand,
} from '@aws-sdk/client-iot';
import { DeleteStreamCommand, DescribeStreamCommand, ListTagsForStreamCommand } from '@aws-sdk/client-kinesis-video';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Camera } from '../camera-claim.ts';
import { startDriftWorld } from '../drift-world.ts';
import { makeForeignFleet } from '../foreign-fleet.ts';
import { createHttpApi } from '../http-api.ts';
import { auditFleet, type Finding, findingsOf, type ReconcileReport } from '../reconcile-function.ts';
import { until } from '../until.ts';
import { describeWorld } from '../world.ts';

vi.setConfig({ testTimeout: 60_000 });

const world = await startDriftWorld();
const { outputs } = world;
const foreign = await makeForeignFleet(outputs);

/** Cameras that live, each for one test. */
const pool: Record<string, Camera[]> = { 'thing-name': [], 'certificate-id': [], fixed: [] };
let asForeignersLeftIt: unknown;
let oldStranger: string;
let oldImpostor: string;

beforeAll(async () => {
  for (const streamMode of ['thing-name', 'certificate-id', 'fixed'] as const) {
    for (let i = 0; i < (streamMode === 'thing-name' ? 15 : 3); i++)
      pool[streamMode]?.push(await world.living({ streamMode }));
  }
  oldStranger = await world.certificate({ thingName: 'foreign-plain' });
  await world.thing('GHOST');
  oldImpostor = await world.certificate({ thingName: 'GHOST' });
  await world.advance(3);
  // What is not old enough to be judged is made from now on.
  asForeignersLeftIt = await foreign.describe(world.ahead());
}, 120_000);

const taken = (streamMode = 'thing-name'): Camera => {
  const camera = pool[streamMode]?.pop();
  if (!camera) throw new Error(`no ${streamMode} camera is left`);
  return camera;
};

const audit = async (order: object = {}): Promise<Finding[]> => {
  const reports = await auditFleet(outputs, order, world.ahead());
  for (const { failed } of reports) expect(failed).toEqual({});
  return reports.flatMap(({ findings }: ReconcileReport) => findings);
};

/** A dry run says what would be mended and changes nothing; then it is mended, and said in the same words; then it is as it was. */
async function mends(expected: Partial<Finding>[]): Promise<void> {
  const before = await wholeWorld();
  const rehearsed = await audit({ dryRun: true });
  expect(await wholeWorld()).toEqual(before);
  expect(rehearsed).toEqual(expect.arrayContaining(expected.map((one) => expect.objectContaining(one))));
  const done = (found: Finding[]) => found.filter(({ outcome }) => outcome === 'mended');
  const mended = await audit();
  expect(mended).toEqual(expect.arrayContaining(expected.map((one) => expect.objectContaining(one))));
  expect(done(mended).map(({ what, of }) => `${what} ${of}`)).toEqual(
    expect.arrayContaining(done(rehearsed).map(({ what, of }) => `${what} ${of}`)),
  );
  expect(done(await audit())).toEqual([]);
  expect(await foreign.describe(world.ahead())).toEqual(asForeignersLeftIt);
}

const wholeWorld = async () => {
  const scan = async (table: string) =>
    (await world.aws().dynamoDb.send(new ScanCommand({ TableName: `firstlight-local-${table}` }))).Items;
  const { streams, ...told } = await describeWorld(outputs, world.ahead());
  return {
    ...told,
    // AWS takes a second to make one.
    streams: (streams as object[]).map((one) => ({ ...one, Status: undefined })),
    // Whoever counts comes a moment later.
    counters: await until('everything to be counted', async () => {
      const items = await scan('counters');
      const isUnderWay = (name: string) => name === 'owing' || name.startsWith('of:');
      return !items?.some((item) => Object.keys(item).some(isUnderWay)) && items;
    }),
    denials: await scan('denials'),
    roles: await (await world.roles()).read(),
  };
};

test('of a fleet that is well nothing is told but what is not of it', async () => {
  expect(findingsOf(await auditFleet(outputs, { dryRun: true }, world.ahead()))).toEqual(
    [
      'thing-without-record GHOST: left',
      'thing-without-record foreign-typed: left',
      ...[oldImpostor, oldStranger].map((id) => `power-without-record ${id}: mended`),
    ].sort(),
  );
});

describe('power that no record knows', () => {
  test('is taken from a certificate that stands for a thing of Firstlight', async () => {
    await mends([{ what: 'power-without-record', of: oldImpostor, outcome: 'mended' }]);
    expect(await world.power(oldImpostor)).toEqual({ status: 'INACTIVE', policies: [], things: ['GHOST'] });
  });

  test('is taken from a foreign certificate, which keeps everything of its own', async () => {
    expect(await world.power(oldStranger)).toEqual({ status: 'ACTIVE', policies: [], things: ['foreign-plain'] });
  });

  test('is left while it is so young that a claim could be under way', async () => {
    const young = await world.certificate({ thingName: 'GHOST' });
    await mends([{ what: 'power-without-record', of: young, outcome: 'left' }]);
    expect(await world.power(young)).toMatchObject({ status: 'ACTIVE', policies: [world.policyName] });
    await world.aws().iot.send(new UpdateCertificateCommand({ certificateId: young, newStatus: 'INACTIVE' }));
    await world.detachPolicy({ certificateId: young } as Camera);
  });
});

describe('a living camera', () => {
  const whole = async ({ certificateId, thingName, serialNumber }: Camera, streamMode = 'thing-name') => {
    expect(await world.power(certificateId)).toEqual({
      status: 'ACTIVE',
      policies: [world.policyName],
      things: [thingName],
    });
    expect(await world.thingAt(thingName)).toEqual({
      thingTypeName: `firstlight-local-${streamMode}`,
      attributes: { serialNumber, batch: '-' },
    });
  };

  test.each(['thing-name', 'certificate-id', 'fixed'])('%s: gets its policy back', async (streamMode) => {
    const camera = taken(streamMode);
    await world.detachPolicy(camera);
    await mends([{ what: 'policy-missing', of: camera.serialNumber, outcome: 'mended' }]);
    await whole(camera, streamMode);
    const { history } = await world.device(camera.serialNumber);
    expect(history.at(-1)).toMatchObject({ by: 'function:reconcile', what: 'mended', why: 'policy-missing' });
  });

  test('gets its thing back, and all that hangs on it', async () => {
    const camera = taken();
    await world.detachThing(camera);
    await world.deleteThing(camera);
    await world.detachPolicy(camera);
    const of = camera.serialNumber;
    await mends(['thing-missing', 'attachment-missing', 'policy-missing'].map((what) => ({ what, of })));
    await whole(camera);
  });

  test('is attached to its thing again', async () => {
    const camera = taken('certificate-id');
    await world.detachThing(camera);
    await mends([{ what: 'attachment-missing', of: camera.serialNumber, outcome: 'mended' }]);
    await whole(camera, 'certificate-id');
  });

  test('has its thing say again what it is', async () => {
    const camera = taken();
    const { thingName } = camera;
    const attributePayload = { attributes: { batch: 'other' }, merge: true };
    const thingTypeName = 'firstlight-local-fixed';
    await world.aws().iot.send(new UpdateThingCommand({ thingName, thingTypeName, attributePayload }));
    await mends([{ what: 'thing-differs', of: camera.serialNumber, outcome: 'mended' }]);
    await whole(camera);
  });

  test('does not get a thing that is somebody else’s by now', async () => {
    const camera = taken();
    const { thingName } = camera;
    const attributePayload = { attributes: { serialNumber: 'somebody' } };
    await world.aws().iot.send(new UpdateThingCommand({ thingName, attributePayload }));
    await mends([{ what: 'thing-taken', of: camera.serialNumber, outcome: 'left' }]);
    expect(await world.thingAt(thingName)).toMatchObject({ attributes: { serialNumber: 'somebody' } });
  });

  test.each([
    ['thing-name', 'its name'],
    ['certificate-id', 'its certificate'],
  ])('%s: gets its stream back, called like %s', async (streamMode) => {
    const camera = taken(streamMode);
    const { streamName: StreamName } = camera.configuration;
    const { kinesisVideo } = world.aws();
    const { StreamInfo } = await kinesisVideo.send(new DescribeStreamCommand({ StreamName }));
    await kinesisVideo.send(new DeleteStreamCommand({ StreamARN: StreamInfo?.StreamARN }));
    await until('the stream to be gone', () =>
      kinesisVideo.send(new DescribeStreamCommand({ StreamName })).then(
        () => false,
        () => true,
      ),
    );
    await mends([{ what: 'stream-missing', of: camera.serialNumber, outcome: 'mended' }]);
    const { Tags } = await kinesisVideo.send(new ListTagsForStreamCommand({ StreamName }));
    expect(Tags).toMatchObject({ 'firstlight:device': camera.serialNumber });
    expect(await world.device(camera.serialNumber)).toMatchObject({ streams: [{ name: StreamName, state: 'made' }] });
  });

  test('stays as it is where somebody has made its certificate inactive at AWS', async () => {
    const { certificateId, serialNumber } = taken('fixed');
    await world.aws().iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
    await mends([{ what: 'certificate-inactive', of: serialNumber, outcome: 'left' }]);
    expect(await world.power(certificateId)).toMatchObject({ status: 'INACTIVE' });
  });

  test('whose certificate is gone is told of, and keeps its record', async () => {
    const camera = taken();
    const { certificateId, serialNumber } = camera;
    await world.detachPolicy(camera);
    await world.detachThing(camera);
    await world.aws().iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
    await world.aws().iot.send(new DeleteCertificateCommand({ certificateId }));
    await mends([{ what: 'certificate-missing', of: serialNumber, outcome: 'left' }]);
    expect(await world.device(serialNumber)).toMatchObject({ status: 'active', certificates: [{ id: certificateId }] });
  });

  test('that is not on the work list is put there, and what is unfinished is finished', async () => {
    const { serialNumber } = taken();
    const late = { M: { name: { S: 'late' }, state: { S: 'pending' }, since: { S: '2026-01-01T00:00:00.000Z' } } };
    await world.tamper(serialNumber, 'SET streams = list_append(streams, :late)', { ':late': { L: [late] } });
    await mends([{ what: 'not-on-the-work-list', of: serialNumber, outcome: 'mended' }]);
    expect(await world.device(serialNumber)).toMatchObject({ streams: [{ state: 'made' }, { state: 'made' }] });
  });
});

describe('what ops has ended', () => {
  test('a suspended camera loses the power that somebody gave back at AWS', async () => {
    const { serialNumber, certificateId } = taken();
    await world.act(serialNumber, 'suspend');
    await world.aws().iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'ACTIVE' }));
    await mends([{ what: 'power-while-suspended', of: serialNumber, outcome: 'mended' }]);
    expect(await world.power(certificateId)).toMatchObject({ status: 'INACTIVE', policies: [world.policyName] });
  });

  test('the thing of a retired one goes, and one that something hangs on stays', async () => {
    const { serialNumber } = taken();
    await world.act(serialNumber, 'retire');
    await world.thing(serialNumber);
    await mends([
      { what: 'thing-left-behind', of: serialNumber, outcome: 'mended' },
      { what: 'thing-without-record', of: 'GHOST', outcome: 'left' },
    ]);
    expect(await world.thingAt(serialNumber)).toBeUndefined();
  });

  test('things of ours that nobody has announced go, more of them than AWS lists at once', async () => {
    const nobodies = Array.from({ length: 260 }, (_, index) => `NOBODY-${index}`);
    for (const thingName of nobodies) await world.thing(thingName);
    const [report] = await auditFleet(outputs, { only: 'things' }, world.ahead());
    expect(report).toMatchObject({ done: { 'thing-without-record': nobodies.length }, failed: {} });
    for (const thingName of nobodies) expect(await world.thingAt(thingName)).toBeUndefined();
    await mends([]);
  });

  test('a thing that would be another camera’s place stays', async () => {
    const camera = taken();
    const { thingName } = camera;
    const nobody = await world.announced();
    const attributePayload = { attributes: { serialNumber: nobody } };
    await world.aws().iot.send(new UpdateThingCommand({ thingName, attributePayload }));
    await mends([{ what: 'thing-left-behind', of: thingName, outcome: 'left' }]);
  });
});

describe('denials', () => {
  test('that somebody has put into a role, or taken out of it, are as the table says', async () => {
    const roles = await world.roles();
    const before = await roles.read();
    await roles.write(['*:somebody']);
    await mends([{ what: 'role-differs', of: 'camera roles', outcome: 'mended' }]);
    expect(await roles.read()).toEqual(before);
  });

  test('that are nobody’s any more go, once they have lapsed', async () => {
    await world.denials.put('nobody', new Date(Date.now() + world.ahead() - 2 * 3_600_000).toISOString());
    await mends([{ what: 'denial-lapsed', of: 'nobody', outcome: 'mended' }]);
  });

  test('of a suspended camera are there, and those of one that lives are not', async () => {
    const [suspended, living] = [taken(), taken()];
    await world.act(suspended.serialNumber, 'suspend');
    await world.denials.remove(suspended.certificateId);
    await world.denials.put(living.certificateId, new Date(Date.now() + world.ahead() + 3_600_000).toISOString());
    await mends([
      { what: 'denial-missing', of: suspended.serialNumber, outcome: 'mended' },
      { what: 'denial-kept', of: living.serialNumber, outcome: 'mended' },
    ]);
    for (const users of await (await world.roles()).read()) {
      expect(users).toContain(`*:${suspended.certificateId}`);
      expect(users).not.toContain(`*:${living.certificateId}`);
    }
  });
});

describe('counts', () => {
  const stats = async () => {
    const operator = createHttpApi(outputs, outputs.personas.operator);
    return (await operator.get('/stats', world.when())).body.status;
  };
  const write = (kind: string, name: string, UpdateExpression: string, values: Record<string, object>) =>
    world.aws().dynamoDb.send(
      new UpdateItemCommand({
        TableName: 'firstlight-local-counters',
        Key: { kind: { S: kind }, name: { S: name } },
        UpdateExpression,
        ExpressionAttributeNames: { '#value': kind === 'status' ? 'count' : 'counted' },
        ExpressionAttributeValues: values as never,
      }),
    );

  test('a counter that says something else than the registry is set right', async () => {
    const before = await stats();
    await write('status', 'active', 'SET #value = :wrong', { ':wrong': { N: '999' } });
    expect(await stats()).not.toEqual(before);
    await mends([{ what: 'counter-wrong', of: 'status active', outcome: 'mended' }]);
    expect(await stats()).toEqual(before);
  });

  test('a device that was counted as something else is counted anew', async () => {
    const { serialNumber } = taken();
    const before = await stats();
    const counted = { ':wrong': { M: { status: { S: 'claimed' } } } };
    await write(`device#${serialNumber}`, '-', 'SET #value = :wrong', counted);
    await write('status', 'claimed', 'SET #value = :wrong', { ':wrong': { N: String(before.claimed + 1) } });
    await write('status', 'active', 'SET #value = :wrong', { ':wrong': { N: String(before.active - 1) } });
    expect(await audit()).toContainEqual({ what: 'counted-wrong', of: serialNumber, outcome: 'mended' });
    await until('the device to be counted', async () => JSON.stringify(await stats()) === JSON.stringify(before));
    await mends([]);
  });
});

test('new hardware that has not come to life for two weeks is told of, and the old unit works on', async () => {
  const { serialNumber } = taken();
  const next = await world.announced();
  await world.act(serialNumber, 'replace', { by: next, keepUntilConnected: true });
  await world.tamper(next, 'SET takeover.since = :then', { ':then': { S: '2026-01-01T00:00:00.000Z' } });
  await mends([{ what: 'replacement-waits', of: next, outcome: 'left' }]);
  expect(await world.device(serialNumber)).toMatchObject({ status: 'active' });
});

test('more things of one type than the registry reads at once', async () => {
  const { iot } = world.aws();
  const names = Array.from({ length: 110 }, (_, n) => `STRAY-${n}`);
  for (const thingName of names) {
    const attributePayload = { attributes: { serialNumber: thingName } };
    await iot.send(new CreateThingCommand({ thingName, thingTypeName: 'firstlight-local-fixed', attributePayload }));
  }
  const found = await audit({ only: 'things' });
  const strays = found.filter(({ what, outcome }) => what === 'thing-without-record' && outcome === 'mended');
  expect(strays.map(({ of }) => of).toSorted()).toEqual(names.toSorted());
});
