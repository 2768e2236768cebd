import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { type Aws, unlessAbsent } from './aws.ts';
import { NotChecked } from './link.ts';
import type { Resource } from './stack.ts';

interface Known {
  account: { partition: string; region: string; accountId: string; stackName: string; stackId: string };
  resources: Resource[];
  outputs: Record<string, string>;
  /** What the template says that each output is. */
  outputValues: Map<string, unknown>;
  aws: Pick<Aws, 'dynamoDb'>;
}

const VARIABLE = /\$\{(!)?([^}]+)\}/g;

/** A property set to it is as good as not written (Template Reference, "Pseudo parameters"). */
const NO_VALUE = Symbol('AWS::NoValue');

/**
 * Evaluates the template's intrinsic functions over what was deployed. CloudFormation tells names and outputs; an attribute follows from its
 * resource's name, or is learnt from the output that shows it.
 */
export function createExpected({ account, resources, outputs, outputValues, aws }: Known) {
  const { partition, region, accountId, stackName, stackId } = account;
  const byId = new Map(resources.map((resource) => [resource.logicalId, resource]));
  const pseudo: Record<string, unknown> = {
    'AWS::Partition': partition,
    'AWS::Region': region,
    'AWS::AccountId': accountId,
    'AWS::StackName': stackName,
    'AWS::StackId': stackId,
    'AWS::URLSuffix': partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com',
    'AWS::NoValue': NO_VALUE,
  };
  /** `Endpoints.mqtt` → the output that shows it. */
  const shown = new Map(
    [...outputValues].flatMap(([name, value]) => {
      const path = pathOf(value);
      const output = outputs[name];
      return path !== undefined && output !== undefined ? [[path, output] as const] : [];
    }),
  );
  const arn = (service: string, resource: string, where = region) =>
    `arn:${partition}:${service}:${where}:${accountId}:${resource}`;

  function ref(name: string): unknown {
    const value = name in pseudo ? pseudo[name] : byId.get(name)?.physicalId;
    if (value === undefined) throw new NotChecked(`CloudFormation does not say what became of ${name}`);
    return value;
  }

  async function attribute(path: string): Promise<string> {
    const output = shown.get(path);
    if (output !== undefined) return output;
    const [logicalId = '', ...rest] = path.split('.');
    const resource = byId.get(logicalId);
    const name = String(ref(logicalId));
    const make = resource && ATTRIBUTES[`${resource.type} ${rest.join('.')}`];
    if (make) return make(name, resource.properties);
    if (resource?.type === 'AWS::DynamoDB::Table' && rest[0] === 'StreamArn') return streamOf(name);
    throw new NotChecked(`what should be there is not known: ${path}`);
  }

  const ATTRIBUTES: Record<string, (name: string, properties: Record<string, unknown>) => string> = {
    'AWS::IAM::Role Arn': (name, { Path = '/' }) => arn('iam', `role${Path}${name}`, ''),
    'AWS::Lambda::Function Arn': (name) => arn('lambda', `function:${name}`),
    'AWS::DynamoDB::Table Arn': (name) => arn('dynamodb', `table/${name}`),
    'AWS::IoT::RoleAlias RoleAliasArn': (name) => arn('iot', `rolealias/${name}`),
    'AWS::IoT::Policy Arn': (name) => arn('iot', `policy/${name}`),
    'AWS::Events::EventBus Arn': (name) => arn('events', `event-bus/${name}`),
    'AWS::Events::EventBus Name': (name) => name,
    'AWS::Events::Rule Arn': (name) => arn('events', `rule/${name.split('|').at(-1)}`),
    // `Ref` of a queue is its URL.
    'AWS::SQS::Queue Arn': (url) => arn('sqs', url.slice(url.lastIndexOf('/') + 1)),
    'AWS::SQS::Queue QueueName': (url) => url.slice(url.lastIndexOf('/') + 1),
  };

  const streams = new Map<string, Promise<string>>();
  function streamOf(TableName: string): Promise<string> {
    const known = streams.get(TableName) ?? asked();
    streams.set(TableName, known);
    return known;

    async function asked(): Promise<string> {
      const answer = await unlessAbsent(aws.dynamoDb.send(new DescribeTableCommand({ TableName })));
      // A stream that is switched off keeps its name for a day.
      if (answer?.Table?.LatestStreamArn) return answer.Table.LatestStreamArn;
      throw new NotChecked(`the table ${TableName} has no stream`);
    }
  }

  async function sub(argument: unknown): Promise<string> {
    const [text, variables] = (typeof argument === 'string' ? [argument, {}] : argument) as [
      string,
      Record<string, unknown>,
    ];
    const names = [...text.matchAll(VARIABLE)].filter(([, literal]) => literal === undefined);
    const values = new Map<string, string>();
    for (const [, , name = ''] of names) values.set(name, await variable(name));
    return text.replace(VARIABLE, (_, literal: string | undefined, name: string) =>
      literal ? `\${${name}}` : (values.get(name) ?? ''),
    );

    async function variable(name: string): Promise<string> {
      if (name in variables) return String(await value(variables[name]));
      return String(name.includes('.') && !name.startsWith('AWS::') ? await attribute(name) : ref(name));
    }
  }

  async function value(given: unknown): Promise<unknown> {
    if (Array.isArray(given)) return (await Promise.all(given.map(value))).filter((item) => item !== NO_VALUE);
    if (typeof given !== 'object' || given === null) return given;
    const [[name, argument] = ['', undefined], ...others] = Object.entries(given);
    if (others.length === 0) {
      if (name === 'Ref') return ref(String(argument));
      if (name === 'Fn::GetAtt') return attribute([argument].flat().join('.'));
      if (name === 'Fn::Sub') return sub(argument);
      if (name === 'Fn::Join') {
        const [separator, parts] = (await value(argument)) as [string, unknown[]];
        return parts.join(separator);
      }
      if (name.startsWith('Fn::')) throw new NotChecked(`what should be there is not known: ${name}`);
    }
    const entries = await Promise.all(Object.entries(given).map(async ([key, item]) => [key, await value(item)]));
    return Object.fromEntries(entries.filter(([, item]) => item !== NO_VALUE));
  }

  return value;
}

/** `Endpoints.mqtt` of `{"Fn::GetAtt": ["Endpoints", "mqtt"]}`. */
function pathOf(value: unknown): string | undefined {
  const argument = (value as { 'Fn::GetAtt'?: string | string[] } | null)?.['Fn::GetAtt'];
  return argument === undefined ? undefined : [argument].flat().join('.');
}
