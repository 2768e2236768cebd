import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Sha256 } from '@aws-crypto/sha256-js';
import { CreateThingCommand, IoTClient } from '@aws-sdk/client-iot';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  closeDoor,
  config,
  createThing,
  endpoint,
  identities,
  named,
  openDoor,
  operations,
  server,
} from './door-world.ts';

beforeEach(openDoor);
afterEach(closeDoor);

describe('bad bodies', () => {
  it('of more than a megabyte are refused, and the next call is served', async () => {
    const big = { attributes: { a: 'x'.repeat(2_000_000) } };
    const send = new IoTClient(config()).send(new CreateThingCommand({ thingName: 't', attributePayload: big }));
    await expect(send).rejects.toEqual(named('RequestEntityTooLargeException', 413));
    await expect(createThing()).resolves.toBeDefined();
  });

  it('that break off harm nobody', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('POST /things/t HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nhalf');
    const [request] = (await once(server, 'request')) as [IncomingMessage];
    const closed = new Promise((resolve) => request.once('close', resolve));
    socket.resetAndDestroy();
    await closed;
    await expect(createThing()).resolves.toBeDefined();
    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });

  it('and answers nobody waits for', async () => {
    let finish = () => {};
    let started = () => {};
    const running = new Promise<void>((resolve) => {
      started = resolve;
    });
    operations.CreateThing = () => {
      started();
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    };
    const abort = new AbortController();
    const call = new IoTClient(config()).send(new CreateThingCommand({ thingName: 't' }), {
      abortSignal: abort.signal,
    });
    const aborted = expect(call).rejects.toEqual(named('AbortError'));
    await running;
    abort.abort();
    await aborted;
    finish();
    operations.CreateThing = () => ({});
    await expect(createThing()).resolves.toBeDefined();
  });
});

describe('a streamed call', () => {
  /** Signed by hand as the KVS producer SDK does is sigv4.test's; here the signer of the JS SDK will do. */
  const putMedia = async (secretAccessKey = identities.root.secretAccessKey) => {
    const credentials = { accessKeyId: identities.root.accessKeyId, secretAccessKey };
    const signer = new SignatureV4({
      service: 'kinesisvideo',
      region: 'us-east-1',
      sha256: Sha256,
      credentials,
      applyChecksum: false,
    });
    const { host, hostname } = new URL(endpoint);
    const signed = await signer.sign({
      method: 'POST',
      protocol: 'http:',
      hostname,
      path: '/putMedia',
      headers: { host },
      body: '',
    });
    return httpRequest(`${endpoint}/putMedia`, {
      method: 'POST',
      headers: { ...signed.headers, 'transfer-encoding': 'chunked', expect: '100-continue' },
    });
  };

  it('is answered while its body still comes in', async () => {
    const request = await putMedia();
    request.write('12345');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    const [first] = (await once(response, 'data')) as [Buffer];
    expect(first.toString()).toBe('5\n');
    request.end('678');
    expect(await text(response)).toBe('8\nend\n');
  });

  it('is refused before its body has ended', async () => {
    const request = await putMedia('wrong');
    request.on('error', () => {});
    request.write('12345');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(403);
    expect(response.headers['x-amzn-errortype']).toBe('InvalidSignatureException');
    expect(await text(response)).toContain('"Message":"The request signature');
    request.destroy();
  });
});
