import { type Announcement, announcement, manifestPage, type RowProblem } from '../domain/manifest.ts';
import { flawsOf, parse } from './parse.ts';

type ReadRow = { row: Announcement } | { serialNumber: string; problem: RowProblem };

/** The envelope must be right; of the rows each is read for itself. */
export const readManifestPage = (body: unknown): { rows: ReadRow[]; dryRun: boolean } => {
  const { devices, dryRun } = parse(manifestPage, body);
  return { rows: devices.map(readRow), dryRun: dryRun ?? false };
};

const readRow = (value: unknown): ReadRow => {
  const parsed = announcement.safeParse(value);
  if (parsed.success) return { row: parsed.data };
  const named = value !== null && typeof value === 'object' && 'serialNumber' in value ? value.serialNumber : '';
  const detail = flawsOf(parsed.error)
    .map((flaw) => `${flaw.pointer.slice(1)} ${flaw.detail}`.trim())
    .join('; ');
  const serialNumber = typeof named === 'string' ? named.slice(0, 160) : '';
  return { serialNumber, problem: { code: 'invalid-request', detail } };
};
