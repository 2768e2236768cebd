import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Registry, TopicRule } from './registry.ts';
import { parseSql, type Rule, type Value } from './sql.ts';
import { evaluateSql } from './sql-evaluation.ts';
import { topicMatches } from './topics.ts';

interface Options {
  registry: Registry;
  clock: Clock;
  /** Asynchronously, as AWS IoT does; a throw means that it was not taken (no such function, no permission). */
  invokeLambda(functionArn: string, ruleArn: string, payload: unknown): void | Promise<void>;
}

/** The rules engine (IoT guide, "Rules for AWS IoT"): every message, each enabled rule, its actions. */
export function createRuleEngine({ registry, clock, invokeLambda }: Options) {
  const parsed = new Map<string, Rule>();
  const parse = (sql: string): Rule => {
    const rule = parsed.get(sql) ?? parseSql(sql);
    parsed.set(sql, rule);
    return rule;
  };

  const act = async (action: TopicRule['actions'][number], { ruleArn }: TopicRule, payload: unknown) => {
    const functionArn = action.lambda?.functionArn;
    if (typeof functionArn !== 'string') throw new Error(`Rule action ${Object.keys(action)[0]} is not here.`);
    await invokeLambda(functionArn, ruleArn, payload);
  };

  const perform = async (rule: TopicRule, selected: unknown, topic: string, payload: Buffer, clientId = 'N/A') => {
    const failures: { failedAction: string; failedResource: string; errorMessage: string }[] = [];
    for (const action of rule.actions) {
      try {
        await act(action, rule, selected);
      } catch (error) {
        const [failedAction = '', settings = {}] = Object.entries(action)[0] ?? [];
        const errorMessage = error instanceof Error ? error.message : String(error);
        const failedResource = String(Object.values(settings)[0] ?? '');
        failures.push({
          failedAction: `${failedAction.charAt(0).toUpperCase()}${failedAction.slice(1)}Action`,
          failedResource,
          errorMessage,
        });
        process.stderr.write(`rule ${rule.ruleName}: ${errorMessage}\n`);
      }
    }
    if (failures.length === 0 || !rule.errorAction) return;
    // IoT guide, "Error handling (error action)": the message's format.
    await act(rule.errorAction, rule, {
      ruleName: rule.ruleName,
      topic,
      cloudwatchTraceId: randomUUID(),
      clientId,
      base64OriginalPayload: payload.toString('base64'),
      failures,
    });
  };

  return (topic: string, payload: Buffer, clientId?: string): void => {
    // IoT guide, "Reducing messaging costs with Basic Ingest": straight to one rule, which sees the topic without the prefix.
    const [, ingested, rest = ''] = /^\$aws\/rules\/([^/]+)\/?(.*)$/s.exec(topic) ?? [];
    const seen = ingested === undefined ? topic : rest;
    for (const rule of registry.rules.values()) {
      if (rule.ruleDisabled || (ingested !== undefined && ingested !== rule.ruleName)) continue;
      try {
        const sql = parse(rule.sql);
        if (ingested === undefined && (sql.from === undefined || !topicMatches(sql.from, topic))) continue;
        const message = read(payload);
        if (message === undefined) continue;
        const occasion = {
          topic: seen,
          payload: message,
          now: clock.now(),
          ...(clientId !== undefined && { clientId }),
        };
        const selected = evaluateSql(sql, occasion);
        if (selected === undefined) continue;
        perform(rule, selected, seen, payload, clientId).catch((error) => {
          process.stderr.write(`rule ${rule.ruleName}: ${error instanceof Error ? error.message : String(error)}\n`);
        });
      } catch (error) {
        process.stderr.write(`rule ${rule.ruleName}: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
  };
}

/** Undefined when it is no JSON: then there is nothing to select from ("Working with binary payloads" needs functions that are not here). */
function read(payload: Buffer): Value {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}
