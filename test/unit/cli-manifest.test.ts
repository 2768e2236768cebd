import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { openManifest } from '../../cli/manifest-file.ts';
import { createRowCheck } from '../../cli/manifest-row.ts';
import { createSeen } from '../../cli/seen.ts';

const folder = mkdtempSync(join(tmpdir(), 'firstlight-manifest-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PIN = 'ab'.repeat(32);

/** Its rows, as the API is to see them, or the problem of each; and why it could not be read on. */
async function reading(content: string | Buffer, name = 'manifest.csv') {
  const file = join(folder, name);
  writeFileSync(file, content);
  const check = createRowCheck();
  const rows: unknown[] = [];
  try {
    for await (const batch of (await openManifest(file)).rows) {
      for (const read of batch) {
        const { line, value, problem } = check(read);
        rows.push(problem ? `${line}: ${problem.code}: ${problem.detail}` : value);
      }
    }
  } catch (error) {
    return { rows, ends: (error as Error).message.replace(`${file}: `, '') };
  }
  return { rows };
}

/** What is wrong with a row of these columns. */
async function problemOf(columns: string, cells: string) {
  const { rows } = await reading(`${columns}\n${cells}\n`);
  return rows[0];
}

describe('a CSV', () => {
  it('may come from a spreadsheet: byte order mark, CRLF, semicolons, empty rows at its end', async () => {
    const content =
      '\ufeffserialNumber;model;channels;attr:site;attr:line\r\nA-1;M 1;sub|audio;Köln;\r\nA-2;"x;""y""";;;3\r\n;;;;\r\n\r\n';
    expect(await reading(content)).toEqual({
      rows: [
        { serialNumber: 'A-1', model: 'M 1', channels: ['sub', 'audio'], attributes: { site: 'Köln' } },
        { serialNumber: 'A-2', model: 'x;"y"', attributes: { line: '3' } },
      ],
    });
  });

  it.each([
    ['tabs', 'serialNumber\tmodel\tbatch\nA-1\t\tb\n'],
    ['old line ends', 'serialNumber,model,batch\rA-1,,b\r'],
    ['no line end at its end', 'serialNumber,model,batch\nA-1,,b'],
    ['white space around its cells', ' serialNumber , model, batch\n A-1 , , b \n'],
  ])('may have %s', async (_, content) => {
    expect(await reading(content)).toEqual({ rows: [{ serialNumber: 'A-1', batch: 'b' }] });
  });

  it('with a quote never closed says where that was opened, and has not lost what came before', async () => {
    expect(await reading('serialNumber,model\nA-1,x\nA-2,"open\nA-3,y\n')).toEqual({
      rows: [{ serialNumber: 'A-1', model: 'x' }],
      ends: 'line 3: a quote is opened and not closed; a manifest has one row a line',
    });
  });

  it('never swallows the rows between one quote too many and the next', async () => {
    const { ends } = await reading('serialNumber,model\nA-1,"open\nA-2,x\nA-3,"\nA-4,y\n');
    expect(ends).toBe('line 2: a quote that is opened here is closed only in line 4; a manifest has one row a line');
    expect((await reading('serialNumber,model\nA-1,"a" b\nA-2,x\n')).ends).toMatch(/^line 2: something follows/);
    expect((await reading(`serialNumber,model\nA-1,"\n${'A-2,x\n'.repeat(60_000)}`)).ends).toMatch(
      /^line 2: a quote is opened/,
    );
  });

  it('goes on behind a row that is no row', async () => {
    expect(await reading('serialNumber,model\nA-1\nA-2,5" cam\nA-3,x,y\nA-4,z\n')).toEqual({
      rows: [
        '2: invalid-request: has 1 cells where the heading has 2',
        '3: invalid-request: has a quote inside a cell: write the whole cell in quotes, and a quote in it twice',
        '4: invalid-request: has 3 cells where the heading has 2',
        { serialNumber: 'A-4', model: 'z' },
      ],
    });
  });

  it.each([
    ['model\nx\n', /^the heading names no column serialNumber/],
    ['A-1,x\nA-2,y\n', /^the heading names an unknown column 'A-1'/],
    [
      'serialNumber,colour\nA-1,red\n',
      /^the heading names an unknown column 'colour'\. A heading has serialNumber and/,
    ],
    ['Serial_Number\nA-1\n', /^the heading names an unknown column 'Serial_Number': did you mean serialNumber\?$/],
    ['serialNumber,model,model\nA-1,x,y\n', /^the heading names the column model twice$/],
    ['serialNumber,attr:\nA-1,x\n', /unknown column 'attr:'/],
    ['', /^it is empty$/],
    ['\n \n', /^it is empty$/],
    ['serialNumber,model\n', /^it has no rows$/],
    [Buffer.from('serialNumber,model\nA-1,K\u00f6ln\n', 'latin1'), /^it is not UTF-8/],
    [Buffer.from('\ufeffserialNumber\nA-1\n', 'utf16le'), /^it is not UTF-8/],
  ])('%j is not one', async (content, why) => {
    const { rows, ends } = await reading(content);
    expect(rows).toEqual([]);
    expect(ends).toMatch(why);
  });

  it('that is not there is said in one line', async () => {
    await expect(openManifest(join(folder, 'nowhere.csv'))).rejects.toThrow('nowhere.csv does not exist');
    await expect(openManifest(folder)).rejects.toThrow('is a directory');
  });
});

describe('JSON Lines', () => {
  it('are told by their first character too, and a line that is no JSON is one bad row', async () => {
    const content = '\ufeff{"serialNumber":"A-1"}\r\n\nnope\n{"serialNumber":"A-2","channels":["sub"]}';
    const expected = {
      rows: [{ serialNumber: 'A-1' }, '3: invalid-request: is not JSON', { serialNumber: 'A-2', channels: ['sub'] }],
    };
    expect(await reading(content, 'manifest')).toEqual(expected);
    expect(await reading(content, 'manifest.jsonl')).toEqual(expected);
  });

  it.each([
    ['{"serialNumber":"A","colour":"red"}', 'colour is not a known field'],
    ['{"model":"M"}', 'serialNumber is missing'],
    ['"A"', 'Invalid input: expected object, received string'],
    ['{"serialNumber":7}', 'serialNumber Invalid input: expected string, received number'],
  ])('%s: %s', async (line, why) => {
    expect((await reading(line, 'manifest.jsonl')).rows).toEqual([`1: invalid-request: ${why}`]);
  });

  it('are not an array', async () => {
    expect((await reading('[{"serialNumber":"A"}]', 'manifest.json')).ends).toMatch(/^a JSON array is no manifest/);
  });

  it('have no line without end', async () => {
    const { ends } = await reading(`{"serialNumber":"${'A'.repeat(400_000)}`, 'manifest.jsonl');
    expect(ends).toBe('it has a line that is longer than any row can be');
  });
});

describe('a row', () => {
  it.each([
    ['publicKeySha256', 'abc', 'publicKeySha256 must be 64 lower-case hex digits: SHA-256 of the SPKI DER'],
    ['publicKeySha256', 'AB'.repeat(32), 'publicKeySha256 must be 64 lower-case hex digits: SHA-256 of the SPKI DER'],
    ['streamMode', 'free', 'streamMode Invalid option: expected one of "thing-name"|"certificate-id"|"fixed"'],
    ['channels', 'sub sub', 'channels must not name a channel twice'],
    ['channels', 'a.b', 'channels/0 must be 1 to 32 of A-Z a-z 0-9 _ -'],
    ['claimToken', '12345678', 'claimToken must hold 128 random bits or more: 32 hex digits, or 22 letters and digits'],
    ['batch', 'a b', /^2: invalid-request: batch must be/],
  ])('%s is not %s', async (column, cell, why) => {
    const problem = await problemOf(`serialNumber,${column}`, `A-1,${cell}`);
    if (typeof why === 'string') expect(problem).toBe(`2: invalid-request: ${why}`);
    else expect(problem).toMatch(why);
  });

  it.each(['', 'a/b', 'x'.repeat(129), 'CAM-r7', 'claim-1'])('serialNumber is not %j', async (serial) => {
    expect(await problemOf('serialNumber,model', `${serial},M`)).toMatch(/^2: invalid-request: serialNumber /);
  });

  it('is refused where its serial number or its key came before in the file', async () => {
    const content = `serialNumber,publicKeySha256\nA-1,${PIN}\nA-2,\nA-1,\nA-3,${PIN}\n`;
    expect((await reading(content)).rows.slice(2)).toEqual([
      '4: duplicate-serial: this serial number is in line 2 already',
      '5: duplicate-key: this key is pinned in line 2 already',
    ]);
  });
});

describe('what was seen', () => {
  it('tells 200,000 serial numbers apart, and knows each again with its line, past the room it began with', () => {
    const seen = createSeen(1 << 10);
    const serial = (line: number) => `CAM-${String(line).padStart(8, '0')}`;
    for (let line = 1; line <= 200_000; line++) if (seen.before(serial(line), line)) throw new Error(serial(line));
    for (const line of [1, 768, 769, 99_999, 200_000]) expect(seen.before(serial(line), 7)).toBe(line);
  });
});

describe('manifest check', () => {
  /** Runs it with so many rows on its standard input, one of them bad. */
  async function checks(rows: number) {
    // Room for a few thousand rows: were they kept, a million would need 300 MB and the process would end.
    const args = ['--max-old-space-size=64', 'cli/firstlight.ts', 'manifest', 'check', '--json', '-'];
    const run = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    const bad = Math.floor(rows / 2);
    function* lines() {
      yield 'serialNumber,model,batch,publicKeySha256,streamMode,channels\n';
      for (let from = 0; from < rows; from += 500) {
        const some = Array.from({ length: Math.min(500, rows - from) }, (_, index) => from + index);
        yield some
          .map((n) => `CAM-${n},A1,week-47,${n === bad ? 'bad' : String(n).padStart(64, '0')},,sub audio\n`)
          .join('');
      }
    }
    const [answer, code] = await Promise.all([
      text(run.stdout),
      new Promise((resolve) => run.once('close', resolve)),
      pipeline(Readable.from(lines()), run.stdin),
    ]);
    return { ...JSON.parse(answer), code };
  }

  it('counts the rows that have neither pin nor token, and says what they are', async () => {
    const file = join(folder, 'proofs.csv');
    const rows = ['serialNumber,publicKeySha256,claimToken', `A-1,${PIN},`, `A-2,,${'t'.repeat(24)}`, 'A-3,,', 'A-4,,'];
    writeFileSync(file, `${rows.join('\n')}\n`);
    const run = async (...flags: string[]) => {
      const child = spawn(process.execPath, ['cli/firstlight.ts', 'manifest', 'check', file, ...flags]);
      const [printed, code] = await Promise.all([text(child.stdout), new Promise((done) => child.once('close', done))]);
      return { printed, code };
    };
    const human = await run();
    expect(human).toMatchObject({ code: 0, printed: expect.stringMatching(/^rows +4$/m) });
    expect(human.printed).toMatch(/^neither pin nor token +2 \(first come, first served\)$/m);
    expect(JSON.parse((await run('--json')).printed)).toMatchObject({ rows: 4, good: 4, bad: 0, unproven: 2 });
  });

  it('finds the one bad row of a million, in the memory that a thousand need', { timeout: 180_000 }, async () => {
    const [thousand, million] = [await checks(1000), await checks(1_000_000)];
    const { rows, bad, seconds, rowsPerSecond, peakMemoryMb } = million;
    console.log(
      `manifest check: ${rows} rows in ${seconds.toFixed(1)} s, ${rowsPerSecond} rows/s, ${peakMemoryMb} MB (1,000 rows: ${thousand.peakMemoryMb} MB)`,
    );
    expect({ rows, bad }).toEqual({ rows: 1_000_000, bad: 1 });
    expect(million.problems).toMatchObject([{ line: 500_002, serialNumber: 'CAM-500000' }]);
    expect([thousand.code, million.code]).toEqual([1, 1]);
    // The two tables of 24 MB, which are there from the beginning, are written all over.
    expect(peakMemoryMb).toBeLessThan(thousand.peakMemoryMb + 130);
  });
});
