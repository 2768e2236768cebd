import { DescribeRuleCommand, ListTargetsByRuleCommand } from '@aws-sdk/client-eventbridge';
import { unlessAbsent } from './aws.ts';
import type { Flaw, Link } from './link.ts';
import type { Patient } from './patient.ts';
import { byAws } from './remedy.ts';

interface Properties {
  Description?: string;
  ScheduleExpression?: string;
  Targets?: { Id: string; Arn: string; Input?: string }[];
}

export const schedulesLink: Link<Patient> = {
  name: 'schedules',
  asks: 'Is what was begun and not ended looked at again and again?',
  subjects: ({ stack, aws }) =>
    stack.ofType('AWS::Events::Rule').map(({ physicalId: Name = '', properties }) => ({
      subject: Name,
      async look() {
        const { Description, ScheduleExpression, Targets = [] } = (await stack.expected(properties)) as Properties;
        const rule = await unlessAbsent(aws.eventBridge.send(new DescribeRuleCommand({ Name })));
        const listed = await unlessAbsent(aws.eventBridge.send(new ListTargetsByRuleCommand({ Rule: Name })));
        const flaws: Flaw[] = [];
        if (rule?.State !== 'ENABLED' || rule.ScheduleExpression !== ScheduleExpression) {
          const put = { Name, ScheduleExpression, ...(Description && { Description }), State: 'ENABLED' };
          flaws.push(
            rule?.ScheduleExpression === ScheduleExpression
              ? { says: `it is ${rule?.State}`, remedy: byAws('events', 'EnableRule', { Name }) }
              : {
                  says: rule
                    ? `it runs at ${rule.ScheduleExpression}, not ${ScheduleExpression}`
                    : 'there is no such rule',
                  remedy: byAws('events', 'PutRule', put),
                },
          );
        }
        const called = (listed?.Targets ?? []).map(({ Arn }) => Arn);
        const missing = Targets.filter(({ Arn }) => !called.includes(Arn));
        if (missing.length > 0) {
          flaws.push({
            says: `it does not call ${missing.map(({ Arn }) => Arn).join(', ')}`,
            remedy: byAws('events', 'PutTargets', { Rule: Name, Targets: missing }),
          });
        }
        return { flaws, note: ScheduleExpression };
      },
    })),
};
