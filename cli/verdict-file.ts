import { closeSync, createReadStream, existsSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CommandFailed } from './failure.ts';
import type { RowProblem } from './manifest-row.ts';

export type Outcome = 'created' | 'updated' | 'unchanged' | 'rejected';

/** What became of a row. The file holds them in the order of the rows, so it always is a beginning of the import. */
export interface Verdict {
  row: number;
  line: number;
  serialNumber: string;
  outcome: Outcome;
  problem?: RowProblem;
  digest: string;
}

export interface VerdictFile {
  /** Verdicts of the run before that was not finished, in their order. */
  earlier: AsyncIterator<Verdict>;
  resumed: boolean;
  write(verdicts: Verdict[]): void;
  /** The last line: from here on the next import begins anew. */
  finish(summary: object): void;
  close(): void;
}

interface Head {
  manifest: string;
  api: string;
  dryRun: boolean;
}

/** Opens the verdicts of an import: goes on with an unfinished file, replaces a finished one. */
export async function openVerdicts(path: string, head: Head, restart: boolean): Promise<VerdictFile> {
  const { state, whole } = restart || !existsSync(path) ? { state: 'finished', whole: 0 } : await stateOf(path, head);
  const resumed = state === 'unfinished';
  const handle = openSync(path, resumed ? 'r+' : 'w', 0o644);
  // A line that was cut off by a kill was never a verdict.
  if (resumed) ftruncateSync(handle, whole);
  let position = resumed ? whole : 0;
  const append = (text: string) => {
    position += writeSync(handle, text, position);
  };
  if (!resumed) append(`${JSON.stringify({ ...head, startedAt: new Date().toISOString() })}\n`);

  return {
    resumed,
    earlier: resumed ? verdictsIn(path, whole) : nothing(),
    write: (verdicts) => append(verdicts.map((verdict) => `${JSON.stringify(verdict)}\n`).join('')),
    finish: (summary) => append(`${JSON.stringify({ finishedAt: new Date().toISOString(), ...summary })}\n`),
    close: () => closeSync(handle),
  };
}

async function stateOf(path: string, head: Head): Promise<{ state: 'finished' | 'unfinished'; whole: number }> {
  let first: string | undefined;
  let last: string | undefined;
  let whole = 0;
  for await (const { text, end } of linesOf(path)) {
    if (first === undefined) first = text;
    else last = text;
    whole = end;
  }
  if (first === undefined) return { state: 'finished', whole: 0 };
  const foreign = (why: string) =>
    new CommandFailed(`${path} ${why}; give another --verdicts, or --restart to write over it`);
  const begun = parsed(first);
  if (!begun || !('manifest' in begun)) throw foreign('is not a verdict file');
  if (last === undefined || 'finishedAt' in (parsed(last) ?? {})) return { state: 'finished', whole };
  for (const name of ['manifest', 'api', 'dryRun'] as const) {
    if (begun[name] !== head[name]) throw foreign(`belongs to an unfinished import with ${name} ${begun[name]}`);
  }
  return { state: 'unfinished', whole };
}

async function* verdictsIn(path: string, whole: number): AsyncGenerator<Verdict> {
  let head = true;
  for await (const line of createInterface({
    input: createReadStream(path, { end: whole - 1 }),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    if (!head) yield JSON.parse(line);
    head = false;
  }
}

async function* nothing(): AsyncGenerator<Verdict> {}

/** Whole lines, each with the byte behind it. */
async function* linesOf(path: string): AsyncGenerator<{ text: string; end: number }> {
  let rest: Buffer = Buffer.alloc(0);
  let end = 0;
  for await (const chunk of createReadStream(path)) {
    rest = Buffer.concat([rest, chunk]);
    let from = 0;
    for (let at = rest.indexOf(10); at !== -1; at = rest.indexOf(10, from)) {
      end += at + 1 - from;
      yield { text: rest.toString('utf8', from, at), end };
      from = at + 1;
    }
    rest = rest.subarray(from);
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return Object(JSON.parse(text));
  } catch {
    return undefined;
  }
}
