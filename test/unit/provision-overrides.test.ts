import { beforeEach, describe, expect, test } from 'vitest';
import { newCertificate } from '../../local/iot/certificates.ts';
import { rightOf } from '../../local/iot/ties.ts';
import { ACTIONS, provisioningWorld, template } from './provision-world.ts';

let here: ReturnType<typeof provisioningWorld>;
beforeEach(() => {
  here = provisioningWorld();
});

describe('a thing that exists', () => {
  const replaced = { thing: { AttributePayload: { batch: 'B2' } } };
  const next = { ThingTypeName: 'fixed' };

  beforeEach(async () => {
    await here.claim(await here.pendingCertificate());
  });

  test.each<[string, object, object]>([
    [
      'stays as it is without settings',
      {},
      { version: 1, thingTypeName: 'thing-name', attributes: { serial: 'CAM-1' } },
    ],
    ['stays as it is with DO_NOTHING', { AttributePayload: 'DO_NOTHING', ThingTypeName: 'DO_NOTHING' }, { version: 1 }],
    ['has its attributes replaced', { AttributePayload: 'REPLACE' }, { version: 2, attributes: { batch: 'B2' } }],
    [
      'has its attributes merged',
      { AttributePayload: 'MERGE' },
      { version: 2, attributes: { batch: 'B2', serial: 'CAM-1' } },
    ],
    ['has its type replaced', { ThingTypeName: 'REPLACE' }, { version: 2, thingTypeName: 'fixed' }],
  ])('%s', async (_, overrides, expected) => {
    await here.claim(await here.pendingCertificate(), { ...replaced, overrides }, next);
    expect(here.registry.things.get('CAM-1')).toMatchObject(expected);
    // Nothing in a template detaches or ends an earlier certificate.
    expect(rightOf(here.registry.attachments, 'CAM-1').size).toBe(2);
    expect(here.registry.livingCertificates().map(({ status }) => status)).toEqual(['ACTIVE', 'ACTIVE']);
  });

  test.each(['AttributePayload', 'ThingTypeName'])('refuses everything when %s says FAIL', async (property) => {
    const certificate = await here.pendingCertificate();
    const before = here.world();
    const refusal = { code: 'ResourceConflictsException', status: 409 };
    await expect(here.claim(certificate, { overrides: { [property]: 'FAIL' } })).rejects.toMatchObject(refusal);
    expect(here.world()).toEqual(before);
  });

  test('needs iot:UpdateThing only when something changes', async () => {
    here.allowRole(ACTIONS.filter((action) => action !== 'iot:UpdateThing'));
    await here.claim(await here.pendingCertificate());
    await expect(
      here.claim(await here.pendingCertificate(), { ...replaced, overrides: { AttributePayload: 'REPLACE' } }),
    ).rejects.toMatchObject({ code: 'AccessDeniedException' });
  });
});

describe('a certificate that is no longer pending', () => {
  test.each([
    [{}, 'INACTIVE'],
    [{ Status: 'DO_NOTHING' }, 'INACTIVE'],
    [{ Status: 'REPLACE' }, 'ACTIVE'],
  ])('with %o becomes %s', async (overrides, status) => {
    const certificate = newCertificate(here, await here.issuer.withNewKeys(), 'INACTIVE');
    here.registry.putCertificate(certificate);
    const resources = {
      certificate: {
        Type: 'AWS::IoT::Certificate',
        Properties: { CertificateId: certificate.certificateId },
        OverrideSettings: overrides,
      },
    };
    const body = template({ resources });
    await here.provision({ template: body, caller: here.identities.root, parameters: { SerialNumber: 'CAM-1' } });
    expect(here.registry.certificate(certificate.certificateId)?.status).toBe(status);
  });
});
