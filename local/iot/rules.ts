import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Operation } from '../service.ts';
import { byToken, pageOf } from './pages.ts';
import { alreadyExists, checkOneOf, checkText, invalid, RULE_NAME } from './refusals.ts';
import type { Registry, TopicRule } from './registry.ts';
import { parseSql } from './sql.ts';
import { topicMatches } from './topics.ts';

/** IoT guide, "SQL versions". */
const SQL_VERSIONS = ['2015-10-08', '2016-03-23', 'beta'] as const;
const MOST_ACTIONS = 10;
/** What the rules engine of the stand-in can do; any other action is refused when the rule is made. */
const ACTIONS = ['lambda'];

interface Payload {
  sql?: string;
  description?: string;
  actions?: TopicRule['actions'];
  ruleDisabled?: boolean;
  awsIotSqlVersion?: string;
  errorAction?: TopicRule['actions'][number];
}

export function ruleOperations({ registry, clock }: { registry: Registry; clock: Clock }): Record<string, Operation> {
  return {
    CreateTopicRule({ ruleName, topicRulePayload }) {
      checkText(ruleName, 'ruleName', RULE_NAME);
      const content = checkPayload(topicRulePayload);
      const ruleArn = registry.arn(`rule/${ruleName}`);
      if (registry.rules.has(ruleName)) {
        throw alreadyExists(`Rule with the name ${ruleName} already exists`, ruleName, ruleArn);
      }
      registry.rules.set(ruleName, { ruleName, ruleArn, ...content, createdAt: clock.now() });
      return {};
    },

    ReplaceTopicRule({ ruleName, topicRulePayload }) {
      const { ruleArn, createdAt } = existingRule(registry, ruleName);
      registry.rules.set(ruleName, { ruleName, ruleArn, ...checkPayload(topicRulePayload), createdAt });
      return {};
    },

    GetTopicRule({ ruleName }) {
      const { ruleArn, createdAt, ...rule } = existingRule(registry, ruleName);
      return { ruleArn, rule: { ...rule, createdAt: new Date(createdAt) } };
    },

    ListTopicRules(input) {
      const { topic, ruleDisabled } = input;
      const rules = [...registry.rules.values()].filter((rule) => {
        if (ruleDisabled !== undefined && rule.ruleDisabled !== ruleDisabled) return false;
        return topic === undefined || topicMatches(parseSql(rule.sql).from ?? '', topic);
      });
      const { items, next } = pageOf(rules, (rule) => rule.ruleName, byToken(input));
      const shown = items.map((rule) => ({
        ruleArn: rule.ruleArn,
        ruleName: rule.ruleName,
        topicPattern: parseSql(rule.sql).from,
        createdAt: new Date(rule.createdAt),
        ruleDisabled: rule.ruleDisabled,
      }));
      return { rules: shown, nextToken: next };
    },

    DeleteTopicRule({ ruleName }) {
      existingRule(registry, ruleName);
      registry.rules.delete(ruleName);
      return {};
    },

    EnableTopicRule({ ruleName }) {
      existingRule(registry, ruleName).ruleDisabled = false;
      return {};
    },

    DisableTopicRule({ ruleName }) {
      existingRule(registry, ruleName).ruleDisabled = true;
      return {};
    },
  };
}

/** GetTopicRule and its like model no ResourceNotFoundException: AWS does not say whether there is such a rule. */
function existingRule(registry: Registry, ruleName: unknown): TopicRule {
  const rule = registry.rules.get(checkText(ruleName, 'ruleName', RULE_NAME));
  if (!rule) throw new AwsError('UnauthorizedException', 401, `Access to topic rule '${ruleName}' was denied`);
  return rule;
}

function checkPayload(payload: Payload | undefined): Omit<TopicRule, 'ruleName' | 'ruleArn' | 'createdAt'> {
  if (!payload) throw invalid('topicRulePayload is required');
  const { sql, description, actions, ruleDisabled = false, awsIotSqlVersion = '2015-10-08', errorAction } = payload;
  const text = checkText(sql, 'sql');
  try {
    parseSql(text);
  } catch (error) {
    throw new AwsError('SqlParseException', 400, (error as Error).message);
  }
  if (!Array.isArray(actions) || actions.length > MOST_ACTIONS) {
    throw invalid(`actions must be a list of at most ${MOST_ACTIONS}`);
  }
  for (const action of errorAction ? [...actions, errorAction] : actions) checkAction(action);
  return {
    sql: text,
    awsIotSqlVersion: checkOneOf(awsIotSqlVersion, 'awsIotSqlVersion', SQL_VERSIONS),
    ...(description !== undefined && { description }),
    actions,
    ...(errorAction && { errorAction }),
    ruleDisabled,
  };
}

function checkAction(action: TopicRule['actions'][number]): void {
  const kinds = Object.keys(action).filter((kind) => action[kind] !== undefined);
  const [kind = ''] = kinds;
  if (kinds.length !== 1) throw invalid('An action must have exactly one kind');
  if (!ACTIONS.includes(kind)) throw invalid(`The stand-in does not imitate the rule action ${kind}.`);
  checkText(action[kind]?.functionArn, 'functionArn', { pattern: /^arn:aws[a-zA-Z-]*:lambda:.+$/ });
}
