import * as iot from '@aws-sdk/client-iot';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cloud, makeThingType } from '../cloud.ts';
import {
  describeCertificate,
  type Fleet,
  makeCertificate,
  makeFleet,
  newThing,
  register,
  templateBody,
} from '../fleet-provisioning.ts';
import type { MqttDevice } from '../mqtt-device.ts';

/**
 * A template that meets what is there already (IoT guide, "Provisioning templates", OverrideSettings). Makes what fleet-provisioning.test.ts
 * makes, and two thing types, which the run after next takes away (iot-things.test.ts).
 */

let fleet: Fleet;
let session: MqttDevice;
let types: { before: string; after: string };

beforeAll(async () => {
  fleet = await makeFleet();
  types = { before: await makeThingType('before'), after: await makeThingType('after') };
});
beforeEach(async () => {
  session = await fleet.openClaim();
});
afterEach(() => session.close());

/** Registers a device under the name of a thing that is there, by a template with these settings. */
async function meet(overrides: object) {
  const thingName = newThing();
  const attributePayload = { attributes: { colour: 'grey', maker: 'me' } };
  await cloud.iot.send(new iot.CreateThingCommand({ thingName, thingTypeName: types.before, attributePayload }));
  const Properties = {
    ThingName: { Ref: 'ThingName' },
    ThingTypeName: types.after,
    AttributePayload: { colour: { Ref: 'Colour' } },
  };
  const template = await fleet.makeTemplate(templateBody(fleet, { thing: { Properties, ...overrides } }));
  const answer = await register(session, template, { ThingName: thingName, Colour: 'red' });
  const { attributes, thingTypeName } = await cloud.iot.send(new iot.DescribeThingCommand({ thingName }));
  return { ...answer, thingName, attributes, thingTypeName };
}

const untouched = () => ({ attributes: { colour: 'grey', maker: 'me' }, thingTypeName: types.before });

test('DO_NOTHING leaves the thing as it is, and attaches the certificate to it', async () => {
  const OverrideSettings = { AttributePayload: 'DO_NOTHING', ThingTypeName: 'DO_NOTHING' };
  const met = await meet({ OverrideSettings });
  expect(met).toMatchObject({ outcome: 'accepted', content: { thingName: met.thingName }, ...untouched() });
  const { principals } = await cloud.iot.send(new iot.ListThingPrincipalsCommand({ thingName: met.thingName }));
  expect(principals).toEqual([expect.stringContaining(met.certificateId)]);
});

test('REPLACE puts the template’s in its place', async () => {
  const OverrideSettings = { AttributePayload: 'REPLACE', ThingTypeName: 'REPLACE' };
  const { outcome, attributes, thingTypeName } = await meet({ OverrideSettings });
  expect({ outcome, attributes, thingTypeName }).toEqual({
    outcome: 'accepted',
    attributes: { colour: 'red' },
    thingTypeName: types.after,
  });
});

test('MERGE adds the template’s', async () => {
  const { attributes } = await meet({ OverrideSettings: { AttributePayload: 'MERGE', ThingTypeName: 'DO_NOTHING' } });
  expect(attributes).toEqual({ colour: 'red', maker: 'me' });
});

describe.each(['AttributePayload', 'ThingTypeName'])('FAIL for %s', (property) => {
  test('guess: is a conflict, and nothing is changed', async () => {
    const others = { AttributePayload: 'REPLACE', ThingTypeName: 'REPLACE' };
    const met = await meet({ OverrideSettings: { ...others, [property]: 'FAIL' } });
    expect(met).toMatchObject({
      outcome: 'rejected',
      content: { statusCode: 409, errorCode: 'ResourceConflicts', errorMessage: expect.any(String) },
      ...untouched(),
    });
    expect((await describeCertificate(met.certificateId)).status).toBe('PENDING_ACTIVATION');
  });
});

describe('a setting that is missing is DO_NOTHING', () => {
  test.each([
    ['AttributePayload', { OverrideSettings: { ThingTypeName: 'REPLACE' } }],
    ['ThingTypeName', { OverrideSettings: { AttributePayload: 'REPLACE' } }],
    ['all of them', {}],
  ])('guess: %s', async (missing, overrides) => {
    const met = await meet(overrides);
    expect(met.outcome).toBe('accepted');
    if (missing !== 'ThingTypeName') expect(met.attributes).toEqual(untouched().attributes);
    if (missing !== 'AttributePayload') expect(met.thingTypeName).toBe(types.before);
  });

  // A device's own certificate is always new: only RegisterThing over HTTP meets one that has been used.
  test('guess: Status, of a certificate', async () => {
    for (const [OverrideSettings, after] of [
      [{ Status: 'REPLACE' }, 'ACTIVE'],
      [{}, 'INACTIVE'],
    ] as const) {
      const thingName = newThing();
      const { certificateId } = await makeCertificate(fleet.devicePolicyName);
      await cloud.iot.send(new iot.UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
      const { Parameters, Resources } = templateBody(fleet, {
        certificate: {
          Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'ACTIVE' },
          OverrideSettings,
        },
      });
      const parameters = { ThingName: thingName, 'AWS::IoT::Certificate::Id': certificateId };
      await cloud.iot.send(
        new iot.RegisterThingCommand({ templateBody: JSON.stringify({ Parameters, Resources }), parameters }),
      );
      expect((await describeCertificate(certificateId)).status).toBe(after);
    }
  });
});

test('a device that comes in again keeps its older certificate, which nobody switches off', async () => {
  const thingName = newThing();
  const template = await fleet.makeTemplate(templateBody(fleet));
  const ids: string[] = [];
  for (let time = 0; time < 2; time++) {
    const { certificateId, outcome } = await register(session, template, { ThingName: thingName });
    expect(outcome).toBe('accepted');
    ids.push(certificateId);
  }
  const { principals = [] } = await cloud.iot.send(new iot.ListThingPrincipalsCommand({ thingName }));
  expect(principals.map((arn) => arn.split('/')[1]).sort()).toEqual(ids.toSorted());
  for (const id of ids) expect((await describeCertificate(id)).status).toBe('ACTIVE');
});
