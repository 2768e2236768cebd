import {
  CreateThingCommand,
  CreateThingTypeCommand,
  DeleteThingCommand,
  DeleteThingTypeCommand,
  DeprecateThingTypeCommand,
  DescribeThingCommand,
  paginateListThings,
  UpdateThingCommand,
} from '@aws-sdk/client-iot';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { openIot, refused } from './iot-door.ts';

const { client: iot, door, empty, registry } = await openIot();

afterAll(() => door.close());
beforeEach(empty);

describe('things', () => {
  const createThing = (attributes?: Record<string, string>, thingTypeName?: string) =>
    iot.send(
      new CreateThingCommand({
        thingName: 'cam',
        thingTypeName,
        ...(attributes && { attributePayload: { attributes } }),
      }),
    );

  test('made again alike are the same thing, made again otherwise a conflict', async () => {
    const first = await createThing({ batch: 'B1' });
    expect(await createThing({ batch: 'B1' })).toMatchObject({ thingId: first.thingId, thingArn: first.thingArn });
    await expect(createThing({ batch: 'B2' })).rejects.toMatchObject({
      ...refused('ResourceAlreadyExistsException', 409),
      resourceArn: first.thingArn,
    });
  });

  test('hold three attributes without a type', async () => {
    const four = { a: '1', b: '2', c: '3', d: '4' };
    await expect(createThing(four)).rejects.toMatchObject(refused('InvalidRequestException', 400));
    await iot.send(new CreateThingTypeCommand({ thingTypeName: 'camera' }));
    await createThing(four, 'camera');
  });

  test('need a type that exists and is not deprecated', async () => {
    await expect(createThing(undefined, 'camera')).rejects.toMatchObject(refused('ResourceNotFoundException', 404));
    await iot.send(new CreateThingTypeCommand({ thingTypeName: 'camera' }));
    await iot.send(new DeprecateThingTypeCommand({ thingTypeName: 'camera' }));
    await expect(createThing(undefined, 'camera')).rejects.toMatchObject(refused('InvalidRequestException', 400));
  });

  test('have attributes merged, emptied and replaced, and count their versions', async () => {
    await createThing({ a: '1', b: '2' });
    const update = (attributes: Record<string, string>, merge: boolean, expectedVersion?: number) =>
      iot.send(new UpdateThingCommand({ thingName: 'cam', attributePayload: { attributes, merge }, expectedVersion }));
    const attributes = async () => (await iot.send(new DescribeThingCommand({ thingName: 'cam' }))).attributes;
    await update({ a: '', c: '3' }, true, 1);
    expect(await attributes()).toEqual({ b: '2', c: '3' });
    await expect(update({}, false, 1)).rejects.toMatchObject(refused('VersionConflictException', 409));
    await update({}, false, 2);
    expect(await attributes()).toEqual({});
  });

  test('that are not there are deleted all the same', async () => {
    await iot.send(new DeleteThingCommand({ thingName: 'cam' }));
  });

  test('come in pages, by name', async () => {
    for (let n = 10; n < 40; n += 1) await iot.send(new CreateThingCommand({ thingName: `cam-${n}` }));
    const pages: string[][] = [];
    for await (const { things = [] } of paginateListThings({ client: iot, pageSize: 12 }, {})) {
      pages.push(things.map(({ thingName = '' }) => thingName));
    }
    expect(pages.map((page) => page.length)).toEqual([12, 12, 6]);
    expect(pages.flat()).toEqual([...pages.flat()].sort());
  });
});

test('a thing type made again alike is the same, made again otherwise a conflict', async () => {
  const create = (thingTypeDescription?: string) =>
    iot.send(
      new CreateThingTypeCommand({
        thingTypeName: 'camera',
        ...(thingTypeDescription && { thingTypeProperties: { thingTypeDescription } }),
      }),
    );
  const { thingTypeId } = await create('a camera');
  expect((await create('a camera')).thingTypeId).toBe(thingTypeId);
  await expect(create()).rejects.toMatchObject(refused('ResourceAlreadyExistsException', 409));
});

test('a thing type rests five minutes between deprecation and deletion', async () => {
  const remove = () => iot.send(new DeleteThingTypeCommand({ thingTypeName: 'camera' }));
  await iot.send(new CreateThingTypeCommand({ thingTypeName: 'camera' }));
  await expect(remove()).rejects.toMatchObject(refused('InvalidRequestException', 400));
  await iot.send(new DeprecateThingTypeCommand({ thingTypeName: 'camera' }));
  await expect(remove()).rejects.toMatchObject(refused('InvalidRequestException', 400));
  const deprecated = registry.thingTypes.get('camera');
  if (deprecated) deprecated.deprecationDate = door.clock.now() - 5 * 60_000;
  await remove();
  await expect(remove()).rejects.toMatchObject(refused('ResourceNotFoundException', 404));
});
