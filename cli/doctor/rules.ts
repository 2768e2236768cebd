import { isDeepStrictEqual } from 'node:util';
import { GetTopicRuleCommand } from '@aws-sdk/client-iot';
import { NotAllowed } from './aws.ts';
import { broken, type Flaw, type Link } from './link.ts';
import type { Patient } from './patient.ts';
import { byAws } from './remedy.ts';

interface Payload {
  Sql: string;
  AwsIotSqlVersion?: string;
  Description?: string;
  RuleDisabled?: boolean | string;
  Actions: { Lambda?: { FunctionArn: string } }[];
}

export const rulesLink: Link<Patient> = {
  name: 'presence rule',
  asks: "Does AWS IoT tell of a camera's first connection? (Presence needs no event configuration.)",
  subjects: ({ stack, aws }) =>
    stack.ofType('AWS::IoT::TopicRule').map(({ physicalId: ruleName = '', properties }) => ({
      subject: ruleName,
      async look() {
        const expected = (await stack.expected(properties.TopicRulePayload)) as Payload;
        const topicRulePayload = {
          sql: expected.Sql,
          awsIotSqlVersion: expected.AwsIotSqlVersion,
          description: expected.Description,
          actions: expected.Actions.map(({ Lambda }) => ({ lambda: { functionArn: Lambda?.FunctionArn } })),
          ruleDisabled: false,
        };
        const rule = await ruleOf(aws, ruleName);
        if (!rule) {
          return broken('there is no such rule', byAws('iot', 'CreateTopicRule', { ruleName, topicRulePayload }));
        }
        const flaws: Flaw[] = [];
        if (rule.ruleDisabled) {
          flaws.push({
            says: 'it is disabled: no camera becomes active by MQTT',
            remedy: byAws('iot', 'EnableTopicRule', { ruleName }),
          });
        }
        const actions = (rule.actions ?? []).map(({ lambda }) => ({ lambda: { functionArn: lambda?.functionArn } }));
        const isChanged =
          rule.sql?.trim() !== expected.Sql.trim() || !isDeepStrictEqual(actions, topicRulePayload.actions);
        if (isChanged) {
          flaws.push({
            says: 'its SQL or its actions are not those that were deployed',
            remedy: byAws('iot', 'ReplaceTopicRule', { ruleName, topicRulePayload }),
          });
        }
        return { flaws };
      },
    })),
};

/** AWS says of a rule that is not there what it says of one that nobody may see; the right itself is refused in other words. */
async function ruleOf(aws: Patient['aws'], ruleName: string) {
  try {
    return (await aws.iot.send(new GetTopicRuleCommand({ ruleName }))).rule;
  } catch (error) {
    const isAbsent = error instanceof NotAllowed && (error.cause as Error).name === 'UnauthorizedException';
    if (isAbsent) return undefined;
    throw error;
  }
}
