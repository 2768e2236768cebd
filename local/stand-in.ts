import { createServer } from 'node:http';
import { createAdmin } from './admin.ts';
import { createHttpApi } from './apigateway.ts';
import { createClock } from './clock.ts';
import { bootStack, type Template } from './cloudformation/boot.ts';
import { createCustomResources } from './cloudformation/custom.ts';
import { createCloudFormation, type Stack } from './cloudformation/service.ts';
import { createCloudWatch } from './cloudwatch.ts';
import { createDoor } from './door.ts';
import { createDynamoDb } from './dynamodb.ts';
import { createEventBridge } from './eventbridge.ts';
import { createFaults } from './faults.ts';
import { createIam } from './iam/iam.ts';
import { createIdentities, type Identity } from './iam/identities.ts';
import { createSts } from './iam/sts.ts';
import { createBroker } from './iot/broker.ts';
import { createControlPlane } from './iot/control-plane.ts';
import { createCredentialProvider } from './iot/credentials.ts';
import { createIotData } from './iot/data.ts';
import { createIssuer } from './iot/issuer.ts';
import { createProvision } from './iot/provision.ts';
import { createProvisioningDoor } from './iot/provisioning.ts';
import { createRegistry } from './iot/registry.ts';
import { createRuleEngine } from './iot/rule-engine.ts';
import { createWorlds } from './iot/worlds.ts';
import { createKinesisVideo } from './kinesisvideo/service.ts';
import { createStreams } from './kinesisvideo/streams.ts';
import { createFunctions } from './lambda/functions.ts';
import { listen, PortInUse } from './listen.ts';
import type { Service } from './service.ts';
import { createSqs } from './sqs.ts';

export { PortInUse };

const REGION = 'us-east-1';
const ACCOUNT_ID = '000000000000';
const HOST = '127.0.0.1';
/** The name that certificates and endpoints carry: AWS IoT wants SNI, which an address cannot give. */
const TLS_HOST = 'localhost';

export interface Options {
  template: Template;
  /** Where `serverless package` left the function zips. */
  assets: string;
  stackName: string;
  /** 0: any that is free. */
  ports: { aws: number; api: number; mqtt: number; credentials: number };
  /** Every port is ours; nothing has been made yet. */
  opened(): Promise<void>;
  /** What a function prints. */
  log(functionName: string, text: string): void;
}

export interface StandIn {
  region: string;
  accountId: string;
  aws: string;
  api: string;
  mqtt: { host: string; port: number };
  credentials: { host: string; port: number };
  caPem: string;
  /** A user who may do everything. */
  admin: { accessKeyId: string; secretAccessKey: string };
  stackOutputs: Record<string, string>;
  /** Makes the present state the one that a reset comes back to. */
  checkpoint(): Promise<void>;
  close(): Promise<void>;
}

/** AWS on this machine, as far as the compiled template and its cameras reach. Throws PortInUse. */
export async function startStandIn({ template, assets, stackName, ports, opened, log }: Options): Promise<StandIn> {
  const account = { region: REGION, accountId: ACCOUNT_ID };
  const clock = createClock();
  const faults = createFaults({ clock });
  const identities = createIdentities({ clock, accountId: ACCOUNT_ID });
  const iam = createIam({ identities, clock });
  const address = { aws: '', api: '', mqtt: '', credentials: '' };
  const awsEndpoint = () => address.aws;

  const sqs = createSqs({ clock, ...account, awsEndpoint });
  const dynamodb = await createDynamoDb({ clock, ...account });
  const streams = createStreams({ clock, ...account });
  const kinesisvideo = createKinesisVideo({ streams, clock, dataEndpoint: awsEndpoint, faults });
  const { onWrite } = dynamodb;
  const functions = createFunctions({ clock, identities, ...account, sqs, awsEndpoint, log, onWrite });
  const eventBridge = createEventBridge({
    clock,
    ...account,
    invokeLambda: (functionArn, sourceArn, payload) =>
      functions.invokeAsync({
        functionArn,
        payload,
        source: { service: 'events.amazonaws.com', sourceArn, sourceAccount: ACCOUNT_ID },
      }),
  });
  const httpApi = createHttpApi({ identities, functions, clock, ...account, endpoint: () => address.api });

  const registry = createRegistry({ clock, ...account });
  const worlds = createWorlds();
  const issuer = worlds.ofOneWorld(await createIssuer({ clock }));
  const tls = await issuer.serverCertificate([TLS_HOST, HOST, '::1']);
  const provision = createProvision({ registry, identities, clock, issuer });
  const byIot = (sourceArn: string) => ({ service: 'iot.amazonaws.com', sourceArn, sourceAccount: ACCOUNT_ID });
  const provisioning = createProvisioningDoor({
    registry,
    issuer,
    provision,
    clock,
    faults,
    async invokeHook({ targetArn, templateArn, event }) {
      const answer = await functions.invoke({ functionArn: targetArn, payload: event, source: byIot(templateArn) });
      if (answer.functionError) throw new Error(`the hook failed: ${answer.functionError}`);
      return answer.payload;
    },
  });
  const ruleEngine = createRuleEngine({
    registry,
    clock,
    invokeLambda: (functionArn, ruleArn, payload) =>
      functions.invokeAsync({ functionArn, payload, source: byIot(ruleArn) }),
  });
  const broker = createBroker({ registry, tls, clock, reserved: provisioning, onEvent: ruleEngine });
  const credentialProvider = createCredentialProvider({ registry, identities, tls, clock, faults });
  const endpoints = () => ({ mqtt: address.mqtt, credentials: address.credentials });
  const iot = createControlPlane({ registry, issuer, clock, endpoints, provision });
  const iotdata = createIotData({ registry, publish: broker.publish, disconnect: broker.disconnect });

  let stack: Stack | undefined;
  const cloudformation = createCloudFormation({ ...account, stack: () => stack });

  // Functions first: at a reset they stop before anything that they could still write to is put back.
  const services: Service[] = [
    functions.service,
    iot,
    iotdata,
    iam,
    createSts({ identities }),
    dynamodb,
    kinesisvideo,
    sqs,
    eventBridge,
    createCloudWatch({ clock, ...account }),
    cloudformation,
  ];
  const customResources = createCustomResources({ endpoint: awsEndpoint });
  let restore = async () => {};
  const door = createDoor({
    services,
    identities,
    clock,
    region: REGION,
    faults,
    extra: [
      createAdmin({ faults, clock, eventBridge, reset: () => restore() }),
      async (request) => customResources.answer(request),
    ],
    functions,
  });

  // A camera's PutMedia lasts up to 45 minutes; Node would cut a request after five.
  // Node's own five seconds end a connection that a client with a pool is just about to use again.
  const keepAliveTimeout = 65_000;
  const doors = {
    aws: createServer({ requestTimeout: 0, keepAliveTimeout }, door),
    api: createServer({ keepAliveTimeout }, httpApi.listener),
  };
  const mqtt = { host: TLS_HOST, port: await listen(broker.server, 'mqtt', ports.mqtt) };
  const credentials = { host: TLS_HOST, port: await listen(credentialProvider, 'credentials', ports.credentials) };
  address.mqtt = `${mqtt.host}:${mqtt.port}`;
  address.credentials = `${credentials.host}:${credentials.port}`;
  address.aws = `http://${HOST}:${await listen(doors.aws, 'aws', ports.aws)}`;
  address.api = `http://${HOST}:${await listen(doors.api, 'api', ports.api)}`;

  await opened();
  const admin = await createAdministrator(iam, identities.root);
  const createdAt = new Date(clock.now());
  const booted = await bootStack({
    template,
    assets,
    stackName,
    ...account,
    services: {
      ...Object.fromEntries(services.map((service) => [service.name, service])),
      apigateway: httpApi,
    },
    customResources,
    // CloudFormation acts with the rights of whoever deploys.
    caller: identities.root,
    invoke: (functionArn, payload) => functions.invoke({ functionArn, payload }),
  });
  const stackOutputs = booted.outputs;
  stack = {
    stackName,
    stackId: booted.stackId,
    createdAt,
    template,
    ...(template.Description !== undefined && { description: template.Description }),
    outputs: Object.entries(stackOutputs).map(([name, value]) => {
      const description = template.Outputs?.[name]?.Description;
      return { name, value, ...(description !== undefined && { description }) };
    }),
    resources: Object.entries(booted.physicalIds).map(([logicalId, physicalId]) => {
      return { logicalId, physicalId, type: template.Resources[logicalId]?.Type ?? '' };
    }),
  };

  return {
    ...account,
    aws: address.aws,
    api: address.api,
    mqtt,
    credentials,
    caPem: issuer.caPem,
    admin,
    stackOutputs,

    async checkpoint() {
      const remembered = [...services, httpApi].map((one) => ({ one, snapshot: one.snapshot() }));
      const snapshots = await Promise.all(remembered.map(({ snapshot }) => snapshot));
      restore = async () => {
        worlds.beginNext();
        faults.clear();
        broker.closeAll();
        clock.reset();
        for (const [index, { one }] of remembered.entries()) {
          await one.restore(snapshots[index]);
          // Without their hooks the claims that are under way end: before what they could write to is put back.
          if (one === functions.service) await broker.idle();
        }
      };
    },

    async close() {
      broker.closeAll();
      for (const server of [doors.aws, doors.api, credentialProvider]) {
        server.close();
        server.closeAllConnections();
      }
      broker.server.close();
      await functions.close();
    },
  };
}

/** The one identity that nothing in the stack makes; everything else is made through it. */
async function createAdministrator(iam: Service, root: Identity): Promise<StandIn['admin']> {
  const call = (operation: string, input: unknown) =>
    iam.operations[operation]?.(input, { service: 'iam', operation, requestId: 'boot', caller: root });
  const UserName = 'admin';
  await call('CreateUser', { UserName });
  await call('AttachUserPolicy', { UserName, PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' });
  const { AccessKey } = (await call('CreateAccessKey', { UserName })) as {
    AccessKey: { AccessKeyId: string; SecretAccessKey: string };
  };
  return { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
}
