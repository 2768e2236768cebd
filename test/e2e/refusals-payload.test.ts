import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { encode } from 'cbor-x';
import { generate } from 'mqtt-packet';
import { afterAll, describe, expect, inject, test } from 'vitest';
import {
  announce,
  claimCamera,
  claimCertificate,
  newSerial,
  openClaim,
  registerThing,
  takeCertificate,
} from '../camera-claim.ts';
import { createHttpApi } from '../http-api.ts';
import { expectNothingMade } from '../nothing-made.ts';

const outputs = inject('outputs');
const { templateName } = outputs.claim;
const operator = createHttpApi(outputs, outputs.personas.operator);

afterAll(async () => {
  await claimCamera(outputs, { serialNumber: newSerial() });
});

describe.each([4, 5] as const)('over MQTT %d (4 is 3.1.1)', (protocolVersion) => {
  const refusedPayload = {
    outcome: 'rejected',
    content: { statusCode: 400, errorCode: 'InvalidParameters', errorMessage: expect.any(String) },
  };
  const provision = (format: string) => `$aws/provisioning-templates/${templateName}/provision/${format}`;

  test.each<[string, Buffer]>([
    ['garbage', Buffer.from('fffefdfc00ff1234', 'hex')],
    ['a map cut short', encode({ certificateOwnershipToken: 'x', parameters: { a: 'b' } }).subarray(0, 20)],
    ['a list', encode([1, 2, 3])],
    ['a text', encode('certificateOwnershipToken')],
    ['null', encode(null)],
    ['a list that claims four thousand million entries', Buffer.from('9affffffff', 'hex')],
    ['a text that claims more than there is', Buffer.from('7affffffff41', 'hex')],
    ['JSON', Buffer.from('{"certificateOwnershipToken":"x"}')],
    ['lists in lists', Buffer.concat([Buffer.alloc(20_000, 0x81), Buffer.from('00', 'hex')])],
  ])('CBOR that is %s is refused, and the session goes on', async (_, payload) => {
    const session = await openClaim(outputs, { protocolVersion });
    for (const topic of [provision('cbor'), '$aws/certificates/create-from-csr/cbor']) {
      expect(await session.ask(topic, payload)).toMatchObject(refusedPayload);
    }
    await takeCertificate(session);
    await session.close();
  });

  test.each<[string, Buffer]>([
    ['garbage', Buffer.from('{"certificateOwnershipToken":')],
    ['no UTF-8', Buffer.from('7b2261223a22ff227d', 'hex')],
    ['a list', Buffer.from('[]')],
    ['a text', Buffer.from('"x"')],
    ['null', Buffer.from('null')],
    ['CBOR', encode({ certificateOwnershipToken: 'x' })],
    ['lists in lists', Buffer.from('['.repeat(60_000))],
  ])('JSON that is %s is refused, and the session goes on', async (_, payload) => {
    const session = await openClaim(outputs, { protocolVersion });
    for (const topic of [provision('json'), '$aws/certificates/create-from-csr/json']) {
      expect(await session.ask(topic, payload)).toMatchObject(refusedPayload);
    }
    await takeCertificate(session);
    await session.close();
  });

  test('a signing request that is none is refused', async () => {
    const session = await openClaim(outputs, { protocolVersion });
    const { certificatePem } = await claimCertificate(outputs);
    for (const certificateSigningRequest of ['', 'x', 7, null, {}, undefined, 'A'.repeat(5000), certificatePem]) {
      const answer = await session.ask('$aws/certificates/create-from-csr/json', { certificateSigningRequest });
      expect(answer).toMatchObject({ outcome: 'rejected', content: { statusCode: 400 } });
    }
    await session.close();
  });

  test('JSON of 1 MB ends the session, and leaves nothing', async () => {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber });
    const session = await openClaim(outputs, { protocolVersion });
    const { ownershipToken, certificateId } = await takeCertificate(session);
    const parameters = { SerialNumber: serialNumber, ClaimToken: 'x'.repeat(1 << 20) };
    const payload = JSON.stringify({ certificateOwnershipToken: ownershipToken, parameters });
    // The client itself would not send what is over the broker's Maximum Packet Size: these bytes go past it.
    const publish = generate(
      { cmd: 'publish', topic: provision('json'), payload, qos: 1, messageId: 999, dup: false, retain: false },
      { protocolVersion },
    );
    session.client.stream.write(publish);
    expect((await session.ended).reasonCode).toBe(protocolVersion === 5 ? 0x95 : undefined);
    await expectNothingMade(outputs, { certificateId, name: serialNumber });
    expect((await operator.get(`/devices/${serialNumber}`)).body.status).toBe('registered');
    // Nothing is lost either: the same client comes back and goes on.
    const { clientId } = session;
    const again = await openClaim(outputs, { protocolVersion, clientId });
    const yes = await registerThing(again, templateName, ownershipToken, { SerialNumber: serialNumber });
    expect(yes.outcome).toBe('accepted');
    await again.close();
  });

  test('parameters as large as a message may be are refused like any other', async () => {
    const session = await openClaim(outputs, { protocolVersion });
    const { ownershipToken, certificateId } = await takeCertificate(session);
    const answer = await registerThing(session, templateName, ownershipToken, {
      SerialNumber: newSerial(),
      ClaimToken: 'x'.repeat(120_000),
    });
    expect(answer).toMatchObject({ outcome: 'rejected', content: { statusCode: 403, errorCode: 'AccessDenied' } });
    await expectNothingMade(outputs, { certificateId });
    await session.close();
  });
});

describe('bytes that are no MQTT', () => {
  const { host, port } = outputs.mqtt;
  const closed = (socket: ReturnType<typeof connectTcp>) =>
    new Promise<void>((resolve) => {
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      socket.resume();
    });

  test('are hung up on, with and without TLS', async () => {
    const plain = connectTcp({ host, port });
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await closed(plain);
    const { certificatePem: cert, privateKeyPem: key } = await claimCertificate(outputs);
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
      Buffer.alloc(64, 0xff),
      Buffer.from('30ffffff7f', 'hex'),
      generate({ cmd: 'pingreq' }),
      generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 1 }] }),
    ]) {
      const socket = connectTls({ host, port, ca: readFileSync(outputs.caPath), cert, key });
      const end = closed(socket);
      socket.write(bytes);
      await end;
    }
  });
});
