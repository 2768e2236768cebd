import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { createClock } from '../../local/clock.ts';
import { createIam } from '../../local/iam/iam.ts';
import { createIdentities } from '../../local/iam/identities.ts';
import { createBroker } from '../../local/iot/broker.ts';
import { createIssuer } from '../../local/iot/issuer.ts';
import { createProvision } from '../../local/iot/provision.ts';
import { createProvisioningDoor, type InvokeHook, type ProvisionRequest } from '../../local/iot/provisioning.ts';
import { type Certificate, type CertificateStatus, createRegistry } from '../../local/iot/registry.ts';
import { tie } from '../../local/iot/ties.ts';

export interface Held {
  certificateId: string;
  certificatePem: string;
  privateKey: string;
}

export interface Answer {
  topic: string;
  payload: Buffer;
}

/** A broker with its registry, filled by hand, on a port of its own: what the tests of local/iot's live doors stand on. */
export async function startIotWorld() {
  const clock = createClock();
  const registry = createRegistry({ clock, region: 'us-east-1', accountId: '000000000000' });
  const issuer = await createIssuer({ clock });
  const tls = await issuer.serverCertificate(['localhost', '127.0.0.1']);
  const events: { topic: string; payload: Record<string, unknown> }[] = [];
  const hook: { invoke: InvokeHook } = { invoke: async () => ({ allowProvisioning: true }) };
  const faults = { meet: async (_service: string, _operation: string) => ({ loseAnswer: false }) };
  const provisioned: ProvisionRequest[] = [];

  const identities = createIdentities({ clock, accountId: '000000000000' });
  const iam = createIam({ identities, clock });
  const provisionFully = createProvision({ registry, identities, clock, issuer });
  const provision = (request: ProvisionRequest) => {
    provisioned.push(request);
    return provisionFully(request);
  };

  const reserved = createProvisioningDoor({
    registry,
    issuer,
    provision,
    invokeHook: (call) => hook.invoke(call),
    clock,
    faults: { meet: (service, operation) => faults.meet(service, operation) },
  });
  const broker = createBroker({
    registry,
    tls,
    clock,
    reserved,
    onEvent: (topic, payload) => {
      if (topic.startsWith('$aws/events/')) events.push({ topic, payload: JSON.parse(payload.toString()) });
    },
  });
  broker.server.listen(0, '127.0.0.1');
  await once(broker.server, 'listening');
  const { port } = broker.server.address() as AddressInfo;
  const clients = new Set<MqttClient>();
  const sockets = new Set<TLSSocket>();
  broker.server.on('secureConnection', (socket: TLSSocket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  function addThing(thingName: string, attributes: Record<string, string> = {}, thingTypeName?: string) {
    registry.things.set(thingName, {
      thingName,
      thingId: thingName,
      thingArn: registry.arn(`thing/${thingName}`),
      attributes,
      version: 1,
      ...(thingTypeName !== undefined && { thingTypeName }),
    });
  }

  function attach(
    certificateId: string,
    thingName: string,
    type: 'EXCLUSIVE_THING' | 'NON_EXCLUSIVE_THING' = 'EXCLUSIVE_THING',
  ) {
    tie(registry.attachments, thingName, registry.arn(`cert/${certificateId}`), type);
  }

  function putPolicy(policyName: string, statements: unknown[]) {
    const document = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    registry.policies.set(policyName, {
      policyName,
      policyArn: registry.arn(`policy/${policyName}`),
      generationId: '1',
      creationDate: 0,
      lastModifiedDate: 0,
      versions: [{ versionId: '1', document, isDefaultVersion: true, createDate: 0 }],
      lastVersion: 1,
    });
  }

  function attachPolicy(policyName: string, certificateId: string) {
    tie(registry.policyTargets, policyName, registry.arn(`cert/${certificateId}`), true);
  }

  async function certificate(
    options: Partial<Certificate> & { status?: CertificateStatus; policy?: string; subject?: string } = {},
  ): Promise<Held> {
    const { policy, subject, ...members } = options;
    const { csr, privateKey } = await keyAndCsr(subject);
    const issued = await issuer.fromCsr(csr);
    registry.putCertificate({
      ...issued,
      certificateArn: registry.arn(`cert/${issued.certificateId}`),
      status: 'ACTIVE',
      certificateMode: 'DEFAULT',
      customerVersion: 1,
      generationId: '1',
      creationDate: 0,
      lastModifiedDate: 0,
      ...members,
    });
    if (policy !== undefined) attachPolicy(policy, issued.certificateId);
    return { ...issued, privateKey };
  }

  function connect(held: Held | undefined, clientId: string, options: IClientOptions = {}): MqttClient {
    const client = mqtt.connect({
      host: '127.0.0.1',
      port,
      protocol: 'mqtts',
      ca: issuer.caPem,
      ...(held && { cert: held.certificatePem, key: held.privateKey }),
      clientId,
      protocolVersion: 4,
      reconnectPeriod: 0,
      connectTimeout: 5_000,
      ...options,
    });
    client.on('error', () => {});
    clients.add(client);
    return client;
  }

  /** Resolves once connected, rejects with what the broker answered. */
  async function connected(held: Held | undefined, clientId: string, options: IClientOptions = {}) {
    const client = connect(held, clientId, options);
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve());
      client.once('error', reject);
      client.once('close', () => reject(new Error('closed')));
    });
    return client;
  }

  /** Publishes and waits for the answer on `<topic>/accepted` or `/rejected`. */
  async function ask(client: MqttClient, topic: string, payload: Buffer | string): Promise<Answer> {
    await client.subscribeAsync([`${topic}/accepted`, `${topic}/rejected`], { qos: 1 });
    const answer = new Promise<Answer>((resolve, reject) => {
      client.once('message', (on, body) => resolve({ topic: on, payload: body }));
      client.once('close', () => reject(new Error('closed')));
    });
    answer.catch(() => {});
    await client.publishAsync(topic, payload, { qos: 1 });
    return answer;
  }

  /** A role that an AWS service may assume for this account, with one policy. */
  async function addRole(
    RoleName: string,
    Service: string,
    policy: { PolicyArn: string } | { PolicyDocument: string },
  ) {
    const caller = identities.root;
    const call = (operation: string, input: unknown) =>
      iam.operations[operation]?.(input, { service: 'iam', operation, requestId: '1', caller });
    const Condition = { StringEquals: { 'aws:SourceAccount': '000000000000' } };
    const statement = { Effect: 'Allow', Principal: { Service }, Action: 'sts:AssumeRole', Condition };
    const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    await call('CreateRole', { RoleName, AssumeRolePolicyDocument });
    if ('PolicyArn' in policy) await call('AttachRolePolicy', { RoleName, ...policy });
    else await call('PutRolePolicy', { RoleName, PolicyName: 'inline', ...policy });
  }

  function putTemplate() {
    registry.templates.set('claim', {
      templateName: 'claim',
      templateArn: registry.arn('provisioningtemplate/claim'),
      type: 'FLEET_PROVISIONING',
      enabled: true,
      provisioningRoleArn: 'arn:aws:iam::000000000000:role/provisioning',
      preProvisioningHook: {
        payloadVersion: '2020-04-01',
        targetArn: 'arn:aws:lambda:us-east-1:000000000000:function:hook',
      },
      creationDate: 0,
      lastModifiedDate: 0,
      defaultVersionId: 1,
      lastVersionId: 1,
      versions: new Map([[1, { templateBody: JSON.stringify(TEMPLATE), creationDate: 0 }]]),
    });
  }

  await addRole('provisioning', 'iot.amazonaws.com', {
    PolicyArn: 'arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration',
  });
  putTemplate();
  putPolicy('claim', claimStatements(registry.arn));
  putPolicy('device', deviceStatements(registry.arn));

  return {
    clock,
    registry,
    identities,
    issuer,
    tls,
    broker,
    port,
    events,
    hook,
    faults,
    provisioned,
    addThing,
    attach,
    addRole,
    putTemplate,
    putPolicy,
    attachPolicy,
    certificate,
    connect,
    connected,
    ask,
    async disconnectAll() {
      await Promise.all([...clients].map((client) => client.endAsync(true)));
      clients.clear();
      while (sockets.size > 0) await once([...sockets][0] as TLSSocket, 'close');
      events.length = 0;
    },
    async stop() {
      await Promise.all([...clients].map((client) => client.endAsync(true)));
      broker.closeAll();
      broker.server.close();
      clock.reset();
    },
  };
}

export type IotWorld = Awaited<ReturnType<typeof startIotWorld>>;

const TEMPLATE = {
  Parameters: {
    SerialNumber: { Type: 'String', Default: 'nobody' },
    ThingName: { Type: 'String', Default: '' },
    'AWS::IoT::Certificate::Id': { Type: 'String' },
  },
  Resources: {
    thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: 'SerialNumber' } } },
    certificate: {
      Type: 'AWS::IoT::Certificate',
      Properties: {
        CertificateId: { Ref: 'AWS::IoT::Certificate::Id' },
        Status: 'Active',
        ThingPrincipalType: 'EXCLUSIVE_THING',
      },
    },
    policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: 'device' } },
  },
  DeviceConfiguration: { region: 'us-east-1' },
};

function claimStatements(arn: (resource: string) => string) {
  const topics = ['certificates/create', 'certificates/create-from-csr', 'provisioning-templates/claim/provision']
    .flatMap((topic) => [`$aws/${topic}/json`, `$aws/${topic}/cbor`])
    .map((topic) => ({ topic, answers: [`${topic}/accepted`, `${topic}/rejected`] }));
  const answers = topics.flatMap(({ answers }) => answers);
  return [
    { Effect: 'Allow', Action: 'iot:Connect', Resource: [arn('client/fleet-provisioning-*'), arn('client/claim-*')] },
    { Effect: 'Allow', Action: 'iot:Publish', Resource: topics.map(({ topic }) => arn(`topic/${topic}`)) },
    { Effect: 'Allow', Action: 'iot:Receive', Resource: answers.map((topic) => arn(`topic/${topic}`)) },
    { Effect: 'Allow', Action: 'iot:Subscribe', Resource: answers.map((topic) => arn(`topicfilter/${topic}`)) },
  ];
}

/** One policy for all devices, least privilege by policy variables. */
function deviceStatements(arn: (resource: string) => string) {
  const own = '$' + '{iot:Connection.Thing.ThingName}';
  const attached = { Bool: { 'iot:Connection.Thing.IsAttached': ['true'] } };
  return [
    { Effect: 'Allow', Action: 'iot:Connect', Resource: arn(`client/${own}`), Condition: attached },
    { Effect: 'Allow', Action: ['iot:Publish', 'iot:Receive'], Resource: arn(`topic/cameras/${own}/*`) },
    { Effect: 'Allow', Action: 'iot:Subscribe', Resource: arn(`topicfilter/cameras/${own}/*`) },
    { Effect: 'Allow', Action: 'iot:AssumeRoleWithCertificate', Resource: arn('rolealias/camera') },
  ];
}

export async function keyAndCsr(subject = 'CN=camera'): Promise<{ csr: string; privateKey: string }> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const keys = {
    privateKey: await webcrypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']),
    publicKey: await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
  };
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys,
    signingAlgorithm: algorithm,
  });
  return { csr: request.toString('pem'), privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** What the next event of a client carries. */
export const next = (client: MqttClient, event: 'close' | 'message' | 'disconnect'): Promise<unknown[]> =>
  new Promise((resolve) => {
    // biome-ignore lint/suspicious/noExplicitAny: three events, each with its own arguments.
    (client as any).once(event, (...values: unknown[]) => resolve(values));
  });

/** The codes of the SUBACK: the qualities granted, or what stands in their place. */
export const granted = (client: MqttClient, filters: string | string[]): Promise<number[]> =>
  client.subscribeAsync(filters, { qos: 1 }).then(
    (grants) => grants.map(({ qos }) => qos as number),
    (error: { packet: { granted: number[] } }) => error.packet.granted,
  );
