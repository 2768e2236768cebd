import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, type Client, DEVICE_SDKS, type Identity } from '../device-sdk.ts';
import { type Held, type IotWorld, keyAndCsr, startIotWorld } from './iot-world.ts';

/** AWS's own device SDK in its four forms takes a claim certificate to a registered thing, and the thing connects. */

let world: IotWorld;
let broker: Broker;
let claim: Held;

beforeAll(async () => {
  world = await startIotWorld();
  broker = { host: 'localhost', port: world.port, ca: world.issuer.caPem };
  claim = await world.certificate({ policy: 'claim' });
});
afterAll(() => world.stop());

const client = ({ certificatePem, privateKey }: Omit<Held, 'certificateId'>, clientId: string): Client => ({
  held: { certificatePem, privateKeyPem: privateKey },
  clientId,
});

async function provision(identity: Identity, SerialNumber: string, how: 'keys' | 'csr') {
  const { csr, privateKey } = await keyAndCsr();
  const created = how === 'keys' ? await identity.createKeys() : await identity.createFromCsr(csr);
  const { thingName } = await identity.register(created.certificateOwnershipToken ?? '', { SerialNumber });
  expect(thingName).toBe(SerialNumber);
  return { certificatePem: created.certificatePem ?? '', privateKey: created.privateKey ?? privateKey };
}

describe.each(Object.entries(DEVICE_SDKS))('%s', (name, sdk) => {
  const serial = (what: string) => `sdk${name.slice(-1)}-${what}`;

  test.each(['keys', 'csr'] as const)('%s', async (how) => {
    const serialNumber = serial(how);
    const held = await sdk.provision(broker, client(claim, `fleet-provisioning-${serialNumber}`), 'claim', (identity) =>
      provision(identity, serialNumber, how),
    );
    const topic = `cameras/${serialNumber}/hello`;
    expect(await sdk.echo(broker, client(held, serialNumber), topic, 'hello')).toBe('hello');
  });

  test('a denial reaches the SDK with status, code and message', async () => {
    world.hook.invoke = async () => ({ allowProvisioning: false });
    const outcome = sdk.provision(broker, client(claim, 'fleet-provisioning-denied'), 'claim', (identity) =>
      provision(identity, 'denied', 'keys'),
    );
    const error = await outcome.then(
      () => undefined,
      (reason) => reason.modeledError ?? reason,
    );
    world.hook.invoke = async () => ({ allowProvisioning: true });
    expect(error).toMatchObject({ statusCode: 403, errorCode: 'AccessDenied', errorMessage: expect.any(String) });
  });

  test('a claim certificate cannot connect as a camera', async () => {
    await expect(sdk.connect(broker, client(claim, serial('csr')))).rejects.toThrow();
  });
});
