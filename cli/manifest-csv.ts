import { finished } from 'node:stream/promises';
import { type CsvError, parse } from 'csv-parse';
import { CommandFailed } from './failure.ts';
import type { ReadRow } from './manifest-row.ts';

/** The fields of a row, as the API calls them. */
const COLUMNS = [
  'serialNumber',
  'model',
  'batch',
  'publicKeySha256',
  'claimToken',
  'streamMode',
  'channels',
  'reprovisioning',
];
const ATTRIBUTE = 'attr:';
const DELIMITERS = [',', ';', '\t'] as const;
/** The widest good row has less than 20 KB; whatever is longer is a quote that nobody closed. */
const LONGEST_ROW = 128_000;

/**
 * Rows of a CSV, one a line, in batches as they come. Throws CommandFailed where what follows could not be trusted any more:
 * a heading that does not name the fields, a quote that is not closed in its line.
 */
export async function* csvRows(chunks: AsyncIterable<Buffer>): AsyncGenerator<ReadRow[]> {
  const source = await headed(chunks);
  const delimiter = delimiterOf(source.heading);
  let columns: string[] | undefined;
  let rows: ReadRow[] = [];
  let lastLine = 0;
  let fatal: CommandFailed | undefined;

  const parser = parse({
    delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    max_record_size: LONGEST_ROW,
    relax_column_count: true,
    skip_records_with_error: true,
    on_record(record: string[], { lines }) {
      take(record, lines);
      return null;
    },
    on_skip(error) {
      if (error) flawed(error, (error as CsvError & { lines: number }).lines);
      return undefined;
    },
  });
  parser.on('error', (error) => {
    fatal ??= new CommandFailed(`line ${lastLine + 1}: ${error.message}`);
  });

  function take(record: string[], line: number): void {
    const first = lastLine + 1;
    lastLine = line;
    if (record.some((cell) => /[\r\n]/.test(cell))) {
      fatal ??= new CommandFailed(
        `line ${first}: a quote that is opened here is closed only in line ${line}; a manifest has one row a line`,
      );
      return;
    }
    const cells = record.map((cell) => cell.trim());
    // Spreadsheets leave rows of nothing but delimiters behind.
    if (cells.every((cell) => cell === '')) return;
    if (!columns) {
      const heading = headingOf(cells);
      if (typeof heading === 'string') fatal ??= new CommandFailed(heading);
      else columns = heading;
    } else if (cells.length !== columns.length) {
      const problem = `has ${cells.length} cells where the heading has ${columns.length}`;
      rows.push({ line, serialNumber: cells[columns.indexOf('serialNumber')] ?? '', problem });
    } else {
      rows.push({ line, value: rowOf(columns, cells) });
    }
  }

  function flawed(error: CsvError, line: number): void {
    const first = lastLine + 1;
    if (error.code === 'CSV_INVALID_CLOSING_QUOTE' && line === first) {
      fatal ??= new CommandFailed(
        `line ${first}: something follows a closing quote; a quote in a cell is written twice`,
      );
      return;
    }
    if (error.code !== 'INVALID_OPENING_QUOTE' || line > first) {
      fatal ??= new CommandFailed(`line ${first}: a quote is opened and not closed; a manifest has one row a line`);
      return;
    }
    lastLine = line;
    rows.push({
      line,
      serialNumber: '',
      problem: 'has a quote inside a cell: write the whole cell in quotes, and a quote in it twice',
    });
  }

  for await (const chunk of source.chunks) {
    // A Transform that pushes nothing works each chunk off before `write` returns.
    parser.write(chunk);
    const batch = rows;
    rows = [];
    if (batch.length > 0) yield batch;
    if (fatal) throw fatal;
  }
  parser.end();
  await finished(parser, { readable: false });
  if (rows.length > 0) yield rows;
  if (fatal) throw fatal;
}

/** The first line that holds anything, and all chunks from the beginning. The first chunk holds it: it is cut behind a line. */
async function headed(chunks: AsyncIterable<Buffer>): Promise<{ heading: string; chunks: AsyncIterable<Buffer> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const { value: first = Buffer.alloc(0) } = await iterator.next();
  const all = async function* () {
    yield first;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  };
  return {
    heading:
      first
        .toString()
        .trimStart()
        .split(/[\r\n]/, 1)[0] ?? '',
    chunks: all(),
  };
}

/** Column names hold no delimiter, so the one that the heading has most of is it. */
function delimiterOf(heading: string): string {
  const count = (delimiter: string) => heading.split(delimiter).length;
  return DELIMITERS.reduce((best, candidate) => (count(candidate) > count(best) ? candidate : best));
}

/** The columns, or why they are none. */
function headingOf(cells: string[]): string[] | string {
  const names = `A heading has serialNumber and any of ${COLUMNS.slice(1).join(', ')}, ${ATTRIBUTE}<name>.`;
  for (const cell of cells) {
    if (COLUMNS.includes(cell) || (cell.startsWith(ATTRIBUTE) && cell.length > ATTRIBUTE.length)) continue;
    const meant = COLUMNS.find((name) => plain(name) === plain(cell));
    return `the heading names an unknown column '${cell.slice(0, 80)}'${meant ? `: did you mean ${meant}?` : `. ${names}`}`;
  }
  const twice = cells.find((cell, index) => cells.indexOf(cell) !== index);
  if (twice) return `the heading names the column ${twice} twice`;
  if (!cells.includes('serialNumber')) return `the heading names no column serialNumber. ${names}`;
  return cells;
}

const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** An empty cell is a field that is left out. */
function rowOf(columns: string[], cells: string[]): unknown {
  const row: Record<string, unknown> = {};
  const attributes: [string, string][] = [];
  columns.forEach((column, index) => {
    const cell = cells[index];
    if (!cell) return;
    if (column.startsWith(ATTRIBUTE)) attributes.push([column.slice(ATTRIBUTE.length), cell]);
    else row[column] = column === 'channels' ? cell.split(/[\s|]+/).filter(Boolean) : cell;
  });
  if (attributes.length > 0) row.attributes = Object.fromEntries(attributes);
  return row;
}
