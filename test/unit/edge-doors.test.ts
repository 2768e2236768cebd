import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure } from '../../shared/domain/failure.ts';
import { readClaimCertificateOrder } from '../../shared/edge/claim-certificate.ts';
import { event } from '../../shared/edge/event.ts';
import { hook } from '../../shared/edge/hook.ts';
import { type HttpAnswer, type HttpRequest, http, readSerialNumber } from '../../shared/edge/http.ts';
import { readManifestPage } from '../../shared/edge/manifest.ts';
import { readPage, writeCursor } from '../../shared/edge/page.ts';
import { connected } from '../../shared/edge/presence.ts';
import { problemOf, statusOf } from '../../shared/edge/problem.ts';
import { resource } from '../../shared/edge/resource.ts';

const example = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../events/${name}.json`, import.meta.url), 'utf8')) as Record<string, unknown>;

let lines: string[];
beforeEach(() => {
  lines = [];
  const keep = (line: string) => void lines.push(line);
  vi.spyOn(console, 'log').mockImplementation(keep);
  vi.spyOn(console, 'error').mockImplementation(keep);
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe('the hook’s door', () => {
  it('hands on what AWS sends and answers a yes with its parameters', async () => {
    const seen: unknown[] = [];
    const handler = hook('claim', async (request) => {
      seen.push(request);
      return { allow: true, parameters: { ThingName: 'CAM-0001' } };
    });
    const { _source, templateArn, ...request } = example('provisioning-hook');
    expect(await handler(example('provisioning-hook'))).toEqual({
      allowProvisioning: true,
      parameterOverrides: { ThingName: 'CAM-0001' },
    });
    expect(seen).toEqual([request]);
  });

  it('says no to everything else and never throws; allow then deny in one warm process', async () => {
    let answer: () => unknown = () => ({ allow: true, parameters: {} });
    const handler = hook('claim', async () => answer() as never);
    expect((await handler(example('provisioning-hook'))).allowProvisioning).toBe(true);
    answer = () => ({ allow: false, reason: 'retired' });
    expect(await handler(example('provisioning-hook'))).toEqual({ allowProvisioning: false });
    answer = () => {
      throw new Error('outage');
    };
    expect(await handler(example('provisioning-hook'))).toEqual({ allowProvisioning: false });
    for (const nonsense of [undefined, null, 'text', {}, { certificateId: 7 }]) {
      expect(await handler(nonsense)).toEqual({ allowProvisioning: false });
    }
    expect(lines).toHaveLength(8);
  });

  it('logs one line for a decision, without certificate or token', async () => {
    const handler = hook('claim', async () => ({ allow: false, reason: 'token-invalid' }));
    const token = '0123456789abcdef'.repeat(2);
    await handler({ ...example('provisioning-hook'), parameters: { SerialNumber: 'CAM-0001', ClaimToken: token } });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ serialNumber: 'CAM-0001', reason: 'token-invalid' });
    expect(lines[0]).not.toMatch(new RegExp(`BEGIN CERTIFICATE|${token}`));
  });
});

describe('the door for events', () => {
  const presence = (take: () => Promise<Record<string, unknown>>) => event('presence', connected, take);

  it('drops a failure and another kind of event, and rethrows an outage', async () => {
    await presence(async () => ({}))(example('on-presence'));
    await presence(async () => {
      throw new Failure('certificate-unknown', 'x');
    })(example('on-presence'));
    await presence(async () => {
      throw new Error('never reached');
    })({ ...example('on-presence'), eventType: 'disconnected' });
    const outage = presence(async () => {
      throw new Error('outage');
    })(example('on-presence'));
    await expect(outage).rejects.toThrow('outage');
    expect(lines.map((line) => JSON.parse(line).outcome)).toEqual(['taken', 'dropped', 'dropped', 'thrown']);
  });
});

describe('the custom resource', () => {
  const ask = async (find: () => Promise<Record<string, string>>, change: Record<string, unknown> = {}) => {
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      response.end();
      resolve({
        method: request.method,
        contentType: request.headers['content-type'],
        ...JSON.parse(Buffer.concat(chunks).toString()),
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const ResponseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    await resource('endpoints', find)({ ...example('endpoints'), ResponseURL, ...change });
    server.close();
    return promise;
  };
  const failing = async () => {
    throw new Error('no endpoint');
  };

  it('answers with what it found, and with the reason when it found nothing', async () => {
    expect(await ask(async () => ({ mqtt: 'a', credentials: 'b' }))).toMatchObject({
      method: 'PUT',
      contentType: '',
      Status: 'SUCCESS',
      PhysicalResourceId: 'endpoints',
      LogicalResourceId: 'Endpoints',
      Data: { mqtt: 'a', credentials: 'b' },
    });
    expect(await ask(failing)).toMatchObject({ Status: 'FAILED', Reason: 'Error: no endpoint' });
  });

  it('keeps its physical id, and is deleted without asking anything', async () => {
    const change = { RequestType: 'Update', PhysicalResourceId: 'as-it-was' };
    expect(await ask(async () => ({}), change)).toMatchObject({ PhysicalResourceId: 'as-it-was' });
    expect(await ask(failing, { RequestType: 'Delete', PhysicalResourceId: 'endpoints' })).toMatchObject({
      Status: 'SUCCESS',
    });
  });
});

describe('the HTTP door', () => {
  const call = async (answer: (request: HttpRequest) => Promise<HttpAnswer>, change: Record<string, unknown> = {}) => {
    const handler = http({}, answer);
    const response = await handler({ ...example('announce-devices'), ...change } as never, {} as never);
    const { statusCode, headers, body } = response as { statusCode: number; headers: object; body: string };
    return { status: statusCode, headers, body: JSON.parse(body) };
  };
  const echo = async (request: HttpRequest) => ({ status: 200, body: request.json() });
  const json = { headers: { 'content-type': 'application/json' } };

  it('knows who calls', async () => {
    const { body } = await call(async ({ caller }) => ({ status: 200, body: { caller } }));
    expect(body).toEqual({ caller: 'arn:aws:iam::000000000000:user/factory' });
  });

  it.each([
    ['a body that is no JSON', { ...json, body: '{"token":"secret"' }, 400, 'invalid-json'],
    ['no body', { ...json, body: undefined }, 400, 'invalid-json'],
    ['bytes that are no UTF-8', { ...json, body: '/w==', isBase64Encoded: true }, 400, 'invalid-json'],
    ['another content type', { headers: { 'content-type': 'text/plain' } }, 415, 'unsupported-media-type'],
    ['no content type', { headers: {} }, 415, 'unsupported-media-type'],
    ['a body over 1 MB', { ...json, body: JSON.stringify('x'.repeat(1_000_000)) }, 413, 'body-too-large'],
  ])('answers %s as a problem', async (_, change, status, code) => {
    const { headers, body, ...answer } = await call(echo, change);
    expect(answer.status).toBe(status);
    expect(headers).toMatchObject({ 'content-type': 'application/problem+json' });
    expect(body).toMatchObject({ type: `urn:firstlight:problem:${code}`, status, code });
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  it('takes JSON in base64, and with a charset', async () => {
    const body = Buffer.from('{"a":1}').toString('base64');
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    expect((await call(echo, { headers, body, isBase64Encoded: true })).body).toEqual({ a: 1 });
  });

  it('tells nothing of a bug, and when to come back after a throttle', async () => {
    const bug = await call(async () => {
      throw new Error('secret');
    });
    expect(bug.body).toEqual({
      type: 'urn:firstlight:problem:internal',
      title: 'Internal',
      status: 500,
      code: 'internal',
    });
  });

  it.each(['ThrottlingException', 'TimeoutError'])('says when to come again after a %s of AWS', async (name) => {
    const answer = await call(async () => {
      throw Object.assign(new Error('slow down'), { name });
    });
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '2' }, body: { code: 'busy' } });
  });

  it('says each failure with the status of the table', () => {
    for (const [code, status] of Object.entries(statusOf)) {
      expect(problemOf(new Failure(code as keyof typeof statusOf, 'x'))).toMatchObject({ code, status, detail: 'x' });
    }
  });
});

describe('what is read of a request', () => {
  const flawsOf = (read: () => unknown) => {
    try {
      read();
    } catch (error) {
      return error instanceof Failure ? error.flaws.map(({ pointer }) => pointer) : error;
    }
    return [];
  };
  const request = (change: Partial<HttpRequest>) => ({ query: {}, path: {}, ...change }) as HttpRequest;

  it('names an unknown field, and the limits of a page of devices', () => {
    expect(flawsOf(() => readManifestPage({ devices: [{}], dryrun: true }))).toEqual(['/dryrun']);
    for (const devices of [undefined, [], Array(101).fill({}), {}]) {
      expect(flawsOf(() => readManifestPage({ devices }))).toEqual(['/devices']);
    }
    expect(flawsOf(() => readClaimCertificateOrder({ batch: 'a b', csr: '' }))).toEqual(['/batch', '/csr']);
    expect(flawsOf(() => readClaimCertificateOrder({ certificateSigningRequest: 'x' }))).toEqual([
      '/certificateSigningRequest',
    ]);
    const backwards = { from: '2026-12-01T00:00:00Z', until: '2026-11-01T00:00:00Z' };
    expect(flawsOf(() => readClaimCertificateOrder({ claimWindow: backwards }))).toEqual(['/claimWindow']);
    expect(flawsOf(() => readSerialNumber(request({ path: { serialNumber: '..' } })))).toEqual(['/serialNumber']);
  });

  it('reads rows one by one', () => {
    expect(
      readManifestPage({ devices: [{ serialNumber: 'CAM-1', colour: 'red' }, { serialNumber: 'CAM-2' }, 7] }),
    ).toEqual({
      dryRun: false,
      rows: [
        { serialNumber: 'CAM-1', problem: { code: 'invalid-request', detail: 'colour is not a known field' } },
        { row: { serialNumber: 'CAM-2', streamMode: 'thing-name', channels: [] } },
        {
          serialNumber: '',
          problem: { code: 'invalid-request', detail: 'Invalid input: expected object, received number' },
        },
      ],
    });
  });

  it('takes a cursor back for its own list only', () => {
    const cursor = writeCursor('claims/CAM-1', 'key');
    expect(readPage(request({ query: { cursor, limit: '7' } }), 'claims/CAM-1')).toEqual({ limit: 7, before: 'key' });
    expect(() => readPage(request({ query: { cursor } }), 'claims/CAM-2')).toThrow(Failure);
    expect(() => readPage(request({ query: { cursor: `${cursor}x` } }), 'claims/CAM-2')).toThrow(Failure);
    for (const limit of ['0', '1001', 'ten', '-1', '1.5', '']) {
      expect(flawsOf(() => readPage(request({ query: { limit } }), 'claims/CAM-1'))).toEqual(['/limit']);
    }
  });
});
