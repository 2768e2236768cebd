import { randomBytes } from 'node:crypto';
import { DescribeStreamCommand } from '@aws-sdk/client-kinesis-video';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { awsClients } from '../aws-clients.ts';
import { announce, newSerial, openClaim, registerThing, takeCertificate } from '../camera-claim.ts';
import { makeDeviceKey } from '../device-key.ts';
import { callFunction } from '../function-call.ts';
import { hookEvent, issueCertificate } from '../hook-event.ts';
import { type HookProcess, startHook } from '../hook-process.ts';
import { createHttpApi } from '../http-api.ts';

const outputs = inject('outputs');
const operator = createHttpApi(outputs, outputs.personas.operator);

/** The hook where it is deployed: with its own role. */
const ask = async (event: object) => (await callFunction(outputs, 'provisioningHook', event)).payload;
const claims = async (serialNumber: string) => (await operator.get(`/devices/${serialNumber}/claims`)).body.claims;
const device = async (serialNumber: string) => (await operator.get(`/devices/${serialNumber}`)).body;

describe('one warm process', () => {
  let hook: HookProcess;
  beforeAll(async () => {
    hook = await startHook(outputs);
  });
  afterAll(() => hook.stop());

  test.each(['thing-name', 'certificate-id', 'fixed'] as const)(
    'says yes to a %s camera with at most three AWS calls, none to AWS IoT',
    async (streamMode) => {
      const SerialNumber = newSerial();
      await announce(outputs, { serialNumber: SerialNumber, streamMode });
      const event = await hookEvent(outputs, await issueCertificate(outputs), { SerialNumber });
      const { answer, calls } = await hook.ask(event);
      expect(answer.allowProvisioning).toBe(true);
      const stream = { service: 'kinesisvideo', operation: 'POST /createStream' };
      expect(calls).toEqual([
        { service: 'dynamodb', operation: 'BatchGetItem' },
        { service: 'dynamodb', operation: 'UpdateItem' },
        // The deployment made the fixed one.
        ...(streamMode === 'fixed' ? [] : [stream]),
      ]);
    },
  );

  test('keeps no decision: yes, then no to another key, then yes to another device', async () => {
    const [first, second] = [newSerial(), newSerial()];
    await announce(outputs, { serialNumber: first }, { serialNumber: second });
    const certificates = await Promise.all([1, 2, 3].map(() => issueCertificate(outputs)));
    const answers = [];
    for (const [index, SerialNumber] of [first, first, second].entries()) {
      const certificate = certificates[index] ?? { certificateId: '', certificatePem: '' };
      answers.push((await hook.ask(await hookEvent(outputs, certificate, { SerialNumber }))).answer);
    }
    expect(answers).toMatchObject([
      { allowProvisioning: true, parameterOverrides: { ThingName: first } },
      { allowProvisioning: false },
      { allowProvisioning: true, parameterOverrides: { ThingName: second } },
    ]);
    expect(Object.keys(answers[1])).toEqual(['allowProvisioning']);
  });

  test('the same certificate asked twice gets the same answer, and nothing is written the second time', async () => {
    const SerialNumber = newSerial();
    await announce(outputs, { serialNumber: SerialNumber });
    const event = await hookEvent(outputs, await issueCertificate(outputs), { SerialNumber });
    const first = await hook.ask(event);
    const before = await device(SerialNumber);
    const second = await hook.ask(event);
    expect(first.answer.allowProvisioning).toBe(true);
    expect(second.answer).toEqual(first.answer);
    expect(second.calls.map(({ operation }) => operation)).not.toContain('UpdateItem');
    expect(await device(SerialNumber)).toEqual(before);
  });
});

test('of one serial number a hundred refusals a day are kept whole, of later ones the last, which ops can approve', async () => {
  const SerialNumber = newSerial();
  await announce(outputs, { serialNumber: SerialNumber, publicKeySha256: randomBytes(32).toString('hex') });
  const certificate = await issueCertificate(outputs);
  const event = await hookEvent(outputs, certificate, { SerialNumber });
  for (let n = 0; n < 102; n++) expect((await ask(event)).allowProvisioning).toBe(false);
  const get = (query: string) => operator.get(`/devices/${SerialNumber}/claims?${query}`);
  const { claims: all, notKept } = (await get('limit=1000')).body;
  expect(all).toHaveLength(101);
  expect(new Set(all.map(({ reason }: { reason: string }) => reason))).toEqual(new Set(['key-mismatch']));
  expect(notKept).toEqual([{ during: all[0].at.slice(0, 10), refused: 1 }]);

  const pages = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const { body } = await get(`limit=40${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    pages.push(...body.claims);
    cursor = body.nextCursor;
  }
  expect(pages).toEqual(all);
  const approve = (claimId: string) => operator.post(`/devices/${SerialNumber}/approve-claim`, { claimId });
  // It is found; what stands in its way is that nobody has claimed the device.
  expect((await approve(all[0].claimId)).body.code).toBe('device-unclaimed');
  for (const none of ['~last', `#${all[0].at.slice(0, 10)}`, all[0].claimId.replace(/^2/, '1')]) {
    expect((await approve(none)).body.code).toBe('claim-not-found');
  }
});

describe('what it decides', () => {
  test('another certificate of the same key may try again: both are allowed', async () => {
    const SerialNumber = newSerial();
    await announce(outputs, { serialNumber: SerialNumber });
    const key = await makeDeviceKey();
    const certificates = [await issueCertificate(outputs, key), await issueCertificate(outputs, key)];
    for (const certificate of certificates) {
      const answer = await ask(await hookEvent(outputs, certificate, { SerialNumber }));
      expect(answer.allowProvisioning).toBe(true);
    }
    expect((await device(SerialNumber)).certificates).toMatchObject(
      certificates.map(({ certificateId: id }) => ({ id, state: 'allowed' })),
    );
    expect(await claims(SerialNumber)).toMatchObject([
      { outcome: 'granted', reason: 'same-key' },
      { outcome: 'granted', reason: 'allow-list' },
    ]);
  });

  test('twenty keys at once for one serial number: exactly one wins, and each attempt is on record', async () => {
    const SerialNumber = newSerial();
    await announce(outputs, { serialNumber: SerialNumber });
    const certificates = await Promise.all(Array.from({ length: 20 }, () => issueCertificate(outputs)));
    const answers = await Promise.all(
      certificates.map(async (certificate) => ask(await hookEvent(outputs, certificate, { SerialNumber }))),
    );
    const winners = certificates.filter((_, index) => answers[index].allowProvisioning);
    expect(winners).toHaveLength(1);
    const { certificates: known, contested } = await device(SerialNumber);
    expect(known).toMatchObject([{ id: winners[0]?.certificateId, state: 'allowed' }]);
    expect(contested.count).toBe(19);
    const attempts = await claims(SerialNumber);
    expect(attempts).toHaveLength(20);
    expect(new Set(attempts.map((one: { certificateId: string }) => one.certificateId)).size).toBe(20);
    const refusals = attempts.filter((one: { outcome: string }) => one.outcome === 'refused');
    expect(new Set(refusals.map(({ reason }: { reason: string }) => reason))).toEqual(new Set(['already-claimed']));
  });

  test('twenty keys at once over MQTT: one camera is registered, the others are told no more than no', async () => {
    const SerialNumber = newSerial();
    await announce(outputs, { serialNumber: SerialNumber });
    const rivals = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const session = await openClaim(outputs);
        return { session, ...(await takeCertificate(session)) };
      }),
    );
    const answers = await Promise.all(
      rivals.map(({ session, ownershipToken }) =>
        registerThing(session, outputs.claim.templateName, ownershipToken, { SerialNumber }),
      ),
    );
    await Promise.all(rivals.map(({ session }) => session.close()));
    const winners = rivals.filter((_, index) => answers[index]?.outcome === 'accepted');
    expect(winners).toHaveLength(1);
    expect((await device(SerialNumber)).certificates).toMatchObject([{ id: winners[0]?.certificateId }]);
    const words = answers.filter(({ outcome }) => outcome === 'rejected').map(({ content }) => content.errorMessage);
    expect(new Set(words).size).toBe(1);
  });
});

describe('what it refuses, with the reason on record and without a word to the device', () => {
  const refusal = async (serialNumber: string, parameters: Record<string, unknown>, more = {}) => {
    const answer = await ask(await hookEvent(outputs, await issueCertificate(outputs), parameters, more));
    expect(answer).toEqual({ allowProvisioning: false });
    const [claim] = await claims(serialNumber);
    return claim;
  };

  test('a serial number that nobody announced', async () => {
    const SerialNumber = newSerial();
    const claim = await refusal(SerialNumber, { SerialNumber });
    expect(claim).toMatchObject({ outcome: 'refused', reason: 'unknown-serial', door: 'mqtt' });
    expect((await operator.get(`/devices/${SerialNumber}`)).status).toBe(404);
    const { kinesisVideo } = awsClients(outputs, outputs.personas.admin);
    const stream = kinesisVideo.send(new DescribeStreamCommand({ StreamName: SerialNumber }));
    await expect(stream).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test('a claim certificate that is not in the registry', async () => {
    const SerialNumber = newSerial();
    await announce(outputs, { serialNumber: SerialNumber });
    const claimCertificateId = randomBytes(32).toString('hex');
    const claim = await refusal(SerialNumber, { SerialNumber }, { claimCertificateId });
    expect(claim).toMatchObject({ reason: 'claim-certificate-unknown', claimCertificateId });
  });

  test('another key than the pinned one', async () => {
    const SerialNumber = newSerial();
    const { publicKeySha256 } = await makeDeviceKey();
    await announce(outputs, { serialNumber: SerialNumber, publicKeySha256 });
    expect(await refusal(SerialNumber, { SerialNumber })).toMatchObject({ reason: 'key-mismatch' });
  });

  test.each([
    ['token-missing', undefined],
    ['token-missing', ''],
    ['token-invalid', 'f'.repeat(64)],
  ])('%s: the claim token %o', async (reason, ClaimToken) => {
    const SerialNumber = newSerial();
    await announce(outputs, { serialNumber: SerialNumber, claimToken: randomBytes(32).toString('hex') });
    const parameters = { SerialNumber, ...(ClaimToken !== undefined && { ClaimToken }) };
    expect(await refusal(SerialNumber, parameters)).toMatchObject({ reason });
  });

  test.each(['ThingName', 'StreamName', 'RoleAlias', 'Unheard'])(
    'a parameter that is not its own: %s',
    async (name) => {
      const SerialNumber = newSerial();
      await announce(outputs, { serialNumber: SerialNumber });
      const claim = await refusal(SerialNumber, { SerialNumber, [name]: 'x' });
      expect(claim).toMatchObject({ reason: 'parameter-not-allowed' });
      expect((await device(SerialNumber)).status).toBe('registered');
    },
  );

  test.each<[string, unknown]>([
    ['missing', undefined],
    ['empty', ''],
    ['129 characters', 'a'.repeat(129)],
    ...['/', '+', '#', '$', '*', '.', ':', ' '].map(
      (character) => [`with ${character}`, `CAM${character}1`] as [string, string],
    ),
    ['a number', 7],
    ['null', null],
  ])('a serial number that is none: %s', async (_, SerialNumber) => {
    const certificate = await issueCertificate(outputs);
    const parameters = SerialNumber === undefined ? {} : { SerialNumber };
    expect(await ask(await hookEvent(outputs, certificate, parameters))).toEqual({ allowProvisioning: false });
  });

  test.each([
    ['null', null],
    ['an empty object', {}],
    ['a list', []],
    ['a text', 'x'],
  ])('an event that is none: %s', async (_, event) => {
    const { payload, functionError } = await callFunction(outputs, 'provisioningHook', event as object);
    expect({ payload, functionError }).toEqual({ payload: { allowProvisioning: false }, functionError: undefined });
  });

  test('a certificate that cannot be read', async () => {
    const SerialNumber = newSerial();
    await announce(outputs, { serialNumber: SerialNumber });
    const certificate = { certificateId: randomBytes(32).toString('hex'), certificatePem: 'no PEM' };
    expect(await ask(await hookEvent(outputs, certificate, { SerialNumber }))).toEqual({ allowProvisioning: false });
    expect((await device(SerialNumber)).status).toBe('registered');
  });
});

test('a claim token opens once: its first use is a yes, and after the proof of life another key is a clone', async () => {
  const SerialNumber = newSerial();
  const ClaimToken = randomBytes(32).toString('hex');
  await announce(outputs, { serialNumber: SerialNumber, claimToken: ClaimToken });
  const certificate = await issueCertificate(outputs);
  const first = await ask(await hookEvent(outputs, certificate, { SerialNumber, ClaimToken }));
  // The token is not handed on to the template.
  expect(first).toMatchObject({ allowProvisioning: true, parameterOverrides: { ClaimToken: '' } });
  expect(await device(SerialNumber)).toMatchObject({ status: 'claimed', claimToken: 'unspent' });

  await callFunction(outputs, 'onPresence', {
    clientId: SerialNumber,
    eventType: 'connected',
    timestamp: Date.now(),
    principalIdentifier: certificate.certificateId,
  });
  expect(await device(SerialNumber)).toMatchObject({ status: 'active', claimToken: 'spent' });
  const again = await ask(await hookEvent(outputs, await issueCertificate(outputs), { SerialNumber, ClaimToken }));
  expect(again).toEqual({ allowProvisioning: false });
  expect((await claims(SerialNumber))[0]).toMatchObject({ outcome: 'refused', reason: 'token-spent' });
  expect(await device(SerialNumber)).toMatchObject({
    status: 'active',
    contested: { reason: 'token-spent', count: 1 },
  });
});
