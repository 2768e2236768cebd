import type { ResourceType } from './resource-type.ts';

/** The functions of a stack and the HTTP API in front of them. */
export const compute: Record<string, ResourceType> = {
  'AWS::Lambda::Function': {
    properties: [
      'FunctionName',
      'Description',
      'Code',
      'Handler',
      'Runtime',
      'Architectures',
      'MemorySize',
      'Timeout',
      'Role',
      'Environment',
      'ReservedConcurrentExecutions',
    ],
    async create({ Code, ReservedConcurrentExecutions, ...properties }, site) {
      const FunctionName = properties.FunctionName ?? site.generatedName(64);
      const { FunctionArn } = await site.call('lambda', 'CreateFunction', {
        ...properties,
        FunctionName,
        Environment: { Variables: texts(properties.Environment?.Variables ?? {}) },
        Code: { ZipFile: await site.asset(Code.S3Key) },
      });
      if (ReservedConcurrentExecutions !== undefined) {
        await site.call('lambda', 'PutFunctionConcurrency', {
          FunctionName,
          ReservedConcurrentExecutions: Number(ReservedConcurrentExecutions),
        });
      }
      return { id: FunctionName, attributes: { Arn: FunctionArn } };
    },
  },

  'AWS::Lambda::Permission': {
    properties: ['FunctionName', 'Action', 'Principal', 'SourceArn', 'SourceAccount'],
    async create(properties, site) {
      const StatementId = site.generatedName(100);
      await site.call('lambda', 'AddPermission', { ...properties, StatementId });
      return { id: StatementId };
    },
  },

  'AWS::Lambda::EventInvokeConfig': {
    properties: ['FunctionName', 'Qualifier', 'DestinationConfig', 'MaximumEventAgeInSeconds', 'MaximumRetryAttempts'],
    async create(properties, site) {
      await site.call('lambda', 'PutFunctionEventInvokeConfig', properties);
      return { id: `${properties.FunctionName}|${properties.Qualifier}` };
    },
  },

  'AWS::ApiGatewayV2::Api': {
    properties: ['Name', 'Description', 'ProtocolType'],
    async create(properties, site) {
      const { ApiId, ApiEndpoint } = await site.call('apigateway', 'CreateApi', properties);
      return { id: ApiId, attributes: { ApiId, ApiEndpoint } };
    },
  },

  'AWS::ApiGatewayV2::Stage': {
    properties: ['ApiId', 'StageName', 'AutoDeploy', 'DefaultRouteSettings', 'RouteSettings'],
    async create(properties, site) {
      await site.call('apigateway', 'CreateStage', properties);
      return { id: properties.StageName };
    },
  },

  'AWS::ApiGatewayV2::Integration': {
    properties: ['ApiId', 'IntegrationType', 'IntegrationUri', 'PayloadFormatVersion', 'TimeoutInMillis'],
    async create(properties, site) {
      const { IntegrationId } = await site.call('apigateway', 'CreateIntegration', properties);
      return { id: IntegrationId };
    },
  },

  'AWS::ApiGatewayV2::Route': {
    properties: ['ApiId', 'RouteKey', 'Target', 'AuthorizationType'],
    async create(properties, site) {
      const { RouteId } = await site.call('apigateway', 'CreateRoute', properties);
      return { id: RouteId };
    },
  },
};

/** CloudFormation hands every variable over as text. */
const texts = (variables: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, String(value)]));
