import { once } from 'node:events';
import { iot, iotidentity, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Held, type IotWorld, keyAndCsr, startIotWorld } from './iot-world.ts';

/** AWS's own device SDK in its four forms takes a claim certificate to a registered thing, and the thing connects. */

let world: IotWorld;
let claim: Held;

beforeAll(async () => {
  world = await startIotWorld();
  claim = await world.certificate({ policy: 'claim' });
});
afterAll(() => world.stop());

type Work<T> = (client: { mqtt5?: mqtt5.Mqtt5Client; mqtt311?: mqtt.MqttClientConnection }) => Promise<T>;

async function overMqtt5<T>(held: Held, clientId: string, work: Work<T>): Promise<T> {
  const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromMemory(
    'localhost',
    held.certificatePem,
    held.privateKey,
  );
  builder.withPort(world.port);
  builder.withCertificateAuthority(world.issuer.caPem);
  builder.withConnectProperties({ clientId, keepAliveIntervalSeconds: 1200 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  const up = once(client, 'connectionSuccess');
  const failed = once(client, 'connectionFailure').then(([{ error }]) => Promise.reject(error));
  failed.catch(() => {});
  client.start();
  await Promise.race([up, failed]);
  try {
    return await work({ mqtt5: client });
  } finally {
    const stopped = once(client, 'stopped');
    client.stop();
    await stopped;
    client.close();
  }
}

async function overMqtt311<T>(held: Held, clientId: string, work: Work<T>): Promise<T> {
  const configuration = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(held.certificatePem, held.privateKey)
    .with_certificate_authority(world.issuer.caPem)
    .with_endpoint('localhost')
    .with_port(world.port)
    .with_client_id(clientId)
    .with_clean_session(true)
    .with_keep_alive_seconds(1200)
    .build();
  const connection = new mqtt.MqttClient().new_connection(configuration);
  await connection.connect();
  try {
    return await work({ mqtt311: connection });
  } finally {
    await connection.disconnect();
  }
}

interface Created {
  certificateId?: string;
  certificatePem?: string;
  privateKey?: string;
  certificateOwnershipToken?: string;
}

interface Service {
  createKeys(): Promise<Created>;
  createFromCsr(certificateSigningRequest: string): Promise<Created>;
  register(token: string, serialNumber: string): Promise<{ thingName?: string }>;
}

/** The current client, whose samples speak MQTT 5. */
function current(client: mqtt5.Mqtt5Client): Service & { close(): void } {
  const service = iotidentity.IotIdentityClientv2.newFromMqtt5(client, {
    maxRequestResponseSubscriptions: 2,
    maxStreamingSubscriptions: 1,
    operationTimeoutInSeconds: 20,
  });
  return {
    createKeys: () => service.createKeysAndCertificate({}),
    createFromCsr: (certificateSigningRequest) => service.createCertificateFromCsr({ certificateSigningRequest }),
    register: (certificateOwnershipToken, SerialNumber) =>
      service.registerThing({ templateName: 'claim', certificateOwnershipToken, parameters: { SerialNumber } }),
    close: () => service.close(),
  };
}

/** The older one, over MQTT 3.1.1. */
function older(connection: mqtt.MqttClientConnection): Service {
  const client = new iotidentity.IotIdentityClient(connection);
  const answered = async <T>(
    subscribe: (done: (error: unknown, answer?: T) => void) => Promise<unknown>[],
    publish: () => Promise<unknown>,
  ) => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    await Promise.all(subscribe((error, answer) => (error || !answer ? reject(error) : resolve(answer))));
    await publish();
    return promise;
  };
  const qos = mqtt.QoS.AtLeastOnce;
  return {
    createKeys: () =>
      answered<Created>(
        (done) => [
          client.subscribeToCreateKeysAndCertificateAccepted({}, qos, done),
          client.subscribeToCreateKeysAndCertificateRejected({}, qos, (error, answer) => done(error ?? answer)),
        ],
        () => client.publishCreateKeysAndCertificate({}, qos),
      ),
    createFromCsr: (certificateSigningRequest) =>
      answered<Created>(
        (done) => [
          client.subscribeToCreateCertificateFromCsrAccepted({}, qos, done),
          client.subscribeToCreateCertificateFromCsrRejected({}, qos, (error, answer) => done(error ?? answer)),
        ],
        () => client.publishCreateCertificateFromCsr({ certificateSigningRequest }, qos),
      ),
    register: (certificateOwnershipToken, SerialNumber) =>
      answered<{ thingName?: string }>(
        (done) => [
          client.subscribeToRegisterThingAccepted({ templateName: 'claim' }, qos, done),
          client.subscribeToRegisterThingRejected({ templateName: 'claim' }, qos, (error, answer) =>
            done(error ?? answer),
          ),
        ],
        () =>
          client.publishRegisterThing(
            { templateName: 'claim', certificateOwnershipToken, parameters: { SerialNumber } },
            qos,
          ),
      ),
  };
}

async function provision(service: Service, serialNumber: string, how: 'keys' | 'csr'): Promise<Held> {
  const { csr, privateKey } = await keyAndCsr();
  const created = how === 'keys' ? await service.createKeys() : await service.createFromCsr(csr);
  const { thingName } = await service.register(created.certificateOwnershipToken ?? '', serialNumber);
  expect(thingName).toBe(serialNumber);
  return {
    certificateId: created.certificateId ?? '',
    certificatePem: created.certificatePem ?? '',
    privateKey: created.privateKey ?? privateKey,
  };
}

describe.each(['keys', 'csr'] as const)('%s', (how) => {
  test('IotIdentityClientv2 over MQTT 5', async () => {
    const serialNumber = `sdk5-${how}`;
    const held = await overMqtt5(claim, `fleet-provisioning-5${how}`, async ({ mqtt5: client }) => {
      const service = current(client as mqtt5.Mqtt5Client);
      try {
        return await provision(service, serialNumber, how);
      } finally {
        service.close();
      }
    });
    await overMqtt5(held, serialNumber, async ({ mqtt5: client }) => {
      const topic = `cameras/${serialNumber}/hello`;
      const suback = await client?.subscribe({ subscriptions: [{ topicFilter: topic, qos: mqtt5.QoS.AtLeastOnce }] });
      expect(suback?.reasonCodes).toEqual([1]);
    });
  });

  test('IotIdentityClient over MQTT 3.1.1', async () => {
    const serialNumber = `sdk3-${how}`;
    const held = await overMqtt311(claim, `fleet-provisioning-3${how}`, ({ mqtt311: connection }) =>
      provision(older(connection as mqtt.MqttClientConnection), serialNumber, how),
    );
    await overMqtt311(held, serialNumber, async ({ mqtt311: connection }) => {
      const topic = `cameras/${serialNumber}/hello`;
      expect(await connection?.subscribe(topic, mqtt.QoS.AtLeastOnce)).toMatchObject({ qos: 1 });
    });
  });
});

test('a denial reaches the SDK with status, code and message', async () => {
  world.hook.invoke = async () => ({ allowProvisioning: false });
  await overMqtt5(claim, 'fleet-provisioning-denied', async ({ mqtt5: client }) => {
    const service = current(client as mqtt5.Mqtt5Client);
    try {
      await expect(provision(service, 'denied', 'keys')).rejects.toMatchObject({
        modeledError: { statusCode: 403, errorCode: 'AccessDenied', errorMessage: expect.any(String) },
      });
    } finally {
      service.close();
    }
  });
});

test('a claim certificate cannot connect as a camera', async () => {
  await expect(overMqtt5(claim, 'sdk5-csr', async () => undefined)).rejects.toThrow();
  await expect(overMqtt311(claim, 'sdk5-csr', async () => undefined)).rejects.toThrow();
});
