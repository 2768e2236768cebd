import { X509Certificate } from 'node:crypto';
import * as iot from '@aws-sdk/client-iot';
import { describe, expect, test } from 'vitest';
import { cloud, eventually, refusal, undo, unique } from '../cloud.ts';
import { certificateIdOf, makeDeviceKey, makeSelfSigned } from '../device-key.ts';

/** Certificates, their things and their policies: statuses and codes of the API Reference. */

type Status = 'ACTIVE' | 'INACTIVE' | 'REVOKED';
const update = (certificateId: string, newStatus: iot.CertificateStatus) =>
  cloud.iot.send(new iot.UpdateCertificateCommand({ certificateId, newStatus }));
const remove = (certificateId: string, forceDelete = false) =>
  cloud.iot.send(new iot.DeleteCertificateCommand({ certificateId, forceDelete }));
const describeCertificate = async (certificateId: string) =>
  (await cloud.iot.send(new iot.DescribeCertificateCommand({ certificateId }))).certificateDescription;

function undoCertificate(certificateId: string) {
  undo(`certificate ${certificateId}`, async () => {
    await update(certificateId, 'INACTIVE');
    await remove(certificateId, true);
  });
}

async function certificate(setAsActive = false) {
  const { certificateSigningRequest } = await makeDeviceKey();
  const made = await cloud.iot.send(
    new iot.CreateCertificateFromCsrCommand({ certificateSigningRequest, setAsActive }),
  );
  const { certificateId = '', certificateArn = '', certificatePem = '' } = made;
  undoCertificate(certificateId);
  return { certificateId, certificateArn, certificatePem, certificateSigningRequest };
}

async function thing() {
  const thingName = unique('thing');
  await cloud.iot.send(new iot.CreateThingCommand({ thingName }));
  undo(`thing ${thingName}`, () => cloud.iot.send(new iot.DeleteThingCommand({ thingName })));
  return thingName;
}

describe('certificates', () => {
  test('an id is the SHA-256 of the DER; each request for the same key gets another certificate', async () => {
    const one = await certificate();
    expect(certificateIdOf(one.certificatePem)).toBe(one.certificateId);
    expect(one.certificateArn).toMatch(new RegExp(`^arn:aws:iot:[a-z0-9-]+:\\d{12}:cert/${one.certificateId}$`));
    const { certificateSigningRequest } = one;
    const two = await cloud.iot.send(new iot.CreateCertificateFromCsrCommand({ certificateSigningRequest }));
    undoCertificate(two.certificateId ?? '');
    expect(two.certificateId).not.toBe(one.certificateId);
    // IoT guide, "Create AWS IoT client certificates": until midnight UTC of 31 December 2049.
    expect(new Date(new X509Certificate(one.certificatePem).validTo).toISOString()).toBe('2049-12-31T23:59:59.000Z');
  });

  test('keys made by AWS are RSA-2048', async () => {
    const made = await cloud.iot.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: false }));
    undoCertificate(made.certificateId ?? '');
    const { publicKey } = new X509Certificate(made.certificatePem ?? '');
    expect(publicKey.asymmetricKeyType).toBe('rsa');
    expect(publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(made.keyPair?.PrivateKey).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/);
    expect(await describeCertificate(made.certificateId ?? '')).toMatchObject({ status: 'INACTIVE' });
  });

  test('a request that is none is an invalid request', async () => {
    const garbage = { certificateSigningRequest: 'garbage' };
    expect(await refusal(cloud.iot.send(new iot.CreateCertificateFromCsrCommand(garbage)))).toMatchObject({
      code: 'InvalidRequestException',
      status: 400,
    });
  });

  test('an unknown one is not found', async () => {
    const notFound = { code: 'ResourceNotFoundException', status: 404 };
    const unknown = '0'.repeat(64);
    expect(await refusal(describeCertificate(unknown))).toMatchObject(notFound);
    expect(await refusal(update(unknown, 'INACTIVE'))).toMatchObject(notFound);
    expect(await refusal(remove(unknown))).toMatchObject(notFound);
  });

  test('an active one is not deleted, by force neither; a status of AWS’s own cannot be set', async () => {
    const { certificateId } = await certificate(true);
    const state = { code: 'CertificateStateException', status: 406 };
    expect(await refusal(remove(certificateId))).toMatchObject(state);
    expect(await refusal(remove(certificateId, true))).toMatchObject(state);
    expect(await refusal(update(certificateId, 'PENDING_ACTIVATION'))).toMatchObject({ status: 400 });
    await update(certificateId, 'INACTIVE');
    await update(certificateId, 'INACTIVE'); // idempotent
    await remove(certificateId);
    expect(await refusal(describeCertificate(certificateId))).toMatchObject({ status: 404 });
  });

  test.each<Status>(['ACTIVE', 'INACTIVE', 'REVOKED'])('can be %s', async (status) => {
    const { certificateId } = await certificate();
    await update(certificateId, status);
    expect(await describeCertificate(certificateId)).toMatchObject({ status });
  });
});

describe('RegisterCertificateWithoutCA', () => {
  const register = (certificatePem: string) =>
    cloud.iot.send(new iot.RegisterCertificateWithoutCACommand({ certificatePem, status: 'INACTIVE' }));

  test('takes a certificate of another maker once', async () => {
    const { certificatePem } = await makeSelfSigned();
    const { certificateId = '' } = await register(certificatePem);
    undoCertificate(certificateId);
    expect(certificateId).toBe(certificateIdOf(certificatePem));
    expect(await describeCertificate(certificateId)).toMatchObject({ certificateMode: 'SNI_ONLY' });
    expect(await refusal(register(certificatePem))).toMatchObject({
      code: 'ResourceAlreadyExistsException',
      status: 409,
    });
  });

  test('takes no garbage', async () => {
    const { status, code } = await refusal(register('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'));
    expect(status).toBe(400);
    expect(code).toMatch(/^(CertificateValidation|InvalidRequest)Exception$/);
  });
});

describe('a certificate and its things', () => {
  const attach = (input: iot.AttachThingPrincipalCommandInput) =>
    cloud.iot.send(new iot.AttachThingPrincipalCommand(input));
  const detach = (input: iot.DetachThingPrincipalCommandInput) =>
    cloud.iot.send(new iot.DetachThingPrincipalCommand(input));

  test('are attached once or twice alike, seen from both ends, and keep each other from being deleted', async () => {
    const { certificateId, certificateArn: principal } = await certificate();
    const thingName = await thing();
    await attach({ thingName, principal });
    await attach({ thingName, principal });
    undo('attachment', () => detach({ thingName, principal }));
    await eventually(async () =>
      expect(await cloud.iot.send(new iot.ListThingPrincipalsCommand({ thingName }))).toMatchObject({
        principals: [principal],
      }),
    );
    expect(await cloud.iot.send(new iot.ListPrincipalThingsCommand({ principal }))).toMatchObject({
      things: [thingName],
    });
    expect(await refusal(remove(certificateId))).toMatchObject({ code: 'DeleteConflictException', status: 409 });
    expect(await refusal(remove(certificateId, true))).toMatchObject({ code: 'DeleteConflictException', status: 409 });
    expect(await refusal(cloud.iot.send(new iot.DeleteThingCommand({ thingName })))).toMatchObject({
      code: 'InvalidRequestException',
      status: 400,
    });
    await detach({ thingName, principal });
    // Detaching is asynchronous (DetachThingPrincipal).
    await eventually(() => remove(certificateId));
  });

  test('nothing is attached to what is not there', async () => {
    const { certificateArn: principal } = await certificate();
    const thingName = unique('nothing');
    const notFound = { code: 'ResourceNotFoundException', status: 404 };
    expect(await refusal(attach({ thingName, principal }))).toMatchObject(notFound);
    expect(await refusal(cloud.iot.send(new iot.ListThingPrincipalsCommand({ thingName })))).toMatchObject(notFound);
  });

  test('an exclusive certificate belongs to one thing', async () => {
    const { certificateArn: principal } = await certificate();
    const [one, two] = [await thing(), await thing()];
    await attach({ thingName: one, principal, thingPrincipalType: 'EXCLUSIVE_THING' });
    undo('exclusive attachment', () => detach({ thingName: one, principal }));
    expect(await cloud.iot.send(new iot.ListPrincipalThingsV2Command({ principal }))).toMatchObject({
      principalThingObjects: [{ thingName: one, thingPrincipalType: 'EXCLUSIVE_THING' }],
    });
    expect(await refusal(attach({ thingName: two, principal, thingPrincipalType: 'EXCLUSIVE_THING' }))).toMatchObject({
      status: 400,
    });
  });
});
