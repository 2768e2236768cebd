/** What `reconcile` says of one thing that it came upon. In a dry run `mended` is what would be. */
export type Finding = {
  /** Which unfinished business, or which drift. */
  what: string;
  /** A serial number; or the certificate, thing, stream, role or counter that is nobody's. */
  of: string;
  outcome: 'mended' | 'left' | 'failed';
  /** Of what was left: the reason. Of a failure: AWS's name for it, and what it said. */
  why?: string;
};

export type Report = {
  dryRun: boolean;
  /** How many of what were looked at. */
  looked: number;
  /** What was mended, and how often. */
  done: Record<string, number>;
  /** What was found and left for somebody to decide. */
  left: Record<string, number>;
  /** Devices that somebody else was writing: met again the next time. */
  raced: number;
  /** What AWS would not let us mend, by the name of its error: met again the next time. */
  failed: Record<string, number>;
  findings: Finding[];
  /** Findings that are counted and not listed. */
  unlisted: number;
  /** Whether there was time for everything. */
  complete: boolean;
};

const mostListed = 200;
const longestWhy = 300;

export const beginReport = (dryRun: boolean): Report => ({
  dryRun,
  looked: 0,
  done: {},
  left: {},
  raced: 0,
  failed: {},
  findings: [],
  unlisted: 0,
  complete: true,
});

const addOne = (counts: Record<string, number>, name: string): void => {
  counts[name] = (counts[name] ?? 0) + 1;
};

const list = (report: Report, finding: Finding): void => {
  if (report.findings.length < mostListed) report.findings.push(finding);
  else report.unlisted++;
};

export const reportMended = (report: Report, what: string, of: string, why?: string): void => {
  addOne(report.done, what);
  list(report, { what, of, outcome: 'mended', ...(why && { why }) });
};

export const reportLeft = (report: Report, what: string, of: string, why: string): void => {
  addOne(report.left, what);
  list(report, { what, of, outcome: 'left', why });
};

/** AWS's messages name resources and never secrets. */
export const reportFailure = (report: Report, what: string, of: string, error: unknown): void => {
  const { name, message } = error instanceof Error ? error : { name: 'unknown', message: '' };
  addOne(report.failed, name);
  list(report, { what, of, outcome: 'failed', why: `${name}: ${message}`.slice(0, longestWhy) });
};
