import * as iot from '@aws-sdk/client-iot';
import { beforeAll, describe, expect, test } from 'vitest';
import { cloud, makeThingType, onlyOnTheStandIn, refusal, sweepThingTypes, undo, unique } from '../cloud.ts';

/** AWS IoT's registry of things: the edge cases of the API Reference. Statuses and codes; messages are AWS's own business. */

let thingTypeName: string;

beforeAll(async () => {
  await sweepThingTypes();
  thingTypeName = await makeThingType('camera');
});

const thing = async (more: Partial<iot.CreateThingCommandInput> = {}) => {
  const thingName = unique('thing');
  undo(`thing ${thingName}`, () => cloud.iot.send(new iot.DeleteThingCommand({ thingName })));
  await cloud.iot.send(new iot.CreateThingCommand({ thingName, ...more }));
  return thingName;
};
const describeThing = (thingName: string) => cloud.iot.send(new iot.DescribeThingCommand({ thingName }));
const createThing = (input: iot.CreateThingCommandInput) => cloud.iot.send(new iot.CreateThingCommand(input));
const attributes = (attributes: Record<string, string>, merge?: boolean) => ({
  attributePayload: { attributes, ...(merge !== undefined && { merge }) },
});

describe('CreateThing', () => {
  test('describes what it made', async () => {
    const thingName = await thing({ thingTypeName, ...attributes({ serial: 'A-1' }) });
    expect(await describeThing(thingName)).toMatchObject({
      thingName,
      thingTypeName,
      defaultClientId: thingName,
      attributes: { serial: 'A-1' },
      version: 1,
      thingArn: expect.stringMatching(new RegExp(`^arn:aws:iot:[a-z0-9-]+:\\d{12}:thing/${thingName}$`)),
      thingId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  test('the same again succeeds, anything else is a conflict', async () => {
    const thingName = await thing({ thingTypeName, ...attributes({ a: '1' }) });
    const first = await describeThing(thingName);
    expect(await createThing({ thingName, thingTypeName, ...attributes({ a: '1' }) })).toMatchObject({
      thingId: first.thingId,
    });
    const conflict = { code: 'ResourceAlreadyExistsException', status: 409 };
    expect(await refusal(createThing({ thingName, thingTypeName, ...attributes({ a: '2' }) }))).toMatchObject(conflict);
    expect(await refusal(createThing({ thingName, ...attributes({ a: '1' }) }))).toMatchObject(conflict);
  });

  test.each([
    ['a bad name', { thingName: 'no spaces here' }],
    ['a bad attribute value', { thingName: 'x', ...attributes({ a: 'no spaces' }) }],
    ['four attributes without a type', { thingName: 'x', ...attributes({ a: '1', b: '2', c: '3', d: '4' }) }],
  ])('%s is an invalid request', async (_, input) => {
    expect(await refusal(createThing(input))).toMatchObject({ code: 'InvalidRequestException', status: 400 });
  });

  test('an unknown thing type is not found', async () => {
    const unknown = { thingName: unique('thing'), thingTypeName: unique('nothing') };
    expect(await refusal(createThing(unknown))).toMatchObject({ code: 'ResourceNotFoundException', status: 404 });
  });
});

describe('UpdateThing', () => {
  const updateThing = (input: iot.UpdateThingCommandInput) => cloud.iot.send(new iot.UpdateThingCommand(input));

  test('merges, removes by an empty value, or replaces', async () => {
    const thingName = await thing(attributes({ a: '1', b: '2' }));
    const changed = async (change: Parameters<typeof attributes>) => {
      await updateThing({ thingName, ...attributes(...change) });
      return (await describeThing(thingName)).attributes;
    };
    expect(await changed([{ c: '3' }, true])).toEqual({ a: '1', b: '2', c: '3' });
    expect(await changed([{ a: '' }, true])).toEqual({ b: '2', c: '3' });
    expect(await changed([{ d: '4' }])).toEqual({ d: '4' });
    expect(await changed([{}])).toEqual({});
  });

  test('raises the version, and minds the expected one', async () => {
    const thingName = await thing();
    await updateThing({ thingName, ...attributes({ a: '1' }), expectedVersion: 1 });
    expect(await describeThing(thingName)).toMatchObject({ version: 2 });
    const conflict = { code: 'VersionConflictException', status: 409 };
    expect(await refusal(updateThing({ thingName, ...attributes({ a: '2' }), expectedVersion: 1 }))).toMatchObject(
      conflict,
    );
    expect(await refusal(cloud.iot.send(new iot.DeleteThingCommand({ thingName, expectedVersion: 1 })))).toMatchObject(
      conflict,
    );
  });

  test('of an unknown thing is not found', async () => {
    expect(await refusal(updateThing({ thingName: unique('nothing'), ...attributes({}) }))).toMatchObject({
      code: 'ResourceNotFoundException',
      status: 404,
    });
    expect(await refusal(describeThing(unique('nothing')))).toMatchObject({ status: 404 });
  });
});

test('DeleteThing of an unknown thing succeeds', async () => {
  await cloud.iot.send(new iot.DeleteThingCommand({ thingName: unique('nothing') }));
});

describe('thing types', () => {
  const createType = (input: iot.CreateThingTypeCommandInput) => cloud.iot.send(new iot.CreateThingTypeCommand(input));

  test('the same again succeeds, other properties are a conflict', async () => {
    await createType({ thingTypeName });
    const other = { thingTypeName, thingTypeProperties: { thingTypeDescription: 'another' } };
    expect(await refusal(createType(other))).toMatchObject({ code: 'ResourceAlreadyExistsException', status: 409 });
  });

  test('a deprecated type takes no more things, and is not deleted at once', async () => {
    const deprecated = await makeThingType('deprecated');
    const deleteType = () => cloud.iot.send(new iot.DeleteThingTypeCommand({ thingTypeName: deprecated }));
    const invalid = { code: 'InvalidRequestException', status: 400 };
    expect(await refusal(deleteType())).toMatchObject(invalid);
    await cloud.iot.send(new iot.DeprecateThingTypeCommand({ thingTypeName: deprecated }));
    expect(await cloud.iot.send(new iot.DescribeThingTypeCommand({ thingTypeName: deprecated }))).toMatchObject({
      thingTypeMetadata: { deprecated: true, deprecationDate: expect.any(Date) },
    });
    expect(await refusal(createThing({ thingName: unique('thing'), thingTypeName: deprecated }))).toMatchObject(
      invalid,
    );
    expect(await refusal(deleteType())).toMatchObject(invalid);
  });
});

test('lists a thing by its type', async () => {
  const thingName = await thing({ thingTypeName });
  const { things } = await cloud.iot.send(new iot.ListThingsCommand({ thingTypeName, maxResults: 250 }));
  expect(things?.map((one) => one.thingName)).toContain(thingName);
});

describe('DescribeEndpoint', () => {
  test.each(['iot:Data-ATS', 'iot:CredentialProvider'])('%s is a host', async (endpointType) => {
    const { endpointAddress } = await cloud.iot.send(new iot.DescribeEndpointCommand({ endpointType }));
    expect(endpointAddress).toMatch(/^[\w.-]+(:\d+)?$/);
  });

  test('refuses a type that it does not know', async () => {
    expect(await refusal(cloud.iot.send(new iot.DescribeEndpointCommand({ endpointType: 'iot:Bogus' })))).toMatchObject(
      {
        code: 'InvalidRequestException',
        status: 400,
      },
    );
  });
});

test.skipIf(onlyOnTheStandIn('what an operation that is not imitated answers'))(
  'what is not there is said in AWS’s words',
  async () => {
    const { code } = await refusal(cloud.iot.send(new iot.ListBillingGroupsCommand({})));
    expect(code).toMatch(/UnknownOperation|NotImplemented/);
  },
);
