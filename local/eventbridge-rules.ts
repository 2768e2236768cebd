import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.ts';
import { AwsError } from './error.ts';
import type { Operation } from './service.ts';

/** Rules that run on a schedule and call Lambda functions (EventBridge guide, "Creating a scheduled rule"). Nothing here matches events. */

interface Target {
  Id: string;
  Arn: string;
  /** Sent in place of the event (API_Target). */
  Input?: string;
}

interface Rule {
  name: string;
  expression: string;
  description?: string;
  isEnabled: boolean;
  /** Epoch ms; it is due a whole number of periods after that. */
  since: number;
  targets: Map<string, Target>;
}

export interface Rules {
  operations: Record<string, Operation>;
  arn(name: string): string;
  snapshot(): unknown;
  restore(snapshot: unknown): void;
}

export interface RulesOptions {
  clock: Clock;
  region: string;
  accountId: string;
  /** Asynchronously; a throw means that it was not taken (no such function, no permission). */
  invokeLambda(functionArn: string, ruleArn: string, payload: unknown): void;
}

const UNIT_MS: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
/** API_PutTargets: "You can have up to five targets per rule." */
const MOST_TARGETS = 5;

const invalid = (message: string) => new AwsError('ValidationException', 400, message);

/** Rate expressions reference: "If the value is equal to 1, then the unit must be singular. If the value is greater than 1, the unit must be plural." */
export function periodOf(expression: string): number {
  if (/^cron\(.*\)$/.test(expression)) throw invalid('The stand-in knows schedules of the form rate(…), not cron(…).');
  const [, value = '', unit = '', plural] = /^rate\(([1-9]\d*) (minute|hour|day)(s?)\)$/.exec(expression) ?? [];
  if (value === '' || (Number(value) === 1) === (plural === 's')) {
    throw invalid('Parameter ScheduleExpression is not valid.');
  }
  return Number(value) * (UNIT_MS[unit] ?? 0);
}

export function createRules({ clock, region, accountId, invokeLambda }: RulesOptions): Rules {
  let rules = new Map<string, Rule>();
  /** By rule: how to call off its next run. */
  const armed = new Map<string, () => void>();

  const arn = (name: string) => `arn:aws:events:${region}:${accountId}:rule/${name}`;

  function find(name: string): Rule {
    const rule = rules.get(name);
    if (rule) return rule;
    throw new AwsError('ResourceNotFoundException', 400, `Rule ${name} does not exist on EventBus default.`);
  }

  function onDefaultBus(bus: string | undefined, what: string): void {
    if (bus === undefined || bus === 'default' || bus.endsWith(':event-bus/default')) return;
    throw invalid(`${what} is supported only on the default event bus.`);
  }

  function arm(rule: Rule): void {
    armed.get(rule.name)?.();
    armed.delete(rule.name);
    if (!rule.isEnabled) return;
    const period = periodOf(rule.expression);
    const passed = Math.floor((clock.now() - rule.since) / period);
    // When the first run is, AWS does not say; here a period after the rule was made or enabled (guess). A clock that was moved past
    // several periods gives one run: what the others would have found is found by this one.
    const wait = rule.since + (passed + 1) * period - clock.now();
    armed.set(
      rule.name,
      clock.after(wait, () => {
        run(rule);
        arm(rule);
      }),
    );
  }

  function run({ name, targets }: Rule): void {
    for (const { Arn, Input } of targets.values()) {
      try {
        invokeLambda(Arn, arn(name), Input === undefined ? scheduledEvent(name) : JSON.parse(Input));
      } catch (error) {
        // EventBridge guide, "How EventBridge retries delivering events": one that is not allowed is not tried again.
        process.stderr.write(`rule ${name}: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
  }

  /** EventBridge guide, "Events from AWS services": the event of a schedule. */
  const scheduledEvent = (name: string) => ({
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: accountId,
    time: new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
    region,
    resources: [arn(name)],
    detail: {},
  });

  const shown = ({ name, expression, description, isEnabled }: Rule) => ({
    Name: name,
    Arn: arn(name),
    ScheduleExpression: expression,
    State: isEnabled ? 'ENABLED' : 'DISABLED',
    ...(description !== undefined && { Description: description }),
    EventBusName: 'default',
  });

  function enable(name: string, isEnabled: boolean): void {
    const rule = find(name);
    if (rule.isEnabled !== isEnabled) rule.since = clock.now();
    rule.isEnabled = isEnabled;
    arm(rule);
  }

  return {
    arn,

    operations: {
      PutRule({ Name, ScheduleExpression, EventPattern, EventBusName, State = 'ENABLED', Description }) {
        if (!/^[.\-_A-Za-z0-9]{1,64}$/.test(Name ?? '')) throw invalid(`Rule name ${Name} is not valid.`);
        if (EventPattern !== undefined) throw invalid('The stand-in knows rules with a schedule, not with a pattern.');
        if (ScheduleExpression === undefined) {
          throw invalid('Parameter(s) EventPattern or ScheduleExpression must be specified.');
        }
        onDefaultBus(EventBusName, 'ScheduleExpression');
        periodOf(ScheduleExpression);
        const rule: Rule = {
          name: Name,
          expression: ScheduleExpression,
          isEnabled: State === 'ENABLED',
          since: clock.now(),
          targets: rules.get(Name)?.targets ?? new Map(),
          ...(Description !== undefined && { description: Description }),
        };
        rules.set(Name, rule);
        arm(rule);
        return { RuleArn: arn(Name) };
      },
      DescribeRule: ({ Name }) => shown(find(Name)),
      ListRules: ({ NamePrefix = '' }) => ({
        Rules: [...rules.values()].filter(({ name }) => name.startsWith(NamePrefix)).map(shown),
      }),
      EnableRule: ({ Name }) => enable(Name, true),
      DisableRule: ({ Name }) => enable(Name, false),
      DeleteRule({ Name }) {
        const rule = rules.get(Name);
        // API_DeleteRule: of one that is not there it answers as of one that was.
        if (!rule) return;
        if (rule.targets.size > 0) throw invalid("Rule can't be deleted since it has targets.");
        armed.get(Name)?.();
        armed.delete(Name);
        rules.delete(Name);
      },

      PutTargets({ Rule: name, Targets }: { Rule: string; Targets: Target[] }) {
        const { targets } = find(name);
        for (const { Id, Arn, Input, ...others } of Targets) {
          const unknown = Object.entries(others).find(([, value]) => value !== undefined)?.[0];
          if (unknown !== undefined) throw invalid(`The stand-in does not know ${unknown} of a target.`);
          if (!/^arn:aws:lambda:[^:]+:\d{12}:function:/.test(Arn)) {
            throw invalid(`The stand-in knows one kind of target, a Lambda function, not ${Arn}.`);
          }
          if (!targets.has(Id) && targets.size === MOST_TARGETS) {
            throw new AwsError(
              'LimitExceededException',
              400,
              'The requested resource exceeds the maximum number allowed.',
            );
          }
          if (Input !== undefined) checkJson(Input);
          targets.set(Id, { Id, Arn, ...(Input !== undefined && { Input }) });
        }
        return { FailedEntryCount: 0, FailedEntries: [] };
      },
      ListTargetsByRule: ({ Rule: name }) => ({ Targets: [...find(name).targets.values()] }),
      RemoveTargets({ Rule: name, Ids }: { Rule: string; Ids: string[] }) {
        for (const Id of Ids) find(name).targets.delete(Id);
        return { FailedEntryCount: 0, FailedEntries: [] };
      },
    },

    snapshot: () => structuredClone(rules),
    restore(snapshot) {
      for (const callOff of armed.values()) callOff();
      armed.clear();
      rules = structuredClone(snapshot as Map<string, Rule>);
      for (const rule of rules.values()) arm(rule);
    },
  };
}

/** API_Target: "Valid JSON text passed to the target." */
function checkJson(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw invalid('JSON syntax error in input for target.');
  }
}
