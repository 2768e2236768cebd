import type { Command } from 'commander';
import { type ApiFlags, ask, connect, withApi } from './connect.ts';
import { orOneLine } from './failure.ts';
import { count, facts, printJson, table } from './table.ts';

interface Stats {
  status: Record<string, number>;
  batch: Record<string, number>;
  model: Record<string, number>;
}

export function register(program: Command): void {
  withApi(program.command('stats'), 'operator')
    .description('Count the cameras by status, by batch and by model.')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
The counts follow a change by a moment. They cost the same however many cameras there are.

Examples:
  firstlight stats
  firstlight stats --json | jq '.status.active'`,
    )
    .action((flags: ApiFlags & { json?: true }) => orOneLine(() => stats(flags)));
}

async function stats({ json, ...flags }: ApiFlags & { json?: true }): Promise<void> {
  const { api } = await connect(flags, 'operator');
  const answer = await ask<Stats>(() => api.get('/stats'));
  if (json) return printJson(answer);
  console.log(facts(Object.entries(answer.status).map(([name, devices]) => [name, count(devices)])));
  for (const kind of ['batch', 'model'] as const) {
    const rows = Object.entries(answer[kind]).sort(([a], [b]) => (a < b ? -1 : 1));
    if (rows.length > 0)
      console.log(
        `\n${table(
          [kind, 'devices'],
          rows.map(([name, devices]) => [name, count(devices)]),
        )}`,
      );
  }
}
