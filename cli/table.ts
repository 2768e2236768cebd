import Table from 'cli-table3';

const PLAIN = { head: [], border: [] };

/** Rows under their headings. */
export function table(head: string[], rows: (string | number)[][]): string {
  const drawn = new Table({ head, style: PLAIN });
  drawn.push(...rows);
  return drawn.toString();
}

/** Names and values, one a line. */
export function facts(rows: [string, string | number | undefined][]): string {
  const said = rows.filter((row): row is [string, string | number] => row[1] !== undefined && row[1] !== '');
  const width = Math.max(...said.map(([name]) => name.length));
  return said.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

export const printJson = (value: unknown): void => console.log(JSON.stringify(value, null, 2));

export const count = (value: number): string => value.toLocaleString('en-US');

/** 2026-11-24 06:20, in UTC; empty where there is none. */
export const minute = (at: string | undefined): string => at?.slice(0, 16).replace('T', ' ') ?? '';

export const second = (at: string): string => at.slice(0, 19).replace('T', ' ');
