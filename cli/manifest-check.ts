import { CommandFailed, exitCodes } from './failure.ts';
import { type Format, openManifest } from './manifest-file.ts';
import { type CheckedRow, createRowCheck } from './manifest-row.ts';
import { createProgress } from './progress.ts';
import { count, facts, printJson, table } from './table.ts';

export interface CheckFlags {
  format?: Format;
  problems: number;
  json?: true;
}

interface Findings {
  rows: number;
  good: number;
  bad: number;
  duplicates: number;
  unproven: number;
  /** The first ones. */
  problems: Pick<CheckedRow, 'line' | 'serialNumber' | 'problem'>[];
}

/** Reads a manifest to its end and says what the API would refuse, without asking it. */
export async function checkManifest(file: string, flags: CheckFlags): Promise<void> {
  const start = performance.now();
  const findings: Findings = { rows: 0, good: 0, bad: 0, duplicates: 0, unproven: 0, problems: [] };
  let unreadable: CommandFailed | undefined;
  try {
    await examine(file, flags, findings);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    unreadable = error;
  }
  if (findings.rows > 0) report(file, findings, (performance.now() - start) / 1000, flags, unreadable?.message);
  if (unreadable) throw unreadable;
  if (findings.bad > 0) process.exitCode = exitCodes.no;
}

async function examine(file: string, { format, problems }: CheckFlags, findings: Findings): Promise<void> {
  const progress = createProgress();
  const manifest = await openManifest(file, format);
  const check = createRowCheck();
  try {
    for await (const rows of manifest.rows) {
      for (const row of rows) take(check(row), findings, problems);
      const words = `${count(findings.rows)} rows, ${count(findings.bad)} bad`;
      progress.show(manifest.size && manifest.read() / manifest.size, words);
    }
  } finally {
    progress.end();
  }
}

function take({ line, serialNumber, problem, unproven }: CheckedRow, findings: Findings, shown: number): void {
  findings.rows++;
  if (unproven) findings.unproven++;
  if (!problem) {
    findings.good++;
    return;
  }
  findings.bad++;
  if (problem.code.startsWith('duplicate-')) findings.duplicates++;
  if (findings.problems.length < shown) findings.problems.push({ line, serialNumber, problem });
}

function report(file: string, findings: Findings, seconds: number, { json }: CheckFlags, unreadable?: string): void {
  const { rows, good, bad, duplicates, unproven, problems } = findings;
  const rowsPerSecond = Math.round(rows / seconds);
  if (json) {
    const { problems: _, ...counts } = findings;
    const figures = { seconds, rowsPerSecond, peakMemoryMb: peakMemoryMb() };
    printJson({ file, ...counts, ...figures, ...(unreadable && { unreadable }), problems });
    return;
  }
  if (problems.length > 0) console.log(problemTable(problems));
  if (bad > problems.length) console.log(`… and ${count(bad - problems.length)} more (--problems <n>)`);
  console.log(
    facts([
      ['rows', count(rows)],
      ['good', count(good)],
      ['bad', count(bad)],
      ['  of them duplicates', duplicates ? count(duplicates) : undefined],
      ['neither pin nor token', unproven ? `${count(unproven)} (first come, first served)` : '0'],
      ['read in', `${seconds.toFixed(1)} s, ${count(rowsPerSecond)} rows/s`],
      ['peak memory', `${peakMemoryMb()} MB`],
    ]),
  );
}

const problemTable = (problems: Pick<CheckedRow, 'line' | 'serialNumber' | 'problem'>[]) =>
  table(
    ['line', 'serial number', 'what is wrong'],
    problems.map(({ line, serialNumber, problem }) => [line, serialNumber, problem?.detail ?? '']),
  );

/** Of this process, as the system counted it. */
export const peakMemoryMb = (): number => Math.round(process.resourceUsage().maxRSS / 1024);
