import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Identity } from '../iam/identities.ts';
import type { Service } from '../service.ts';
import type { CustomResources } from './custom.ts';
import { referencesOf, resolve, type Scope } from './intrinsics.ts';
import type { Created, Properties, Site } from './resource-type.ts';
import { RESOURCE_TYPES } from './resources.ts';

interface TemplateResource {
  Type: string;
  Properties?: Properties;
  DependsOn?: string | string[];
}

/** What `serverless package` compiles. */
export interface Template {
  Description?: string;
  Resources: Record<string, TemplateResource>;
  Outputs?: Record<string, { Value: unknown; Description?: string }>;
}

/** Sections that change what is made; a template that uses one of them is not understood. Metadata and Description change nothing. */
const UNKNOWN_SECTIONS = ['Parameters', 'Conditions', 'Mappings', 'Transform', 'Rules'];
/** Resource attributes; the deletion policies matter only to stacks that are deleted. */
const RESOURCE_KEYS = ['Type', 'Properties', 'DependsOn', 'Metadata', 'DeletionPolicy', 'UpdateReplacePolicy'];

export interface BootOptions {
  template: Template;
  /** Where `serverless package` left the function zips. */
  assets: string;
  stackName: string;
  region: string;
  accountId: string;
  /** By SigV4 name, and `apigateway`: whatever makes the resources of the template. */
  services: Record<string, Pick<Service, 'operations'>>;
  customResources: CustomResources;
  /** Whoever deploys: CloudFormation acts with the rights of its caller. */
  caller: Identity;
  /** Calls a function as CloudFormation does, with the deployer's rights. */
  invoke(functionArn: string, event: unknown): Promise<{ payload: unknown; functionError?: string }>;
}

/** Makes every resource of a compiled template in the order of its dependencies. Throws Error, in words, at the first it does not understand. */
export async function bootStack(
  options: BootOptions,
): Promise<{ stackId: string; outputs: Record<string, string>; physicalIds: Record<string, string> }> {
  const { template, stackName, region, accountId } = options;
  for (const section of UNKNOWN_SECTIONS) {
    if (section in template) throw new Error(`The stand-in does not know the template section ${section}.`);
  }
  const stackId = `arn:aws:cloudformation:${region}:${accountId}:stack/${stackName}/${randomUUID()}`;
  const scope: Scope = {
    physicalIds: new Map(),
    attributes: new Map(),
    pseudo: {
      'AWS::Region': region,
      'AWS::AccountId': accountId,
      'AWS::Partition': 'aws',
      'AWS::URLSuffix': 'amazonaws.com',
      'AWS::StackName': stackName,
      'AWS::StackId': stackId,
    },
  };
  for (const logicalId of creationOrder(template.Resources)) {
    const resource = template.Resources[logicalId] as TemplateResource;
    try {
      const { id, attributes = {} } = await make(logicalId, resource, scope, stackId, options);
      scope.physicalIds.set(logicalId, id);
      scope.attributes.set(logicalId, attributes);
    } catch (error) {
      throw new Error(`${logicalId} (${resource.Type}): ${(error as Error).message}`, { cause: error });
    }
  }
  const outputs = Object.entries(template.Outputs ?? {}).map(([name, { Value }]) => [name, resolve(Value, scope)]);
  return { stackId, outputs: Object.fromEntries(outputs), physicalIds: Object.fromEntries(scope.physicalIds) };
}

async function make(
  logicalId: string,
  resource: TemplateResource,
  scope: Scope,
  stackId: string,
  { stackName, region, accountId, services, assets, customResources, caller, invoke }: BootOptions,
): Promise<Created> {
  const unknownKey = Object.keys(resource).find((key) => !RESOURCE_KEYS.includes(key));
  if (unknownKey) throw new Error(`the stand-in does not know the resource attribute ${unknownKey}`);
  const properties = resolve(resource.Properties ?? {}, scope) as Properties;
  if (resource.Type.startsWith('Custom::') || resource.Type === 'AWS::CloudFormation::CustomResource') {
    return customResources.create({ type: resource.Type, logicalId, stackId, properties, invoke });
  }
  const type = RESOURCE_TYPES[resource.Type];
  if (!type) throw new Error('the stand-in does not know this resource type');
  const unknown = Object.keys(properties).find((name) => !type.properties.includes(name));
  if (unknown) throw new Error(`the stand-in does not know the property ${unknown}`);

  const site: Site = {
    logicalId,
    region,
    accountId,
    stackId,
    generatedName(longest) {
      // Stable, so that two boots of one template give the same names.
      const suffix = createHash('sha256').update(`${stackName}/${logicalId}`).digest('hex').slice(0, 12).toUpperCase();
      return `${`${stackName}-${logicalId}`.slice(0, longest - 13)}-${suffix}`;
    },
    async call(service, operation, input) {
      const operate = services[service]?.operations[operation];
      if (!operate) throw new Error(`the stand-in has no ${service}:${operation}`);
      return operate(input, { service, operation, requestId: randomUUID(), caller });
    },
    asset: (key) => readFile(join(assets, basename(key))),
  };
  return type.create(properties, site);
}

/** Each resource after all that it refers to or depends on. */
function creationOrder(resources: Record<string, TemplateResource>): string[] {
  const order: string[] = [];
  const done = new Set<string>();
  const visit = (logicalId: string, path: string[]): void => {
    if (done.has(logicalId)) return;
    const resource = resources[logicalId];
    if (!resource)
      throw new Error(`Unresolved resource dependency [${logicalId}] in ${path.at(-1) ?? 'the template'}.`);
    if (path.includes(logicalId)) {
      throw new Error(`Circular dependency between resources: [${path.slice(path.indexOf(logicalId)).join(', ')}]`);
    }
    const declared = typeof resource.DependsOn === 'string' ? [resource.DependsOn] : (resource.DependsOn ?? []);
    for (const needed of [...declared, ...referencesOf(resource.Properties)]) visit(needed, [...path, logicalId]);
    done.add(logicalId);
    order.push(logicalId);
  };
  for (const logicalId of Object.keys(resources)) visit(logicalId, []);
  return order;
}
