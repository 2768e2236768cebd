import { GetPolicyCommand } from '@aws-sdk/client-lambda';
import { unlessAbsent } from './aws.ts';
import type { Flaw, Link } from './link.ts';
import type { Patient } from './patient.ts';
import { differences, parsed, type Statement } from './policy-difference.ts';
import { byAws } from './remedy.ts';
import type { Resource } from './stack.ts';

interface Permission {
  FunctionName: string;
  Action: string;
  Principal: string;
  SourceArn?: string;
  SourceAccount?: string;
}

export const permissionsLink: Link<Patient> = {
  name: 'permissions',
  asks: 'May AWS IoT, the event bus and the API call the functions that answer them, and nobody else?',
  async subjects({ stack, aws }) {
    const permissions = await Promise.all(
      stack.ofType('AWS::Lambda::Permission').map(async (resource) => ({
        resource,
        ...((await stack.expected(resource.properties)) as Permission),
      })),
    );
    const byFunction = Map.groupBy(permissions, ({ FunctionName }) => FunctionName.replace(/^.*:function:/, ''));
    return [...byFunction].map(([FunctionName, expected]) => ({
      subject: FunctionName,
      async look() {
        const answer = await unlessAbsent(aws.lambda.send(new GetPolicyCommand({ FunctionName })));
        const statements = [parsed(answer?.Policy).Statement].flat();
        const flaws: Flaw[] = [];
        const wanted = expected.map((permission) => ({ permission, statement: statementOf(permission) }));
        for (const { permission, statement } of wanted) {
          const isThere = statements.some(
            (one) => differences({ Statement: statement }, { Statement: one }).length === 0,
          );
          if (isThere) continue;
          flaws.push({
            says: `${permission.Principal} may not call it${permission.SourceArn ? ` for ${permission.SourceArn}` : ''}`,
            remedy: byAws('lambda', 'AddPermission', { FunctionName, ...additionOf(permission, statements) }),
          });
        }
        const template = { Statement: wanted.map(({ statement }) => statement) };
        for (const one of statements) {
          const others = { Statement: [...template.Statement, one] };
          const [added] = differences(template, others);
          if (!added) continue;
          flaws.push({
            says: `others may call it: ${added}`,
            remedy: byAws('lambda', 'RemovePermission', { FunctionName, StatementId: one.Sid }),
          });
        }
        return { flaws };
      },
    }));
  },
};

/** A permission as Lambda keeps it. */
const statementOf = ({ FunctionName, Action, Principal, SourceArn, SourceAccount }: Permission): Statement => ({
  Effect: 'Allow',
  Principal: { Service: Principal },
  Action,
  Resource: FunctionName,
  Condition: {
    ...(SourceAccount && { StringEquals: { 'aws:SourceAccount': SourceAccount } }),
    ...(SourceArn && { ArnLike: { 'aws:SourceArn': SourceArn } }),
  },
});

function additionOf(
  { resource, Action, Principal, SourceArn, SourceAccount }: Permission & { resource: Resource },
  known: Statement[],
) {
  const name = resource.physicalId ?? resource.logicalId;
  // One that was changed still holds the name.
  const StatementId = known.some(({ Sid }) => Sid === name) ? `${name}-mended` : name;
  return {
    StatementId,
    Action,
    Principal,
    ...(SourceAccount && { SourceAccount }),
    ...(SourceArn && { SourceArn }),
  };
}
