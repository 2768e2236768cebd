import type { Api } from './api.ts';
import { type ApiFlags, connect, inWords } from './connect.ts';
import { CommandFailed, exitCodes } from './failure.ts';
import { stopOnSignal } from './interruption.ts';
import { peakMemoryMb } from './manifest-check.ts';
import { type Format, openManifest } from './manifest-file.ts';
import { type CheckedRow, createRowCheck, digestOf, type RowProblem } from './manifest-row.ts';
import { createPace, type Pace } from './pace.ts';
import { createProgress } from './progress.ts';
import { count, facts, printJson } from './table.ts';
import { type Outcome, openVerdicts, type Verdict, type VerdictFile } from './verdict-file.ts';

export interface ImportFlags extends ApiFlags {
  format?: Format;
  dryRun?: true;
  parallel: number;
  verdicts?: string;
  restart?: true;
  patience: number;
  json?: true;
}

/** What the API takes of one request, with room for the envelope. */
const PAGE_ROWS = 100;
const PAGE_BYTES = 950_000;
/** Rows of one page that are not sent because they are bad. */
const PAGE_BAD = 1000;

/** A busy API is mentioned so often and no more. */
const TELL_MS = 5000;

type Counts = Record<Outcome, number> & { rows: number };

/** Announces every row. Verdicts are written in the order of the rows, so a killed import is gone on with where the file ends. */
export async function importManifest(file: string, flags: ImportFlags): Promise<void> {
  const { api, url } = await connect(flags, 'factory');
  const path = flags.verdicts ?? `${file === '-' ? 'manifest' : file}${flags.dryRun ? '.dry-run' : ''}.verdicts.jsonl`;
  const manifest = await openManifest(file, flags.format);
  const verdicts = await openVerdicts(
    path,
    { manifest: file, api: url, dryRun: flags.dryRun ?? false },
    flags.restart ?? false,
  );
  const progress = createProgress();
  const stop = stopOnSignal(() =>
    progress.note('stopping after the pages that are under way; Ctrl-C again stops at once'),
  );
  let told = Number.NEGATIVE_INFINITY;
  const pace = createPace({
    parallel: flags.parallel,
    patienceMs: flags.patience * 1000,
    waits(reason, ms) {
      if (performance.now() - told < TELL_MS) return;
      told = performance.now();
      progress.note(`waiting ${(ms / 1000).toFixed(1)} s, slower from now on: ${reason}`);
    },
  });
  const counts: Counts = { rows: 0, created: 0, updated: 0, unchanged: 0, rejected: 0 };
  const start = performance.now();
  let resumedAt = 0;

  const record = (found: Verdict[]) => {
    verdicts.write(found);
    tally(counts, found);
    const words = `${count(counts.rows)} rows, ${count(counts.rejected)} rejected, ${rate(counts.rows - resumedAt, start)} rows/s`;
    progress.show(manifest.size && manifest.read() / manifest.size, words);
  };
  try {
    const rows = remaining(manifest.rows, verdicts, path, (earlier) => {
      tally(counts, [earlier]);
      resumedAt = counts.rows;
    });
    await sideBySide(
      pagesOf(rows),
      flags.parallel * 2,
      (page) => announce(api, pace, page, flags.dryRun),
      record,
      stop.signal,
    );
    if (!stop.signal.aborted) verdicts.finish(counts);
  } catch (error) {
    const said = inWords(error);
    if (!(said instanceof CommandFailed)) throw error;
    const all = `${said.message} (${count(counts.rows)} rows have their verdict; the same command goes on there)`;
    throw new CommandFailed(all);
  } finally {
    verdicts.close();
    progress.end();
    stop.forget();
  }

  const seconds = (performance.now() - start) / 1000;
  const figures = {
    apiCalls: pace.calls(),
    seconds,
    rowsPerSecond: rate(counts.rows - resumedAt, start),
    peakMemoryMb: peakMemoryMb(),
  };
  if (flags.json)
    printJson({ file, api: url, dryRun: flags.dryRun ?? false, ...counts, resumedAt, ...figures, verdicts: path });
  else console.log(summary(counts, resumedAt, figures, path, flags));
  if (stop.signal.aborted) throw new CommandFailed('stopped; the same command goes on', exitCodes.interrupted);
  if (counts.rejected > 0) process.exitCode = exitCodes.no;
}

/** The rows that have no verdict yet. Those that have one must still be the same. */
async function* remaining(
  batches: AsyncIterable<Parameters<ReturnType<typeof createRowCheck>>[0][]>,
  { earlier, resumed }: VerdictFile,
  path: string,
  skip: (verdict: Verdict) => void,
): AsyncGenerator<CheckedRow> {
  const check = createRowCheck();
  let skipping = resumed;
  for await (const batch of batches) {
    for (const read of batch) {
      const row = check(read);
      if (skipping) {
        const { value: verdict, done } = await earlier.next();
        if (!done) {
          if (verdict.row !== row.row || verdict.digest !== digestOf(row)) {
            throw new CommandFailed(
              `line ${row.line} is not what it was when ${path} was begun; --restart begins anew (what is in is answered unchanged)`,
            );
          }
          skip(verdict);
          continue;
        }
        skipping = false;
      }
      yield row;
    }
  }
  if (skipping && !(await earlier.next()).done) {
    throw new CommandFailed(`the manifest is shorter than it was when ${path} was begun; --restart begins anew`);
  }
}

/** Runs of rows that one request can carry, bad ones, which are not sent, among them. */
async function* pagesOf(rows: AsyncIterable<CheckedRow>): AsyncGenerator<CheckedRow[]> {
  let page: CheckedRow[] = [];
  let sent = 0;
  let bytes = 0;
  for await (const row of rows) {
    const size = row.problem ? 0 : Buffer.byteLength(JSON.stringify(row.value)) + 1;
    if (sent === PAGE_ROWS || bytes + size > PAGE_BYTES || page.length - sent === PAGE_BAD) {
      yield page;
      page = [];
      sent = 0;
      bytes = 0;
    }
    page.push(row);
    if (!row.problem) sent++;
    bytes += size;
  }
  if (page.length > 0) yield page;
}

async function announce(api: Api, pace: Pace, page: CheckedRow[], dryRun: true | undefined): Promise<Verdict[]> {
  const good = page.filter(({ problem }) => !problem);
  const body = { devices: good.map(({ value }) => value), ...(dryRun && { dryRun }) };
  const answer = good.length === 0 ? { results: [] } : await pace.run(() => api.post('/devices', body));
  const { results } = answer as { results: { serialNumber: string; outcome: Outcome; problem?: RowProblem }[] };
  if (results.length !== good.length)
    throw new CommandFailed('the API has not answered every row: is it of another version?');
  let next = 0;
  return page.map((row) => {
    const { outcome, problem } = row.problem
      ? { outcome: 'rejected' as const, problem: row.problem }
      : (results[next++] as (typeof results)[0]);
    const { row: number, line, serialNumber } = row;
    return { row: number, line, serialNumber, outcome, ...(problem && { problem }), digest: digestOf(row) };
  });
}

/** Works so many items off at once and hands the results over in the items' order. */
async function sideBySide<Item, Result>(
  items: AsyncIterable<Item>,
  width: number,
  work: (item: Item) => Promise<Result>,
  done: (result: Result) => void,
  signal: AbortSignal,
): Promise<void> {
  const underWay: Promise<Result>[] = [];
  for await (const item of items) {
    if (signal.aborted) break;
    const result = work(item);
    // It is awaited in its turn; until then a failure waits too.
    result.catch(() => {});
    underWay.push(result);
    if (underWay.length >= width) done(await (underWay.shift() as Promise<Result>));
  }
  for (const result of underWay) done(await result);
}

function tally(counts: Counts, verdicts: Verdict[]): void {
  for (const { outcome } of verdicts) counts[outcome]++;
  counts.rows += verdicts.length;
}

const rate = (rows: number, start: number) => Math.round(rows / ((performance.now() - start) / 1000));

function summary(
  { rows, created, updated, unchanged, rejected }: Counts,
  resumedAt: number,
  figures: { apiCalls: number; seconds: number; rowsPerSecond: number; peakMemoryMb: number },
  path: string,
  { dryRun }: ImportFlags,
): string {
  const would = dryRun ? ' (would be)' : '';
  return facts([
    ['rows', count(rows)],
    [`created${would}`, count(created)],
    [`updated${would}`, count(updated)],
    ['unchanged', count(unchanged)],
    ['rejected', count(rejected)],
    ['from an earlier run', resumedAt ? count(resumedAt) : undefined],
    ['API calls', count(figures.apiCalls)],
    ['time', `${figures.seconds.toFixed(1)} s, ${count(figures.rowsPerSecond)} rows/s`],
    ['peak memory', `${figures.peakMemoryMb} MB`],
    ['verdicts', path],
  ]);
}
