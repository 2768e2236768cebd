import { CloudFormationClient, DescribeStacksCommand, ListStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import * as dynamodb from '@aws-sdk/client-dynamodb';
import * as eventbridge from '@aws-sdk/client-eventbridge';
import * as iam from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import { DeleteConnectionCommand, IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import * as kinesisvideo from '@aws-sdk/client-kinesis-video';
import * as lambda from '@aws-sdk/client-lambda';
import * as sqs from '@aws-sdk/client-sqs';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { awsClients } from '../../aws-clients.ts';
import { createHttpApi, type Keys } from '../../http-api.ts';
import type { Outputs } from '../../local-run.ts';
import { putMedia } from '../../put-media.ts';

/** Something that is there, for what names one. */
export interface Target {
  prefix: string;
  StreamName: string;
  certificateId: string;
  thingName: string;
  certificateSigningRequest: string;
  cameraRole: string;
}

/** Which of these calls the caller may make, whatever else would be wrong with them. */
export async function allowedCalls(outputs: Outputs, keys: Keys, target: Target): Promise<string[]> {
  const allowed: string[] = [];
  for (const [name, call] of Object.entries({
    ...tableCalls(outputs, keys, target),
    ...streamCalls(outputs, keys, target),
    ...identityCalls(outputs, keys, target),
    ...otherCalls(outputs, keys, target),
    ...routes(outputs, keys, target),
  })) {
    if (await isAllowed(call)) allowed.push(name);
  }
  return allowed.sort();
}

type Calls = Record<string, () => Promise<unknown>>;

async function isAllowed(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    return !/is not authorized to perform|Forbidden/.test((error as Error).message);
  }
}

const QUERY = { KeyConditionExpression: '#key = :key', ExpressionAttributeValues: { ':key': { S: 'probe' } } };

/** Conditions that never hold: whoever may write, writes nothing. */
function tableCalls(outputs: Outputs, keys: Keys, { prefix }: Target): Calls {
  const { dynamoDb } = awsClients(outputs, keys);
  const tables = {
    devices: ['serialNumber'],
    claims: ['serialNumber', 'claimKey'],
    'claim-certificates': ['certificateId'],
    counters: ['kind', 'name'],
    denials: ['certificateId'],
    pins: ['publicKeySha256'],
    openings: ['claimCertificateId', 'openedKey'],
  };
  const calls: Calls = {};
  for (const [table, names] of Object.entries(tables)) {
    const TableName = `${prefix}${table}`;
    const Key = Object.fromEntries(names.map((name) => [name, { S: 'probe' }]));
    const [name = ''] = names;
    const never = { TableName, ConditionExpression: 'attribute_exists(nowhere)' };
    const commands = {
      GetItem: () => new dynamodb.GetItemCommand({ TableName, Key }),
      BatchGetItem: () => new dynamodb.BatchGetItemCommand({ RequestItems: { [TableName]: { Keys: [Key] } } }),
      Query: () => new dynamodb.QueryCommand({ TableName, ...QUERY, ExpressionAttributeNames: { '#key': name } }),
      Scan: () => new dynamodb.ScanCommand({ TableName }),
      PutItem: () => new dynamodb.PutItemCommand({ ...never, Item: Key }),
      UpdateItem: () => new dynamodb.UpdateItemCommand({ ...never, Key, UpdateExpression: 'REMOVE nowhere' }),
      DeleteItem: () => new dynamodb.DeleteItemCommand({ ...never, Key }),
      BatchWriteItem: () =>
        new dynamodb.BatchWriteItemCommand({ RequestItems: { [TableName]: [{ DeleteRequest: { Key } }] } }),
      DeleteTable: () => new dynamodb.DeleteTableCommand({ TableName }),
    };
    for (const [operation, command] of Object.entries(commands)) {
      calls[`dynamodb:${operation} ${table}`] = () => dynamoDb.send(command() as dynamodb.GetItemCommand);
    }
  }
  const indexes = {
    place: 'thingName',
    due: 'dueShard',
    status: 'statusShard',
    serial: 'shard',
    batch: 'batch',
    model: 'model',
    claimed: 'claimedShard',
    certificate: 'newestCertificateId',
  };
  for (const [IndexName, key] of Object.entries(indexes)) {
    calls[`dynamodb:Query devices/index/${IndexName}`] = () =>
      dynamoDb.send(
        new dynamodb.QueryCommand({
          TableName: `${prefix}devices`,
          IndexName,
          ...QUERY,
          ExpressionAttributeNames: { '#key': key },
        }),
      );
  }
  return calls;
}

function streamCalls(outputs: Outputs, keys: Keys, { StreamName }: Target): Calls {
  const client = awsClients(outputs, keys).kinesisVideo;
  const StreamARN = `arn:aws:kinesisvideo:${outputs.region}:${outputs.accountId}:stream/${StreamName}/1`;
  const CurrentVersion = 'none';
  const sdk = kinesisvideo;
  return {
    'kinesisvideo:CreateStream': () => client.send(new sdk.CreateStreamCommand({ StreamName })),
    'kinesisvideo:DescribeStream': () => client.send(new sdk.DescribeStreamCommand({ StreamName })),
    'kinesisvideo:ListStreams': () => client.send(new sdk.ListStreamsCommand({})),
    'kinesisvideo:ListTagsForStream': () => client.send(new sdk.ListTagsForStreamCommand({ StreamName })),
    'kinesisvideo:TagStream': () => client.send(new sdk.TagStreamCommand({ StreamName, Tags: { probe: '1' } })),
    'kinesisvideo:UntagStream': () => client.send(new sdk.UntagStreamCommand({ StreamName, TagKeyList: ['probe'] })),
    'kinesisvideo:UpdateStream': () => client.send(new sdk.UpdateStreamCommand({ StreamName, CurrentVersion })),
    'kinesisvideo:UpdateDataRetention': () =>
      client.send(
        new sdk.UpdateDataRetentionCommand({
          StreamName,
          CurrentVersion,
          Operation: 'DECREASE_DATA_RETENTION',
          DataRetentionChangeInHours: 1,
        }),
      ),
    'kinesisvideo:DeleteStream': () => client.send(new sdk.DeleteStreamCommand({ StreamARN, CurrentVersion })),
    'kinesisvideo:GetDataEndpoint': () =>
      client.send(new sdk.GetDataEndpointCommand({ StreamName, APIName: 'PUT_MEDIA' })),
    async 'kinesisvideo:PutMedia'() {
      const { status, text } = await putMedia(outputs, keys, { name: StreamName }, Buffer.alloc(0));
      if (status !== 200) throw new Error(text);
    },
  };
}

function identityCalls(outputs: Outputs, keys: Keys, target: Target): Calls {
  const client = awsClients(outputs, keys).iot;
  const { prefix, thingName, certificateId, certificateSigningRequest } = target;
  const principal = `arn:aws:iot:${outputs.region}:${outputs.accountId}:cert/${certificateId}`;
  const policyName = `${prefix}device`;
  const policyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [] });
  const sdk = iot;
  return {
    'iot:DescribeEndpoint': () => client.send(new sdk.DescribeEndpointCommand({ endpointType: 'iot:Data-ATS' })),
    'iot:CreateThing': () => client.send(new sdk.CreateThingCommand({ thingName: 'probe' })),
    'iot:UpdateThing': () => client.send(new sdk.UpdateThingCommand({ thingName })),
    'iot:DeleteThing': () => client.send(new sdk.DeleteThingCommand({ thingName: 'nobody' })),
    'iot:ListThings': () => client.send(new sdk.ListThingsCommand({})),
    'iot:ListThingPrincipals': () => client.send(new sdk.ListThingPrincipalsCommand({ thingName })),
    'iot:ListPrincipalThings': () => client.send(new sdk.ListPrincipalThingsCommand({ principal })),
    'iot:ListCertificates': () => client.send(new sdk.ListCertificatesCommand({})),
    'iot:ListAttachedPolicies': () => client.send(new sdk.ListAttachedPoliciesCommand({ target: principal })),
    'iot:ListTargetsForPolicy': () => client.send(new sdk.ListTargetsForPolicyCommand({ policyName })),
    'iot:DescribeThing': () => client.send(new sdk.DescribeThingCommand({ thingName })),
    'iot:DeleteCertificate': () => client.send(new sdk.DeleteCertificateCommand({ certificateId })),
    'iot:DetachThingPrincipal': () =>
      client.send(new sdk.DetachThingPrincipalCommand({ thingName: 'nobody', principal })),
    'iot:CreateKeysAndCertificate': () => client.send(new sdk.CreateKeysAndCertificateCommand({})),
    'iot:CreateCertificateFromCsr': () =>
      client.send(new sdk.CreateCertificateFromCsrCommand({ certificateSigningRequest })),
    'iot:DescribeCertificate': () => client.send(new sdk.DescribeCertificateCommand({ certificateId })),
    'iot:UpdateCertificate': () =>
      client.send(new sdk.UpdateCertificateCommand({ certificateId, newStatus: 'ACTIVE' })),
    'iot:AttachThingPrincipal': () =>
      client.send(new sdk.AttachThingPrincipalCommand({ thingName: 'nobody', principal })),
    'iot:AttachPolicy': () => client.send(new sdk.AttachPolicyCommand({ policyName: 'none', target: principal })),
    'iot:DetachPolicy': () => client.send(new sdk.DetachPolicyCommand({ policyName: 'none', target: principal })),
    'iot:CreatePolicy': () => client.send(new sdk.CreatePolicyCommand({ policyName, policyDocument })),
    'iot:CreatePolicyVersion': () => client.send(new sdk.CreatePolicyVersionCommand({ policyName, policyDocument })),
    'iot:CreateProvisioningClaim': () =>
      client.send(new sdk.CreateProvisioningClaimCommand({ templateName: `${prefix}claim` })),
    'iot:UpdateProvisioningTemplate': () =>
      client.send(new sdk.UpdateProvisioningTemplateCommand({ templateName: `${prefix}claim`, enabled: true })),
    'iot:DescribeRoleAlias': () => client.send(new sdk.DescribeRoleAliasCommand({ roleAlias: `${prefix}fixed` })),
  };
}

function otherCalls(outputs: Outputs, keys: Keys, { prefix, cameraRole }: Target): Calls {
  const clients = awsClients(outputs, keys);
  const { aws: endpoint, region, accountId } = outputs;
  const queues = new sqs.SQSClient({ endpoint, region, credentials: keys, maxAttempts: 1 });
  const events = new eventbridge.EventBridgeClient({ endpoint, region, credentials: keys, maxAttempts: 1 });
  const stacks = new CloudFormationClient({ endpoint, region, credentials: keys, maxAttempts: 1 });
  // The stack and its bus are called alike.
  const EventBusName = prefix.replace(/-$/, '');
  const iotData = new IoTDataPlaneClient({ endpoint, region, credentials: keys, maxAttempts: 1 });
  const queueUrl = (name: string) => `${endpoint}/${accountId}/${prefix}${name}`;
  const sends = (name: string) => () =>
    queues.send(new sqs.SendMessageCommand({ QueueUrl: queueUrl(name), MessageBody: '{}' }));
  const FunctionName = `${prefix}getDevice`;
  const RoleName = `${prefix}getDevice-${region}-lambdaRole`;
  const RoleArn = `arn:aws:iam::${accountId}:role/${RoleName}`;
  return {
    'events:PutEvents': () =>
      events.send(
        new eventbridge.PutEventsCommand({
          Entries: [{ EventBusName, Source: 'probe', DetailType: 'probe', Detail: '{}' }],
        }),
      ),
    'cloudformation:DescribeStacks': () => stacks.send(new DescribeStacksCommand({ StackName: EventBusName })),
    'cloudformation:DescribeStacks of another': () => stacks.send(new DescribeStacksCommand({ StackName: 'other' })),
    'cloudformation:DescribeStacks of all': () => stacks.send(new DescribeStacksCommand({})),
    'cloudformation:ListStackResources': () => stacks.send(new ListStackResourcesCommand({ StackName: EventBusName })),
    'events:DeleteEventBus': () => events.send(new eventbridge.DeleteEventBusCommand({ Name: 'nobody' })),
    'sqs:SendMessage presence-failures': sends('presence-failures'),
    'sqs:SendMessage event-failures': sends('event-failures'),
    'sqs:ReceiveMessage': () => queues.send(new sqs.ReceiveMessageCommand({ QueueUrl: queueUrl('presence-failures') })),
    'lambda:InvokeFunction': () => clients.lambda.send(new lambda.InvokeCommand({ FunctionName })),
    'lambda:InvokeFunction reconcile': () =>
      clients.lambda.send(new lambda.InvokeCommand({ FunctionName: `${prefix}reconcile`, InvocationType: 'DryRun' })),
    'lambda:UpdateFunctionConfiguration': () =>
      clients.lambda.send(new lambda.UpdateFunctionConfigurationCommand({ FunctionName })),
    'iam:CreateUser': () => clients.iam.send(new iam.CreateUserCommand({ UserName: 'probe' })),
    'iam:PutRolePolicy': () =>
      clients.iam.send(new iam.PutRolePolicyCommand({ RoleName, PolicyName: 'probe', PolicyDocument: '{}' })),
    'iam:PutRolePolicy of a camera': () =>
      clients.iam.send(
        new iam.PutRolePolicyCommand({ RoleName: cameraRole, PolicyName: 'probe', PolicyDocument: '{}' }),
      ),
    'iam:GetRolePolicy of a camera': () =>
      clients.iam.send(new iam.GetRolePolicyCommand({ RoleName: cameraRole, PolicyName: 'stream' })),
    'iot:DeleteConnection': () => iotData.send(new DeleteConnectionCommand({ clientId: 'nobody' })),
    'sts:AssumeRole': () => clients.sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'probe' })),
  };
}

function routes(outputs: Outputs, keys: Keys, { thingName }: Target): Calls {
  const api = createHttpApi(outputs, keys);
  const call = (method: string, path: string) => async () => {
    // A member that no route knows: who may call it is told so, and nothing is made.
    const { status } = await api.call(method, path, method === 'POST' ? { body: { probe: true } } : {});
    if (status === 403) throw new Error('Forbidden');
  };
  return {
    'POST /devices': call('POST', '/devices'),
    'GET /devices': call('GET', '/devices'),
    'GET /stats': call('GET', '/stats'),
    'GET /devices/{serialNumber}': call('GET', `/devices/${thingName}`),
    'GET /devices/{serialNumber}/claims': call('GET', `/devices/${thingName}/claims`),
    'POST /devices/{serialNumber}/provision': call('POST', `/devices/${thingName}/provision`),
    'POST /devices/{serialNumber}/suspend': call('POST', `/devices/${thingName}/suspend`),
    'POST /devices/{serialNumber}/resume': call('POST', `/devices/${thingName}/resume`),
    'POST /devices/{serialNumber}/retire': call('POST', `/devices/${thingName}/retire`),
    'POST /devices/{serialNumber}/reopen': call('POST', `/devices/${thingName}/reopen`),
    'POST /devices/{serialNumber}/replace': call('POST', `/devices/${thingName}/replace`),
    'POST /devices/{serialNumber}/approve-claim': call('POST', `/devices/${thingName}/approve-claim`),
    'POST /devices/{serialNumber}/reprovisioning': call('POST', `/devices/${thingName}/reprovisioning`),
    'GET /openapi.json': call('GET', '/openapi.json'),
    'POST /connected': call('POST', '/connected'),
    'POST /claim-certificates': call('POST', '/claim-certificates'),
    'GET /claim-certificates': call('GET', '/claim-certificates'),
    'POST /claim-certificates/{certificateId}/disable': call('POST', '/claim-certificates/none/disable'),
    'POST /provisioning-claims': call('POST', '/provisioning-claims'),
  };
}
