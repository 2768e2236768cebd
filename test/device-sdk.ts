import { once } from 'node:events';
import { iot, iotidentity, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';
import type { Held } from './device-key.ts';

/** AWS's own IoT Device SDK v2 in the four forms that its fleet-provisioning samples use: MQTT 5 and 3.1.1, keys of AWS and a request of one's own. */

export interface Broker {
  host: string;
  port: number;
  /** PEM. */
  ca: string;
}

export interface Client {
  held: Held;
  clientId: string;
}

export interface Created {
  certificateId?: string;
  certificatePem?: string;
  /** Where AWS made the key. */
  privateKey?: string;
  certificateOwnershipToken?: string;
}

export interface Identity {
  createKeys(): Promise<Created>;
  createFromCsr(certificateSigningRequest: string): Promise<Created>;
  register(
    certificateOwnershipToken: string,
    parameters: Record<string, string>,
  ): Promise<iotidentity.model.RegisterThingResponse>;
}

interface DeviceSdk {
  /** Connects, and lets go again. Rejects when it is refused; `reasonCode` of what it rejects with is MQTT 5's. */
  connect(broker: Broker, client: Client): Promise<void>;
  /** Resolves with what comes back on a topic it subscribes to and publishes on. */
  echo(broker: Broker, client: Client, topic: string, payload: string): Promise<string>;
  /** Fleet provisioning on one connection. A rejection has AWS's answer as `modeledError`, or is that answer. */
  provision<T>(
    broker: Broker,
    client: Client,
    templateName: string,
    work: (identity: Identity) => Promise<T>,
  ): Promise<T>;
}

const qos = mqtt.QoS.AtLeastOnce;

async function overMqtt5<T>(
  { host, port, ca }: Broker,
  { held, clientId }: Client,
  work: (client: mqtt5.Mqtt5Client) => Promise<T>,
): Promise<T> {
  const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromMemory(
    host,
    held.certificatePem,
    held.privateKeyPem,
  );
  builder.withPort(port);
  builder.withCertificateAuthority(ca);
  builder.withConnectProperties({ clientId, keepAliveIntervalSeconds: 1200 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  const connected = once(client, 'connectionSuccess');
  const refused = once(client, 'connectionFailure').then(([failure]) => {
    const { error, connack } = failure as mqtt5.ConnectionFailureEvent;
    throw Object.assign(error, { reasonCode: connack?.reasonCode });
  });
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
  { host, port, ca }: Broker,
  { held, clientId }: Client,
  work: (connection: mqtt.MqttClientConnection) => Promise<T>,
): Promise<T> {
  const configuration = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(held.certificatePem, held.privateKeyPem)
    .with_certificate_authority(ca)
    .with_endpoint(host)
    .with_port(port)
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
async function current<T>(
  client: mqtt5.Mqtt5Client,
  templateName: string,
  work: (identity: Identity) => Promise<T>,
): Promise<T> {
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

type Listener<T> = (error?: iotidentity.IotIdentityError, answer?: T) => void;

/** The older one, over MQTT 3.1.1: subscribe to both answers, publish, believe the first that comes. */
function older(connection: mqtt.MqttClientConnection, templateName: string): Identity {
  const client = new iotidentity.IotIdentityClient(connection);
  const first = async <T>(
    subscribe: (accepted: Listener<T>, rejected: Listener<unknown>) => Promise<unknown>[],
    publish: () => Promise<unknown>,
  ): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const accepted: Listener<T> = (error, answer) => (answer === undefined ? reject(error) : resolve(answer));
    await Promise.all(subscribe(accepted, (error, answer) => reject(error ?? answer)));
    // The answer may come before the acknowledgement.
    const [answer] = await Promise.all([promise, publish()]);
    return answer;
  };
  return {
    createKeys: () =>
      first<Created>(
        (accepted, rejected) => [
          client.subscribeToCreateKeysAndCertificateAccepted({}, qos, accepted),
          client.subscribeToCreateKeysAndCertificateRejected({}, qos, rejected),
        ],
        () => client.publishCreateKeysAndCertificate({}, qos),
      ),
    createFromCsr: (certificateSigningRequest) =>
      first<Created>(
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

const text = (payload: mqtt5.Payload | undefined) => Buffer.from(payload as ArrayBuffer).toString('utf8');

export const DEVICE_SDKS: Record<string, DeviceSdk> = {
  'IotIdentityClientv2 over MQTT 5': {
    connect: (broker, client) => overMqtt5(broker, client, async () => {}),
    echo: (broker, client, topic, payload) =>
      overMqtt5(broker, client, async (connected) => {
        const heard = once(connected, 'messageReceived');
        await connected.subscribe({ subscriptions: [{ topicFilter: topic, qos: mqtt5.QoS.AtLeastOnce }] });
        await connected.publish({ topicName: topic, qos: mqtt5.QoS.AtLeastOnce, payload });
        const [{ message }] = (await heard) as [mqtt5.MessageReceivedEvent];
        return text(message.payload);
      }),
    provision: (broker, client, templateName, work) =>
      overMqtt5(broker, client, (connected) => current(connected, templateName, work)),
  },
  'IotIdentityClient over MQTT 3.1.1': {
    connect: (broker, client) => overMqtt311(broker, client, async () => {}),
    echo: (broker, client, topic, payload) =>
      overMqtt311(broker, client, async (connected) => {
        const { promise, resolve } = Promise.withResolvers<ArrayBuffer>();
        await connected.subscribe(topic, qos, (_topic, heard) => resolve(heard));
        await connected.publish(topic, payload, qos);
        return text(await promise);
      }),
    provision: (broker, client, templateName, work) =>
      overMqtt311(broker, client, (connected) => work(older(connected, templateName))),
  },
};
