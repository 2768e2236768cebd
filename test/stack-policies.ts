import {
  CreatePolicyVersionCommand,
  DeletePolicyVersionCommand,
  DetachRolePolicyCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  ListAttachedRolePoliciesCommand,
  ListPoliciesCommand,
  ListRolePoliciesCommand,
  ListRolesCommand,
  PutRolePolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import {
  CreatePolicyVersionCommand as CreateIotPolicyVersionCommand,
  DeletePolicyVersionCommand as DeleteIotPolicyVersionCommand,
  GetPolicyCommand as GetIotPolicyCommand,
  ListPoliciesCommand as ListIotPoliciesCommand,
} from '@aws-sdk/client-iot';
import {
  AddPermissionCommand,
  GetPolicyCommand as GetFunctionPolicyCommand,
  ListFunctionsCommand,
  RemovePermissionCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { awsClients } from './aws-clients.ts';
import type { Outputs } from './local-run.ts';
import type { PolicyDocument, Statement } from './policy-cuts.ts';

/** One policy document that the stack made, as it stands, and the way to put another in its place. */
export interface Paper {
  /** Short, and the same in each run: `onPresence role`, `onPresence trust`, `claim policy`, `factory`, `onPresence permission`. */
  name: string;
  document: PolicyDocument;
  write(document: PolicyDocument): Promise<void>;
}

export interface Stack {
  papers: Paper[];
  /** The roles that functions have, by the function's short name. */
  functionRoles: Map<string, string>;
  /** Everything that is called so begins with this. */
  prefix: string;
}

/** Reads every role, policy and permission of the stack over AWS's own APIs, as an administrator. */
export async function readStack(outputs: Outputs): Promise<Stack> {
  const { iam, iot, lambda } = awsClients(outputs, outputs.personas.admin);
  const prefix = outputs.claim.templateName.replace(/claim$/, '');
  const short = (name: string) =>
    name.replace(prefix, '').replace(/-us-east-1-lambdaRole$|^us-east-1-|-[0-9A-F]{12}$/, '');
  const { Functions = [] } = await lambda.send(new ListFunctionsCommand({}));
  const { Roles = [] } = await iam.send(new ListRolesCommand({}));
  const papers: Paper[] = [];

  for (const { RoleName = '', Arn } of Roles) {
    const holder = Functions.find(({ Role }) => Role === Arn)?.FunctionName;
    const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
    for (const PolicyName of PolicyNames) {
      const { PolicyDocument } = await iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
      papers.push({
        name: `${short(RoleName)} role`,
        document: decoded(PolicyDocument),
        async write(document) {
          await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument: JSON.stringify(document) }));
        },
      });
    }
    const { Role } = await iam.send(new GetRoleCommand({ RoleName }));
    papers.push({
      name: `${short(RoleName)} trust`,
      document: decoded(Role?.AssumeRolePolicyDocument),
      async write(document) {
        const PolicyDocument = JSON.stringify(document);
        await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument }));
        // Credentials that are out already stay good, as on AWS: a deployment makes Lambda ask for new ones.
        if (holder) await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: holder }));
      },
    });
  }

  const { Policies = [] } = await iam.send(new ListPoliciesCommand({ Scope: 'Local' }));
  for (const { PolicyName = '', Arn: PolicyArn, DefaultVersionId: VersionId } of Policies) {
    const { PolicyVersion } = await iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId }));
    papers.push({
      name: short(PolicyName),
      document: decoded(PolicyVersion?.Document),
      async write(document) {
        const { Policy } = await iam.send(new GetPolicyCommand({ PolicyArn }));
        const PolicyDocument = JSON.stringify(document);
        await iam.send(new CreatePolicyVersionCommand({ PolicyArn, PolicyDocument, SetAsDefault: true }));
        await iam.send(new DeletePolicyVersionCommand({ PolicyArn, VersionId: Policy?.DefaultVersionId }));
      },
    });
  }

  const { policies = [] } = await iot.send(new ListIotPoliciesCommand({}));
  for (const { policyName = '' } of policies) {
    const { policyDocument } = await iot.send(new GetIotPolicyCommand({ policyName }));
    papers.push({
      name: `${short(policyName)} policy`,
      document: decoded(policyDocument),
      async write(document) {
        const { defaultVersionId: policyVersionId } = await iot.send(new GetIotPolicyCommand({ policyName }));
        const version = { policyName, policyDocument: JSON.stringify(document), setAsDefault: true };
        await iot.send(new CreateIotPolicyVersionCommand(version));
        await iot.send(new DeleteIotPolicyVersionCommand({ policyName, policyVersionId }));
      },
    });
  }

  for (const { FunctionName = '' } of Functions) {
    const read = async () => {
      try {
        const { Policy } = await lambda.send(new GetFunctionPolicyCommand({ FunctionName }));
        return decoded(Policy);
      } catch (error) {
        // Nobody but the account itself may call it.
        if (error instanceof Error && error.name === 'ResourceNotFoundException') return { Statement: [] };
        throw error;
      }
    };
    papers.push({
      name: `${short(FunctionName)} permission`,
      document: await read(),
      async write({ Statement }) {
        for (const { Sid: StatementId } of (await read()).Statement) {
          await lambda.send(new RemovePermissionCommand({ FunctionName, StatementId }));
        }
        for (const statement of Statement) {
          await lambda.send(new AddPermissionCommand({ FunctionName, ...permissionOf(statement) }));
        }
      },
    });
  }
  return {
    papers,
    prefix,
    functionRoles: new Map(
      Functions.map(({ FunctionName = '', Role = '' }) => [short(FunctionName), Role.replace(/^.*\//, '')]),
    ),
  };
}

/** Without what differs from one deployment to the next, stage and API; a policy variable as `{name}`. */
export const plainName = (piece: string, { prefix }: Stack): string =>
  piece
    .replaceAll(prefix, '')
    // A bus is called like the stack itself.
    .replace(/(event-bus\/)[\w-]+$/, '$1')
    // A stream is called by when it was begun.
    .replace(/(\/stream)\/[\d:T.-]+$/, '$1')
    .replaceAll('${', '{')
    .replace(/(execute-api:Invoke on )\w+\/\$default\//, '$1')
    .replace(/( on role\/.*)-[0-9A-F]{12}$/, '$1');

/**
 * AWS's own policies cannot be cut: gives each role that has one an inline copy in its place, with no more than these
 * actions of it.
 */
export async function copyManagedPolicies(outputs: Outputs, actions: string[]): Promise<void> {
  const { iam } = awsClients(outputs, outputs.personas.admin);
  const { Roles = [] } = await iam.send(new ListRolesCommand({}));
  for (const { RoleName } of Roles) {
    const { AttachedPolicies = [] } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
    for (const { PolicyArn, PolicyName } of AttachedPolicies) {
      const { Policy } = await iam.send(new GetPolicyCommand({ PolicyArn }));
      const VersionId = Policy?.DefaultVersionId;
      const { PolicyVersion } = await iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId }));
      const document = decoded(PolicyVersion?.Document);
      const Statement = document.Statement.map((statement) => ({
        ...statement,
        Action: [statement.Action].flat().filter((action) => actions.includes(action)),
      }));
      const PolicyDocument = JSON.stringify({ ...document, Statement });
      await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument }));
      await iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn }));
    }
  }
}

/** IAM percent-encodes the documents it shows. */
function decoded(text = ''): PolicyDocument {
  const document = JSON.parse(text.startsWith('%7B') ? decodeURIComponent(text) : text);
  return { ...document, Statement: [document.Statement].flat() };
}

function permissionOf({ Sid, Action, Principal, Condition = {} }: Statement) {
  const SourceArn = [Condition.ArnLike?.['aws:SourceArn'] ?? []].flat()[0];
  const SourceAccount = [Condition.StringEquals?.['aws:SourceAccount'] ?? []].flat()[0];
  return {
    StatementId: Sid,
    Action: [Action].flat()[0],
    Principal: [Principal?.Service].flat()[0],
    ...(SourceArn !== undefined && { SourceArn }),
    ...(SourceAccount !== undefined && { SourceAccount }),
  };
}
