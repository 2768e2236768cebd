import { alarms } from './alarms.ts';
import { compute } from './compute.ts';
import { events } from './events.ts';
import { iot } from './iot.ts';
import { number, policyText, present } from './properties.ts';
import type { ResourceType, Site } from './resource-type.ts';

/** Resource type → how the stand-in makes it, through the very operations that a client would call. */
export const RESOURCE_TYPES: Record<string, ResourceType> = {
  ...alarms,
  ...compute,
  ...events,
  ...iot,

  'AWS::KinesisVideo::Stream': {
    properties: ['Name', 'DataRetentionInHours', 'DeviceName', 'MediaType'],
    async create({ Name, DataRetentionInHours, DeviceName, MediaType }, site) {
      const StreamName = Name ?? site.generatedName(256);
      const { StreamARN } = await site.call(
        'kinesisvideo',
        'CreateStream',
        present({ StreamName, DataRetentionInHours: number(DataRetentionInHours), DeviceName, MediaType }),
      );
      return { id: StreamName, attributes: { Arn: StreamARN } };
    },
  },

  'AWS::IAM::Role': {
    properties: [
      'RoleName',
      'Path',
      'Description',
      'AssumeRolePolicyDocument',
      'MaxSessionDuration',
      'ManagedPolicyArns',
      'Policies',
    ],
    async create(properties, site) {
      const { Path, Description, MaxSessionDuration, ManagedPolicyArns = [], Policies = [] } = properties;
      const RoleName = properties.RoleName ?? site.generatedName(64);
      const AssumeRolePolicyDocument = policyText(properties.AssumeRolePolicyDocument);
      const { Role } = await site.call(
        'iam',
        'CreateRole',
        present({
          RoleName,
          Path,
          Description,
          AssumeRolePolicyDocument,
          MaxSessionDuration: number(MaxSessionDuration),
        }),
      );
      for (const { PolicyName, PolicyDocument } of Policies) {
        await site.call('iam', 'PutRolePolicy', { RoleName, PolicyName, PolicyDocument: policyText(PolicyDocument) });
      }
      for (const PolicyArn of ManagedPolicyArns) await site.call('iam', 'AttachRolePolicy', { RoleName, PolicyArn });
      return { id: RoleName, attributes: { Arn: Role.Arn, RoleId: Role.RoleId } };
    },
  },

  'AWS::IAM::ManagedPolicy': {
    properties: ['ManagedPolicyName', 'Description', 'Path', 'PolicyDocument'],
    async create({ ManagedPolicyName, Description, Path, PolicyDocument }, site) {
      const PolicyName = ManagedPolicyName ?? site.generatedName(128);
      const { Policy } = await site.call(
        'iam',
        'CreatePolicy',
        present({ PolicyName, Description, Path, PolicyDocument: policyText(PolicyDocument) }),
      );
      return { id: Policy.Arn, attributes: { PolicyArn: Policy.Arn } };
    },
  },

  'AWS::DynamoDB::Table': {
    properties: [
      'TableName',
      'BillingMode',
      'AttributeDefinitions',
      'KeySchema',
      'GlobalSecondaryIndexes',
      'PointInTimeRecoverySpecification',
      'SSESpecification',
      'TimeToLiveSpecification',
      'StreamSpecification',
    ],
    async create(properties, site) {
      const TableName = properties.TableName ?? site.generatedName(255);
      const { BillingMode, AttributeDefinitions, KeySchema, GlobalSecondaryIndexes, StreamSpecification } = properties;
      const { SSESpecification, PointInTimeRecoverySpecification, TimeToLiveSpecification } = properties;
      const { TableDescription } = await site.call(
        'dynamodb',
        'CreateTable',
        present({
          TableName,
          BillingMode,
          AttributeDefinitions,
          KeySchema,
          GlobalSecondaryIndexes,
          SSESpecification: SSESpecification && { Enabled: SSESpecification.SSEEnabled },
          StreamSpecification: StreamSpecification && { StreamEnabled: true, ...StreamSpecification },
        }),
      );
      await untilActive(site, TableName);
      if (PointInTimeRecoverySpecification) {
        await site.call('dynamodb', 'UpdateContinuousBackups', { TableName, PointInTimeRecoverySpecification });
      }
      if (TimeToLiveSpecification)
        await site.call('dynamodb', 'UpdateTimeToLive', { TableName, TimeToLiveSpecification });
      const { TableArn, LatestStreamArn } = TableDescription;
      return { id: TableName, attributes: present({ Arn: TableArn, StreamArn: LatestStreamArn }) };
    },
  },

  'AWS::SQS::Queue': {
    properties: ['QueueName', 'MessageRetentionPeriod', 'VisibilityTimeout', 'SqsManagedSseEnabled'],
    async create({ QueueName: given, ...attributes }, site) {
      const QueueName = given ?? site.generatedName(80);
      const Attributes = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, String(value)]));
      const { QueueUrl } = await site.call('sqs', 'CreateQueue', { QueueName, Attributes });
      const { Attributes: made } = await site.call('sqs', 'GetQueueAttributes', {
        QueueUrl,
        AttributeNames: ['QueueArn'],
      });
      return { id: QueueUrl, attributes: { Arn: made.QueueArn, QueueName, QueueUrl } };
    },
  },

  // Logs go where the stand-in's owner wants them, for as long as the run lasts.
  'AWS::Logs::LogGroup': {
    properties: ['LogGroupName', 'RetentionInDays'],
    create: ({ LogGroupName }, { region, accountId }) => ({
      id: LogGroupName,
      attributes: { Arn: `arn:aws:logs:${region}:${accountId}:log-group:${LogGroupName}:*` },
    }),
  },

  // The deployment bucket only carries the bundles to Lambda; the stand-in takes them from the package itself.
  'AWS::S3::Bucket': {
    properties: ['BucketName', 'BucketEncryption'],
    create({ BucketName }, site) {
      const id = BucketName ?? site.generatedName(63).toLowerCase();
      return { id, attributes: { Arn: `arn:aws:s3:::${id}` } };
    },
  },
  'AWS::S3::BucketPolicy': {
    properties: ['Bucket', 'PolicyDocument'],
    create: ({ Bucket }) => ({ id: `${Bucket}-policy` }),
  },
};

/** CloudFormation goes on only when a table is ACTIVE. */
async function untilActive(site: Site, TableName: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const { Table } = await site.call('dynamodb', 'DescribeTable', { TableName });
    if (Table.TableStatus === 'ACTIVE') return;
    if (Date.now() > deadline) throw new Error(`the table ${TableName} did not become ACTIVE within 10 s`);
    await new Promise((done) => setTimeout(done, 5));
  }
}
