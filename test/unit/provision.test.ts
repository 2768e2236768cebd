import { beforeEach, describe, expect, test } from 'vitest';
import { createPolicy } from '../../local/iot/policies.ts';
import type { Certificate } from '../../local/iot/registry.ts';
import { rightOf, tie } from '../../local/iot/ties.ts';
import { ACTIONS, accountId, DOCUMENT, provisioningWorld, type Sections } from './provision-world.ts';

let here: ReturnType<typeof provisioningWorld>;
beforeEach(() => {
  here = provisioningWorld();
});

describe('a first claim', () => {
  test('makes the thing, activates the certificate, attaches both and the policy', async () => {
    const { certificateId, certificateArn, certificatePem } = await here.pendingCertificate();
    const result = await here.claim(here.registry.certificates.get(certificateId) as Certificate);
    expect(result).toEqual({
      thingName: 'CAM-1',
      deviceConfiguration: { stream: 'CAM-1' },
      certificatePem,
      resourceArns: {
        thing: here.registry.arn('thing/CAM-1'),
        certificate: certificateArn,
        policy: here.registry.arn('policy/camera'),
      },
    });
    expect(here.registry.things.get('CAM-1')).toMatchObject({
      thingTypeName: 'thing-name',
      attributes: { serial: 'CAM-1' },
    });
    expect(here.registry.certificate(certificateId)).toMatchObject({ status: 'ACTIVE' });
    expect(here.registry.certificate(certificateId)).not.toHaveProperty('ownership');
    expect(here.registry.thingsOf(certificateId)).toEqual([{ thingName: 'CAM-1', type: 'EXCLUSIVE_THING' }]);
    expect(here.registry.policiesOf(certificateId)).toHaveLength(1);
  });

  test('leaves a certificate INACTIVE when the template says so, in whatever case', async () => {
    const certificate = await here.pendingCertificate();
    await here.claim(certificate, { certificate: { Status: 'Inactive' } });
    expect(here.registry.certificate(certificate.certificateId)?.status).toBe('INACTIVE');
  });

  test('makes a policy of its document once', async () => {
    const policy = { Type: 'AWS::IoT::Policy', Properties: { PolicyDocument: JSON.parse(DOCUMENT) } };
    const [first, second] = [await here.pendingCertificate(), await here.pendingCertificate()];
    await here.claim(first, { resources: { policy } });
    await here.claim(second, { resources: { policy } }, { SerialNumber: 'CAM-2' });
    const { policies, policyTargets } = here.registry;
    expect([...policies.keys()].map((name) => rightOf(policyTargets, name).size)).toEqual([0, 2]);
  });
});

describe('nothing at all is left behind when', () => {
  const refusals: [string, Sections, Record<string, string>, object][] = [
    ['a parameter is missing', { thing: { BillingGroup: { Ref: 'Nope' } } }, {}, { status: 400 }],
    ['a parameter is not declared', {}, { Model: 'x' }, { status: 400 }],
    ['the thing name is none', {}, { SerialNumber: 'a b' }, { status: 400 }],
    ['the thing type is missing', {}, { ThingTypeName: 'other' }, { status: 404, code: 'ResourceNotFoundException' }],
    ['the thing type is deprecated', {}, { ThingTypeName: 'old' }, { status: 400 }],
    ['the thing group is missing', { thing: { ThingGroups: ['fleet'] } }, {}, { status: 404 }],
    ['an attribute has a bad value', { thing: { AttributePayload: { a: 'é' } } }, {}, { status: 400 }],
    [
      'the policy is missing',
      { resources: { policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: 'nope' } } } },
      {},
      { status: 404 },
    ],
    [
      'the policy is malformed',
      { resources: { policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyDocument: '{}' } } } },
      {},
      { status: 400, code: 'MalformedPolicyException' },
    ],
    ['the status is none', { certificate: { Status: 'REVOKED' } }, {}, { status: 400 }],
    ['the certificate is another', { certificate: { CertificateId: { Ref: 'SerialNumber' } } }, {}, { status: 400 }],
  ];

  test.each(refusals)('%s', async (_, sections, parameters, error) => {
    here.addType('old', here.clock.now());
    const certificate = await here.pendingCertificate();
    const before = here.world();
    await expect(here.claim(certificate, sections, parameters)).rejects.toMatchObject(error);
    expect(here.world()).toEqual(before);
  });

  test.each(ACTIONS.filter((action) => !/UpdateThing|Policy$/.test(action)).concat('iot:AttachPolicy'))(
    'the provisioning role lacks %s',
    async (missing) => {
      here.allowRole(ACTIONS.filter((action) => action !== missing));
      const certificate = await here.pendingCertificate();
      const before = here.world();
      await expect(here.claim(certificate)).rejects.toMatchObject({
        code: 'AccessDeniedException',
        message: expect.stringContaining(`is not authorized to perform: ${missing} on resource: arn:aws:iot:`),
      });
      expect(here.world()).toEqual(before);
    },
  );

  test('the provisioning role trusts another template only', async () => {
    here.allowRole(ACTIONS, { ArnEquals: { 'aws:SourceArn': here.registry.arn('provisioningtemplate/other') } });
    await expect(here.claim(await here.pendingCertificate())).rejects.toMatchObject({ code: 'AccessDeniedException' });
    here.allowRole(ACTIONS, {
      ArnEquals: { 'aws:SourceArn': here.registry.arn('provisioningtemplate/claim') },
      StringEquals: { 'aws:SourceAccount': accountId },
    });
    await here.claim(await here.pendingCertificate());
  });

  test('the certificate would have more than ten policies', async () => {
    const certificate = await here.pendingCertificate();
    for (let n = 0; n < 10; n += 1) {
      createPolicy(here, `p${n}`, DOCUMENT);
      tie(here.registry.policyTargets, `p${n}`, certificate.certificateArn, true);
    }
    await expect(here.claim(certificate)).rejects.toMatchObject({ code: 'LimitExceededException', status: 410 });
    expect(here.registry.things.size).toBe(0);
  });

  test('the certificate belongs to another thing exclusively', async () => {
    const certificate = await here.pendingCertificate();
    await here.claim(certificate);
    const again = here.registry.certificate(certificate.certificateId) as Certificate;
    await expect(here.claim(again, {}, { SerialNumber: 'CAM-2' })).rejects.toMatchObject({ status: 400 });
    expect(here.registry.things.has('CAM-2')).toBe(false);
  });
});
