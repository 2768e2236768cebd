import { hash } from 'node:crypto';
import * as z from 'zod/mini';
import en from 'zod/v4/locales/en.js';
import { announcement } from '../shared/domain/manifest.ts';
import { createSeen } from './seen.ts';

// zod/mini says "Invalid input" to everything until it is given words.
z.config(en());

/** A row as it stands in the file, or why it is none. Lines count from 1, the heading included. */
export type ReadRow = { line: number; value: unknown } | { line: number; serialNumber: string; problem: string };

export interface RowProblem {
  code: string;
  detail: string;
}

export interface CheckedRow {
  /** From 1, the heading not counted. */
  row: number;
  line: number;
  serialNumber: string;
  /** As it is sent. */
  value: unknown;
  /** The API would say the same; a row with a problem is not sent. */
  problem?: RowProblem;
  /** Neither pin nor token: whoever knows the number and holds a claim certificate may be first. */
  unproven: boolean;
}

/** Checks the rows of one manifest in their order: each by the rules of the API, and against those before it. */
export function createRowCheck(): (read: ReadRow) => CheckedRow {
  const serialNumbers = createSeen();
  let keys: ReturnType<typeof createSeen> | undefined;
  let row = 0;

  function duplicate(serialNumber: string, publicKeySha256: string | undefined, line: number): RowProblem | undefined {
    const sameSerial = serialNumbers.before(serialNumber, line);
    if (sameSerial) return { code: 'duplicate-serial', detail: `this serial number is in line ${sameSerial} already` };
    if (!publicKeySha256) return undefined;
    keys ??= createSeen();
    const sameKey = keys.before(publicKeySha256, line);
    return sameKey ? { code: 'duplicate-key', detail: `this key is pinned in line ${sameKey} already` } : undefined;
  }

  return (read) => {
    row++;
    const { line } = read;
    if ('problem' in read) {
      const { serialNumber, problem } = read;
      return bad({ row, line, serialNumber, value: null }, { code: 'invalid-request', detail: problem });
    }
    const { value } = read;
    const parsed = announcement.safeParse(value);
    if (!parsed.success) {
      return bad(
        { row, line, serialNumber: nameOf(value), value },
        { code: 'invalid-request', detail: wordsOf(parsed.error) },
      );
    }
    const { serialNumber, publicKeySha256, claimToken } = parsed.data;
    const checked = { row, line, serialNumber, value };
    const problem = duplicate(serialNumber, publicKeySha256, line);
    return problem ? bad(checked, problem) : { ...checked, unproven: !publicKeySha256 && !claimToken };
  };
}

const bad = (row: Omit<CheckedRow, 'unproven' | 'problem'>, problem: RowProblem): CheckedRow => ({
  ...row,
  problem,
  unproven: false,
});

/** What a row is recognised by when an interrupted import goes on. It tells nothing of a token: those hold 128 random bits. */
export const digestOf = ({ value, problem }: CheckedRow): string =>
  hash('sha256', JSON.stringify([value, problem?.code ?? null])).slice(0, 16);

function nameOf(value: unknown): string {
  const named = value !== null && typeof value === 'object' && 'serialNumber' in value ? value.serialNumber : '';
  return String(named).slice(0, 160);
}

/** Every field that is wrong, by name. */
function wordsOf({ issues }: z.core.$ZodError): string {
  const words = issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => [...issue.path, key, 'is not a known field'].join(' '));
    }
    // zod keeps what it was given to itself, except in words.
    if (issue.message.endsWith('received undefined')) return `${issue.path.join('/')} is missing`;
    return `${issue.path.join('/')} ${issue.message}`.trim();
  });
  return words.join('; ');
}
