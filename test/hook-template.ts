import { randomUUID } from 'node:crypto';
import { CreateRoleCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { CreateProvisioningTemplateCommand } from '@aws-sdk/client-iot';
import { AddPermissionCommand, CreateFunctionCommand, UpdateFunctionCodeCommand } from '@aws-sdk/client-lambda';
import { strToU8, zipSync } from 'fflate';
import { awsClients } from './aws-clients.ts';
import type { Outputs } from './local-run.ts';

export interface HookTemplate {
  templateName: string;
  functionName: string;
  /** Replaces the hook's code. */
  deploy(source: string): Promise<void>;
}

const PARAMETERS = {
  ThingName: { Type: 'String' },
  Greeting: { Type: 'String', Default: 'none' },
  /** What the hook is asked to do. */
  Do: { Type: 'String', Default: '' },
};

/**
 * A provisioning template of one's own, made as on AWS: a function from a zip, roles, and the template that calls it.
 * `source` is the module of the hook; its `handler` gets AWS's event. Without it the template has no hook.
 */
export async function createHookTemplate(
  outputs: Outputs,
  source: string | undefined,
  { enabled = true, permitted = true } = {},
): Promise<HookTemplate> {
  const { iam, iot, lambda } = awsClients(outputs, outputs.personas.admin);
  const { region, accountId } = outputs;
  const id = randomUUID().slice(0, 8);
  const [templateName, functionName] = [`refusals-${id}`, `refusals-${id}`];
  const templateArn = `arn:aws:iot:${region}:${accountId}:provisioningtemplate/${templateName}`;

  const role = async (name: string, principal: string, actions: string[]) => {
    const RoleName = `refusals-${id}-${name}`;
    const { Role } = await iam.send(
      new CreateRoleCommand({
        RoleName,
        AssumeRolePolicyDocument: document({ Principal: { Service: principal }, Action: 'sts:AssumeRole' }),
      }),
    );
    const PolicyDocument = document({ Action: actions, Resource: '*' });
    await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'all', PolicyDocument }));
    return Role?.Arn ?? '';
  };

  if (source !== undefined) {
    await lambda.send(
      new CreateFunctionCommand({
        FunctionName: functionName,
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Role: await role('hook', 'lambda.amazonaws.com', ['logs:PutLogEvents']),
        Timeout: 30,
        MemorySize: 256,
        Code: { ZipFile: zipOf(source) },
      }),
    );
    if (permitted) {
      await lambda.send(
        new AddPermissionCommand({
          FunctionName: functionName,
          StatementId: 'iot',
          Action: 'lambda:InvokeFunction',
          Principal: 'iot.amazonaws.com',
          SourceArn: templateArn,
          SourceAccount: accountId,
        }),
      );
    }
  }
  await iot.send(
    new CreateProvisioningTemplateCommand({
      templateName,
      enabled,
      provisioningRoleArn: await role('provisioning', 'iot.amazonaws.com', ['iot:*']),
      ...(source !== undefined && {
        preProvisioningHook: {
          payloadVersion: '2020-04-01',
          targetArn: `arn:aws:lambda:${region}:${accountId}:function:${functionName}`,
        },
      }),
      templateBody: JSON.stringify({
        Parameters: { ...PARAMETERS, 'AWS::IoT::Certificate::Id': { Type: 'String' } },
        Resources: {
          thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: 'ThingName' } } },
          certificate: {
            Type: 'AWS::IoT::Certificate',
            Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'ACTIVE' },
          },
        },
        DeviceConfiguration: { greeting: { Ref: 'Greeting' } },
      }),
    }),
  );
  return {
    templateName,
    functionName,
    async deploy(next) {
      await lambda.send(new UpdateFunctionCodeCommand({ FunctionName: functionName, ZipFile: zipOf(next) }));
    },
  };
}

const zipOf = (source: string) => zipSync({ 'index.mjs': strToU8(source) });

const document = (statement: object) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });
