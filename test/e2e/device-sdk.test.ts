import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { announce, claimCertificate, newSerial } from '../camera-claim.ts';
import { certificateIdOf, type Held, makeDeviceKey } from '../device-key.ts';
import { type Broker, DEVICE_SDKS } from '../device-sdk.ts';
import { createHttpApi } from '../http-api.ts';

/**
 * AWS's own IoT Device SDK v2 from the claim certificate to a registered thing, on the template and the hook that ship. Its X.509 credentials
 * provider (aws-crt) is left out: it asks port 443 and no other, which a test cannot have.
 */

const outputs = inject('outputs');
const { templateName } = outputs.claim;
let broker: Broker;
let claim: Held;

beforeAll(async () => {
  broker = { ...outputs.mqtt, ca: await readFile(outputs.caPath, 'utf8') };
  claim = await claimCertificate(outputs);
});

const claimClient = () => ({ held: claim, clientId: `fleet-provisioning-${newSerial()}` });

describe.each(Object.entries(DEVICE_SDKS))('%s', (_, sdk) => {
  test.each(['keys', 'csr'] as const)('from the claim certificate to an active device: %s', async (how) => {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber });
    const { certificateSigningRequest, privateKeyPem } = await makeDeviceKey();

    const { created, registered } = await sdk.provision(broker, claimClient(), templateName, async (identity) => {
      const created = await (how === 'keys'
        ? identity.createKeys()
        : identity.createFromCsr(certificateSigningRequest));
      const registered = await identity.register(created.certificateOwnershipToken ?? '', {
        SerialNumber: serialNumber,
      });
      return { created, registered };
    });

    const { certificateId = '', certificatePem = '' } = created;
    expect(certificateIdOf(certificatePem)).toBe(certificateId);
    expect(registered).toMatchObject({
      thingName: serialNumber,
      deviceConfiguration: {
        region: outputs.region,
        mqttEndpoint: `${outputs.mqtt.host}:${outputs.mqtt.port}`,
        credentialEndpoint: `${outputs.credentials.host}:${outputs.credentials.port}`,
        roleAlias: 'firstlight-local-thing-name',
        streamName: serialNumber,
        channels: '',
        renewAfterDays: expect.stringMatching(/^\d+$/),
      },
    });

    const api = createHttpApi(outputs, outputs.personas.operator);
    const device = async () => (await api.get(`/devices/${serialNumber}`)).body;
    expect(await device()).toMatchObject({ status: 'claimed' });
    const held = { certificatePem, privateKeyPem: created.privateKey ?? privateKeyPem };
    await sdk.connect(broker, { held, clientId: registered.thingName ?? '' });
    // The presence event goes the way of all events: asynchronously.
    await vi.waitFor(async () => expect(await device()).toMatchObject({ status: 'active' }), { timeout: 15_000 });
  });

  test('a denial reaches it with status, code and message', async () => {
    const serialNumber = newSerial(); // announced by nobody
    const { certificateSigningRequest } = await makeDeviceKey();
    const outcome = sdk.provision(broker, claimClient(), templateName, async (identity) => {
      const { certificateOwnershipToken = '' } = await identity.createFromCsr(certificateSigningRequest);
      return identity.register(certificateOwnershipToken, { SerialNumber: serialNumber });
    });
    const refusal = { statusCode: 403, errorCode: 'AccessDenied', errorMessage: expect.any(String) };
    const error = await outcome.then(
      () => undefined,
      (reason) => reason.modeledError ?? reason,
    );
    expect(error).toMatchObject(refusal);
  });

  test('the claim certificate cannot connect as a camera', async () => {
    await expect(sdk.connect(broker, { held: claim, clientId: newSerial() })).rejects.toThrow();
  });
});
