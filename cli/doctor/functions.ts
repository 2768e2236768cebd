import { GetFunctionConcurrencyCommand, GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { unlessAbsent } from './aws.ts';
import { broken, type Flaw, type Link } from './link.ts';
import type { Patient } from './patient.ts';
import { byAws, byHand } from './remedy.ts';
import type { Resource, Stack } from './stack.ts';

interface Properties {
  Role: string;
  Timeout?: number;
  Environment?: { Variables?: Record<string, string> };
  ReservedConcurrentExecutions?: number;
}

export const functionsLink: Link<Patient> = {
  name: 'functions',
  asks: "Are the functions of a camera's way there, with their role and settings, and may they run?",
  subjects: ({ stack, aws }) =>
    functionsOnTheWay(stack).map(({ physicalId: FunctionName = '', properties }) => ({
      subject: FunctionName,
      async look() {
        const [expected, fn, concurrency] = await Promise.all([
          stack.expected({ ...properties, Code: undefined }) as Promise<Properties>,
          unlessAbsent(aws.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }))),
          unlessAbsent(aws.lambda.send(new GetFunctionConcurrencyCommand({ FunctionName }))),
        ]);
        if (!fn) {
          const deploy = `npm run deploy -- --stage ${stack.name.replace(/^firstlight-/, '')}`;
          return broken('there is no such function', byHand(`delete the stack, keep its tables, and ${deploy}`));
        }
        const update = (change: object) => byAws('lambda', 'UpdateFunctionConfiguration', { FunctionName, ...change });
        const flaws: Flaw[] = [];
        const reserved = concurrency?.ReservedConcurrentExecutions;
        if (reserved === 0) {
          flaws.push({
            says: 'none of it may run: 0 executions are reserved for it',
            remedy:
              expected.ReservedConcurrentExecutions === undefined
                ? byAws('lambda', 'DeleteFunctionConcurrency', { FunctionName })
                : byAws('lambda', 'PutFunctionConcurrency', {
                    FunctionName,
                    ReservedConcurrentExecutions: Number(expected.ReservedConcurrentExecutions),
                  }),
          });
        }
        if (fn.State !== undefined && !['Active', 'Inactive'].includes(fn.State)) {
          flaws.push({ says: `it is ${fn.State}: ${fn.StateReason ?? 'AWS gives no reason'}` });
        }
        if (fn.Role !== expected.Role) {
          flaws.push({ says: `its role is ${fn.Role}, not ${expected.Role}`, remedy: update({ Role: expected.Role }) });
        }
        if (expected.Timeout !== undefined && fn.Timeout !== Number(expected.Timeout)) {
          flaws.push({
            says: `it has ${fn.Timeout} s, not ${expected.Timeout}`,
            remedy: update({ Timeout: Number(expected.Timeout) }),
          });
        }
        const Variables = texts(expected.Environment?.Variables ?? {});
        const actual = fn.Environment?.Variables ?? {};
        const names = [...new Set([...Object.keys(Variables), ...Object.keys(actual)])];
        const wrong = names.filter((name) => Variables[name] !== actual[name]);
        if (wrong.length > 0) {
          flaws.push({
            says: `not as deployed: its variables ${wrong.join(', ')}`,
            remedy: update({ Environment: { Variables } }),
          });
        }
        return { flaws };
      },
    })),
};

/** CloudFormation hands every variable over as text. */
const texts = (variables: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, String(value)]));

/** Where a resource names the function that AWS calls for it. The API's own routes are no part of a camera's way. */
const CALLERS: Record<string, string[]> = {
  'AWS::IoT::ProvisioningTemplate': ['PreProvisioningHook'],
  'AWS::IoT::TopicRule': ['TopicRulePayload'],
  'AWS::Lambda::EventSourceMapping': ['FunctionName'],
  'AWS::Events::Rule': ['Targets'],
  'AWS::Scheduler::Schedule': ['Target'],
};

/** The functions that hooks, rules, schedules and tables' streams call. */
export function functionsOnTheWay({ resources, ofType }: Pick<Stack, 'resources' | 'ofType'>): Resource[] {
  const called = new Set(
    resources.flatMap(({ type, properties }) => (CALLERS[type] ?? []).flatMap((member) => namesIn(properties[member]))),
  );
  return ofType('AWS::Lambda::Function').filter(({ logicalId }) => called.has(logicalId));
}

/** Every logical id that a value refers to. */
export function namesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { Ref, 'Fn::GetAtt': attribute } = value as { Ref?: string; 'Fn::GetAtt'?: string | string[] };
  if (Ref !== undefined) return [Ref];
  if (attribute !== undefined) return [[attribute].flat()[0]?.split('.')[0] ?? ''];
  return Object.values(value).flatMap(namesIn);
}
