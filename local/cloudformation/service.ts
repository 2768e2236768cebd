import * as sdk from '@aws-sdk/client-cloudformation';
import { AwsError } from '../error.ts';
import { awsQuery } from '../protocol/query.ts';
import type { Service } from '../service.ts';

const TEMPLATE_STAGES = ['Original', 'Processed'];

/** The one stack of this stand-in, as it was booted. */
export interface Stack {
  stackName: string;
  stackId: string;
  createdAt: Date;
  description?: string;
  /** As it was handed in, intrinsics and all. */
  template: object;
  outputs: { name: string; value: string; description?: string }[];
  resources: { logicalId: string; physicalId: string; type: string }[];
}

/** What finds a deployment: its outputs and what it is made of. Undefined while it is being made. */
export function createCloudFormation({
  region,
  accountId,
  stack,
}: {
  region: string;
  accountId: string;
  stack(): Stack | undefined;
}): Service {
  const known = (name: string | undefined): Stack | undefined => {
    const one = stack();
    return one && (name === undefined || name === one.stackName || name === one.stackId) ? one : undefined;
  };
  // CloudFormation API reference, "DescribeStacks": "If the stack doesn't exist, a ValidationError is returned."
  const missing = (name: string) => new AwsError('ValidationError', 400, `Stack with id ${name} does not exist`);

  return {
    name: 'cloudformation',
    protocol: awsQuery({ schemas: sdk, xmlns: 'http://cloudformation.amazonaws.com/doc/2010-05-15/' }),

    operations: {
      DescribeStacks({ StackName }: { StackName?: string }) {
        const one = known(StackName);
        if (!one && StackName !== undefined) throw missing(StackName);
        return { Stacks: one ? [described(one)] : [] };
      },

      ListStackResources({ StackName }: { StackName: string }) {
        const one = known(StackName);
        if (!one) throw missing(StackName);
        return {
          StackResourceSummaries: one.resources.map(({ logicalId, physicalId, type }) => ({
            LogicalResourceId: logicalId,
            PhysicalResourceId: physicalId,
            ResourceType: type,
            LastUpdatedTimestamp: one.createdAt,
            ResourceStatus: 'CREATE_COMPLETE',
          })),
        };
      },

      // API_GetTemplate: "For templates with no transforms, both are the same"; this stand-in knows none.
      GetTemplate({ StackName, TemplateStage = 'Original' }: { StackName?: string; TemplateStage?: string }) {
        if (StackName === undefined) throw new AwsError('ValidationError', 400, 'StackName must be specified.');
        const one = known(StackName);
        if (!one) throw missing(StackName);
        if (!TEMPLATE_STAGES.includes(TemplateStage)) {
          const constraint = `Member must satisfy enum value set: [${TEMPLATE_STAGES.join(', ')}]`;
          const flaw = `Value '${TemplateStage}' at 'templateStage' failed to satisfy constraint: ${constraint}`;
          throw new AwsError('ValidationError', 400, `1 validation error detected: ${flaw}`);
        }
        return { TemplateBody: JSON.stringify(one.template), StagesAvailable: TEMPLATE_STAGES };
      },
    },

    /** Service Authorization Reference, "AWS CloudFormation": each on a stack; without a name DescribeStacks asks for all of them. */
    needs(operation, input) {
      const { StackName } = input as { StackName?: string };
      const named = StackName?.startsWith('arn:')
        ? StackName
        : `arn:aws:cloudformation:${region}:${accountId}:stack/${StackName}/*`;
      const resource = StackName === undefined ? '*' : (known(StackName)?.stackId ?? named);
      return [{ action: `cloudformation:${operation}`, resource }];
    },

    // A reset leaves the stack as it was booted.
    snapshot: () => undefined,
    restore: () => {},
  };
}

const described = ({ stackName, stackId, createdAt, description, outputs }: Stack) => ({
  StackId: stackId,
  StackName: stackName,
  ...(description !== undefined && { Description: description }),
  CreationTime: createdAt,
  StackStatus: 'CREATE_COMPLETE',
  Outputs: outputs.map((output) => ({
    OutputKey: output.name,
    OutputValue: output.value,
    ...(output.description !== undefined && { Description: output.description }),
  })),
});
