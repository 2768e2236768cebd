import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, it } from 'vitest';
import { verifySignature } from '../../local/sigv4.ts';
import { type Ask, LASTING, NOW, refusal, SESSION, sign, verify } from './sigv4-signer.ts';

describe('a good signature', () => {
  it('is the one of the example in the IAM User Guide', () => {
    const { identity, service } = verify(
      {
        method: 'GET',
        path: '/',
        query: 'Action=ListUsers&Version=2010-05-08',
        headers: {
          host: 'iam.amazonaws.com',
          'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
          'x-amz-date': '20150830T123600Z',
          authorization:
            'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
        },
        body: Buffer.alloc(0),
      },
      { now: Date.parse('2015-08-30T12:36:00Z') },
    );
    expect(identity).toBe(LASTING);
    expect(service).toBe('iam');
  });

  it.each<[string, Ask]>([
    ['with a body', { path: '/things/a', body: '{"ä":"ü"}' }],
    ['without one', { method: 'GET', path: '/things/a' }],
    ['of an encoded path', { path: '/topics/%24aws%2Fthings%2Fa%20b', body: 'x' }],
    ["of a path with !'()*", { path: "/things/a!'()*" }],
    ['of a path with a closing slash', { method: 'GET', path: '/2015-03-31/functions/' }],
    ['of a query in any order', { method: 'GET', path: '/things', query: { nextToken: 'b c+/=', a: '', Z: '1' } }],
    ['of a query with one key twice', { method: 'DELETE', path: '/tags', query: { tagKeys: ['z', 'a'] } }],
    ['of headers with spaces', { headers: { 'x-amzn-principal': '  a   b ' } }],
  ])('%s', async (_, ask) => {
    expect(verify(await sign(ask)).identity).toBe(LASTING);
  });

  it('of a session needs its token', async () => {
    expect(verify(await sign({ body: 'x' }, { as: SESSION })).identity).toBe(SESSION);
    const withoutToken = sign({ body: 'x' }, { as: { ...SESSION, sessionToken: '' } });
    expect(await refusal(withoutToken)).toMatchObject({ code: 'UnrecognizedClientException', status: 403 });
  });

  it('of the KVS producer SDK: Host without port, hop-by-hop headers signed, token not, body streamed', async () => {
    const headers = {
      host: '127.0.0.1',
      connection: 'keep-alive',
      'transfer-encoding': 'chunked',
      'user-agent': 'AWS-SDK-KVS/3.5.0',
      'x-amzn-stream-name': 's',
      'x-amz-date': '20261124T070000Z',
    };
    const signer = new SignatureV4({
      service: 'kinesisvideo',
      region: 'us-east-1',
      sha256: Sha256,
      applyChecksum: false,
      credentials: { accessKeyId: LASTING.accessKeyId, secretAccessKey: LASTING.secretAccessKey },
    });
    const signed = await signer.sign(
      { method: 'POST', protocol: 'http:', hostname: '127.0.0.1', path: '/putMedia', headers, body: '' },
      { signingDate: new Date(NOW), signableHeaders: new Set(Object.keys(headers)), unsignableHeaders: new Set() },
    );
    const authorization = signed.headers.authorization as string;
    expect(authorization).toContain('connection;host;transfer-encoding;user-agent;x-amz-date;x-amzn-stream-name');
    const sent = { method: 'POST', path: '/putMedia', query: '', body: Buffer.from('frames') };
    expect(verify({ ...sent, headers: { ...headers, authorization } }, { payload: 'empty' }).service).toBe(
      'kinesisvideo',
    );
    const otherHost = { ...headers, host: '127.0.0.1:4566', authorization };
    expect(await refusal({ ...sent, headers: otherHost }, { payload: 'empty' })).toMatchObject({
      code: 'InvalidSignatureException',
    });
  });

  it('of a global service is for us-east-1, whatever the region here', async () => {
    const request = await sign({ body: 'x' }, { service: 'sts' });
    expect(() =>
      verifySignature({ request, payload: 'body', region: 'eu-west-1', now: NOW, find: () => LASTING }),
    ).not.toThrow();
  });
});
