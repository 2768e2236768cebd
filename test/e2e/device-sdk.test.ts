import { once } from 'node:events';
import { iot, iotidentity, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';
import { describe, expect, inject, test, vi } from 'vitest';
import { announce, claimCertificate, newSerial } from '../camera-claim.ts';
import { certificateIdOf, type Held, makeDeviceKey } from '../device-key.ts';
import { createHttpApi } from '../http-api.ts';

/**
 * AWS's own IoT Device SDK v2 in its four forms, as its fleet-provisioning samples use it: from the claim certificate to a registered thing,
 * on the template and the hook that ship. Its X.509 credentials provider (aws-crt) is left out: it asks port 443 and no other, which a test
 * cannot have.
 */

const outputs = inject('outputs');
const { templateName } = outputs.claim;
const qos = mqtt.QoS.AtLeastOnce;

type Created = Pick<
  iotidentity.model.CreateKeysAndCertificateResponse,
  'certificateId' | 'certificatePem' | 'privateKey' | 'certificateOwnershipToken'
>;

interface Identity {
  createKeys(): Promise<Created>;
  createFromCsr(certificateSigningRequest: string): Promise<Created>;
  register(certificateOwnershipToken: string, parameters: Record<string, string>): Promise<Registered>;
}
type Registered = iotidentity.model.RegisterThingResponse;

async function overMqtt5<T>(held: Held, clientId: string, work: (client: mqtt5.Mqtt5Client) => Promise<T>): Promise<T> {
  const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromMemory(
    outputs.mqtt.host,
    held.certificatePem,
    held.privateKeyPem,
  );
  builder.withPort(outputs.mqtt.port);
  builder.withCertificateAuthorityFromPath(undefined, outputs.caPath);
  builder.withConnectProperties({ clientId, keepAliveIntervalSeconds: 1200 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  const connected = once(client, 'connectionSuccess');
  const refused = once(client, 'connectionFailure').then(([{ error }]) => Promise.reject(error));
  refused.catch(() => {});
  client.start();
  try {
    await Promise.race([connected, refused]);
    return await work(client);
  } finally {
    const stopped = once(client, 'stopped');
    client.stop();
    await stopped;
    client.close();
  }
}

async function overMqtt311<T>(
  held: Held,
  clientId: string,
  work: (connection: mqtt.MqttClientConnection) => Promise<T>,
): Promise<T> {
  const configuration = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(held.certificatePem, held.privateKeyPem)
    .with_certificate_authority_from_path(undefined, outputs.caPath)
    .with_endpoint(outputs.mqtt.host)
    .with_port(outputs.mqtt.port)
    .with_client_id(clientId)
    .with_clean_session(true)
    .with_keep_alive_seconds(1200)
    .build();
  const connection = new mqtt.MqttClient().new_connection(configuration);
  await connection.connect();
  try {
    return await work(connection);
  } finally {
    await connection.disconnect();
  }
}

/** The current client, whose samples speak MQTT 5. */
async function withV2<T>(client: mqtt5.Mqtt5Client, work: (identity: Identity) => Promise<T>): Promise<T> {
  const service = iotidentity.IotIdentityClientv2.newFromMqtt5(client, {
    maxRequestResponseSubscriptions: 2,
    maxStreamingSubscriptions: 1,
    operationTimeoutInSeconds: 20,
  });
  try {
    return await work({
      createKeys: () => service.createKeysAndCertificate({}),
      createFromCsr: (certificateSigningRequest) => service.createCertificateFromCsr({ certificateSigningRequest }),
      register: (certificateOwnershipToken, parameters) =>
        service.registerThing({ templateName, certificateOwnershipToken, parameters }),
    });
  } finally {
    service.close();
  }
}

/** The older one, over MQTT 3.1.1: subscribe to both answers, publish, believe the first that comes. */
function v1(connection: mqtt.MqttClientConnection): Identity {
  const client = new iotidentity.IotIdentityClient(connection);
  const first = async <T>(
    subscribe: (accepted: Listener<T>, rejected: Listener<unknown>) => Promise<unknown>[],
    publish: () => Promise<unknown>,
  ): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const accepted: Listener<T> = (error, answer) => (answer === undefined ? reject(error) : resolve(answer));
    await Promise.all(subscribe(accepted, (error, answer) => reject(error ?? answer)));
    await publish();
    return promise;
  };
  return {
    createKeys: () =>
      first(
        (accepted, rejected) => [
          client.subscribeToCreateKeysAndCertificateAccepted({}, qos, accepted),
          client.subscribeToCreateKeysAndCertificateRejected({}, qos, rejected),
        ],
        () => client.publishCreateKeysAndCertificate({}, qos),
      ),
    createFromCsr: (certificateSigningRequest) =>
      first(
        (accepted, rejected) => [
          client.subscribeToCreateCertificateFromCsrAccepted({}, qos, accepted),
          client.subscribeToCreateCertificateFromCsrRejected({}, qos, rejected),
        ],
        () => client.publishCreateCertificateFromCsr({ certificateSigningRequest }, qos),
      ),
    register: (certificateOwnershipToken, parameters) =>
      first(
        (accepted, rejected) => [
          client.subscribeToRegisterThingAccepted({ templateName }, qos, accepted),
          client.subscribeToRegisterThingRejected({ templateName }, qos, rejected),
        ],
        () => client.publishRegisterThing({ templateName, certificateOwnershipToken, parameters }, qos),
      ),
  };
}
type Listener<T> = (error?: iotidentity.IotIdentityError, answer?: T) => void;

const FORMS = {
  'IotIdentityClientv2 over MQTT 5': {
    claim: <T>(held: Held, work: (identity: Identity) => Promise<T>) =>
      overMqtt5(held, `fleet-provisioning-${newSerial()}`, (client) => withV2(client, work)),
    proveLife: (held: Held, thingName: string) => overMqtt5(held, thingName, async () => {}),
  },
  'IotIdentityClient over MQTT 3.1.1': {
    claim: <T>(held: Held, work: (identity: Identity) => Promise<T>) =>
      overMqtt311(held, `fleet-provisioning-${newSerial()}`, (connection) => work(v1(connection))),
    proveLife: (held: Held, thingName: string) => overMqtt311(held, thingName, async () => {}),
  },
};

describe.each(Object.entries(FORMS))('%s', (_, { claim, proveLife }) => {
  test.each(['keys', 'csr'] as const)('from the claim certificate to an active device: %s', async (how) => {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber });
    const { certificateSigningRequest, privateKeyPem } = await makeDeviceKey();

    const { created, registered } = await claim(await claimCertificate(outputs), async (identity) => {
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
    await proveLife(held, registered.thingName ?? '');
    // The presence event goes the way of all events: asynchronously.
    await vi.waitFor(async () => expect(await device()).toMatchObject({ status: 'active' }), { timeout: 15_000 });
  });

  test('a denial reaches it with status, code and message', async () => {
    const serialNumber = newSerial(); // announced by nobody
    const { certificateSigningRequest } = await makeDeviceKey();
    const outcome = claim(await claimCertificate(outputs), async (identity) => {
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
    await expect(proveLife(await claimCertificate(outputs), newSerial())).rejects.toThrow();
  });
});
