import { describe, expect, it } from 'vitest';
import { changed, LASTING, NOW, refusal, SESSION, type Sent, sign } from './sigv4-signer.ts';

describe('it is refused', () => {
  it.each<[string, () => Promise<Sent>, string, RegExp]>([
    ['a wrong secret', () => sign({}, { secret: 'x' }), 'InvalidSignatureException', /does not match the signature/],
    [
      'an unknown key',
      () => sign({}, { as: { ...LASTING, accessKeyId: 'AKIA' } }),
      'UnrecognizedClientException',
      /invalid/,
    ],
    [
      'another region',
      () => sign({}, { region: 'eu-west-1' }),
      'InvalidSignatureException',
      /valid region, not 'eu-west-1'/,
    ],
    [
      'an hour early',
      () => sign({}, { at: NOW - 3_600_000 }),
      'InvalidSignatureException',
      /Signature expired: 20261124T060000Z is now earlier than 20261124T065500Z \(20261124T070000Z - 5 min\.\)/,
    ],
    [
      'an hour late',
      () => sign({}, { at: NOW + 3_600_000 }),
      'InvalidSignatureException',
      /not yet current: 20261124T080000Z/,
    ],
    [
      'no signature',
      async () => ({ ...(await sign({})), headers: { host: 'x' } }),
      'MissingAuthenticationTokenException',
      /Missing/,
    ],
    [
      'another scheme',
      () => changed(sign({}), { authorization: 'Bearer x' }),
      'IncompleteSignatureException',
      /AWS4-HMAC-SHA256/,
    ],
    [
      'half a header',
      () => changed(sign({}), { authorization: 'AWS4-HMAC-SHA256 Credential=a/b/c/d/e' }),
      'IncompleteSignatureException',
      /'SignedHeaders'/,
    ],
    [
      'a signed header changed',
      () => changed(sign({ headers: { 'x-amzn-principal': 'a' } }), { 'x-amzn-principal': 'b' }),
      'InvalidSignatureException',
      /does not match/,
    ],
    ['another Host', () => changed(sign({}), { host: '127.0.0.1' }), 'InvalidSignatureException', /does not match/],
    [
      'a foreign body',
      async () => ({ ...(await sign({ body: 'a' })), body: Buffer.from('b') }),
      'InvalidSignatureException',
      /x-amz-content-sha256/,
    ],
    [
      'an unsigned body',
      () => sign({ body: 'a', headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }),
      'InvalidSignatureException',
      /x-amz-content-sha256/,
    ],
    [
      'a lasting key with a token',
      () => changed(sign({}), { 'x-amz-security-token': 'x' }),
      'UnrecognizedClientException',
      /invalid/,
    ],
    [
      'a foreign token',
      () => sign({}, { as: { ...SESSION, sessionToken: 'y' } }),
      'UnrecognizedClientException',
      /invalid/,
    ],
  ])('%s', async (_, ask, code, message) => {
    const refused = await refusal(ask());
    expect(refused.code).toBe(code);
    expect(refused.message).toMatch(message);
  });

  it('a session that ended', async () => {
    const ended = sign({}, { as: SESSION, at: NOW + 60_000 });
    expect(await refusal(ended, { now: NOW + 60_000 })).toMatchObject({ code: 'ExpiredTokenException', status: 403 });
  });

  it('a path or a query other than the signed ones', async () => {
    const request = await sign({ method: 'GET', path: '/things/a', query: { a: '1' } });
    expect(await refusal({ ...request, path: '/things/b' })).toMatchObject({ code: 'InvalidSignatureException' });
    expect(await refusal({ ...request, query: 'a=2' })).toMatchObject({ code: 'InvalidSignatureException' });
  });

  it('without telling the secret or the signature it wants', async () => {
    const { message } = await refusal(sign({}, { secret: 'x' }));
    expect(message).not.toContain(LASTING.secretAccessKey);
    expect(message).not.toMatch(/[0-9a-f]{64}/);
  });
});
