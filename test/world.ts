import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { ListUsersCommand } from '@aws-sdk/client-iam';
import {
  ListCertificatesCommand,
  ListPoliciesCommand,
  ListRoleAliasesCommand,
  ListTargetsForPolicyCommand,
  ListThingsCommand,
  ListThingTypesCommand,
  ListTopicRulesCommand,
} from '@aws-sdk/client-iot';
import { ListStreamsCommand } from '@aws-sdk/client-kinesis-video';
import { ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { awsClients } from './aws-clients.ts';
import type { Outputs } from './local-run.ts';
import { until } from './until.ts';

/** All that the APIs tell of an account: two of these are equal where nothing has changed. */
export async function describeWorld(outputs: Outputs, clockOffsetMs = 0): Promise<Record<string, unknown>> {
  const { iot, kinesisVideo, dynamoDb, iam, lambda } = awsClients(outputs, outputs.personas.admin, clockOffsetMs);
  const prefix = outputs.claim.templateName.replace(/-claim$/, '');
  const scan = async (table: string) =>
    (await dynamoDb.send(new ScanCommand({ TableName: `${prefix}-${table}` }))).Items;
  const targets = async (policyName: string) =>
    (await iot.send(new ListTargetsForPolicyCommand({ policyName: `${prefix}-${policyName}` }))).targets;
  return {
    devices: await scan('devices'),
    claims: await scan('claims'),
    claimCertificates: await scan('claim-certificates'),
    things: (await iot.send(new ListThingsCommand({ maxResults: 250 }))).things,
    certificates: (await iot.send(new ListCertificatesCommand({ pageSize: 250 }))).certificates,
    policies: (await iot.send(new ListPoliciesCommand({ pageSize: 250 }))).policies,
    devicePolicyTargets: await targets('device'),
    claimPolicyTargets: await targets('claim'),
    thingTypes: (await iot.send(new ListThingTypesCommand({ maxResults: 250 }))).thingTypes,
    roleAliases: (await iot.send(new ListRoleAliasesCommand({ pageSize: 250 }))).roleAliases,
    rules: (await iot.send(new ListTopicRulesCommand({ maxResults: 250 }))).rules,
    streams: (await kinesisVideo.send(new ListStreamsCommand({ MaxResults: 1000 }))).StreamInfoList,
    users: (await iam.send(new ListUsersCommand({}))).Users,
    functions: (await lambda.send(new ListFunctionsCommand({}))).Functions,
  };
}

/** The same of a world just booted, once its fixed stream is there: AWS takes a second to make it. */
export const describeBooted = (outputs: Outputs): Promise<Record<string, unknown>> =>
  until('the fixed stream to be ACTIVE', async () => {
    const world = await describeWorld(outputs);
    return JSON.stringify(world.streams).includes('"ACTIVE"') && world;
  });
