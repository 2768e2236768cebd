import { camelCase, number, policyText, present } from './properties.ts';
import type { ResourceType } from './resource-type.ts';

export const iot: Record<string, ResourceType> = {
  'AWS::IoT::Policy': {
    properties: ['PolicyName', 'PolicyDocument'],
    async create({ PolicyName, PolicyDocument }, site) {
      const policyName = PolicyName ?? site.generatedName(128);
      const { policyArn } = await site.call('iot', 'CreatePolicy', {
        policyName,
        policyDocument: policyText(PolicyDocument),
      });
      return { id: policyName, attributes: { Arn: policyArn, Id: policyName } };
    },
  },

  'AWS::IoT::RoleAlias': {
    properties: ['RoleAlias', 'RoleArn', 'CredentialDurationSeconds'],
    async create({ RoleAlias, RoleArn, CredentialDurationSeconds }, site) {
      const roleAlias = RoleAlias ?? site.generatedName(128);
      const { roleAliasArn } = await site.call(
        'iot',
        'CreateRoleAlias',
        present({ roleAlias, roleArn: RoleArn, credentialDurationSeconds: number(CredentialDurationSeconds) }),
      );
      return { id: roleAlias, attributes: { RoleAliasArn: roleAliasArn } };
    },
  },

  'AWS::IoT::ThingType': {
    properties: ['ThingTypeName', 'ThingTypeProperties'],
    async create({ ThingTypeName, ThingTypeProperties }, site) {
      const thingTypeName = ThingTypeName ?? site.generatedName(128);
      const { thingTypeArn, thingTypeId } = await site.call(
        'iot',
        'CreateThingType',
        present({ thingTypeName, thingTypeProperties: camelCase(ThingTypeProperties) }),
      );
      return { id: thingTypeName, attributes: { Arn: thingTypeArn, Id: thingTypeId } };
    },
  },

  'AWS::IoT::ProvisioningTemplate': {
    properties: [
      'TemplateName',
      'Description',
      'Enabled',
      'ProvisioningRoleArn',
      'PreProvisioningHook',
      'TemplateBody',
      'TemplateType',
    ],
    async create(properties, site) {
      const templateName = properties.TemplateName ?? site.generatedName(36);
      const { templateArn } = await site.call(
        'iot',
        'CreateProvisioningTemplate',
        present({
          templateName,
          description: properties.Description,
          enabled: properties.Enabled,
          provisioningRoleArn: properties.ProvisioningRoleArn,
          preProvisioningHook: camelCase(properties.PreProvisioningHook),
          templateBody: properties.TemplateBody,
          type: properties.TemplateType,
        }),
      );
      return { id: templateName, attributes: { TemplateArn: templateArn } };
    },
  },

  'AWS::IoT::TopicRule': {
    properties: ['RuleName', 'TopicRulePayload'],
    async create({ RuleName, TopicRulePayload }, site) {
      // Rule names hold no hyphen (API Reference, CreateTopicRule).
      const ruleName = RuleName ?? site.generatedName(128).replaceAll('-', '_');
      await site.call('iot', 'CreateTopicRule', { ruleName, topicRulePayload: camelCase(TopicRulePayload) });
      const { ruleArn } = await site.call('iot', 'GetTopicRule', { ruleName });
      return { id: ruleName, attributes: { Arn: ruleArn } };
    },
  },
};
