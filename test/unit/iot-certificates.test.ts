import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateThingCommand,
  DeleteCertificateCommand,
  DeletePolicyCommand,
  DeleteThingCommand,
  DescribeCertificateCommand,
  DetachPolicyCommand,
  DetachThingPrincipalCommand,
  ListPrincipalThingsV2Command,
  ListThingPrincipalsCommand,
  RegisterCertificateWithoutCACommand,
  UpdateCertificateCommand,
} from '@aws-sdk/client-iot';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { createIssuer } from '../../local/iot/issuer.ts';
import { ACCOUNT } from './aws-door.ts';
import { DOCUMENT, openIot, refused } from './iot-door.ts';

const { client: iot, door, empty, registry, newCertificate } = await openIot();

afterAll(() => door.close());
beforeEach(empty);

describe('certificates', () => {
  test('are taken apart in one order only: inactive, no thing, no policy', async () => {
    const { certificateId, certificateArn } = await newCertificate();
    await iot.send(new CreateThingCommand({ thingName: 'cam' }));
    await iot.send(new CreatePolicyCommand({ policyName: 'p', policyDocument: DOCUMENT }));
    const attachment = { thingName: 'cam', principal: certificateArn };
    for (let twice = 0; twice < 2; twice += 1) {
      await iot.send(new AttachThingPrincipalCommand(attachment));
      await iot.send(new AttachPolicyCommand({ policyName: 'p', target: certificateArn }));
    }
    const remove = (forceDelete = false) => iot.send(new DeleteCertificateCommand({ certificateId, forceDelete }));
    await expect(iot.send(new DeletePolicyCommand({ policyName: 'p' }))).rejects.toMatchObject(
      refused('DeleteConflictException', 409),
    );
    await expect(iot.send(new DeleteThingCommand({ thingName: 'cam' }))).rejects.toMatchObject(
      refused('InvalidRequestException', 400),
    );
    await expect(remove(true)).rejects.toMatchObject(refused('CertificateStateException', 406));
    await iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'INACTIVE' }));
    await expect(remove(true)).rejects.toMatchObject(refused('DeleteConflictException', 409));
    await iot.send(new DetachThingPrincipalCommand(attachment));
    await expect(remove()).rejects.toMatchObject(refused('DeleteConflictException', 409));
    await remove(true);
    await expect(remove()).rejects.toMatchObject(refused('ResourceNotFoundException', 404));
    await iot.send(new DetachPolicyCommand({ policyName: 'p', target: certificateArn }));
    await iot.send(new DeletePolicyCommand({ policyName: 'p' }));
  });

  test('tell of every change of status, and only of changes', async () => {
    const { certificateId } = await newCertificate();
    const told: string[] = [];
    const listen = (id: string) => told.push(`${id === certificateId} ${registry.certificate(id)?.status}`);
    registry.changes.on('certificate', listen);
    for (const newStatus of ['ACTIVE', 'INACTIVE', 'INACTIVE', 'REVOKED'] as const) {
      await iot.send(new UpdateCertificateCommand({ certificateId, newStatus }));
    }
    await expect(
      iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'PENDING_ACTIVATION' })),
    ).rejects.toMatchObject(refused('InvalidRequestException', 400));
    registry.changes.off('certificate', listen);
    expect(told).toEqual(['true INACTIVE', 'true REVOKED']);
    const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
    expect(certificateDescription).toMatchObject({
      status: 'REVOKED',
      ownedBy: ACCOUNT,
      customerVersion: 3,
      validity: { notAfter: new Date('2049-12-31T23:59:59Z') },
    });
  });

  test('of others are registered once', async () => {
    const own = await (await createIssuer({ clock: door.clock })).withNewKeys();
    const register = () =>
      iot.send(new RegisterCertificateWithoutCACommand({ certificatePem: own.certificatePem, status: 'ACTIVE' }));
    expect((await register()).certificateId).toBe(own.certificateId);
    await expect(register()).rejects.toMatchObject(refused('ResourceAlreadyExistsException', 409));
    await expect(
      iot.send(new RegisterCertificateWithoutCACommand({ certificatePem: 'garbage' })),
    ).rejects.toMatchObject(refused('CertificateValidationException', 400));
  });

  test('belong exclusively to one thing', async () => {
    const { certificateArn: principal } = await newCertificate();
    for (const thingName of ['a', 'b']) await iot.send(new CreateThingCommand({ thingName }));
    const attach = (thingName: string, exclusive: boolean) =>
      iot.send(
        new AttachThingPrincipalCommand({
          thingName,
          principal,
          ...(exclusive && { thingPrincipalType: 'EXCLUSIVE_THING' }),
        }),
      );
    await attach('a', true);
    await expect(attach('b', false)).rejects.toMatchObject(refused('InvalidRequestException', 400));
    expect((await iot.send(new ListPrincipalThingsV2Command({ principal }))).principalThingObjects).toEqual([
      { thingName: 'a', thingPrincipalType: 'EXCLUSIVE_THING' },
    ]);
    expect((await iot.send(new ListThingPrincipalsCommand({ thingName: 'a' }))).principals).toEqual([principal]);
    await expect(attach('c', false)).rejects.toMatchObject(refused('ResourceNotFoundException', 404));
  });
});

describe('policies', () => {
  const create = (policyName: string, policyDocument = DOCUMENT) =>
    iot.send(new CreatePolicyCommand({ policyName, policyDocument }));

  test.each([
    ['no JSON', '{'],
    ['no statement', '{"Version":"2012-10-17"}'],
    ['a principal', DOCUMENT.replace('"Effect"', '"Principal":"*","Effect"')],
    ['more than 2048 characters', DOCUMENT.replace('"*"', `"${'x'.repeat(2048)}"`)],
  ])('with %s are malformed', async (_, document) => {
    await expect(create('p', document)).rejects.toMatchObject(refused('MalformedPolicyException', 400));
  });

  test('may be 2048 characters long beside their white space', async () => {
    await create('p', DOCUMENT.replaceAll(',', `,${' '.repeat(2000)}`));
    await expect(create('p')).rejects.toMatchObject(refused('ResourceAlreadyExistsException', 409));
  });

  test('have five versions at most', async () => {
    await create('p');
    const version = () => iot.send(new CreatePolicyVersionCommand({ policyName: 'p', policyDocument: DOCUMENT }));
    for (let n = 2; n <= 5; n += 1) await version();
    await expect(version()).rejects.toMatchObject(refused('VersionsLimitExceededException', 409));
  });

  test('are ten at most on one certificate', async () => {
    const { certificateArn: target } = await newCertificate();
    for (let n = 0; n <= 10; n += 1) await create(`p${n}`);
    const attach = (n: number) => iot.send(new AttachPolicyCommand({ policyName: `p${n}`, target }));
    for (let n = 0; n < 10; n += 1) await attach(n);
    await attach(9);
    await expect(attach(10)).rejects.toMatchObject(refused('LimitExceededException', 410));
  });
});
