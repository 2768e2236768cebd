import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CommandFailed } from './failure.ts';
import { csvRows } from './manifest-csv.ts';
import type { ReadRow } from './manifest-row.ts';

export type Format = 'csv' | 'jsonl';

export interface ManifestFile {
  rows: AsyncIterable<ReadRow[]>;
  /** Bytes read so far. */
  read(): number;
  /** All bytes, where the input is a file. */
  size: number | undefined;
}

/** The widest good row has less than 20 KB; a chunk of the file may be all that is still without an end. */
const LONGEST_LINE = 256_000;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Opens a manifest; `-` is the standard input. CommandFailed says in which line it stops being one. */
export async function openManifest(file: string, format?: Format): Promise<ManifestFile> {
  const size = file === '-' ? undefined : await sizeOf(file);
  const stream = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 1 << 16 });
  let bytes = 0;
  const chunks = wholeLines(stream, (length) => {
    bytes += length;
  });
  return { rows: rowsOf(file, chunks, format), read: () => bytes, size };
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw new CommandFailed(`${file} is a directory`);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new CommandFailed(`${file} does not exist`);
    throw error;
  }
}

async function* rowsOf(file: string, chunks: AsyncIterable<Buffer>, format?: Format): AsyncGenerator<ReadRow[]> {
  const name = file === '-' ? 'the standard input' : file;
  let any = false;
  try {
    const { first, all } = await peek(chunks);
    if (first === undefined) throw new CommandFailed('it is empty');
    for await (const rows of (format ?? formatOf(file, first)) === 'csv' ? csvRows(all) : jsonRows(all)) {
      any ||= rows.length > 0;
      yield rows;
    }
    if (!any) throw new CommandFailed('it has no rows');
  } catch (error) {
    if (error instanceof CommandFailed) throw new CommandFailed(`${name}: ${error.message}`);
    throw error;
  }
}

/** By its name; a name that says nothing leaves it to the first character. */
function formatOf(file: string, first: string): Format {
  if (/\.(csv|tsv)$/i.test(file)) return 'csv';
  if (/\.(jsonl|ndjson)$/i.test(file)) return 'jsonl';
  if (first === '[') throw new CommandFailed('a JSON array is no manifest: write one object a line (jq -c .[])');
  return first === '{' ? 'jsonl' : 'csv';
}

/** The first character that is no white space, and all chunks from the beginning. */
async function peek(chunks: AsyncIterable<Buffer>): Promise<{ first: string | undefined; all: AsyncIterable<Buffer> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const begun: Buffer[] = [];
  let first: string | undefined;
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    begun.push(next.value);
    first = /\S/.exec(next.value.toString())?.[0];
    if (first !== undefined) break;
  }
  const all = async function* () {
    yield* begun;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  };
  return { first, all: all() };
}

/** UTF-8 without byte order mark, cut behind a line. Latin-1 or UTF-16 would end as other letters than were written, so they are refused. */
async function* wholeLines(stream: AsyncIterable<Buffer>, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let begun = false;
  const checked = (lines: Buffer): Buffer => {
    if (!isUtf8(lines)) throw new CommandFailed('it is not UTF-8: save it as "CSV UTF-8"');
    const text = !begun && BYTE_ORDER_MARK.equals(lines.subarray(0, 3)) ? lines.subarray(3) : lines;
    begun = true;
    return text;
  };
  for await (const chunk of stream) {
    count(chunk.length);
    const all = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const end = all.lastIndexOf('\n') + 1 || all.lastIndexOf('\r', all.length - 2) + 1;
    rest = all.subarray(end);
    if (rest.length > LONGEST_LINE) throw new CommandFailed('it has a line that is longer than any row can be');
    if (end > 0) yield checked(all.subarray(0, end));
  }
  if (rest.length > 0) yield checked(rest);
}

async function* jsonRows(chunks: AsyncIterable<Buffer>): AsyncGenerator<ReadRow[]> {
  let line = 0;
  for await (const chunk of chunks) {
    const rows: ReadRow[] = [];
    for (const text of chunk.toString().replace(/\n$/, '').split('\n')) {
      line++;
      if (text.trim() !== '') rows.push(jsonRow(text, line));
    }
    if (rows.length > 0) yield rows;
  }
}

function jsonRow(text: string, line: number): ReadRow {
  try {
    return { line, value: JSON.parse(text) };
  } catch {
    return { line, serialNumber: '', problem: 'is not JSON' };
  }
}
