import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { awsClients } from '../../aws-clients.ts';
import { newSerial } from '../../camera-claim.ts';
import { makeDeviceKey } from '../../device-key.ts';
import { createHttpApi } from '../../http-api.ts';
import type { Outputs } from '../../local-run.ts';
import type { Walk } from './claim.ts';
import { expectStatus } from './line.ts';

/** The routes of the HTTP API, each called by whoever may call it. */
export async function apiWalks(outputs: Outputs, serialNumber: string): Promise<Record<string, Walk>> {
  const { certificateSigningRequest } = await makeDeviceKey();

  function call(
    persona: 'factory' | 'operator' | 'auditor',
    expected: number,
    path: string,
    body?: () => unknown,
  ): Walk {
    const api = createHttpApi(outputs, outputs.personas[persona]);
    return () => expectStatus(body ? api.post(path, body()) : api.get(path), expected);
  }

  function findsApi(persona: 'factory' | 'operator' | 'auditor'): [string, Walk] {
    const { aws: endpoint, region, claim, personas } = outputs;
    const client = new CloudFormationClient({ endpoint, region, credentials: personas[persona], maxAttempts: 1 });
    const StackName = claim.templateName.replace(/-claim$/, '');
    const walk = async () => {
      const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName }));
      const api = Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === 'ApiUrl')?.OutputValue;
      if (api !== outputs.api) throw new Error(`the stack says that the API is at ${api}`);
    };
    return [`${persona} finds the API by its stack`, walk];
  }

  const device = `/devices/${serialNumber}`;
  const pinned = () => ({ serialNumber: newSerial(), publicKeySha256: randomBytes(32).toString('hex') });
  const manifest = () => ({ devices: [{ serialNumber: newSerial() }] });
  return {
    'factory announces': call('factory', 200, '/devices', manifest),
    'factory announces a pinned key': call('factory', 200, '/devices', () => ({ devices: [pinned()] })),
    'factory asks what would become of a pinned key': call('factory', 200, '/devices', () => ({
      devices: [pinned()],
      dryRun: true,
    })),
    'factory looks a device up': call('factory', 200, device),
    'operator announces': call('operator', 200, '/devices', manifest),
    'operator looks a device up': call('operator', 200, device),
    'operator lists claims': call('operator', 200, `${device}/claims`),
    'operator orders a claim certificate': call('operator', 201, '/claim-certificates', () => ({})),
    'operator has a CSR made a claim certificate': call('operator', 201, '/claim-certificates', () => ({
      certificateSigningRequest,
    })),
    'auditor lists claims': call('auditor', 200, `${device}/claims`),
    ...Object.fromEntries((['factory', 'operator', 'auditor'] as const).map(findsApi)),
  };
}

/** What CloudFormation does at a deployment: it asks, and the function answers to a URL. */
export function deploymentWalk(outputs: Outputs, functionName: string): Walk {
  const { lambda } = awsClients(outputs, outputs.personas.admin);
  return async () => {
    const inbox = createServer().listen(0, '127.0.0.1');
    await once(inbox, 'listening');
    const { promise: answered, resolve } = Promise.withResolvers<{ Status: string; Reason?: string }>();
    inbox.on('request', async (request, response) => {
      resolve(JSON.parse((await request.toArray()).join('')));
      response.end();
    });
    const event = {
      RequestType: 'Create',
      ResponseURL: `http://127.0.0.1:${(inbox.address() as AddressInfo).port}/answer`,
      StackId: 'arn:aws:cloudformation:us-east-1:000000000000:stack/walk/1',
      RequestId: '1',
      LogicalResourceId: 'Endpoints',
      ResourceType: 'Custom::Endpoints',
      ResourceProperties: {},
    };
    try {
      const invoke = new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(JSON.stringify(event)) });
      const { FunctionError, Payload } = await lambda.send(invoke);
      if (FunctionError) throw new Error(Buffer.from(Payload ?? []).toString());
      const { Status, Reason } = await answered;
      if (Status !== 'SUCCESS') throw new Error(`${Status}: ${Reason}`);
    } finally {
      inbox.close();
      inbox.closeAllConnections();
    }
  };
}
