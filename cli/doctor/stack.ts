import {
  DescribeStacksCommand,
  GetTemplateCommand,
  paginateListStackResources,
  type StackResourceSummary,
} from '@aws-sdk/client-cloudformation';
import { CommandFailed } from '../failure.ts';
import { type Aws, NotAllowed } from './aws.ts';
import { createExpected } from './expected.ts';
import { NotChecked } from './link.ts';

/** What the template says of a resource, and what CloudFormation called it. */
export interface Resource {
  logicalId: string;
  type: string;
  /** Its name, ARN or id, as `Ref` gives it. Absent where it was never made. */
  physicalId?: string;
  properties: Record<string, unknown>;
}

/** A stack as it was deployed: all that a doctor knows of how things should be. */
export interface Stack {
  name: string;
  status: string;
  region: string;
  accountId: string;
  partition: string;
  outputs: Record<string, string>;
  resources: Resource[];
  ofType(type: string): Resource[];
  /** A value of the template with its intrinsic functions filled in. Rejects with NotChecked where one cannot be. */
  expected(value: unknown): Promise<unknown>;
}

interface Template {
  Resources: Record<string, { Type: string; Properties?: Record<string, unknown> }>;
  Outputs?: Record<string, { Value: unknown }>;
}

/** Reads the stack from CloudFormation. Throws CommandFailed, in one line, where that cannot be: nothing could be compared then. */
export async function readStack(aws: Aws, name: string): Promise<Stack> {
  try {
    const [{ Stacks = [] }, template, summaries] = await Promise.all([
      aws.cloudFormation.send(new DescribeStacksCommand({ StackName: name })),
      readTemplate(aws, name),
      readResources(aws, name),
    ]);
    const [described] = Stacks;
    // arn:<partition>:cloudformation:<region>:<account>:stack/…
    const [, partition = 'aws', , region = '', accountId = ''] = (described?.StackId ?? '').split(':');
    const physicalIds = new Map(
      summaries.map(({ LogicalResourceId = '', PhysicalResourceId }) => [LogicalResourceId, PhysicalResourceId]),
    );
    const resources = Object.entries(template.Resources).map(([logicalId, { Type, Properties = {} }]) => {
      const physicalId = physicalIds.get(logicalId);
      return { logicalId, type: Type, properties: Properties, ...(physicalId !== undefined && { physicalId }) };
    });
    const outputs = Object.fromEntries(
      (described?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
    );
    const account = { partition, region, accountId, stackName: name, stackId: described?.StackId ?? '' };
    return {
      name,
      status: described?.StackStatus ?? 'unknown',
      ...account,
      outputs,
      resources,
      ofType: (type) => resources.filter((resource) => resource.type === type),
      expected: createExpected({ account, resources, outputs, outputValues: valuesOf(template), aws }),
    };
  } catch (error) {
    throw refusal(error, name);
  }
}

async function readTemplate(aws: Aws, StackName: string): Promise<Template> {
  const { TemplateBody = '' } = await aws.cloudFormation.send(new GetTemplateCommand({ StackName }));
  try {
    return JSON.parse(TemplateBody);
  } catch {
    throw new CommandFailed(`the template of ${StackName} is not JSON: was this stack deployed by serverless?`);
  }
}

async function readResources(aws: Aws, StackName: string): Promise<StackResourceSummary[]> {
  const found: StackResourceSummary[] = [];
  for await (const page of paginateListStackResources({ client: aws.cloudFormation }, { StackName })) {
    found.push(...(page.StackResourceSummaries ?? []));
  }
  return found;
}

const valuesOf = ({ Outputs = {} }: Template) =>
  new Map(Object.entries(Outputs).map(([name, { Value }]) => [name, Value]));

function refusal(error: unknown, name: string): unknown {
  if (!(error instanceof NotChecked)) return error;
  const cause = error.cause as Error | undefined;
  if (cause?.name === 'ValidationError')
    return new CommandFailed(`${cause.message}: is it deployed in this region and account?`);
  const hint = error instanceof NotAllowed ? ` (the managed policy ${name}-doctor has all that is needed)` : '';
  return new CommandFailed(`the stack ${name} cannot be read: ${error.message}${hint}`);
}
