import { readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { defaultBundle, packagedFunctions, shippedBundle } from '../../bench/bundle.ts';

const functions = await packagedFunctions();
/** The others bundle no SDK, which is what tuning makes small. Every role may write its log. */
const callers = functions.filter(({ services }) => services.some((service) => service !== 'logs'));

test('each file of functions/ is packaged, for itself', async () => {
  const files = (await readdir('functions')).map((file) => `functions/${file.replace(/\.ts$/, '')}`);
  expect(functions.map(({ path }) => path).sort()).toEqual(files.sort());
});

test.each(functions.filter((fn) => !callers.includes(fn)))(
  '$key calls no AWS service, and bundles no client',
  async (fn) => {
    const bundle = Buffer.from(await shippedBundle(fn)).toString('utf8');
    expect(bundle).not.toMatch(/com\.amazonaws\.|AWS_ENDPOINT_URL/);
  },
);

/** Where a namespace is not the prefix of the service's rights. */
const prefixes: Record<string, string> = { eventbridge: 'events', iotdataplane: 'iot' };

// Import times belong to `npm run bench`: a test that measures time fails when the machine is busy.
describe.each(callers)('the bundle of $key', (fn) => {
  test('has at most a quarter of the bytes that esbuild makes by default', async () => {
    const [shipped, byDefault] = await Promise.all([shippedBundle(fn), defaultBundle(fn)]);
    expect(shipped.length / byDefault.length).toBeLessThanOrEqual(0.25);
  });

  test('holds no client that its role gives it no right for, and not the whole chain of credential providers', async () => {
    const bundle = Buffer.from(await shippedBundle(fn)).toString('utf8');
    // The namespaces of the SDK's schemas.
    const clients = new Set(
      [...bundle.matchAll(/com\.amazonaws\.([a-z]+)/g)].map(([, name]) => prefixes[name ?? ''] ?? name),
    );
    expect(fn.services).toEqual(expect.arrayContaining([...clients]));
    expect(clients.size).toBeGreaterThan(0);
    for (const part of ['sso-oidc', 'credential_process', 'AssumeRoleWithWebIdentity']) {
      expect(bundle).not.toContain(part);
    }
  });
});
